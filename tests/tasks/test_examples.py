"""Lists of intervals from BED files."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.examples import IntervalList


@pytest.fixture
def genome(tmp_path: Path) -> ReferenceGenome:
    (tmp_path / "g.fa").write_text(">1\nACGTACGT\n")
    return ReferenceGenome(tmp_path / "g.fa")


def test_rows_of_several_gzip_members_are_merged_under_the_names_of_the_fasta(
    genome: ReferenceGenome, tmp_path: Path
) -> None:
    """bgzip files are many gzip members; columns after the third do not count."""
    path = tmp_path / "m.bed.gz"
    first, second = b"# c\nchr1\t4\t6\tx\t.\n\n", b"chr1\t5\t7\n1\t0\t1\nchrZ\t0\t9\n"
    path.write_bytes(gzip.compress(first) + gzip.compress(second) + gzip.compress(b""))
    found = IntervalList.read(path, genome)
    starts, ends = found.within("1", 0, 6)
    assert (starts.tolist(), ends.tolist()) == ([0, 4], [1, 6])
    assert found.within("2", 0, 6)[0].tolist() == []


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("1\t5\n", "line 2 of .* has 2 tab-separated columns instead of 3"),
        ("1\tx\t7\n", r"line 2 of .* start 'x' \(column 2\) is not a whole number"),
        ("1\t7\t5\n", "line 2 of .* end 5 lies before start 7"),
    ],
)
def test_a_malformed_row_is_one_sentence(
    genome: ReferenceGenome, tmp_path: Path, row: str, sentence: str
) -> None:
    path = tmp_path / "m.bed"
    path.write_text("1\t0\t1\n" + row)
    with pytest.raises(GenezipError, match=sentence):
        IntervalList.read(path, genome)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=8),
    st.integers(0, 50),
    st.integers(0, 30),
)
@settings(max_examples=200, deadline=None)
def test_what_is_found_within_is_what_painting_bases_finds(
    rows: list[tuple[int, int]], start: int, length: int
) -> None:
    painted = np.zeros(100, dtype=bool)
    for low, width in rows:
        painted[low : low + width] = True
    arrays = np.array([(low, low + width) for low, width in rows], dtype=np.int64).reshape(-1, 2)
    found = IntervalList({"1": (arrays[:, 0], arrays[:, 1])})
    again = np.zeros(100, dtype=bool)
    for low, high in zip(*found.within("1", start, start + length), strict=True):
        assert start <= low < high <= start + length
        assert not again[low:high].any()
        again[low:high] = True
    painted[:start] = painted[start + length :] = False
    assert np.array_equal(again, painted)
