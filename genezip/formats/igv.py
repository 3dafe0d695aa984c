"""IGV sessions: files that open tracks at a locus of a genome."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from genezip.artifacts.files import write_text
from genezip.errors import GenezipError

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LOCUS = re.compile(r"(.+):([\d,]*\d)-([\d,]*\d)")


@dataclass(frozen=True)
class Track:
    """One track of a session.

    Attributes
    ----------
    title : its name in the browser
    path : its file, relative to the session
    index : tabix index of the file, relative to the session
    rgb : colour as ``r,g,b``; None for that of the browser
    scale : tracks with the same text here have one vertical scale; None for a scale of its own
    """

    title: str
    path: str
    index: str | None = None
    rgb: str | None = None
    scale: str | None = None

    @property
    def is_bigwig(self) -> bool:
        """Whether it has values; other tracks have intervals."""
        return self.path.endswith((".bw", ".bigWig"))


@dataclass(frozen=True)
class Session:
    """Tracks from top to bottom, and where they open.

    Attributes
    ----------
    genome : IGV genome id (``hg38``), or path of a FASTA relative to the session; empty for the
        genome that IGV has open
    locus : (chrom, start, end), 0-based, half-open; None for all of the genome
    """

    tracks: Sequence[Track]
    genome: str = ""
    locus: tuple[str, int, int] | None = None


def shown_locus(locus: tuple[str, int, int]) -> str:
    """A locus as browsers show it: ``chrom:start-end``, counted from 1, both ends included."""
    chrom, start, end = locus
    return f"{chrom}:{start + 1}-{end}"


def read_shown_locus(text: str) -> tuple[str, int, int] | None:
    """(chrom, start, end), 0-based, half-open, of a locus as browsers show it.

    Numbers may have commas. None for another text.
    """
    match = _LOCUS.fullmatch(text.strip())
    if match is None:
        return None
    start, end = (int(match[number].replace(",", "")) for number in (2, 3))
    return (match[1], start - 1, end) if 0 < start <= end else None


def write_igv_session(path: str | Path, session: Session) -> None:
    """Write a session (:func:`session_text`); its tracks are in its folder or below."""
    write_text(path, session_text(session))


def session_text(session: Session) -> str:
    """A session as XML.

    IGV shows loci counted from 1. Locus and genome are left out if they contain control characters,
    which XML cannot represent.
    """
    root = ElementTree.Element("Session", version="8")
    if session.genome and _fits_xml(session.genome):
        root.set("genome", session.genome)
    if session.locus is not None and _fits_xml(session.locus[0]):
        root.set("locus", shown_locus(session.locus))
    resources = ElementTree.SubElement(root, "Resources")
    panel = ElementTree.SubElement(root, "Panel", name="DataPanel")
    for track in session.tracks:
        resource = ElementTree.SubElement(resources, "Resource", path=track.path, name=track.title)
        if track.index is not None:
            # IGV finds a .tbi beside its file; it would look for a relative ``index`` in the
            # folder it was started from, so that attribute is not set
            resource.set("indexURL", track.index)
        element = ElementTree.SubElement(
            panel, "Track", id=track.path, name=track.title, visible="true"
        )
        look = {"displayMode": "COLLAPSED"}
        if track.is_bigwig:
            bars = {"renderer": "BAR_CHART", "windowFunction": "mean"}
            look = {**bars, "autoScale": "true", "height": "60"}
        if track.rgb is not None:
            look |= {"color": track.rgb, "altColor": track.rgb}  # igv.js reads both or none
        if track.scale is not None:
            look["autoscaleGroup"] = track.scale
        element.attrib.update(look)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{text}\n'


def read_igv_session(path: str | Path) -> Session:
    """Read a session of :func:`write_igv_session`, or one that IGV has saved.

    Tracks are those with a resource. A file that is no session is refused.
    """
    try:
        root = ElementTree.fromstring(Path(path).read_bytes())
    except (OSError, ElementTree.ParseError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise GenezipError(
            f"{path} cannot be read as an IGV session ({reason}); write the tracks again"
        ) from None
    if root.tag != "Session":
        raise GenezipError(f"{path} is no IGV session; write the tracks again")
    looks = {element.get("id", ""): element for element in root.iter("Track")}
    tracks = []
    for resource in root.iter("Resource"):
        target = resource.get("path", "")
        look = looks.get(target, resource)
        title = look.get("name") or resource.get("name") or target
        found = (look.get("color"), look.get("autoscaleGroup"))
        tracks.append(Track(title, target, resource.get("indexURL"), *found))
    return Session(tracks, root.get("genome", ""), read_shown_locus(root.get("locus", "")))


def _fits_xml(text: str) -> bool:
    return not _NOT_XML.search(text)
