"""BigWig files: a streaming writer with constant memory, and a reader that checks the file.

libBigWig holds 12 bytes per base of a whole chromosome to make its zoom levels. Here zoom levels
grow along with the data in temporary files. The format is that of Kent et al. 2010
(Bioinformatics 26:2204): sections of values and an R-tree over them, and the same pair again for
each zoom level, whose rows summarise windows of a fixed width. The trees of chromosome names
(B+ tree) and sections (R-tree) are written root first, level by level, with nodes padded to one
size, so that the offset of a child follows from its number.
"""

import shutil
import struct
import tempfile
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from genezip.errors import GenezipError

ZOOM_WIDTHS = tuple(64 * 4**level for level in range(8))  # bp; 64 to about 1 million

_MAGIC = 0x888FFC26
_HEADER = struct.Struct("<IHHQQQHHQQIQ")
_ZOOM_HEADER = struct.Struct("<IIQQ")
_TOTALS = struct.Struct("<Qdddd")
_SECTION = struct.Struct("<IIIIIBBH")
_BED_GRAPH, _FIXED_STEP = 1, 3
SECTION_ITEMS = 4096
_ZOOM_ITEMS = 512  # windows per zoom section
SLICE_BP = 1 << 16

_INTERVAL = np.dtype([("start", "<u4"), ("end", "<u4"), ("value", "<f4")])
_SUMMARY = ("start", "end", "valid", "min", "max", "sum", "squares")
_WINDOW = np.dtype(
    [(name, "<u4") for name in ("chrom", *_SUMMARY[:3])] + [(name, "<f4") for name in _SUMMARY[3:]]
)

_CHROM_MAGIC, _INDEX_MAGIC = 0x78CA8C91, 0x2468ACE0
_FANOUT = 256  # children per node

_NODE = np.dtype([(n, "<u4") for n in ("chrom", "start", "chrom_end", "end")] + [("at", "<u8")])
_LEAF = np.dtype([*_NODE.descr, ("size", "<u8")])


def open_bigwig(path: str | Path, todo: str = "fetch it again") -> Any:
    """Open a bigWig with pyBigWig; ``todo`` is the advice for a file that cannot be read."""
    import pyBigWig

    try:
        handle = pyBigWig.open(str(path))
        if handle.isBigWig():
            return handle
        handle.close()
    except RuntimeError:
        pass
    raise GenezipError(f"{path} cannot be read as a bigWig; {todo}")


class BigWigWriter:
    """Writer of one bigWig; values must arrive in the order of ``chrom_sizes`` and position.

    The bytes of the file do not depend on how adjoining values are divided among calls.

    Parameters
    ----------
    path : written in place, and complete only after :meth:`close`
    chrom_sizes : lengths of the chromosomes (bp)
    zoom_widths : window widths of the zoom levels (bp), ascending, each a multiple of the previous
    section_items : values or intervals per section
    slice_bp : bases, or finest zoom windows of intervals, that are summarised at a time
    """

    def __init__(
        self,
        path: Path,
        chrom_sizes: Mapping[str, int],
        zoom_widths: Sequence[int] = ZOOM_WIDTHS,
        section_items: int = SECTION_ITEMS,
        slice_bp: int = SLICE_BP,
    ) -> None:
        self.section_items, self.slice_bp = section_items, slice_bp
        self.sizes = dict(chrom_sizes)
        self.numbers = {name: number for number, name in enumerate(self.sizes)}
        self.at = (0, 0)  # chromosome number and position from which values are accepted
        # adjoining items that are not written yet, their number, and the position of the first
        self.held: list[np.ndarray] = []
        self.n_held = self.held_from = 0
        self.most_held = -(-slice_bp // section_items) * section_items
        # bases, minimum, maximum, sum, sum of squares
        self.totals = [0, np.inf, -np.inf, 0.0, 0.0]
        self.file = open(path, "wb")  # noqa: SIM115  (closed by close)
        head = _HEADER.size + len(zoom_widths) * _ZOOM_HEADER.size
        self.file.write(bytes(head + _TOTALS.size))
        self.chrom_tree = self.file.tell()
        _write_chroms(self.file, self.sizes)
        self.data = _Sections(self.file, "<Q")
        self.zooms = [_Zoom(width, path.parent) for width in zoom_widths]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self.file.close()
            for zoom in self.zooms:
                zoom.file.close()

    def add_values(self, chrom: str, start: int, values: np.ndarray) -> None:
        """Add one value per base from ``start`` on (float array)."""
        self._go_to(chrom, start, start + len(values))
        self._hold(start, values.astype("<f4"))

    def add_intervals(
        self, chrom: str, starts: np.ndarray, ends: np.ndarray, values: np.ndarray
    ) -> None:
        """Add one value per interval (integer, integer and float arrays); intervals adjoin."""
        if not len(starts):
            return
        self._go_to(chrom, int(starts[0]), int(ends[-1]))
        items = np.empty(len(starts), dtype=_INTERVAL)
        items["start"], items["end"], items["value"] = starts, ends, values
        self._hold(int(starts[0]), items)

    def close(self) -> None:
        """Write trees, zoom levels and header."""
        self._flush()
        self._flush_zooms()
        data_at, index_at = self.data.start, self.data.write_index(self.file, self.section_items)
        zoom_headers = b""
        for zoom in self.zooms:
            start = self.file.tell()
            zoom.file.seek(0)
            shutil.copyfileobj(zoom.file, self.file)
            index = zoom.sections.write_index(self.file, _ZOOM_ITEMS, shift=start)
            zoom_headers += _ZOOM_HEADER.pack(zoom.width, 0, start, index)
        self.file.write(struct.pack("<I", _MAGIC))
        totals_at = _HEADER.size + len(zoom_headers)
        largest = max([1, self.data.largest, *(zoom.sections.largest for zoom in self.zooms)])
        at = (self.chrom_tree, data_at, index_at)
        self.file.seek(0)
        self.file.write(
            _HEADER.pack(_MAGIC, 4, len(self.zooms), *at, 0, 0, 0, totals_at, largest, 0)
        )
        self.file.write(zoom_headers)
        bases, *rest = self.totals if self.totals[0] else (0, 0.0, 0.0, 0.0, 0.0)
        self.file.write(_TOTALS.pack(int(bases), *rest))

    def _go_to(self, chrom: str, start: int, end: int) -> None:
        number = self.numbers[chrom]
        if (number, start) < self.at or end > self.sizes[chrom]:
            raise ValueError(f"{chrom}:{start}-{end} is out of order or ends beyond the chromosome")
        if (number, start) != self.at:  # a gap
            self._flush()
        if number != self.at[0]:
            self._flush_zooms()
        self.at = (number, end)

    def _hold(self, start: int, items: np.ndarray) -> None:
        """Hold values or intervals, and write as many as are written at a time."""
        if self.held and self.held[0].dtype != items.dtype:
            self._flush()
        if not self.held:
            self.held_from = start
        self.held.append(items)
        self.n_held += len(items)
        if self.n_held >= self.most_held:
            joined = np.concatenate(self.held)
            whole = len(joined) // self.most_held * self.most_held
            for first in range(0, whole, self.most_held):
                self._write(self.held_from + first, joined[first : first + self.most_held])
            self.held, self.n_held = [joined[whole:]], len(joined) - whole
            self.held_from += whole

    def _flush(self) -> None:
        """Write what is held, at the end of adjoining values."""
        if self.n_held:
            self._write(self.held_from, np.concatenate(self.held))
        self.held, self.n_held = [], 0

    def _write(self, start: int, items: np.ndarray) -> None:
        """Write values of consecutive bases from ``start``, or intervals, and summarise them."""
        number = self.at[0]
        of_bases = items.dtype != _INTERVAL
        for first in range(0, len(items), self.section_items):
            some = items[first : first + self.section_items]
            begin, end = start + first, start + first + len(some)
            if not of_bases:
                begin, end = int(some["start"][0]), int(some["end"][-1])
                self._summarise_intervals(number, some)
            step = (1, 1, _FIXED_STEP) if of_bases else (0, 0, _BED_GRAPH)
            head = _SECTION.pack(number, begin, end, *step, 0, len(some))
            self.data.add(number, begin, end, head + some.tobytes())
        if of_bases:
            self._summarise(number, start, items)

    def _summarise(self, chrom: int, start: int, values: np.ndarray) -> None:
        for first in range(0, len(values), self.slice_bp):
            part = values[first : first + self.slice_bp]
            starts = np.arange(start + first, start + first + len(part))
            self._add_rows(chrom, _rows(starts, starts + 1, part))

    def _summarise_intervals(self, chrom: int, intervals: np.ndarray) -> None:
        """Cut intervals at the windows of the finest level, in slices to bound the memory."""
        width = self.zooms[0].width
        begin, end = int(intervals["start"][0]), int(intervals["end"][-1])
        for low in range(begin, end, width * self.slice_bp):
            high = min(low + width * self.slice_bp, end)
            first, last = np.searchsorted(intervals["end"], [low, high - 1], side="right")
            part = intervals[first : last + 1]
            grid = np.arange(low // width + 1, -(-high // width)) * width
            starts = np.union1d(np.maximum(part["start"], low), grid)
            source = np.searchsorted(part["start"], starts, side="right") - 1
            self._add_rows(chrom, _rows(starts, np.append(starts[1:], high), part["value"][source]))

    def _add_rows(self, chrom: int, rows: np.ndarray) -> None:
        all_ = _merge(rows, 1 << 32)[0]
        self.totals = [
            self.totals[0] + all_[2],
            min(self.totals[1], all_[3]),
            max(self.totals[2], all_[4]),
            self.totals[3] + all_[5],
            self.totals[4] + all_[6],
        ]
        for zoom in self.zooms:
            rows = zoom.add(chrom, rows)

    def _flush_zooms(self) -> None:
        """Complete the open windows of all levels at the end of a chromosome."""
        rows = np.zeros((0, 7))
        for zoom in self.zooms:
            rows = zoom.add(self.at[0], rows, last=True)


def _rows(starts: np.ndarray, ends: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Summary rows of intervals with one value each, columns as in ``_SUMMARY`` (float64)."""
    bases = (ends - starts).astype(np.float64)
    values = values.astype(np.float64)
    columns = [starts, ends, bases, values, values, values * bases, values**2 * bases]
    return np.stack(columns, axis=1)


def _merge(rows: np.ndarray, width: int) -> np.ndarray:
    """Summary rows of windows of ``width`` bp from ordered rows of narrower windows."""
    firsts = np.flatnonzero(np.diff(rows[:, 0] // width, prepend=-1))
    lasts = np.append(firsts[1:], len(rows)) - 1
    merged = np.add.reduceat(rows, firsts, axis=0)
    merged[:, 0], merged[:, 1] = rows[firsts, 0], rows[lasts, 1]
    merged[:, 3] = np.minimum.reduceat(rows[:, 3], firsts)
    merged[:, 4] = np.maximum.reduceat(rows[:, 4], firsts)
    return merged


class _Sections:
    """Compressed sections and their offsets."""

    def __init__(self, file: IO[bytes], count: str) -> None:
        self.file = file
        self.count = count  # struct format of the number of sections, which precedes them
        self.start = file.tell()
        file.write(bytes(struct.calcsize(count)))
        self.rows = array("Q")  # five numbers per section; a list of tuples is ten times larger
        self.largest = 0

    def add(self, chrom: int, start: int, end: int, data: bytes) -> None:
        packed = zlib.compress(data)
        self.rows.extend((chrom, start, end, self.file.tell(), len(packed)))
        self.largest = max(self.largest, len(data))
        self.file.write(packed)

    def write_index(self, file: IO[bytes], items: int, shift: int = 0) -> int:
        """Fill in the count and write the R-tree; return its offset."""
        here = file.tell()
        file.seek(self.start + shift)
        file.write(struct.pack(self.count, len(self.rows) // 5))
        file.seek(here)
        sections = np.array(self.rows, dtype=np.uint64).reshape(-1, 5)
        sections[:, 3] += np.uint64(shift)
        _write_index(file, sections, items)
        return here


class _Zoom:
    """One zoom level, kept in a temporary file until the data that precede it are written."""

    def __init__(self, width: int, folder: Path) -> None:
        self.width = width
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.sections = _Sections(self.file, "<I")
        self.open = np.zeros((0, 7))  # the window that may still grow
        self.waiting: list[np.ndarray] = []

    def add(self, chrom: int, rows: np.ndarray, last: bool = False) -> np.ndarray:
        """Add rows of the finer level; return the windows that are complete."""
        rows = np.concatenate([self.open, rows])
        merged = _merge(rows, self.width) if len(rows) else rows
        done, self.open = (merged, rows[:0]) if last else (merged[:-1], merged[-1:])
        self.waiting.append(done)
        held = sum(map(len, self.waiting))
        if held >= _ZOOM_ITEMS or (last and held):
            joined = np.concatenate(self.waiting)
            whole = held if last else held // _ZOOM_ITEMS * _ZOOM_ITEMS
            for first in range(0, whole, _ZOOM_ITEMS):
                self._write(chrom, joined[first : min(first + _ZOOM_ITEMS, whole)])
            self.waiting = [joined[whole:]]
        return done

    def _write(self, chrom: int, rows: np.ndarray) -> None:
        windows = np.empty(len(rows), dtype=_WINDOW)
        windows["chrom"] = chrom
        for column, name in enumerate(_SUMMARY):
            windows[name] = rows[:, column]
        self.sections.add(chrom, int(rows[0, 0]), int(rows[-1, 1]), windows.tobytes())


def _write_index(file: IO[bytes], sections: np.ndarray, items: int) -> None:
    """Append the R-tree over sections to the file.

    Parameters
    ----------
    sections : uint64 array, shape (N, 5)
        Chromosome number, start, end, offset in the file and bytes of every section, in the
        order of chromosome and start.
    items : maximum number of items in a section
    """
    leaves = np.zeros(len(sections), dtype=_LEAF)
    for name, column in zip(_LEAF.names or (), (0, 1, 0, 2, 3, 4), strict=True):
        leaves[name] = sections[:, column]
    bounds = (0, 0, 0, 0)
    if len(leaves):
        first, last = leaves[0], leaves[-1]
        bounds = (first["chrom"], first["start"], last["chrom"], last["end"])
    start = (_INDEX_MAGIC, _FANOUT, len(leaves))
    file.write(struct.pack("<IIQIIIIQII", *start, *bounds, file.tell(), items, 0))
    _write_tree(file, leaves, _cover)


def _cover(below: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Bounds of each node, from its first and last child."""
    lasts = np.append(firsts[1:], len(below)) - 1
    nodes = np.zeros(len(firsts), dtype=_NODE)
    nodes["chrom"], nodes["start"] = below["chrom"][firsts], below["start"][firsts]
    nodes["chrom_end"], nodes["end"] = below["chrom_end"][lasts], below["end"][lasts]
    return nodes


def _write_chroms(file: IO[bytes], sizes: Mapping[str, int]) -> None:
    """Write the B+ tree of chromosomes, which are numbered in the order of ``sizes``."""
    names = [name.encode() for name in sizes]
    width = max(map(len, names), default=1)
    leaf = np.dtype([("name", f"S{width}"), ("number", "<u4"), ("size", "<u4")])
    items = np.array(list(zip(names, range(len(names)), sizes.values(), strict=True)), dtype=leaf)
    file.write(struct.pack("<IIIIQQ", _CHROM_MAGIC, _FANOUT, width, 8, len(items), 0))

    def first_names(below: np.ndarray, firsts: np.ndarray) -> np.ndarray:
        nodes = np.zeros(len(firsts), dtype=[("name", f"S{width}"), ("at", "<u8")])
        nodes["name"] = below["name"][firsts]
        return nodes

    _write_tree(file, np.sort(items, order="name"), first_names)


def _write_tree(
    file: IO[bytes],
    leaves: np.ndarray,
    parents: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> None:
    """Write a tree from its leaf items; ``parents`` makes the items of the level above."""
    levels = [leaves]
    while len(levels[-1]) > _FANOUT:
        below = levels[-1]
        levels.append(parents(below, np.arange(0, len(below), _FANOUT)))
    at = file.tell()
    for depth in reversed(range(len(levels))):
        items = levels[depth]
        nodes = max(1, -(-len(items) // _FANOUT))
        size = _node_bytes(items)
        at += nodes * size  # offset of the level below
        if depth:
            items["at"] = at + _node_bytes(levels[depth - 1]) * np.arange(len(items))
        for first in range(0, nodes * _FANOUT, _FANOUT):
            node = items[first : first + _FANOUT]
            data = struct.pack("<BBH", depth == 0, 0, len(node)) + node.tobytes()
            file.write(data.ljust(size, b"\0"))


def _node_bytes(items: np.ndarray) -> int:
    return 4 + _FANOUT * items.dtype.itemsize
