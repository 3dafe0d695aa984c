"""A genome asked by coordinate, on chromosomes short enough to write down."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from genezip.alphabet import decode, encode
from genezip.errors import GenezipError
from genezip.genome import assembly
from genezip.genome.assembly import ReferenceGenome

TEXT = ">chr1 first\nACGTAC\nGTnNRa\ncg\n>chr8\nTTTT\n"
CHR1 = "ACGTACGTNNNACG"  # upper case, R is N


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("start", range(-3, 16))
@pytest.mark.parametrize("length", [0, 1, 5, 20])
def test_every_interval_is_a_slice_with_n_outside(fasta: Path, start: int, length: int) -> None:
    padded = "N" * 50 + CHR1 + "N" * 50
    found = ReferenceGenome(fasta).ids("chr1", start, start + length)
    assert found.dtype == np.uint8 and found.shape == (length,)
    assert decode(found).decode() == padded[50 + start : 50 + start + length]


def test_intervals_wholly_outside_are_n(fasta: Path) -> None:
    genome = ReferenceGenome(fasta)
    assert decode(genome.ids("chr8", -9, -4)) == b"NNNNN"
    assert decode(genome.ids("chr8", 4, 7)) == b"NNN"
    assert decode(genome.ids("chr8", 3, 5)) == b"TN"


def test_the_result_may_be_written_to(fasta: Path) -> None:
    genome = ReferenceGenome(fasta)
    genome.ids("chr1", 0, 4)[:] = 0
    assert np.array_equal(genome.ids("chr1", 0, 4), encode("ACGT"))


def test_an_interval_that_ends_before_it_starts_is_a_mistake_of_the_caller(fasta: Path) -> None:
    with pytest.raises(ValueError, match="chr1:5-4 ends before it starts"):
        ReferenceGenome(fasta).ids("chr1", 5, 4)


def test_names_are_known_with_and_without_chr(tmp_path: Path, fasta: Path) -> None:
    genome = ReferenceGenome(fasta)
    assert genome.name_of("1") == genome.name_of("chr1") == "chr1"
    assert genome.length("8") == 4
    bare = tmp_path / "bare.fa"
    bare.write_text(TEXT.replace(">chr", ">") + ">MT\nACG\n")
    other = ReferenceGenome(bare)
    assert other.name_of("chr8") == "8" and other.name_of("chrM") == "MT"
    assert np.array_equal(other.ids("chr1", 2, 9), genome.ids("chr1", 2, 9))


def test_a_missing_chromosome_is_named_with_the_build(fasta: Path) -> None:
    with pytest.raises(GenezipError, match=r"no chromosome chr9; .* looks like another genome"):
        ReferenceGenome(fasta).ids("chr9", 0, 1)


@pytest.mark.parametrize(
    ("name", "length", "build"),
    [
        ("chrM", 16_569, "hg38"),
        ("MT", 16_569, "hg38"),
        ("chrM", 16_571, "another genome"),
        ("scaffold", 16_569, "another genome"),
    ],
)
def test_the_build_is_told_by_the_lengths(
    tmp_path: Path, name: str, length: int, build: str
) -> None:
    """The mitochondrion has 16,569 bases in hg38 and 16,571 in UCSC's hg19, whose sizes lack it."""
    path = tmp_path / "genome.fa"
    path.write_text(f">{name}\n{'A' * length}\n")
    assert ReferenceGenome(path).build() == build


def test_lengths_of_hg19_are_told_from_those_of_hg38(
    fasta: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes cut down to a genome that fits a test; contigs that a build lacks say nothing."""
    monkeypatch.setattr(assembly, "hg38_sizes", lambda: {"chr1": 15, "chr8": 4})
    monkeypatch.setattr(assembly, "hg19_sizes", lambda: {"chr1": 14})
    assert ReferenceGenome(fasta).build() == "hg19"


def test_one_chromosome_of_another_length_is_another_genome(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_text(f">chrM\n{'A' * 16_569}\n>chr1\nACGT\n")
    assert ReferenceGenome(path).build() == "another genome"


def test_a_source_of_whole_chromosomes_names_its_fasta(tmp_path: Path, fasta: Path) -> None:
    keys = ["description", "build", "pieces", "chrom_sizes", "annotations", "repeats"]
    raw = dict.fromkeys(keys, "x") | {"schema_version": 1, "source": "files", "files": []}
    path = tmp_path / "source.json"
    path.write_text(json.dumps(raw | {"fasta": fasta.name}))
    genome = ReferenceGenome(path)
    assert genome.path == fasta and genome.sizes == {"chr1": 14, "chr8": 4}


def test_a_letter_that_is_no_base_is_named(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\nAC*T\n")
    with pytest.raises(GenezipError, match=r"chr1 of .*genome.fa has the letter '\*'"):
        ReferenceGenome(path).ids("chr1", 0, 4)


def test_plain_gzip_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    with pytest.raises(GenezipError, match=r"genome.fa.gz is packed with gzip, .*; unpack it"):
        ReferenceGenome(path)
    with pytest.raises(GenezipError, match="does not exist"):
        ReferenceGenome(tmp_path / "none.fa")
