"""Tracks for genome browsers: BED9, bigWig, and an IGV session that opens them.

Coordinates are those of the chromosome and bigWig headers carry whole-chromosome lengths,
so a track made from a slice lies where it belongs.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyBigWig

from genezip.errors import GenezipError
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


def write_bed9(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as BED9, gzip if the name ends in ``.gz``.

    Parameters
    ----------
    path : str or Path
    table : DataFrame
        chrom, start, end, name, rgb (``R,G,B``) and, if it has them, score (0 to 1000) and
        strand.
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
            arrow_csv.write_csv(pa.table(columns), handle, options)


@contextmanager
def _open_plain(path: Path) -> Iterator[BinaryIO]:
    with open(path, "wb") as handle:
        yield handle


@dataclass(frozen=True)
class Signal:
    """Values of consecutive bases.

    Attributes
    ----------
    chrom : str
    start : int
        Genome coordinate of the first value (0-based).
    values : float32 array, shape (n,)
        One value per base; NaN where there is none (padding, N).
    """

    chrom: str
    start: int
    values: np.ndarray


def write_bigwig(
    path: str | Path, chrom_sizes: Mapping[str, int], signals: Iterable[Signal]
) -> None:
    """Write per-base values as bigWig.

    Equal neighbours become one interval, so a piecewise constant track stays small. The
    signals are consumed one at a time; they must come sorted by the order of
    ``chrom_sizes`` and by start.

    Parameters
    ----------
    path : str or Path
    chrom_sizes : mapping
        Whole-chromosome lengths (bp) for the header.
    signals : iterable of Signal

    Raises
    ------
    GenezipError
        For signals out of order, beyond their chromosome or without any value, and when
        the file cannot be written.
    """
    order = {chrom: index for index, chrom in enumerate(chrom_sizes)}
    reached, written = (-1, 0), 0
    with atomic_path(path) as temporary:
        track = pyBigWig.open(str(temporary), "w")
        if track is None:
            raise GenezipError(f"cannot write {path}; choose another folder")
        try:
            track.addHeader(list(chrom_sizes.items()))
            for signal in signals:
                end = signal.start + len(signal.values)
                if signal.chrom not in order:
                    raise GenezipError(f"{path}: {signal.chrom} has no length; give chrom.sizes")
                if signal.start < 0 or end > chrom_sizes[signal.chrom]:
                    raise GenezipError(
                        f"{path}: {signal.chrom}:{signal.start:,}-{end:,} lies outside "
                        f"{signal.chrom} ({chrom_sizes[signal.chrom]:,} bp)"
                    )
                if (order[signal.chrom], signal.start) < reached:
                    raise GenezipError(f"{path}: signals are not sorted by chromosome and start")
                reached = (order[signal.chrom], end)
                starts, ends, values = _constant_runs(signal)
                written += int((ends - starts).sum())
                if len(starts):
                    track.addEntries(
                        [signal.chrom] * len(starts),
                        starts.tolist(),
                        ends=ends.tolist(),
                        values=values.tolist(),
                    )
        except RuntimeError as error:
            raise GenezipError(
                f"cannot write {path}: {error}; free space or choose another folder"
            ) from None
        finally:
            track.close()
        if written == 0:
            raise GenezipError(f"{path} would hold no value")
        _check_bigwig(temporary, path, written)


def _constant_runs(signal: Signal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = np.asarray(signal.values, dtype=np.float32)
    if len(values) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), values
    first = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    ends = np.append(first[1:], len(values))
    real = ~np.isnan(values[first])
    return signal.start + first[real], signal.start + ends[real], values[first[real]]


def _check_bigwig(temporary: Path, path: str | Path, written: int) -> None:
    """pyBigWig keeps quiet about a full disk, so count what can be read back."""
    try:
        with pyBigWig.open(str(temporary)) as track:
            covered = track.header()["nBasesCovered"]
    except RuntimeError:
        covered = -1
    if covered != written:
        raise GenezipError(
            f"cannot write {path}: it could not be read back whole; free space or choose "
            "another folder"
        )


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
