"""What is a transcript: one test for each row of that table in docs/annotation.md."""

import pytest
from toolkit.gene_files import bed, ids, of, spans, spans_of_exons, starts

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models


@pytest.mark.parametrize(
    "feature",
    ["transcript", "mRNA", "ncRNA", "tRNA", "lnc_RNA", "SRP_RNA", "pre_miRNA", "V_gene_segment",
     "primary_transcript", "pseudogenic_transcript", "NMD_transcript_variant", "lincRNA"],
)  # fmt: skip
def test_gtf_transcript_types(gtf, feature):
    found = gtf(
        ("gene", 1, 90, of("g")),
        (feature, 1, 90, of("g", "t1")),
        (feature, 31, 90, of("g", "t2")),
        ("exon", 1, 20, of("g", "t1")),
        ("exon", 41, 90, of("g", "t1")),
        ("exon", 31, 90, of("g", "t2")),
    )
    assert (ids(found.transcripts), spans(found)) == (["t1", "t2"], [(1, 90), (31, 90)])


@pytest.mark.parametrize("feature", ["intron", "start_codon", "transcription_start_site", "region"])
def test_gtf_other_types_are_none(gtf, feature):
    found = gtf(("exon", 5, 20, of("g", "t")), (feature, 1, 90, of("g", "u")))
    assert ids(found.transcripts) == ["t"]


def test_gtf_parts_alone(gtf):
    found = gtf(
        ("exon", 1, 20, of("g", "t1")),
        ("exon", 41, 90, of("g", "t1")),
        ("CDS", 51, 90, of("g", "t2")),
    )
    assert (ids(found.transcripts), spans(found)) == (["t1", "t2"], [(1, 90), (51, 90)])


def test_gtf_gene_beside_parts(gtf):
    parts = (("exon", 11, 20, of("g", "t1"), "-"), ("exon", 11, 50, of("g", "t2"), "-"))
    found = gtf(("gene", 1, 90, of("g"), "-"), *parts)
    assert (ids(found.transcripts), starts(found)) == (["t1", "t2"], [20, 50])
    # with a row for one of two isoforms, the other still counts
    found = gtf(("gene", 1, 90, of("g"), "-"), ("mRNA", 11, 20, of("g", "t1"), "-"), *parts)
    assert (ids(found.transcripts), starts(found)) == (["t1", "t2"], [20, 50])


def test_gtf_gene_alone(gtf):
    assert spans(gtf(("gene", 1, 90, of("g")), ("exon", 11, 20, of("g")))) == [(1, 90)]
    assert spans(gtf(("gene", 1, 90, of("g")), ("exon", 200, 210, of("h", "t")))) == [
        (1, 90),
        (200, 210),
    ]


def test_gtf_pseudogene(gtf):
    found = gtf(
        ("gene", 1, 90, of("g")),
        ("pseudogene", 11, 90, of("g", "t")),
        ("exon", 11, 90, of("g", "t")),
    )
    assert (ids(found.transcripts), spans(found)) == (["t"], [(11, 90)])
    assert ids(gtf(("pseudogene", 1, 90, of("g"))).transcripts) == ["g"]


def test_gtf_gene_row_with_transcript_id(gtf):
    part = ("exon", 11, 90, of("g", "t"))
    for attributes in (of("g", "g"), 'gene_id "g"; transcript_id "";', of("g", "other")):
        found = gtf(("gene", 1, 90, attributes), part)
        assert (ids(found.transcripts), spans(found)) == (["t"], [(11, 90)])


def test_gtf_bare_ids(gtf):
    found = gtf(
        ("gene", 1, 90, "g1"),
        ("transcript", 1, 90, "g1.t1"),
        ("exon", 1, 20, of("g1", "g1.t1")),
        ("exon", 41, 90, of("g1", "g1.t1")),
        ("transcript", 101, 150, "g2.t1"),
        ("CDS", 201, 230, "g3.t1"),
        ("CDS", 251, 280, "g3.t1;"),
    )
    assert spans(found) == [(1, 90), (101, 150), (201, 280)]
    genes = found.transcripts.set_index("transcript_id")["gene_id"].to_dict()
    assert genes == {"g1.t1": "g1", "g2.t1": "g2.t1", "g3.t1": "g3.t1"}
    with pytest.raises(
        GenezipError, match=r"gene row at c:1-90 has neither transcript_id nor gene_id"
    ):
        gtf(("gene", 1, 90, "."))


def test_gtf_bare_gene_of_another_name(gtf):
    rows = (("transcript", 1, 90, of("p_g1", "p_g1.t1")), ("exon", 1, 20, of("p_g1", "p_g1.t1")))
    assert ids(gtf(("gene", 1, 90, "g1"), *rows).transcripts) == ["p_g1.t1"]
    assert ids(gtf(("gene", 1, 90, "g1", "-"), *rows).transcripts) == ["g1", "p_g1.t1"]


def test_gff3_parent_of_parts(gff3):
    found = gff3(
        ("gene", 1, 90, "ID=g"),
        ("strange_type", 11, 90, "ID=t;Parent=g"),
        ("exon", 11, 90, "Parent=t"),
        ("CDS", 101, 120, "ID=p;Parent=nowhere"),
        ("CDS", 131, 150, "ID=p;Parent=nowhere"),
    )
    assert (ids(found.transcripts), spans(found)) == (["nowhere", "t"], [(11, 90), (101, 150)])


def test_gff3_transcript_without_parts(gff3):
    found = gff3(
        ("gene", 1, 90, "ID=g"),
        ("tRNA", 11, 90, "ID=t;Parent=g"),
        ("tRNA", 101, 120, "Parent=lost"),
        ("miRNA_primary_transcript", 201, 290, "ID=m"),
        ("miRNA", 211, 230, "ID=n;Derives_from=m"),
    )
    assert spans(found) == spans_of_exons(found) == [(11, 90), (101, 120), (201, 290)]


def test_gff3_other_child_of_a_gene(gff3):
    found = gff3(
        ("gene", 1, 90, "ID=g"),
        ("polypeptide", 11, 20, "ID=p;Parent=g"),
        ("intron", 31, 40, "Parent=g"),
        ("regulatory_region", 51, 60, "ID=r;Parent=g"),
        ("region", 1, 400, "ID=c"),
    )
    assert (ids(found.transcripts), spans(found)) == (["g"], [(1, 90)])


@pytest.mark.parametrize(
    ("protein", "cds"),
    [
        ("ID=p;Derives_from=t", "Parent=t,p"),
        ("ID=p;Derives_from=t", "Parent=p,t"),
        ("ID=p;Derives_from=t", "Parent=p"),
        ("ID=p;Parent=t", "Parent=p"),
        ("ID=p", "Parent=t,p"),
    ],
)
def test_gff3_proteins(gff3, protein, cds):
    found = gff3(
        ("gene", 1, 90, "ID=g"),
        ("mRNA", 1, 90, "ID=t;Parent=g"),
        ("protein", 21, 40, protein),
        ("exon", 1, 90, "Parent=t"),
        ("CDS", 21, 40, cds),
    )
    assert (ids(found.transcripts), ids(found.cds)) == (["t"], ["t"])
    assert len(found.utr) == 2


def test_gff3_several_parents(gff3):
    rows = (
        ("gene", 1, 90, "ID=g"),
        ("mRNA", 1, 90, "ID=t1;Parent=g"),
        ("mRNA", 1, 90, "ID=t2;Parent=g"),
    )
    for parents in ("Parent=t1,t2", "Parent=t1;Parent=t2", "Parent=t1, t2,", "Parent=g,t2,t1"):
        found = gff3(*rows, ("exon", 1, 90, f"ID=e;{parents}"))
        assert ids(found.exons) == ids(found.transcripts) == ["t1", "t2"]


def test_gff3_two_genes(gff3):
    found = gff3(
        ("gene", 1, 50, "ID=g1"),
        ("gene", 1, 90, "ID=g2"),
        ("mRNA", 11, 50, "ID=t;Parent=g1,g2"),
        ("exon", 11, 50, "Parent=t"),
    )
    assert (ids(found.transcripts), spans(found)) == (["t"], [(11, 50)])


def test_gff3_gene_alone(gff3):
    found = gff3(
        ("gene", 1, 90, "ID=g"),
        ("CDS", 1, 90, "ID=p;Parent=g"),
        ("pseudogene", 101, 120, "Name=x"),
        ("CDS", 201, 220, "ID=q"),
        ("CDS", 231, 240, "ID=q"),
    )
    assert spans(found) == [(1, 90), (101, 120), (201, 240)]
    assert len(found.cds) == 3


@pytest.mark.parametrize("attributes", [of("g", "t"), "mRNA00001", "gene_id g; transcript_id t"])
def test_gff3_another_format(gff3, attributes):
    sentence = r"line 2 of .*, column 9 \(attributes\): the CDS row has neither ID nor Parent.* GTF"
    with pytest.raises(GenezipError, match=sentence):
        gff3(("gene", 1, 90, "ID=g"), ("CDS", 1, 90, attributes))


def test_gff3_gene_around_an_orphan(gff3):
    orphan = (("mRNA", 11, 50, "ID=t"), ("exon", 11, 50, "Parent=t"))
    assert ids(gff3(("gene", 1, 90, "ID=g"), *orphan).transcripts) == ["t"]
    assert ids(gff3(("gene", 1, 90, "ID=g", "-"), *orphan).transcripts) == ["g", "t"]
    assert ids(gff3(("gene", 1, 40, "ID=g"), *orphan).transcripts) == ["g", "t"]


def test_parts_of_a_gene(gtf, gff3):
    in_gtf = gtf(
        ("transcript", 1, 40, of("g", "a")),
        ("transcript", 1, 90, of("g", "b")),
        ("transcript", 1, 60, of("g", "c")),
        ("CDS", 21, 30, of("g")),
        ("CDS", 51, 60, of("g")),
    )
    assert ids(in_gtf.cds) == ["b", "b"]
    in_gff3 = gff3(
        ("gene", 1, 90, "ID=g"),
        ("mRNA", 1, 40, "ID=a;Parent=g"),
        ("mRNA", 1, 90, "ID=b;Parent=g"),
        ("CDS", 21, 30, "Parent=g"),
        ("CDS", 51, 60, "Parent=g"),
    )
    assert ids(in_gff3.cds) == ["b", "b"]


def test_bed12_rows(bed12):
    row = bed("c", 0, 90, "x", 0, "-", 10, 60, 0, 2, "20,30,", "0,60,")
    found = read_gene_models(bed12(row), "bed12", "all")
    assert (spans(found), starts(found)) == ([(1, 90)], [90])
    assert spans_of_exons(found) == [(1, 20), (61, 90)]


@pytest.mark.parametrize("exon", ["noncoding_exon", "coding_exon", "single-exon", "EXON"])
@pytest.mark.parametrize("utr", ["5'-UTR", "five_prime_UTR", "5UTR", "UTR5", "5_prime_utr"])
def test_part_types(gtf, gff3, exon, utr):
    found = gff3(
        ("tRNA_gene", 1, 90, "ID=g"),
        ("tRNA", 1, 90, "ID=t;Parent=g"),
        (exon, 1, 40, "Parent=t"),
        (exon, 61, 90, "Parent=t"),
        ("exon_junction", 41, 60, "Parent=t"),
    )
    assert spans_of_exons(found) == [(1, 40), (61, 90)]
    found = gtf(
        ("transcript", 1, 90, "g1.t1"),
        (utr, 1, 40, of("g1", "g1.t1")),
        ("CDS", 41, 90, of("g1", "g1.t1")),
        ("five_prime_UTR_intron", 10, 20, of("g1", "g1.t1")),
    )
    assert (len(found.utr), spans_of_exons(found)) == (1, [(1, 40), (41, 90)])


@pytest.mark.parametrize(
    "other",
    [
        ("gene", 1, 100, "ID=t"),
        ("polypeptide", 11, 40, "ID=t;Derives_from=t"),
        ("intron", 41, 60, "ID=t;Parent=t"),
    ],
)
def test_gff3_one_id_for_two_kinds(gff3, other):
    rows = [
        ("mRNA", 11, 90, "ID=t;Parent=t"),
        ("exon", 11, 40, "Parent=t"),
        ("exon", 61, 90, "Parent=t"),
        other,
    ]
    for order in (rows, rows[::-1]):
        found = gff3(*order)
        assert (ids(found.transcripts), spans(found)) == (["t"], [(11, 90)])
        assert len(found.exons) == 2


@pytest.mark.parametrize("attributes", ["parent=t", "transcript_id=t;gene_id=g", "x=1; PARENT=t"])
def test_gff3_keys_in_other_letters(gff3, attributes):
    with pytest.raises(
        GenezipError, match=r"the exon row has neither ID nor Parent.*these two keys"
    ):
        gff3(("mRNA", 1, 90, "id=t"), ("exon", 1, 40, attributes))
    # a part may do without both
    assert spans(gff3(("CDS", 1, 40, "product=x;Note=parent;locus_tag=y"))) == [(1, 40)]


def test_gff3_derived_gene(gff3):
    found = gff3(
        ("transposable_element", 1, 200, "ID=te"),
        ("transposable_element_gene", 11, 90, "ID=g;Derives_from=te"),
        ("exon", 11, 90, "Parent=g"),
        ("gene", 101, 150, "ID=a;Derives_from=te"),
        ("CDS", 101, 150, "Parent=a"),
    )
    assert (ids(found.transcripts), spans(found)) == (["a", "g"], [(11, 90), (101, 150)])
