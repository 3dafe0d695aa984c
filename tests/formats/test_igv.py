from pathlib import Path
from xml.etree import ElementTree

import pytest

from genezip.errors import GenezipError
from genezip.formats.igv import (
    Session,
    Track,
    read_igv_session,
    read_shown_locus,
    write_igv_session,
)

TRACKS = [Track("boundary probability", "boundary_prob.bw"), Track("regions", "regions.bed.gz")]


def test_igv_session_lists_every_track_and_counts_from_one(tmp_path: Path) -> None:
    path = tmp_path / "igv_session.xml"
    write_igv_session(path, Session(TRACKS, "hg38", ("chr9", 100, 200)))
    root = ElementTree.parse(path).getroot()
    assert root.attrib == {"version": "8", "genome": "hg38", "locus": "chr9:101-200"}
    assert [r.get("path") for r in root.iter("Resource")] == [track.path for track in TRACKS]
    assert [t.get("name") for t in root.iter("Track")] == [track.title for track in TRACKS]
    assert [r.get("indexURL") for r in root.iter("Resource")] == [None, None]
    indexed = Track("regions", "regions.bed.gz", "regions.bed.gz.tbi")
    write_igv_session(path, Session([TRACKS[0], indexed]))
    root = ElementTree.parse(path).getroot()
    assert [r.get("indexURL") for r in root.iter("Resource")] == [None, "regions.bed.gz.tbi"]
    # IGV would look for it in the folder it was started from
    assert [r.get("index") for r in root.iter("Resource")] == [None, None]
    write_igv_session(path, Session(TRACKS))
    assert ElementTree.parse(path).getroot().attrib == {"version": "8"}
    write_igv_session(path, Session(TRACKS, "a\x01.fa", ("\udc80", 0, 9)))  # no XML can hold these
    assert ElementTree.parse(path).getroot().attrib == {"version": "8"}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "igv_session.xml"
    tracks = [
        Track('a "b" <c>: chunks', "x y/chunks.bed.gz", "x y/chunks.bed.gz.csi"),
        Track("a: boundary probability", "boundary_prob.bw", None, "106,31,160", "prob"),
    ]
    session = Session(tracks, "../my genome.fa", ("ctg:1-500", 0, 50))
    write_igv_session(path, session)
    assert read_igv_session(path) == session


@pytest.mark.parametrize("text", ["", "<Session", "<html></html>"])
def test_what_is_no_session_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "s.xml").write_text(text)
    with pytest.raises(GenezipError, match=r"s\.xml .*write the tracks again"):
        read_igv_session(tmp_path / "s.xml")


@pytest.mark.parametrize(
    ("text", "locus"),
    [
        ("chr9:101-200", ("chr9", 100, 200)),
        (" chr9:1,001-2,000 ", ("chr9", 1000, 2000)),
        ("ctg:1-500:7-7", ("ctg:1-500", 6, 7)),
        ("chr9:0-5", None),
        ("chr9:9-5", None),
        ("chr9", None),
        ("chr9:,-5", None),
    ],
)
def test_loci_of_browsers_count_from_one(text: str, locus: tuple[str, int, int] | None) -> None:
    assert read_shown_locus(text) == locus
