"""Scans that do not fit their coding sequence, and tables of another form."""

import pytest
from pydantic import ValidationError
from toolkit.dna import reverse_complement

from genezip.config import VariantSet
from genezip.errors import GenezipError
from genezip.tasks.base import NotMeasured
from genezip.tasks.variants.scans import gene_sequence


def refused(scans, match: str, kind: type[Exception] = GenezipError) -> None:
    with pytest.raises(kind, match=match) as error:
        scans.prepare("bad")
    assert "\n" not in str(error.value)


def test_a_wild_type_residue_that_disagrees_is_named(scans) -> None:
    scans.add("bad", {"K2R": 1, "V3I": 0})
    refused(scans, r"^the variant V3I of .*bad.tsv does not fit .* bad.fa, which has L there")
    scans.add("bad", {"K2R": 1, "A9I": 0})
    refused(scans, r"the variant A9I of .*, which has 7 codons")


@pytest.mark.parametrize(
    ("cds", "match"),
    [
        ("ATGAAACTGGGTGATTGGTA", "has 20 bases, which are no whole codons; give it in frame"),
        ("ATGAAATGAGGTGATTGGTAA", "has a stop codon inside, at residue 3"),
        ("ATGAAANNNGGTGATTGGTAA", "has letters other than A, C, G and T"),
    ],
)
def test_a_coding_sequence_that_is_none(scans, cds: str, match: str) -> None:
    scans.add("bad", {"K2R": 1}, cds)
    refused(scans, match)


def test_tables_that_are_refused(scans) -> None:
    scans.add("bad", {"K2R": 1})
    text = scans.texts["bad.tsv"]
    scans.texts["bad.tsv"] = "variant\tscore\tse\nK2R\t1\t0.1\n"
    refused(scans, "has the unknown column se; name columns that are not read in `unread`")
    scans.sets["bad"]["unread"] = ["se"]
    assert len(scans.prepare("bad").table) == 1
    scans.texts["bad.tsv"] = "variant;fitness\nK2R;1\n"
    refused(scans, r"has no column 'score' \(it has variant, fitness\)")
    scans.texts["bad.tsv"] = text + "K2_G4del\t0.3\n"
    refused(scans, r"line 4 of .* is no substitution with a number \('K2_G4del\\t0.3'\)")
    scans.texts["bad.tsv"] = text + "K2E\thigh\n"
    refused(scans, "line 4 of .* is no substitution with a number")
    scans.texts["bad.tsv"] = text + "K2R\t2\n"
    refused(scans, "has the variant K2R twice; keep one")
    scans.texts["bad.tsv"] = "variant\tscore\n"
    refused(scans, "has no variant")


def test_variants_without_a_number_are_counted(scans) -> None:
    scans.add("bad", {"K2R": 1, "K2E": "", "L3P": "NA", "G4A": 0.5})
    found = scans.prepare("bad")
    assert found.table["variant"].tolist() == ["K2R", "G4A"]
    assert found.prepared.dropped == {"without_score": 2}


def test_a_file_that_is_not_listed(scans) -> None:
    scans.add("bad", {"K2R": 1})
    del scans.texts["bad.fa"]
    refused(scans, "files.json lists no file bad.fa", NotMeasured)


def test_a_set_has_one_coding_sequence() -> None:
    for keys in ({}, {"genome": "g.fa", "gene": "x"}, {"cds": "c.fa", "gene": "x"}):
        with pytest.raises(ValidationError, match="name either cds, or genome, annotation and"):
            VariantSet.model_validate({"table": "t.tsv", **keys})


def test_the_coding_sequence_of_a_gene_of_a_genome(tmp_path) -> None:
    cds = "ATGAAACTGGGTGATTGGTAA"
    genome, annotation = tmp_path / "g.fa", tmp_path / "g.gff3"
    genome.write_text(f">c1\nACGT\n>c2\nGG{reverse_complement(cds)}CC\n")
    annotation.write_text(
        "##gff-version 3\n"
        "c2\tx\tgene\t3\t23\t.\t-\t.\tID=g1;Name=PAB1\n"
        "c2\tx\tCDS\t3\t23\t.\t-\t0\tID=d1;Parent=g1\n"
    )
    assert gene_sequence(genome, annotation, "PAB1") == ("PAB1", cds)
    with pytest.raises(GenezipError, match="has 0 genes of the name PAB2; name one gene"):
        gene_sequence(genome, annotation, "PAB2")
    genome.write_text(">c1\nACGT\n")
    with pytest.raises(GenezipError, match="has no record c2, on which"):
        gene_sequence(genome, annotation, "PAB1")
