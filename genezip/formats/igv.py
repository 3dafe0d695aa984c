"""IGV sessions: files that open tracks at a locus of a genome."""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from genezip.artifacts.files import write_text

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_igv_session(
    path: str | Path,
    genome: str,
    tracks: Mapping[str, str],
    locus: tuple[str, int, int] | None = None,
    indexes: Mapping[str, str] | None = None,
) -> None:
    """Write an IGV session that opens tracks at a locus.

    Parameters
    ----------
    path : session file; the tracks are in its folder or below
    genome : IGV genome id (``hg38``), or path of a FASTA relative to the session; empty for the
        genome that IGV has open
    tracks : title -> path relative to the session, from top to bottom
    locus : (chrom, start, end), optional
        0-based, half-open; IGV shows it 1-based. Locus and genome are left out if they contain
        control characters, which XML cannot represent.
    indexes : path of a track -> path of its tabix index, both relative to the session
    """
    root = ElementTree.Element("Session", version="8")
    if genome and _fits_xml(genome):
        root.set("genome", genome)
    if locus is not None and _fits_xml(locus[0]):
        chrom, start, end = locus
        root.set("locus", f"{chrom}:{start + 1}-{end}")
    resources = ElementTree.SubElement(root, "Resources")
    panel = ElementTree.SubElement(root, "Panel", name="DataPanel")
    for title, target in tracks.items():
        resource = ElementTree.SubElement(resources, "Resource", path=target, name=title)
        if indexes and target in indexes:
            # IGV finds a .tbi beside its file; it would look for a relative ``index`` in the
            # folder it was started from, so that attribute is not set
            resource.set("indexURL", indexes[target])
        element = ElementTree.SubElement(panel, "Track", id=target, name=title, visible="true")
        look = {"displayMode": "COLLAPSED"}
        if target.endswith((".bw", ".bigWig")):
            bars = {"renderer": "BAR_CHART", "windowFunction": "mean"}
            look = {**bars, "autoScale": "true", "height": "60"}
        element.attrib.update(look)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{text}\n')


def _fits_xml(text: str) -> bool:
    return not _NOT_XML.search(text)
