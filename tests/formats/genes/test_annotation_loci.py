"""What is one locus: one test for each row of that table in docs/annotation.md."""

import pytest
from toolkit.gene_files import ids, of, spans, starts

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.names import match_chrom_style
from genezip.genome.region_rules import build_region_map


def test_two_rows_of_one_id(gtf, gff3):
    found = gtf(
        ("transcript", 1, 90, of("g", "t")),
        ("exon", 1, 20, of("g", "t")),
        ("transcript", 201, 290, of("g", "t")),
        ("exon", 41, 90, of("g", "t")),
        ("exon", 201, 290, of("g", "t")),
        ("CDS", 201, 230, of("g", "t")),
    )
    assert (ids(found.transcripts), spans(found)) == (["t", "t_dup1"], [(1, 90), (201, 290)])
    assert ids(found.exons) == ["t", "t", "t_dup1"]
    assert ids(found.cds) == ["t_dup1"]
    found = gff3(
        ("mRNA", 1, 90, "ID=t"),
        ("mRNA", 201, 290, "ID=t"),
        ("exon", 1, 90, "Parent=t"),
        ("exon", 201, 290, "Parent=t"),
    )
    assert spans(found) == [(1, 90), (201, 290)]


def test_a_row_twice(gtf, gff3):
    rows = (("transcript", 1, 90, of("g", "t")), ("exon", 1, 90, of("g", "t")))
    assert spans(gtf(*rows, *rows)) == [(1, 90)]
    numbered = ("exon", 1, 90, of("g", "t") + " exon_number 1;")
    assert spans(gtf(numbered, numbered)) == [(1, 90)]
    rows = (("gene", 1, 90, "ID=g"), ("mRNA", 1, 90, "ID=t;Parent=g"), ("exon", 1, 90, "Parent=t"))
    assert spans(gff3(*rows, *rows)) == [(1, 90)]


def test_two_strands(gtf):
    parts = (
        ("exon", 1, 20, of("g", "t")),
        ("exon", 41, 90, of("g", "t")),
        ("exon", 201, 290, of("g", "t"), "-"),
    )
    for row in (
        (),
        (("transcript", 1, 90, of("g", "t")),),
        (("transcript", 1, 290, of("g", "t")),),
    ):
        found = gtf(*row, *parts)
        assert (spans(found), starts(found)) == ([(1, 90), (201, 290)], [1, 290])
    # an unknown strand is that of the others; a row and its parts may differ in what they know
    unknown = (("exon", 1, 20, of("g", "t"), "."), ("exon", 41, 90, of("g", "t"), "-"))
    assert starts(gtf(*unknown)) == [90]
    assert starts(gtf(("transcript", 1, 90, of("g", "t"), "."), *unknown)) == [90]
    assert starts(gtf(("transcript", 1, 90, of("g", "t"), "-"), unknown[0])) == [90]


def test_two_contigs(gtf):
    parts = (("exon", 1, 20, of("g", "t"), "+", "c"), ("exon", 41, 90, of("g", "t"), "+", "d"))
    found = gtf(*parts)
    assert (spans(found), ids(found.exons)) == ([(1, 20), (41, 90)], ["t", "t_dup1"])
    assert spans(gtf(("transcript", 1, 30, of("g", "t")), *parts)) == [(1, 30), (41, 90)]


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("along_the_strand", [True, False])
@pytest.mark.parametrize("key", ["exon_number {}", 'exon_number "{}"'])
def test_exon_numbers_start_again(gtf, gff3, strand, along_the_strand, key):
    numbers = [1, 2, 3, 1, 2]
    if (strand == "-") == along_the_strand:
        numbers = [3, 2, 1, 2, 1]
    rows = [
        ("exon", 100 * k, 100 * k + 50, f"{of('g', 't')} {key.format(number)};", strand)
        for k, number in enumerate(numbers, 1)
    ]
    cds = ("CDS", 420, 430, of("g", "t") + " exon_number 1;", strand)
    for order in (rows, rows[::-1]):
        found = gtf(*order, cds)
        assert spans(found) == [(100, 350), (400, 550)]
        assert len(set(found.exons["transcript_id"])) == 2
        coding = found.transcripts.set_index("transcript_id").loc[found.cds["transcript_id"]]
        assert coding["start"].tolist() == [399]
    ranked = [
        ("exon", 100 * k, 100 * k + 50, f"Parent=t;rank={number}", strand)
        for k, number in enumerate(numbers, 1)
    ]
    assert spans(gff3(*ranked)) == [(100, 350), (400, 550)]
    # a transcript row decides by itself
    assert spans(gtf(("transcript", 100, 550, of("g", "t"), strand), *rows)) == [(100, 550)]
    single = [(*row[:3], of("g", "t") + " exon_number 1;", strand) for row in rows[:2]]
    assert spans(gtf(*single)) == [(100, 150), (200, 250)]


def test_a_slipping_frame(gtf):
    number = of("g", "t") + " exon_number 1;"
    for gap in (-1, 0, 1):
        rows = (("CDS", 1, 30, number), ("CDS", 31 + gap, 90, number))
        assert spans(gtf(*rows)) == [(1, 90)]


def test_otherwise_one(gtf):
    rows = (("exon", 1, 20, of("g", "t")), ("exon", 90_001, 90_020, of("g", "t")))
    assert spans(gtf(*rows)) == [(1, 90_020)]
    numbered = [
        (*row[:3], f"{row[3]} exon_number {k};") for row, k in zip(rows, (7, 3), strict=True)
    ]
    assert spans(gtf(*numbered)) == [(1, 90_020)]


def test_coding_here_alone(gtf):
    found = gtf(
        ("exon", 1, 50, of("g", "t")),
        ("CDS", 11, 20, of("g", "t")),
        ("exon", 101, 150, of("g", "t"), "-"),
    )
    assert ids(found.utr) == ["t", "t"]
    assert ids(found.exons) == ["t", "t_dup1"]


def test_trans_splicing_numbered_parts(gff3):
    """rps12 of plant chloroplasts, as NCBI writes it: the gene in parts, CDS rows without."""
    found = gff3(
        ("gene", 6901, 7000, "ID=g;exception=trans-splicing;part=1", "-"),
        ("gene", 9001, 9800, "ID=g;exception=trans-splicing;part=2", "-"),
        ("CDS", 6901, 7000, "ID=p;Parent=g;exception=trans-splicing", "-"),
        ("CDS", 9601, 9800, "ID=p;Parent=g;exception=trans-splicing", "-"),
        ("CDS", 9001, 9030, "ID=p;Parent=g;exception=trans-splicing", "-"),
    )
    assert (ids(found.transcripts), spans(found)) == (
        ["g", "g_part2"],
        [(6901, 7000), (9001, 9800)],
    )
    assert starts(found) == [7000]
    assert len(found.cds) == 3
    table = build_region_map(found, {"c": 12_000}, QUIET).table()
    introns = table[table["name"] == "intron"]
    assert introns[["start", "end"]].to_numpy().tolist() == [[9030, 9600]]


QUIET = Regions(promoter_half_width=5, nig_distance=20, transcripts="all", required=[])


@pytest.mark.parametrize("form", ["gtf", "gff3"])
def test_trans_splicing(gtf, gff3, form):
    """Two strands and one row around both: mod(mdg4) of the fly. The row has the first strand."""
    if form == "gtf":
        also = of("g", "t") + ' exception "trans-splicing";'
        rows = [("mRNA", 1, 290, also, "-")]
        rows += [("exon", a, b, also, s) for a, b, s in PARTS]
        found = gtf(*rows)
    else:
        rows = [("mRNA", 1, 290, "ID=t;exception=trans-splicing", "-")]
        rows += [
            ("exon", a, b, f"Parent=t;exon_number={k}", s) for k, (a, b, s) in enumerate(PARTS, 1)
        ]
        found = gff3(*rows)
    assert spans(found) == [(1, 90), (201, 290)]
    assert starts(found) == [290]
    assert found.continuations == {"t_part2"}


PARTS = [(261, 290, "-"), (201, 220, "-"), (1, 20, "+"), (41, 90, "+")]


def test_contigs_that_are_missing(gtf, messages):
    found = gtf(
        ("exon", 1, 20, of("g", "t"), "+", "c"),
        ("exon", 41, 90, of("g", "t"), "+", "scaffold_7"),
        ("CDS", 41, 60, of("g", "t"), "+", "scaffold_7"),
    )
    matched = match_chrom_style(found, {"c": 100})
    assert spans(matched) == [(1, 20)]
    assert len(matched.exons) == 1
    (sentence,) = messages()
    assert "1 transcripts with 3 parts on 1 contigs" in sentence
    assert "(scaffold_7)" in sentence


CIRCLE = ("region", 1, 1000, "ID=c:1..1000;Is_circular=true")


@pytest.mark.parametrize("written_as", ["beyond", "two rows", "two parts", "mixed"])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_over_the_origin(gff3, written_as, strand):
    gene = [("gene", 951, 1060, "ID=g", strand)]
    cds = [("CDS", 961, 1040, "Parent=g", strand)]
    if written_as in ("two rows", "two parts"):
        part = ";part={}" if written_as == "two parts" else ""
        first = (1, 2) if strand == "+" else (2, 1)
        gene = [
            ("gene", 951, 1000, "ID=g" + part.format(first[0]), strand),
            ("gene", 1, 60, "ID=g" + part.format(first[1]), strand),
        ]
    if written_as != "beyond":
        cds = [("CDS", 961, 1000, "Parent=g", strand), ("CDS", 1, 40, "Parent=g", strand)]
    for rows in ((CIRCLE, *gene, *cds), (*cds, *gene[::-1], CIRCLE)):
        found = gff3(*rows)
        assert starts(found) == ([951] if strand == "+" else [60])
        table = build_region_map(found, {"c": 1000}, QUIET).table()
        runs = list(zip(table["start"], table["end"], table["name"], strict=True))
        assert [run[:2] for run in runs if run[2] == "cds"] == [(0, 40), (960, 1000)]
        promoter = (945, 955) if strand == "+" else (54, 64)
        assert [run[:2] for run in runs if run[2] == "promoter"] == [promoter]
        introns = [(40, 60), (955, 960)] if strand == "+" else [(40, 54), (950, 960)]
        assert [run[:2] for run in runs if run[2] == "intron"] == introns


def test_promoters_and_near_bases_continue_over_the_origin(gff3):
    found = gff3(CIRCLE, ("gene", 3, 90, "ID=g"))
    table = build_region_map(found, {"c": 1000}, QUIET).table()
    runs = list(zip(table["start"], table["end"], table["name"], strict=True))
    assert [run for run in runs if run[2] in ("promoter", "nig")] == [
        (0, 7, "promoter"),
        (982, 997, "nig"),
        (997, 1000, "promoter"),
    ]
    linear = gff3(("gene", 3, 90, "ID=g"))
    flat = build_region_map(linear, {"c": 1000}, QUIET).table()
    assert flat["end"].tolist()[-2:] == [90, 1000]
    with pytest.raises(GenezipError, match=r"circular with 1,000 bases, but it has 900: wrong"):
        match_chrom_style(found, {"c": 900})


def test_one_id_for_all_genes(gtf):
    """NCBI has given all CDS without a transcript the same transcript_id."""
    same = "; ".join(['transcript_id "unknown_transcript_1"', 'exon_number "1";'])
    rows = [
        ("CDS", 100, 197, f'gene_id "a"; {same}'),
        ("stop_codon", 198, 200, f'gene_id "a"; {same}'),
        ("CDS", 197, 297, f'gene_id "b"; {same}'),
        ("stop_codon", 298, 300, f'gene_id "b"; {same}'),
        ("CDS", 301, 350, f'gene_id "d"; {same}'),
    ]
    for order in (rows, rows[::-1]):
        found = gtf(*order)
        assert spans(found) == [(100, 200), (197, 300), (301, 350)]
        assert starts(found) == [100, 197, 301]


def test_trans_splicing_in_any_order(gtf, gff3):
    """The row around all places has the strand of the first; exon numbers say more."""
    for parts in (PARTS, PARTS[::-1]):
        for numbered in (False, True):
            strand = "+" if numbered else "-"  # a row may be wrong
            also = of("g", "t") + ' exception "trans-splicing";'
            rows = [("mRNA", 1, 290, also, strand)]
            rows += [
                ("exon", a, b, also + f" exon_number {1 + PARTS.index((a, b, s))};" * numbered, s)
                for a, b, s in parts
            ]
            assert starts(gtf(*rows)) == [290]
    rows = [("mRNA", 1, 290, "ID=t;exception=trans-splicing", "-")]
    rows += [("exon", a, b, "Parent=t", s) for a, b, s in PARTS[::-1]]
    assert starts(gff3(*rows)) == [290]


@pytest.mark.parametrize("parent", ["ID=p", "ID=p;Parent=nowhere"])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_parts_over_the_origin(gff3, parent, strand):
    """CDS rows without any row of a gene or transcript, as Prodigal and others write them."""
    rows = [
        CIRCLE,
        ("CDS", 901, 920, parent, strand),
        ("CDS", 961, 1000, parent, strand),
        ("CDS", 1, 40, parent, strand),
        ("CDS", 61, 80, parent, strand),
        ("CDS", 401, 440, "ID=q", strand),
    ]
    for order in (rows, rows[::-1]):
        found = gff3(*order)
        assert spans(found) == [(1, 80), (401, 440), (901, 1000)]
        assert starts(found) == ([401, 901] if strand == "+" else [80, 440])


def test_a_gene_as_long_as_its_circle(gff3):
    found = gff3(CIRCLE, ("gene", 1, 1000, "ID=g"), ("gene", 1, 1000, "ID=g"))
    assert (spans(found), starts(found)) == ([(1, 1000)], [1])
