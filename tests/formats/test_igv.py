from xml.etree import ElementTree

from genezip.formats.igv import write_igv_session


def test_igv_session_lists_every_track_and_counts_from_one(tmp_path):
    path = tmp_path / "igv_session.xml"
    tracks = {"boundary probability": "boundary_prob.bw", "regions": "regions.bed.gz"}
    write_igv_session(path, "hg38", tracks, ("chr9", 100, 200))
    root = ElementTree.parse(path).getroot()
    assert root.attrib == {"version": "8", "genome": "hg38", "locus": "chr9:101-200"}
    assert [r.get("path") for r in root.iter("Resource")] == list(tracks.values())
    assert [t.get("name") for t in root.iter("Track")] == list(tracks)
    assert [r.get("indexURL") for r in root.iter("Resource")] == [None, None]
    write_igv_session(path, "", tracks, indexes={"regions.bed.gz": "regions.bed.gz.tbi"})
    root = ElementTree.parse(path).getroot()
    assert [r.get("indexURL") for r in root.iter("Resource")] == [None, "regions.bed.gz.tbi"]
    # IGV would look for it in the folder it was started from
    assert [r.get("index") for r in root.iter("Resource")] == [None, None]
    write_igv_session(path, "", tracks)
    assert ElementTree.parse(path).getroot().attrib == {"version": "8"}
    write_igv_session(path, "a\x01.fa", tracks, ("\udc80", 0, 9))  # no XML can hold these
    assert ElementTree.parse(path).getroot().attrib == {"version": "8"}
