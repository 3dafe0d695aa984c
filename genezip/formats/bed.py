"""Files for genome browsers: BED9 with colours, and an IGV session that opens tracks.

Coordinates are those of the chromosome, so a track made from a slice lies where it belongs.
The bigWig files are written window by window in :mod:`genezip.genome.tracks`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from genezip.artifacts.files import atomic_path, write_text
from genezip.formats.tabix import atomic_indexed, open_indexed
from genezip.genome.names import check_row_names

_NAME = pa.dictionary(pa.int32(), pa.string())
BED9_TYPES: dict[str, pa.DataType | None] = {
    "chrom": _NAME,
    "start": pa.int64(),
    "end": pa.int64(),
    "name": _NAME,
    "score": None,
    "strand": None,
    "thick_start": None,
    "thick_end": None,
    "rgb": None,
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ROWS = 1 << 16  # made into text at a time


def bed9_rows(
    chrom: Any, start: Any, end: Any, name: Any, rgb: Any, score: Any = 0, strand: Any = "."
) -> Iterator[bytes]:
    """Rows of BED9 as text, many at a time.

    Parameters
    ----------
    chrom, name, rgb, score, strand : array or scalar
        Text or numbers; text stands in the file as it is, without quotes.
    start, end : integer arrays, shape (N,)
    """
    columns = [chrom, start, end, name, score, strand, start, end, rgb]
    for first in range(0, len(start), _ROWS):
        part = [_text(column, slice(first, first + _ROWS)) for column in columns]
        lines = pc.binary_join_element_wise(*part, "\t").to_pylist()
        yield ("\n".join(lines) + "\n").encode()


def _text(column: Any, rows: slice) -> Any:
    if isinstance(column, str | int):
        return pa.scalar(str(column))
    return pa.array(column[rows]).cast(pa.string())


def write_bed9(path: str | Path, table: pd.DataFrame, head: str = "") -> None:
    """Write a table as BED9; bgzip with a tabix index beside it if the name ends in ``.gz``.

    Parameters
    ----------
    path : str or Path
    table : DataFrame
        chrom, start, end, name, rgb (``R,G,B``) and, if it has them, score (0 to 1000) and
        strand. For ``.gz`` the rows of a contig stand together, and their starts ascend.
    head : str
        Comment lines before the rows, each with its line end.

    Raises
    ------
    GenezipError
        If the disk is full, or for a contig that BED cannot name
        (:func:`genezip.genome.names.check_row_names`).
    """
    check_row_names(table["chrom"].unique(), path)
    optional = {name: table[name].to_numpy() for name in ("score", "strand") if name in table}
    columns = {name: table[name].to_numpy() for name in ("chrom", "start", "end", "name", "rgb")}
    rows = bed9_rows(**columns, **optional)
    if str(path).endswith(".gz"):
        last = int(table["end"].max()) if len(table) else 0
        with atomic_indexed(path, last) as part, open_indexed(part) as packed:
            packed.write(head.encode())
            for lines in rows:
                packed.write(lines)
        return
    with atomic_path(path) as temporary, open(temporary, "wb") as plain:
        plain.write(head.encode())
        plain.writelines(rows)


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
    path : str or Path
        Session file; the tracks lie beside it or below.
    genome : str
        IGV genome id (``hg38``), or path of a FASTA relative to the session; empty for
        the genome that IGV has open.
    tracks : mapping
        Title -> path relative to the session, from top to bottom.
    locus : (chrom, start, end), optional
        0-based, half-open; IGV shows it 1-based. Left out, as is the genome, where it holds
        what XML cannot (control characters).
    indexes : mapping
        Path of a track -> path of its tabix index, both relative to the session.
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
        if target.endswith((".bw", ".bigWig")):
            element.set("renderer", "BAR_CHART")
            element.set("windowFunction", "mean")
            element.set("autoScale", "true")
            element.set("height", "60")
        else:
            element.set("displayMode", "COLLAPSED")
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n{text}\n')


def _fits_xml(text: str) -> bool:
    return not _NOT_XML.search(text)
