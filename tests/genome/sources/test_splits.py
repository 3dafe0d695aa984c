"""Parts of chromosomes that validate or are held out."""

import pytest

from genezip.config import Genome, parse
from genezip.errors import GenezipError
from genezip.genome.sources.splits import (
    check_names,
    chrom_of,
    parse_interval,
    split_of,
    split_parts,
)


def genome(**splits: list[str]) -> Genome:
    return Genome.model_validate({"sources": ["files"], "test": [], **splits})


def test_a_chromosome_is_one_part_unless_parts_are_named() -> None:
    assert split_parts("a", 100, genome()) == [(0, 100, "train")]
    assert split_parts("a", 100, genome(test=["a"], valid=["b:0-5"])) == [(0, 100, "test")]


def test_parts_tile_the_chromosome() -> None:
    settings = genome(valid=["a:10-20"], test=["a:60-100", "b:0-7"])
    assert split_parts("a", 100, settings) == [
        (0, 10, "train"), (10, 20, "valid"), (20, 60, "train"), (60, 100, "test")
    ]  # fmt: skip
    assert split_parts("b", 7, settings) == [(0, 7, "test")]
    touching = genome(valid=["a:0-1,0"], test=["a:10-20"])
    assert split_parts("a", 30, touching) == [(0, 10, "valid"), (10, 20, "test"), (20, 30, "train")]


def test_names_with_a_colon_are_names() -> None:
    assert chrom_of("HLA*01:01") == "HLA*01:01"
    assert chrom_of("HLA*01:01:5-9") == "HLA*01:01"
    assert split_parts("HLA*01:01", 9, genome(test=["HLA*01:01"])) == [(0, 9, "test")]


@pytest.mark.parametrize(
    ("text", "contigs", "place"),
    [
        ("ctg:1-500", [], ("ctg", 1, 500)),
        ("ctg:1-500", ["ctg"], ("ctg", 1, 500)),
        ("ctg:1-500", ["ctg", "ctg:1-500"], None),
        ("ctg:1-500:0-2,000", ["ctg:1-500"], ("ctg:1-500", 0, 2000)),
        ("ctg:1-5,00", ["ctg:1-500"], ("ctg", 1, 500)),
        ("ctg", ["ctg"], None),
        ("ctg:,-5", [], None),
        ("ctg:5-", [], None),
        ("ctg:-5-9", [], None),
        (":1-2", [], None),
    ],
)
def test_the_whole_name_of_a_contig_is_no_part(text, contigs, place) -> None:
    assert parse_interval(text, contigs) == place
    assert chrom_of(text, contigs) == (place[0] if place else text)


def test_a_contig_named_like_a_part_has_a_split_of_its_own() -> None:
    contigs = ["ctg", "ctg:1-500"]
    settings = genome(test=["ctg:1-500"], valid=["ctg:500-600"])
    assert split_parts("ctg:1-500", 700, settings, contigs) == [(0, 700, "test")]
    assert split_parts("ctg", 600, settings, contigs) == [(0, 500, "train"), (500, 600, "valid")]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({"test": ["c"]}, r"genome\.test names c, which is not in F; its contigs are a, b, chrM$"),
        ({"valid": ["a:1-2", "d:1-2"]}, r"genome\.valid names d:1-2, which is not in F"),
        ({"chromosomes": ["c", "d"]}, r"genome\.chromosomes names c, d, which is not in F"),
        ({"chromosomes": ["a:1-2"]}, r"genome\.chromosomes names a:1-2, which is not in F"),
        ({"test": ["MT"]}, r"which is not in F; write chrM for MT: its contigs are"),
        ({"test": ["MT:0-9"]}, r"which is not in F; write chrM:0-9 for MT:0-9: its contigs are"),
        (
            {"test": ["b"]},
            r"genome\.test names b, of which this run has no DNA; add it to .* of a$",
        ),
        ({"valid": ["a", "b:0-9"]}, r"genome\.valid names b:0-9, of which this run has no DNA"),
    ],
)
def test_a_name_that_selects_nothing_is_refused(names, sentence) -> None:
    with pytest.raises(GenezipError, match=sentence):
        check_names(genome(**names), ["a", "b", "chrM"], ["a"], "F")


def test_names_that_select_something() -> None:
    check_names(genome(chromosomes=["a"], test=["a:0-5"], valid=["a:5-9"]), ["a", "b"], ["a"], "F")
    hg38 = ["chr1", "chr8", "chr9", "chr10"]
    published = Genome(chromosomes=["chr1", "chr8"])  # `test` is what the paper held out
    check_names(published, hg38, ["chr1", "chr8"], "F")
    with pytest.raises(GenezipError, match=r"genome\.test names chr9, chr10, which is not in F"):
        check_names(published, hg38[:2], ["chr1", "chr8"], "F")


def test_a_long_list_of_contigs_is_cut() -> None:
    contigs = [f"c{number}" for number in range(40)]
    with pytest.raises(GenezipError, match=r"c28, c29 and 10 more$"):
        check_names(genome(test=["x"]), contigs, contigs, "F")


@pytest.mark.parametrize(
    ("splits", "sentence"),
    [
        (
            {"test": ["a:50-101"]},
            r"genome\.test names a:50-101, which is not part of a \(100 bp\)",
        ),
        ({"valid": ["a:50-50"]}, "which is not part of a"),
        ({"valid": ["a:10-20"], "test": ["a:15-30"]}, "overlapping parts of a, 10-20 and 15-30"),
        ({"valid": ["a:10-20"], "test": ["a"]}, "overlapping parts of a, 0-100 and 10-20"),
        ({"valid": ["a"], "test": ["a:10-20"]}, "overlapping parts of a, 0-100 and 10-20"),
        ({"valid": ["a"], "test": ["a"]}, r"genome\.test and genome\.valid name overlapping"),
    ],
)
def test_wrong_parts(splits, sentence) -> None:
    with pytest.raises(GenezipError, match=sentence):
        split_parts("a", 100, genome(**splits))


def test_a_chromosome_of_two_splits() -> None:
    settings = Genome(valid=["chr1", "chr2"], test=["chr2"])
    assert split_of("chr1", "train", settings) == "valid"
    with pytest.raises(GenezipError, match=r"genome\.test and genome\.valid both name chr2"):
        split_of("chr2", "train", settings)


def test_only_own_files_can_be_cut() -> None:
    with pytest.raises(GenezipError, match=r"chr1:0-10 is a part of a chromosome; only the source"):
        parse(Genome, {"test": ["chr1:0-10"]})
    parse(Genome, {"test": ["ctg:1-500"], "sources": ["files", "simulated"]})  # may be a name
