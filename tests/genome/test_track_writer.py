"""Tracks written window by window, read back by hand."""

import gzip
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyBigWig
import pytest

from genezip.errors import GenezipError
from genezip.genome import track_writer
from genezip.genome.track_writer import TrackWriter

SIZES = {"chr1": 1000, "chr2": 500}


def test_tracks_by_hand(tmp_path: Path) -> None:
    with TrackWriter(tmp_path, SIZES, "hg38", {"regions": "regions.bed.gz"}) as tracks:
        tracks.add("chr1", 100, np.array([1.0, 0.25, 0.5]), np.array([2, 1]))
        tracks.add("chr2", 0, np.array([1.0, 0.0]), np.array([2]))
    with pyBigWig.open(str(tmp_path / "boundary_prob.bw")) as prob:
        assert prob.chroms() == SIZES
        assert prob.values("chr1", 100, 103) == [1.0, 0.25, 0.5]
        assert np.isnan(prob.values("chr1", 99, 100)[0])
    with pyBigWig.open(str(tmp_path / "bpt.bw")) as bpt:
        assert bpt.intervals("chr1") == ((100, 102, 2.0), (102, 103, 1.0))
        assert bpt.intervals("chr2") == ((0, 2, 2.0),)
    chunks = gzip.decompress((tmp_path / "chunks.bed.gz").read_bytes()).decode().splitlines()
    assert chunks == ["chr1\t100\t102\t2 bp", "chr1\t102\t103\t1 bp", "chr2\t0\t2\t2 bp"]
    session = ElementTree.parse(tmp_path / "igv_session.xml").getroot()
    assert (session.get("genome"), session.get("locus")) == ("hg38", "chr1:101-103")
    assert [resource.get("path") for resource in session.iter("Resource")] == [
        "boundary_prob.bw",
        "bpt.bw",
        "chunks.bed.gz",
        "regions.bed.gz",
    ]


def test_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), TrackWriter(tmp_path, SIZES) as tracks:
        tracks.add("chr1", 0, np.array([1.0]), np.array([1]))
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_said_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(track_writer, "BPT_BYTES", 1 << 50)
    with pytest.raises(GenezipError, match="free space"), TrackWriter(tmp_path, SIZES):
        pass
    assert list(tmp_path.iterdir()) == []
