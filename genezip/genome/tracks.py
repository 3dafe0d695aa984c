"""Files for genome browsers: BED9 with colours, and an IGV session that opens tracks.

Coordinates are those of the chromosome, so a track made from a slice lies where it belongs.
The bigWig files are written window by window in :mod:`genezip.genome.track_writer`.
"""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from genezip.provenance import atomic_path, write_text

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


@contextmanager
def open_gzip(path: Path) -> Iterator[BinaryIO]:
    """A gzip file for writing without name and date inside: equal rows, equal bytes."""
    with (
        open(path, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
    ):
        yield packed  # type: ignore[misc]


def write_bed9(path: str | Path, table: pd.DataFrame, head: str = "") -> None:
    """Write a table as BED9, gzip if the name ends in ``.gz``.

    Parameters
    ----------
    path : str or Path
    table : DataFrame
        chrom, start, end, name, rgb (``R,G,B``) and, if it has them, score (0 to 1000) and
        strand.
    head : str
        Comment lines before the rows, each with its line end.
    """
    n = len(table)
    columns = {
        "chrom": pa.array(table["chrom"], type=pa.string()),
        "start": pa.array(table["start"], type=pa.int64()),
        "end": pa.array(table["end"], type=pa.int64()),
        "name": pa.array(table["name"], type=pa.string()),
        "score": pa.array(table.get("score", pd.Series(np.zeros(n, dtype=np.int64)))),
        "strand": pa.array(table.get("strand", pd.Series(["."] * n, dtype=object)), pa.string()),
        "thick_start": pa.array(table["start"], type=pa.int64()),
        "thick_end": pa.array(table["end"], type=pa.int64()),
        "rgb": pa.array(table["rgb"], type=pa.string()),
    }
    options = arrow_csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with atomic_path(path) as temporary:
        opener = open_gzip if str(path).endswith(".gz") else _open_plain
        with opener(temporary) as handle:
            handle.write(head.encode())
            arrow_csv.write_csv(pa.table(columns), handle, options)


@contextmanager
def _open_plain(path: Path) -> Iterator[BinaryIO]:
    with open(path, "wb") as handle:
        yield handle


def write_igv_session(
    path: str | Path,
    genome: str,
    tracks: Mapping[str, str],
    locus: tuple[str, int, int] | None = None,
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
        0-based, half-open; IGV shows it 1-based.
    """
    root = ElementTree.Element("Session", version="8")
    if genome:
        root.set("genome", genome)
    if locus is not None:
        chrom, start, end = locus
        root.set("locus", f"{chrom}:{start + 1}-{end}")
    resources = ElementTree.SubElement(root, "Resources")
    panel = ElementTree.SubElement(root, "Panel", name="DataPanel")
    for title, target in tracks.items():
        ElementTree.SubElement(resources, "Resource", path=target, name=title)
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
