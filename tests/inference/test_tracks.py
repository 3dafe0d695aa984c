"""Tracks written window by window, read back by hand."""

import gzip
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyBigWig
import pysam
import pytest

from genezip.errors import GenezipError
from genezip.formats.igv import read_igv_session
from genezip.inference import tracks as track_writer
from genezip.inference.tracks import CHUNK_RGB, TrackWriter

SIZES = {"chr1": 1000, "chr2": 500}


def test_tracks_by_hand(tmp_path: Path) -> None:
    with TrackWriter(tmp_path, SIZES, "hg38", {"regions": "regions.bed.gz"}) as tracks:
        tracks.add("chr1", 100, 103, np.array([2, 1]), np.array([1.0, 0.25, 0.5]))
        tracks.add("chr2", 0, 2, np.array([2]), np.array([1.0, 0.0]))
    with pyBigWig.open(str(tmp_path / "boundary_prob.bw")) as prob:
        assert prob.chroms() == SIZES
        assert prob.values("chr1", 100, 103) == [1.0, 0.25, 0.5]
        assert np.isnan(prob.values("chr1", 99, 100)[0])
    with pyBigWig.open(str(tmp_path / "tokens_per_kb.bw")) as tokens:
        assert tokens.intervals("chr1") == ((100, 102, 500.0), (102, 103, 1000.0))
        assert tokens.intervals("chr2") == ((0, 2, 500.0),)
    with pyBigWig.open(str(tmp_path / "bpt.bw")) as bpt:
        assert bpt.intervals("chr1") == ((100, 103, 1.5),)
        assert bpt.intervals("chr2") == ((0, 2, 2.0),)
    chunks = gzip.decompress((tmp_path / "chunks.bed.gz").read_bytes()).decode().splitlines()
    assert chunks == [
        f"chr1\t100\t102\t2bp\t0\t.\t100\t102\t{CHUNK_RGB[0]}",
        f"chr1\t102\t103\t1bp\t0\t.\t102\t103\t{CHUNK_RGB[1]}",
        f"chr2\t0\t2\t2bp\t0\t.\t0\t2\t{CHUNK_RGB[0]}",
    ]
    session = ElementTree.parse(tmp_path / "igv_session.xml").getroot()
    assert (session.get("genome"), session.get("locus")) == ("hg38", "chr1:101-103")
    assert [(found.get("path"), found.get("indexURL")) for found in session.iter("Resource")] == [
        ("boundary_prob.bw", None),
        ("tokens_per_kb.bw", None),
        ("bpt.bw", None),
        ("chunks.bed.gz", "chunks.bed.gz.tbi"),
        ("regions.bed.gz", None),  # nobody has written it
    ]
    with pysam.TabixFile(str(tmp_path / "chunks.bed.gz")) as file:
        assert [row.split("\t")[3] for row in file.fetch("chr1", 102, 200)] == ["1bp"]


def test_a_mean_is_tokens_over_bases(tmp_path: Path) -> None:
    """Over whole tracks and over windows, from bases and from zoom levels.

    The old track had the length of the chunk at each base: its mean is far from bp per token.
    """
    rng = np.random.default_rng(1)
    sizes = {"a": 700_123, "none": 5, "b": 80_000}
    starts = {"a": 12_345, "b": 0}
    density: dict[str, np.ndarray] = {}
    with TrackWriter(tmp_path, sizes) as tracks:
        for chrom, start in starts.items():
            chunk_bp = np.where(rng.random(4000) < 0.2, rng.integers(400, 900, 4000), 20)
            chunk_bp = chunk_bp[np.cumsum(chunk_bp) < sizes[chrom] - start]
            density[chrom] = np.full(sizes[chrom], np.nan)
            covered = slice(start, start + chunk_bp.sum())
            density[chrom][covered] = np.repeat(1 / chunk_bp, chunk_bp)
            prob = np.full(chunk_bp.sum(), 0.5)
            tracks.add(chrom, start, covered.stop, chunk_bp, prob)
            biased = (chunk_bp**2).sum() / chunk_bp.sum()
            assert biased > 2 * chunk_bp.mean()
    with (
        pyBigWig.open(str(tmp_path / "tokens_per_kb.bw")) as per_kb,
        pyBigWig.open(str(tmp_path / "bpt.bw")) as bpt,
    ):
        header = per_kb.header()
        every = np.concatenate(list(density.values()))
        assert header["sumData"] / header["nBasesCovered"] == pytest.approx(
            1000 * np.nanmean(every), rel=1e-6
        )
        assert per_kb.stats("none") == bpt.stats("none") == [None]
        for chrom, values in density.items():
            for exact in (True, False):
                (mean,) = per_kb.stats(chrom, exact=exact)
                assert mean == pytest.approx(1000 * np.nanmean(values), rel=1e-6)
            # bins of these widths are windows of the zoom levels, or hold whole ones
            for width in (1000, 1024, 4096, 16_384, 65_536):
                bins = len(values) // width
                cut = values[: bins * width].reshape(bins, width)
                wanted = [1000 * np.nanmean(row) if (row > 0).any() else None for row in cut]
                for exact in (True,) if width == 1000 else (True, False):
                    found = per_kb.stats(chrom, 0, bins * width, nBins=bins, exact=exact)
                    assert [value is None for value in found] == [w is None for w in wanted]
                    pairs = [(f, w) for f, w in zip(found, wanted, strict=True) if w is not None]
                    assert np.allclose(*zip(*pairs, strict=True), rtol=1e-5), (width, exact)
            rows = bpt.intervals(chrom)
            assert all(start // 1000 == (end - 1) // 1000 for start, end, _ in rows)
            assert [start for start, _, _ in rows[1:]] == [end for _, end, _ in rows[:-1]]
            for start, end, value in rows:
                assert value == pytest.approx(1 / np.nanmean(values[start:end]), rel=1e-6)
            assert sum(end - start for start, end, _ in rows) == np.isfinite(values).sum()
            bases = np.isfinite(values).sum()
            tokens = sum((end - start) / value for start, end, value in rows)
            assert tokens == pytest.approx(np.nansum(values), rel=1e-6)
            assert bases / tokens == pytest.approx(1000 / per_kb.stats(chrom)[0], rel=1e-4)


def test_padding_is_not_shown(tmp_path: Path) -> None:
    """A chunk that ends in padding keeps the density of its whole length (Eq. 15)."""
    with TrackWriter(tmp_path, SIZES) as tracks:
        tracks.add("chr1", 990, 1000, np.array([6, 20, 50]), np.full(76, 0.5))
    with pyBigWig.open(str(tmp_path / "tokens_per_kb.bw")) as tokens:
        assert tokens.intervals("chr1") == ((990, 996, pytest.approx(1000 / 6)), (996, 1000, 50.0))
    with pyBigWig.open(str(tmp_path / "bpt.bw")) as bpt:
        assert bpt.intervals("chr1") == ((990, 1000, pytest.approx(10 / 1.2)),)
    chunks = gzip.decompress((tmp_path / "chunks.bed.gz").read_bytes()).decode().splitlines()
    assert [row.split("\t")[1:4] for row in chunks] == [
        ["990", "996", "6bp"],
        ["996", "1000", "4bp"],
    ]


def test_neighbours_differ_in_colour(tmp_path: Path) -> None:
    """Also where one call ends and the next begins."""
    with TrackWriter(tmp_path, SIZES) as tracks:
        for start, chunk_bp in ((0, [1, 2, 3]), (6, [4]), (10, [5, 5])):
            tracks.add_chunks("chr1", start, np.array(chunk_bp))
    with pysam.TabixFile(str(tmp_path / "chunks.bed.gz")) as file:
        colours = [row.split("\t")[8] for row in file.fetch("chr1")]
    assert colours == [CHUNK_RGB[number % 2] for number in range(6)]


def test_contig_names_of_any_kind(tmp_path: Path) -> None:
    names = ["ctg:1-500", 'a"b', "<x>&", "x|y"]
    with TrackWriter(tmp_path, dict.fromkeys(names, 50), 'my "genome".fa') as tracks:
        for name in names:
            tracks.add(name, 0, 50, np.array([20, 30]), np.full(50, 0.5))
    with pysam.TabixFile(str(tmp_path / "chunks.bed.gz")) as file:
        assert file.contigs == names
        assert all(len(list(file.fetch(name, 0, 50))) == 2 for name in names)
    session = ElementTree.parse(tmp_path / "igv_session.xml").getroot()
    assert (session.get("genome"), session.get("locus")) == ('my "genome".fa', "ctg:1-500:1-50")
    for name, said in (
        ("#1", "#1, and in"),
        ("track", "track, and in"),
        ("a\x01", r"'a\x01', which"),
    ):
        out = tmp_path / "refused"
        with (
            pytest.raises(GenezipError, match=re.escape(f"has a contig named {said}")),
            TrackWriter(out, {"used": 9, name: 50}) as tracks,
        ):
            tracks.add("used", 0, 9, np.array([9]), np.full(9, 0.5))
            tracks.add(name, 0, 50, np.array([50]), np.full(50, 0.5))
        assert not list(out.iterdir())
    with TrackWriter(tmp_path, {"used": 9, "#unused": 50}, written_bp=9) as tracks:
        tracks.add("used", 0, 9, np.array([9]), np.full(9, 0.5))


def test_bases_that_are_not_predicted_have_no_surprisal(tmp_path: Path) -> None:
    known = np.array([np.nan, 2, 0.5, np.nan, np.nan, 1, np.nan], dtype=np.float32)
    with TrackWriter(tmp_path, SIZES, prob=False, surprisal=True, model="m") as tracks:
        tracks.add("chr1", 10, 16, np.array([4, 3]), surprisal=known)
        tracks.add("chr2", 0, 2, np.array([2]), surprisal=np.full(2, np.nan))
        tracks.add("chr2", 2, 3, np.array([1]))
    with pyBigWig.open(str(tmp_path / "surprisal.bw")) as track:
        assert track.intervals("chr1") == ((11, 12, 2), (12, 13, 0.5), (15, 16, 1))
        assert track.intervals("chr2") is None
        assert track.header()["nBasesCovered"] == 3
    assert not (tmp_path / "boundary_prob.bw").exists()
    titles = [track.title for track in read_igv_session(tmp_path / "igv_session.xml").tracks]
    assert titles[0] == "m: surprisal (bits)" and len(titles) == 4


def test_long_contigs(tmp_path: Path) -> None:
    size = (1 << 29) + 5000
    with TrackWriter(tmp_path, {"long": size}, written_bp=3000) as tracks:
        tracks.add("long", size - 3000, size, np.full(30, 100), np.full(3000, 0.5))
    session = ElementTree.parse(tmp_path / "igv_session.xml").getroot()
    indexes = [found.get("indexURL") for found in session.iter("Resource")]
    assert indexes == [None, None, None, "chunks.bed.gz.csi"]
    index = str(tmp_path / "chunks.bed.gz.csi")
    with pysam.TabixFile(str(tmp_path / "chunks.bed.gz"), index=index) as file:
        assert len(list(file.fetch("long", size - 250, size))) == 3


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TrackWriter(tmp_path, SIZES) as tracks:
        tracks.add("chr1", 0, 1, np.array([1]), np.array([1.0]))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_writer, "CHUNK_BYTES", 1 << 50)
    with pytest.raises(GenezipError, match="free space"), TrackWriter(tmp_path, SIZES):
        pass
    assert list(tmp_path.iterdir()) == []
