"""Parts of chromosomes that validate or are held out."""

import pytest

from genezip.config import Genome, parse
from genezip.errors import GenezipError
from genezip.genome.selection import chrom_of, split_of, split_parts


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
    ("splits", "sentence"),
    [
        ({"test": ["a:50-101"]}, r"genome\.test names a:50-101, which is no part of a \(100 bp\)"),
        ({"valid": ["a:50-50"]}, "which is no part of a"),
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
