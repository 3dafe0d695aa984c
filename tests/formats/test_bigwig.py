"""bigWig files of our own, read by libBigWig."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyBigWig
import pytest

from genezip.formats import bigwig
from genezip.formats.bigwig import ZOOM_WIDTHS, BigWigWriter

# more chromosomes than a node of the name tree holds, not in the order of their names
SIZES = {f"chr{(7 * number) % 601}": 40 + number for number in range(601)}
LONG = {"x": 3000, "long": 300_000, "a": 70_000, "none": 5}


def noise(length: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(length).astype(np.float32)


def test_many_chromosomes(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", SIZES) as writer:
        for number, (name, length) in enumerate(SIZES.items()):
            writer.add_values(name, 3, noise(length - 3, number))
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        assert file.chroms() == SIZES
        for number, (name, length) in enumerate(SIZES.items()):
            values = np.array(file.values(name, 0, length), dtype=np.float32)
            assert np.isnan(values[:3]).all()
            assert np.array_equal(values[3:], noise(length - 3, number))
        assert file.intervals("chr0", 0, 3) is None


@pytest.mark.parametrize("step", [500, 12_345, 300_000])
def test_pieces_of_any_length(tmp_path: Path, step: int) -> None:
    """Sections of 100 values: 3,000 of them, so the tree over them has two levels."""
    values = {name: noise(length, length) for name, length in LONG.items() if name != "none"}
    values["long"][1000:2000] = 0
    with BigWigWriter(tmp_path / "x.bw", LONG, section_items=100, slice_bp=777) as writer:
        for name, column in values.items():
            for start in range(0, len(column), step):
                if (name, start) != ("long", 4 * step):  # a gap
                    writer.add_values(name, start, column[start : start + step])
    if step < 300_000:
        values["long"][4 * step : 5 * step] = np.nan
    every = np.concatenate(list(values.values())).astype(np.float64)
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        header = file.header()
        assert header["nLevels"] == len(ZOOM_WIDTHS)
        assert header["nBasesCovered"] == np.isfinite(every).sum()
        for name, column in values.items():
            read = np.array(file.values(name, 0, len(column)), dtype=np.float32)
            assert np.array_equal(read, column, equal_nan=True)
            # bins of 1,000 windows and more are read from the zoom levels
            for width in (256, 1024, 16_384):
                bins = len(column) // width
                cut = column[: bins * width].astype(np.float64).reshape(bins, width)
                for kind, fold in (("mean", np.nanmean), ("max", np.nanmax), ("min", np.nanmin)):
                    if not bins:
                        continue
                    found = file.stats(name, 0, bins * width, type=kind, nBins=bins)
                    wanted = [fold(row) if np.isfinite(row).any() else None for row in cut]
                    has = [value is not None for value in wanted]
                    assert [value is not None for value in found] == has
                    pairs = zip(found, wanted, strict=True)
                    close = [np.isclose(f, w, atol=1e-6) for f, w in pairs if w is not None]
                    assert all(close), (name, width, kind)
        assert file.intervals("none") is None
    assert list(tmp_path.iterdir()) == [tmp_path / "x.bw"]


def test_zoom_levels_are_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With doubled zoom values the coarse bins are doubled: the test above sees the levels."""
    write = bigwig._Zoom._write
    twice = np.array([1, 1, 1, 2, 2, 2, 2])
    monkeypatch.setattr(bigwig._Zoom, "_write", lambda *at: write(*at[:-1], at[-1] * twice))
    with BigWigWriter(tmp_path / "x.bw", {"c": 40_000}) as writer:
        writer.add_values("c", 0, np.ones(40_000))
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        assert file.stats("c", 0, 16_384, nBins=4) == [2.0] * 4
        assert file.stats("c", 0, 16_384, nBins=4, exact=True) == [1.0] * 4


def test_intervals(tmp_path: Path) -> None:
    lengths = np.random.default_rng(1).integers(1, 200, 1000)
    lengths[500] = 20_000
    ends = np.cumsum(lengths)
    starts, total = ends - lengths, int(ends[-1])
    with BigWigWriter(tmp_path / "x.bw", {"c": total}, section_items=10, slice_bp=64) as writer:
        for part in (slice(0, 333), slice(333, 333), slice(333, 1000)):
            writer.add_intervals("c", starts[part], ends[part], lengths[part].astype(float))
    whole = np.repeat(lengths, lengths).astype(float)
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        assert file.intervals("c") == tuple(zip(starts, ends, lengths.astype(float), strict=True))
        assert file.header()["sumData"] == whole.sum()
        bins = total // 4096
        means = file.stats("c", 0, bins * 4096, nBins=bins)
    assert np.allclose(means, whole[: bins * 4096].reshape(bins, 4096).mean(1), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_bytes_do_not_depend_on_the_calls(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = {"a": 9100, "b": 50, "c": 9000}
    ends = np.cumsum(rng.integers(1, 40, 400))
    starts, height = np.append(0, ends[:-1]), rng.random(400)
    runs = [("a", 0, 4000), ("a", 4001, 5000), ("b", 3, 47)]  # with a gap

    def written(name: str, longest: int) -> bytes:
        """A file from calls of so many values or intervals at most."""

        def cut(length: int) -> list[tuple[int, int]]:
            inner = np.cumsum(rng.integers(1, longest + 1, length))
            return list(pairwise([0, *inner[inner < length].tolist(), length]))

        with BigWigWriter(tmp_path / name, sizes, section_items=70, slice_bp=301) as writer:
            for chrom, start, length in runs:
                for low, high in cut(length):
                    values = noise(length, start)[low:high]
                    writer.add_values(chrom, start + low, values)
            for low, high in cut(len(starts)):
                some = slice(low, high)
                writer.add_intervals("c", starts[some], ends[some], height[some])
        return (tmp_path / name).read_bytes()

    whole = written("whole", 10_000)
    assert [written(f"{longest}", longest) for longest in (1, 90, 700)] == [whole] * 3


def test_what_comes_too_late_or_too_far(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"a": 10, "b": 10}) as writer:
        writer.add_values("b", 2, np.ones(3))
        for chrom, start, length in (("a", 0, 1), ("b", 4, 1), ("b", 8, 3)):
            with pytest.raises(ValueError, match="is out of order or ends beyond the chromosome"):
                writer.add_values(chrom, start, np.ones(length))
        writer.add_values("b", 5, np.ones(5))


def test_nothing_is_a_file_too(tmp_path: Path) -> None:
    with BigWigWriter(tmp_path / "x.bw", {"a": 10}):
        pass
    with pyBigWig.open(str(tmp_path / "x.bw")) as file:
        assert file.chroms() == {"a": 10}
        assert file.intervals("a") is None
