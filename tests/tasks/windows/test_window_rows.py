"""Rows of ``sequences.bed``, their loci, and where bins lie in a window."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.deposits.files import write_fasta

from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS
from genezip.tasks.windows.contacts import N_VALUES, TRACKS
from genezip.tasks.windows.examples import (
    CMP_BP,
    CMP_FULL,
    CMP_RELEASE,
    RSAP_BINS,
    RSAP_BP,
    loci,
    read_rows,
    widened,
)


@pytest.fixture(scope="module")
def genome(tmp_path_factory: pytest.TempPathFactory) -> ReferenceGenome:
    """Chromosomes named without ``chr``."""
    bases = np.full(1_100_000, ord("A"), dtype=np.uint8)
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    return ReferenceGenome(write_fasta(path, {"1": bases, "2": bases}))


def test_rows_are_numbered_within_their_split(genome: ReferenceGenome, tmp_path: Path) -> None:
    """Splits may come in any order; names become those of the FASTA."""
    bed = tmp_path / "sequences.bed"
    rows = [(1, 0, "test"), (2, 7, "train"), (1, 5, "test"), (2, 9, "valid")]
    bed.write_text("".join(f"chr{c}\t{s}\t{s + 100}\t{name}\n" for c, s, name in rows))
    table = read_rows(bed, 100, genome)
    assert table.columns.tolist() == ["example", "split", "chrom", "start", "end"]
    assert table["example"].tolist() == [0, 0, 1, 0]
    assert table["chrom"].tolist() == ["1", "2", "1", "2"]
    wide = widened(table, 10)
    assert wide["start"].tolist() == [-10, -3, -5, -1]
    assert wide["end"].tolist() == [110, 117, 115, 119]
    same = wide["locus"].to_numpy()
    assert same[0] == same[2] and len(set(same)) == 3
    assert table["start"].tolist() == [0, 7, 5, 9]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("chr1\t0\t1048575\ttrain", "line 2 of .* its window is not 1,048,576 bp long"),
        (
            "chr1\t0\t1048576\ttest2",
            r"line 2 of .* split 'test2' \(column 4\) is none of train",
        ),
        ("chr1\t0\t1048576", "line 2 of .* it has 3 tab-separated columns instead of 4"),
        ("chr1\t-5\t1048571\ttrain", "line 2 of .* start -5 lies before the first base"),
        ("chr1\t0\t1048576\ttrain", "has no row of split valid"),
    ],
)
def test_a_wrong_row_of_the_bed_is_refused(
    genome: ReferenceGenome, tmp_path: Path, row: str, sentence: str
) -> None:
    bed = tmp_path / "sequences.bed"
    bed.write_text(f"chr1\t0\t1048576\ttrain\n{row}\n")
    with pytest.raises(GenezipError, match=sentence):
        read_rows(bed, CMP_BP, genome)


def slow_loci(table: pd.DataFrame) -> list[set[int]]:
    """Sets of rows that are connected, joined pair by pair."""
    sets = [{row} for row in range(len(table))]
    rows = list(table.itertuples(index=False))
    for a in range(len(rows)):
        for b in range(a):
            one, two = rows[a], rows[b]
            overlap = min(one.end, two.end) > max(one.start, two.start)
            if overlap and (one.chrom, one.split) == (two.chrom, two.split):
                joined = sets[a] | sets[b]
                for row in joined:
                    sets[row] = joined
    return sets


def test_loci_are_the_connected_windows_of_the_slow_way() -> None:
    rng = np.random.default_rng(0)
    start = rng.integers(0, 400, 120)
    table = pd.DataFrame(
        {
            "split": rng.choice(SPLITS, 120),
            "chrom": rng.choice(["chr1", "chr10", "chr2"], 120),
            "start": start,
            "end": start + rng.integers(1, 25, 120),
        }
    )
    numbers = loci(table)
    for row, members in enumerate(slow_loci(table)):
        assert set(np.flatnonzero(numbers == numbers[row])) == members
    assert sorted(set(numbers)) == list(range(len(set(numbers))))


def test_windows_that_touch_are_two_loci_and_a_chain_is_one() -> None:
    def of(*spans: tuple[int, int]) -> list[int]:
        table = pd.DataFrame(spans, columns=["start", "end"]).assign(split="test", chrom="chr1")
        return [int(number) for number in loci(table)]

    assert of((0, 10), (10, 20)) == [0, 1]
    assert of((0, 10), (9, 20), (19, 30)) == [0, 0, 0]
    assert of((0, 100), (5, 10), (50, 60), (99, 120)) == [0, 0, 0, 0]
    assert of((50, 60), (0, 10)) == [1, 0]


def test_bins_lie_where_the_deposit_has_them() -> None:
    assert CMP_FULL.edges()[[0, 1, 447, 448]].tolist() == [65_536, 67_584, 980_992, 983_040]
    assert CMP_BP - CMP_FULL.end_bp == CMP_FULL.first_bp
    assert CMP_RELEASE.end_bp == 917_504
    assert RSAP_BINS.end_bp == 155_648 and RSAP_BP - RSAP_BINS.end_bp == 40_960
    assert len(np.triu_indices(448, 2)[0]) == N_VALUES
    assert len(TRACKS) == 5


def test_the_real_windows_are_as_many_as_told(mirror: Path, tmp_path: Path) -> None:
    """Akita's list: counts, unions and the step of the paper's split."""
    packed = mirror / "labels" / "splits" / "akita_sequences.hg38.bed.gz"
    if not packed.exists():
        pytest.skip("no list of contact-map windows in the mirror")
    with gzip.open(packed, "rt") as handle:
        table = pd.read_csv(handle, sep="\t", header=None, names=["chrom", "start", "end", "split"])
    assert table["split"].value_counts().to_dict() == {"train": 7_008, "valid": 419, "test": 413}
    numbers = loci(table)
    # no locus crosses a split or chromosome, and loci of a split share no base
    whole = table.assign(locus=numbers).groupby(["split", "chrom", "locus"], as_index=False)
    hulls = whole.agg(start=("start", "min"), end=("end", "max"))
    assert len(hulls) == len(set(numbers))
    size = hulls.assign(bp=hulls["end"] - hulls["start"]).groupby("split")["bp"].sum()
    assert size.to_dict() == {"train": 2_043_936_768, "valid": 243_269_632, "test": 240_648_192}
    assert len(hulls[hulls["split"] == "test"]) < 413
