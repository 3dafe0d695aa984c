"""Base pairs per token in windows, against a sum over single bases."""

import numpy as np
import pytest

from genezip.inference.tracks import WindowedBpt

Rows = list[tuple[str, int, int, float]]


def slow(chrom: str, stretches: list[tuple[int, list[int]]], width: int) -> Rows:
    """Windows over an array of tokens per base that is NaN where no chunk lies."""
    size = max(start + sum(chunks) for start, chunks in stretches)
    density = np.full(size, np.nan)
    for start, chunks in stretches:
        density[start : start + sum(chunks)] = np.repeat(1 / np.array(chunks), chunks)
    rows = []
    for start in range(0, size, width):
        covered = start + np.flatnonzero(np.isfinite(density[start : start + width]))
        if not len(covered):
            continue
        value = len(covered) / density[covered].sum()
        for run in np.split(covered, np.flatnonzero(np.diff(covered) > 1) + 1):
            rows.append((chrom, int(run[0]), int(run[-1]) + 1, value))
    return rows


def fast(
    chroms: dict[str, list[tuple[int, list[int]]]], width: int, at_a_time: int | None = None
) -> Rows:
    rows: Rows = []

    def write(chrom: str, start: np.ndarray, end: np.ndarray, value: np.ndarray) -> None:
        assert (start[1:] == end[:-1]).all()
        rows.extend(zip([chrom] * len(start), start.tolist(), end.tolist(), value, strict=True))

    windowed = WindowedBpt(write, width)
    for chrom, stretches in chroms.items():
        for first, chunks in stretches:
            edges = first + np.cumsum([0, *chunks])
            step = at_a_time or len(chunks)
            for low in range(0, len(chunks), step):
                part = edges[low : low + step + 1]
                windowed.add(chrom, part[:-1], part[1:], np.diff(part))
    windowed.finish()
    return rows


@pytest.mark.parametrize("width", [1, 7, 100, 1000])
@pytest.mark.parametrize("seed", range(4))
def test_windows_equal_sums_over_bases(seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    chroms = {}
    for chrom in ("a", "b"):
        at, stretches = int(rng.integers(150)), []
        for _ in range(3):
            chunks = rng.integers(1, rng.choice([3, 60, 400]), rng.integers(1, 40)).tolist()
            stretches.append((at, chunks))
            at += sum(chunks) + int(rng.choice([0, 5, 900]))  # some adjoin, some leave a gap
        chroms[chrom] = stretches
    found = fast(chroms, width)
    wanted = [row for chrom, stretches in chroms.items() for row in slow(chrom, stretches, width)]
    assert [row[:3] for row in found] == [row[:3] for row in wanted]
    assert np.allclose([row[3] for row in found], [row[3] for row in wanted], rtol=1e-12)
    for step in (1, 3):  # to the last bit
        assert fast(chroms, width, step) == found


def test_windows_by_hand() -> None:
    """2 tokens of 300 bp, a gap, 1 token of 400; then a chunk over two windows and a half."""
    rows = fast({"x": [(100, [300, 300]), (800, [400]), (1200, [1300])]}, 1000)
    first = (600 + 200) / (2 + 0.5)
    second = 1000 / (0.5 + 800 / 1300)
    assert rows == [
        ("x", 100, 700, first),
        ("x", 800, 1000, first),
        ("x", 1000, 2000, pytest.approx(second)),
        ("x", 2000, 2500, pytest.approx(1300)),
    ]


def test_a_cut_chunk_keeps_its_density() -> None:
    rows: Rows = []
    windowed = WindowedBpt(lambda c, a, b, v: rows.extend(zip([c], a, b, v, strict=True)))
    windowed.add("x", np.array([0, 100]), np.array([100, 150]), np.array([100, 200]))
    windowed.finish()
    assert rows == [("x", 0, 150, 150 / 1.25)]
