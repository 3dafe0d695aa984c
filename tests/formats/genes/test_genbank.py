"""GenBank: genes by locus tag, locations across the origin, and the sequence of the records."""

import gzip

import pytest

from genezip.errors import GenezipError
from genezip.formats.genes.genbank import genbank_sequences
from genezip.genome.gene_models import read_gene_models

BASES = "acgtacgtaccatgcatgca" * 50  # 1,000 bp


def record(features, topology="circular", bases=BASES, name="AB1"):
    """A flat file of one record; ``features`` are (key, location, qualifiers)."""
    lines = [f"LOCUS       {name:<15} {len(bases):>12} bp    DNA     {topology:<8} BCT 01-JAN-2000"]
    lines += [
        f"ACCESSION   {name}",
        f"VERSION     {name}.2",
        "FEATURES             Location/Qualifiers",
    ]
    for key, location, qualifiers in features:
        lines.append(f"     {key:<16}{location}")
        lines += [f"                     /{text}" for text in qualifiers]
    lines.append("ORIGIN")
    for start in range(0, len(bases), 60):
        line = bases[start : start + 60]
        blocks = [line[i : i + 10] for i in range(0, len(line), 10)]
        lines.append(f"{start + 1:>9} {' '.join(blocks)}")
    return "\n".join([*lines, "//", ""])


def tag(name, *more):
    return (f'locus_tag="{name}"', *more)


FEATURES = [
    ("source", "1..1000", ('organism="x"',)),
    ("gene", "10..309", tag("g1", 'gene="dnaA"')),
    ("CDS", "10..309", tag("g1", 'gene="dnaA"', "transl_table=11")),
    ("gene", "complement(401..476)", tag("g2")),
    ("tRNA", "complement(401..476)", tag("g2")),
    ("CDS", "join(501..531,531..600)", tag("g3", 'gene="prfB"')),  # ribosomal slippage
    ("gene", "700..760", tag("g4", "pseudo")),
    ("misc_feature", "800..860", ()),
    ("CDS", "complement(join(901..1000,1..50))", tag("g5")),
]


@pytest.fixture
def write(tmp_path):
    def make(text, name="a.gbk"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return make


def rows(table, *columns):
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_features_of_one_locus_tag_are_one_gene(write):
    found = read_gene_models(write(record(FEATURES)), transcripts="all")
    names = ("chrom", "start", "end", "strand", "gene_id", "gene_name", "gene_type")
    assert rows(found.transcripts, *names) == [
        ("AB1.2", 9, 309, "+", "g1", "dnaA", "protein_coding"),
        ("AB1.2", 400, 476, "-", "g2", "g2", "tRNA"),
        ("AB1.2", 500, 600, "+", "g3", "prfB", "protein_coding"),
        ("AB1.2", 699, 760, "+", "g4", "g4", "pseudogene"),
        ("AB1.2", 900, 1000, "-", "g5", "g5", "protein_coding"),
        ("AB1.2", 0, 50, "-", "g5", "g5", "protein_coding"),
    ]
    assert sorted(rows(found.cds, "start", "end")) == [
        *((0, 50), (9, 309), (500, 531), (530, 600), (900, 1000)),
    ]
    assert (400, 476) in rows(found.exons, "start", "end")
    assert found.circular == {"AB1.2": 1000}
    # the gene across the origin is read from base 49 down to 0, then from 999 down to 900
    assert found.tss()["position"].tolist() == [9, 475, 500, 699, 49]


def test_a_linear_record_keeps_the_parts_of_a_location_in_place(write):
    text = record([("CDS", "join(901..1000,1..50)", tag("g"))], "linear")
    found = read_gene_models(write(text), transcripts="all")
    assert found.circular == {}
    assert rows(found.transcripts, "start", "end") == [(0, 1000)]


def test_copies_of_a_named_gene_stay_apart(write):
    """Insertion elements share /gene and have no locus tag."""
    copies = [("CDS", f"{start}..{start + 59}", ('gene="insA"',)) for start in (100, 300, 700)]
    found = read_gene_models(write(record(copies)), transcripts="all")
    assert rows(found.transcripts, "start", "end") == [(99, 159), (299, 359), (699, 759)]
    assert set(found.transcripts["gene_name"]) == {"insA"}


def test_transcripts_of_a_gene_have_its_exons_and_its_cds(write):
    features = [
        ("gene", "101..400", tag("g")),
        ("mRNA", "join(101..200,301..400)", tag("g", 'transcript_id="t.1"')),
        ("CDS", "join(151..200,301..350)", tag("g")),
    ]
    found = read_gene_models(write(record(features, "linear")), transcripts="all")
    assert rows(found.transcripts, "transcript_id", "start", "end") == [("t.1", 100, 400)]
    assert rows(found.exons, "start", "end") == [(100, 200), (300, 400)]
    assert rows(found.cds, "start", "end") == [(150, 200), (300, 350)]
    assert sorted(rows(found.utr, "start", "end")) == [(100, 150), (350, 400)]


def test_sequences_of_all_records(tmp_path):
    path = tmp_path / "a.gb.gz"
    text = record([]) + record([], "linear", "acgtn" * 3, "AB9")
    path.write_bytes(gzip.compress(text.encode()))
    expected = [("AB1.2", BASES.upper().encode()), ("AB9.2", b"ACGTN" * 3)]
    assert list(genbank_sequences(path)) == expected


def test_a_record_without_sequence(write):
    head, _, _ = record(FEATURES).partition("ORIGIN")
    path = write(f"{head}CONTIG      join(AB1.2:1..1000)\n//\n")
    assert len(read_gene_models(path, transcripts="all").cds)
    with pytest.raises(GenezipError, match=r"AB1\.2 of .* has no sequence; give a FASTA as well"):
        list(genbank_sequences(path))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (">chr1\nACGT\n", "has no record that begins with LOCUS; is it GenBank"),
        (record([("source", "1..1000", ())]), "has no gene, RNA or CDS feature"),
        (record(FEATURES).replace("10..309", "10..30x9", 1), "is not a readable GenBank file"),
    ],
)
def test_wrong_files_are_one_sentence(write, text, sentence):
    path = write(text)
    with pytest.raises(GenezipError, match=sentence) as caught:
        read_gene_models(path, transcripts="all")
    assert "\n" not in str(caught.value)


def test_tags(write, messages):
    path = write(record(FEATURES))
    assert len(read_gene_models(path).transcripts) == 6
    assert messages() == ["a.gbk: GenBank has no tags, so all 5 genes are used"]
    with pytest.raises(GenezipError, match="has no row with tag"):
        read_gene_models(path, transcripts="canonical")
