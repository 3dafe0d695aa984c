"""Attributes, tags and rows of BED12: one test for each row of that table in docs/annotation.md."""

import re
from pathlib import Path

import pytest
from toolkit.gene_files import bed, ids, of, spans, spans_of_exons

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models


def test_quoted_values(gtf, gff3):
    found = gtf(
        ("exon", 1, 20, 'gene_id "trnI;GAU"; transcript_id "trnI;GAU";'),
        ("exon", 101, 120, 'note "transcript_id x; gene_id y"; gene_id "a b"; transcript_id "=";'),
    )
    assert ids(found.transcripts) == ["=", "trnI;GAU"]
    found = gff3(
        ("mRNA", 1, 20, 'Note="a;ID=wrong;Parent=wrong";ID="t 1"'),
        ("exon", 1, 20, 'Note="x;Parent=wrong";Parent="t 1"'),
    )
    assert (ids(found.transcripts), ids(found.exons)) == (["t 1"], ["t 1"])


def test_key_inside_a_note(gtf, gff3):
    found = gtf(("exon", 1, 20, 'note "no transcript_id here"; gene_id "g"; transcript_id "t";'))
    assert ids(found.transcripts) == ["t"]
    found = gtf(("exon", 1, 20, "note old gene_id z; gene_id g; transcript_id t"))
    assert found.transcripts["gene_id"].tolist() == ["g"]
    found = gff3(("mRNA", 1, 20, "Note=see ID=x;oldID=y;ID=t"), ("exon", 1, 20, "Parent=t"))
    assert ids(found.transcripts) == ["t"]


def test_repeated_keys(gtf, gff3):
    found = gtf(("exon", 1, 20, 'gene_id "g"; transcript_id "t"; transcript_id "u"; gene_id "h";'))
    assert found.transcripts[["transcript_id", "gene_id"]].to_numpy().tolist() == [["t", "g"]]
    found = gff3(
        ("mRNA", 1, 20, "ID=t;ID=u;tag=x;tag=basic"),
        ("exon", 1, 20, "Parent=t"),
        transcripts="basic",
    )
    assert ids(found.transcripts) == ["t"]


def test_url_escapes(gff3):
    found = gff3(
        ("gene", 1, 20, "ID=g%2C1;Name=a%3Bb"),
        ("mRNA", 1, 20, "ID=t%3B1;Parent=g%2C1"),
        ("exon", 1, 20, "Parent=t%3b1"),
    )
    table = found.transcripts
    assert table[["transcript_id", "gene_id", "gene_name"]].to_numpy().tolist() == [
        ["t;1", "g,1", "a;b"]
    ]


def test_empty_values_and_spaces(gtf, gff3):
    found = gtf(
        ("exon", 1, 20, 'gene_id "g" ; transcript_id "" ;  '),
        ("exon", 101, 120, ' gene_id  " h " ; transcript_id " u " '),
    )
    assert ids(found.transcripts) == ["g", "u"]
    assert found.transcripts["gene_id"].tolist() == ["g", "h"]
    found = gff3(
        ("gene", 1, 90, "ID=g ; Parent="), ("mRNA", 1, 20, "ID = t; Parent=g "),
        ("exon", 1, 20, "ID=; Parent= t;"),
    )  # fmt: skip
    assert (ids(found.transcripts), ids(found.exons)) == (["t"], ["t"])


@pytest.mark.parametrize("tag", ["basic", "gencode_basic"])
def test_basic_tags(gtf, gff3, tag):
    other = (("transcript", 101, 120, of("g", "u")), ("exon", 101, 120, of("g", "u")))
    for row_tag, part_tag in ((f'tag "{tag}";', ""), ("", f'tag "CCDS"; tag "{tag}";')):
        found = gtf(
            ("gene", 1, 120, of("g")),
            ("transcript", 1, 20, of("g", "t") + row_tag),
            ("exon", 1, 20, of("g", "t") + part_tag),
            ("CDS", 11, 20, of("g", "t")),
            *other,
            transcripts="basic",
        )
        assert ids(found.transcripts) == ids(found.cds) == ["t"]
    found = gff3(
        ("gene", 1, 120, "ID=g"),
        ("mRNA", 1, 20, f"ID=t;Parent=g;tag=CCDS,{tag}"),
        ("exon", 1, 20, "Parent=t"),
        ("mRNA", 101, 120, "ID=u;Parent=g;tag=not_basic"),
        transcripts="basic",
    )
    assert ids(found.transcripts) == ["t"]


def test_no_tags(gtf, gff3):
    for transcripts in ("basic", "canonical"):
        with pytest.raises(
            GenezipError, match=r"has no row with tag .* set regions\.transcripts: all"
        ):
            gtf(("exon", 1, 20, of("g", "t") + ' tag "CCDS";'), transcripts=transcripts)
        with pytest.raises(
            GenezipError, match=r"has no row with tag .* set regions\.transcripts: all"
        ):
            gff3(("exon", 1, 20, "Parent=t;tag=basic2;note=basic"), transcripts=transcripts)


def test_bed12_has_no_tags(bed12, messages):
    row = bed("c", 0, 90, "x", 0, "+", 90, 90, 0, 1, "90", "0")
    assert len(read_gene_models(bed12(row), "bed12", "basic").transcripts) == 1
    expected = ["genes.bed: BED12 has no tags, so all 1 transcripts are used"]
    assert messages() == expected
    read_gene_models(bed12(row), "bed12", "all")
    assert messages() == expected


def test_bed12_names(bed12):
    rows = [
        bed("c", 100 * k, 100 * k + 50, name, 0, "+", 0, 0, 0, 1, "50", "0")
        for k, name in enumerate(["x", "x_dup1", "x", "x_dup1", "x"])
    ]
    found = read_gene_models(bed12("".join(rows)), "bed12", "all")
    assert found.transcripts["transcript_id"].is_unique
    assert len(spans(found)) == len(spans_of_exons(found)) == 5
    assert set(found.exons["transcript_id"]) == set(found.transcripts["transcript_id"])


@pytest.mark.parametrize(
    ("thick", "sizes", "offsets", "sentence"),
    [
        ((10, 60), "20,0,30", "0,40,60", "block 2 of column 11 has the size 0"),
        ((10, 60), "20,-5,30", "0,40,60", "block 2 of column 11 has the size -5"),
        ((10, 60), "20,10,30", "0,70,60", "block 3 of column 12 starts at 60, before block 2 ends"),
        ((10, 60), "20,30,30", "0,40,60", "block 3 of column 12 starts at 60, before block 2 ends"),
        ((60, 10), "20,10,30", "0,40,60", "thick part ends at 10, before it starts at 60"),
    ],
)
def test_bed12_blocks(bed12, thick, sizes, offsets, sentence):
    good = bed("c", 0, 90, "y", 0, "+", 0, 0, 0, 1, "90", "0")
    wrong = bed("c", 0, 90, "x", 0, "+", *thick, 0, 3, sizes, offsets)
    with pytest.raises(GenezipError, match=f"line 2 of .*{sentence}"):
        read_gene_models(bed12(good + wrong), "bed12", "all")


def test_every_row_of_the_docs_has_its_test():
    here = Path(__file__).parent
    known = "".join(path.read_text() for path in here.glob("test_annotation_*.py"))
    docs = (here.parents[2] / "docs" / "annotation.md").read_text()
    cells = re.findall(r"^\|.*\| ((?:`\w+`(?:, )?)+) \|$", docs, re.MULTILINE)
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert len(named) > 35
    assert [name for name in named if f"def test_{name}(" not in known] == []
