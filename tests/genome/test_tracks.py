import gzip
import resource
import signal
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from genezip.errors import GenezipError
from genezip.genome.tracks import Signal, write_bed9, write_bigwig, write_igv_session

SIZES = {"chr1": 1000, "chr2": 500}


def test_bed9_plain_and_gzip_hold_the_same_rows(tmp_path):
    table = pd.DataFrame(
        {
            "chrom": ["chr1", "chr2"],
            "start": [0, 7],
            "end": [5, 9],
            "name": ["a", "b c"],
            "rgb": ["1,2,3", "4,5,6"],
            "score": [0, 1000],
            "strand": ["+", "-"],
        }
    )
    write_bed9(tmp_path / "a.bed", table)
    write_bed9(tmp_path / "a.bed.gz", table)
    expected = "chr1\t0\t5\ta\t0\t+\t0\t5\t1,2,3\nchr2\t7\t9\tb c\t1000\t-\t7\t9\t4,5,6\n"
    assert (tmp_path / "a.bed").read_text() == expected
    assert gzip.open(tmp_path / "a.bed.gz", "rt").read() == expected
    assert (tmp_path / "a.bed.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no date inside


def test_bigwig_has_whole_chromosomes_in_its_head_and_pieces_in_place(tmp_path):
    path = tmp_path / "a.bw"
    signals = [
        Signal("chr1", 100, np.array([0.5, 0.5, np.nan, 1.0], dtype=np.float32)),
        Signal("chr1", 104, np.array([0.25], dtype=np.float32)),
        Signal("chr2", 10, np.array([np.nan, 2.0], dtype=np.float32)),
    ]
    write_bigwig(path, SIZES, signals)
    with pyBigWig.open(str(path)) as track:
        assert track.chroms() == SIZES
        assert track.values("chr1", 99, 106, numpy=True).tolist() == pytest.approx(
            [np.nan, 0.5, 0.5, np.nan, 1.0, 0.25, np.nan], nan_ok=True
        )
        assert track.intervals("chr2") == ((11, 12, 2.0),)
        assert track.header()["nBasesCovered"] == 5


@pytest.mark.parametrize(
    ("signals", "sentence"),
    [
        ([Signal("chr3", 0, np.ones(2))], "chr3 has no length"),
        ([Signal("chr2", 499, np.ones(2))], r"chr2:499-501 lies outside chr2 \(500 bp\)"),
        ([Signal("chr2", 0, np.ones(2)), Signal("chr1", 0, np.ones(2))], "not sorted"),
        ([Signal("chr1", 5, np.ones(2)), Signal("chr1", 6, np.ones(2))], "not sorted"),
        ([Signal("chr1", 5, np.full(2, np.nan))], "would hold no value"),
        ([], "would hold no value"),
    ],
)
def test_wrong_signals_leave_the_old_file_alone(tmp_path, signals, sentence):
    path = tmp_path / "a.bw"
    path.write_bytes(b"old")
    with pytest.raises(GenezipError, match=sentence):
        write_bigwig(path, SIZES, signals)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.bw", b"old")]


def test_full_disk_leaves_nothing(tmp_path):
    rng = np.random.default_rng(0)
    signals = [Signal("chr1", 0, rng.random(900_000))]
    table = pd.DataFrame({"chrom": "chr1", "start": range(9000), "end": range(1, 9001)})
    table = table.assign(name="x", rgb="0,0,0")
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old_limit[1]))
    try:
        with pytest.raises(GenezipError, match=r"cannot write .*a\.bw"):
            write_bigwig(tmp_path / "a.bw", {"chr1": 1_000_000}, signals)
        with pytest.raises(GenezipError, match=r"cannot write .*a\.bed"):
            write_bed9(tmp_path / "a.bed", table)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert list(tmp_path.iterdir()) == []


def test_igv_session_lists_every_track_and_counts_from_one(tmp_path):
    path = tmp_path / "igv_session.xml"
    tracks = {"boundary probability": "boundary_prob.bw", "regions": "regions.bed.gz"}
    write_igv_session(path, "hg38", tracks, ("chr9", 100, 200))
    root = ElementTree.parse(path).getroot()
    assert root.attrib == {"version": "8", "genome": "hg38", "locus": "chr9:101-200"}
    assert [r.get("path") for r in root.iter("Resource")] == list(tracks.values())
    assert [t.get("name") for t in root.iter("Track")] == list(tracks)
    write_igv_session(path, "", tracks)
    assert ElementTree.parse(path).getroot().attrib == {"version": "8"}
