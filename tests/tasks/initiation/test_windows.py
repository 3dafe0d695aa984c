"""Windows of the task tisp: the tiling by arithmetic, and random windows by their rule."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.intervals import Covered
from genezip.tasks.initiation.windows import (
    TrainingWindows,
    tiling,
    training_contigs,
    unknown_bases,
)


def nothing() -> Covered:
    return Covered(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize(
    ("length", "count"),
    [(145_138_636, 2_902), (138_394_717, 2_767), (133_797_422, 2_675)],
    ids=["chr8", "chr9", "chr10"],
)
def test_the_true_chromosomes_have_the_published_numbers_of_windows(
    length: int, count: int
) -> None:
    table = tiling(length)
    assert len(table) == count
    assert table["end"].max() == length
    assert int((table["keep_end"] - table["keep_start"]).sum()) == length - 50_000


def test_the_true_test_chromosomes_score_the_published_number_of_positions() -> None:
    kept = [tiling(length) for length in (145_138_636, 138_394_717)]
    bases = sum(int((table["keep_end"] - table["keep_start"]).sum()) for table in kept)
    assert bases == 283_433_353


def test_a_short_chromosome_by_hand() -> None:
    """310 kb: five windows every 50 kb, and one flush with the end that cuts the fifth short."""
    rows = tiling(310_000).to_numpy().tolist()
    assert rows == [
        [0, 100_000, 25_000, 75_000],
        [50_000, 150_000, 75_000, 125_000],
        [100_000, 200_000, 125_000, 175_000],
        [150_000, 250_000, 175_000, 225_000],
        [200_000, 300_000, 225_000, 235_000],
        [210_000, 310_000, 235_000, 285_000],
    ]
    assert tiling(100_000).to_numpy().tolist() == [[0, 100_000, 25_000, 75_000]]
    assert len(tiling(300_000)) == 5  # the last one is flush already


@given(st.integers(100_000, 700_000))
@settings(max_examples=100, deadline=None)
def test_every_position_is_kept_once_by_the_last_window_that_may(length: int) -> None:
    """Slow version: windows in order write their number over their middle; the last one wins."""
    starts = list(range(0, length - 100_000 + 1, 50_000))
    if starts[-1] + 100_000 < length:
        starts.append(length - 100_000)
    owner = np.full(length, -1)
    for number, start in enumerate(starts):
        owner[start + 25_000 : start + 75_000] = number
    table = tiling(length)
    assert table["start"].tolist() == starts
    again = np.full(length, -1)
    for number, row in enumerate(table.itertuples()):
        assert (again[row.keep_start : row.keep_end] == -1).all()
        again[row.keep_start : row.keep_end] = number
    assert np.array_equal(owner, again)


def test_a_chromosome_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(GenezipError, match="has 99,999 bases, fewer than a window"):
        tiling(99_999)


def test_training_contigs_are_long_shared_and_not_held_out() -> None:
    sizes = {"chr1": 400_000, "chr2": 300_000, "chr3": 300_001, "chr8": 900_000, "10": 900_000}
    more = {"chr9_KI1v1_alt": 900_000, "chr11": 900_000, "chr18": 500_000}
    tracks = {name: length for name, length in (sizes | more).items() if name != "chr11"}
    found = training_contigs(sizes | more, tracks)
    assert found == {"chr1": 400_000, "chr3": 300_001, "chr18": 500_000}
    ensembl = ["CHR_HSCHR8_1_CTG1", "CHR_HSCHR10_1_CTG1", "HSCHR9_2_CTG35", "CHR_HG76_PATCH"]
    ensembl += ["CHR_HSCHR1_1_CTG3", "CHR_HSCHR18_1_CTG1", "CHR_HSCHRX_1_CTG3", "HS1"]
    named = dict.fromkeys(ensembl, 400_000)
    assert list(training_contigs(named, named)) == ensembl[4:]
    with pytest.raises(GenezipError, match="no contig longer than 300,000 bp besides chr8"):
        training_contigs({"chr8": 900_000}, {"chr8": 900_000})


def test_a_window_is_the_same_whatever_was_drawn_before() -> None:
    lengths = {"a": 400_000, "b": 700_000}
    windows = TrainingWindows(lengths, {"a": nothing(), "b": nothing()}, seed=0)
    forward = [windows.draw(number) for number in range(50)]
    assert forward == [windows.draw(number) for number in reversed(range(50))][::-1]
    other = TrainingWindows(lengths, windows.unknown, seed=1)
    assert forward != [other.draw(number) for number in range(50)]


def test_contigs_are_drawn_by_their_length_less_200_kb() -> None:
    """200 kb against 600 kb of room: a quarter and three quarters of 2,000 windows."""
    lengths = {"a": 400_000, "b": 800_000}
    windows = TrainingWindows(lengths, {"a": nothing(), "b": nothing()}, seed=0)
    drawn = [windows.draw(number) for number in range(2_000)]
    counts = Counter(name for name, _ in drawn)
    assert abs(counts["a"] - 500) < 4 * np.sqrt(2_000 * 0.25 * 0.75)
    starts = np.array([start for name, start in drawn if name == "b"])
    # centres from 100,000 on to 700,000, so starts from 50,000
    assert 50_000 <= starts.min() < 55_000
    assert 645_000 < starts.max() < 650_000


def test_windows_with_too_much_n_are_drawn_again() -> None:
    """N from 150,000 to 250,000; a window may hold at most 30,000 of them."""
    unknown = {"a": Covered(np.array([150_000]), np.array([250_000]))}
    windows = TrainingWindows({"a": 500_000}, unknown, seed=0)
    starts = [windows.draw(number)[1] for number in range(200)]
    overlap = [max(0, min(start + 100_000, 250_000) - max(start, 150_000)) for start in starts]
    assert max(overlap) <= 30_000
    assert max(overlap) > 0
    hidden = TrainingWindows(
        {"a": 500_000}, {"a": Covered(np.array([0]), np.array([500_000]))}, seed=0
    )
    with pytest.raises(GenezipError, match="no training window with at most 30 % N"):
        hidden.draw(0)


def test_unknown_bases_are_found_across_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genezip.genome.assembly._BLOCK_BP", 4)
    (tmp_path / "g.fa").write_text(">a\nNAANNNNcgtN\n>b\nACGT\n")
    genome = ReferenceGenome(tmp_path / "g.fa")
    found = unknown_bases(genome, {"a": 11, "b": 4})
    assert (found["a"].starts.tolist(), found["a"].ends.tolist()) == ([0, 3, 10], [1, 7, 11])
    assert found["b"].bp == 0
