"""BED files with random access: bgzip with a tabix index beside it.

Biopython writes the blocks, because it reports a full disk; htslib writes the index. Neither
stores a date or a name, so equal rows give equal bytes. Rows must be sorted for tabix: the rows
of a contig are consecutive, and their starts ascend.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pysam
from Bio import bgzf

from genezip.artifacts.files import atomic_path

TBI, CSI = ".tbi", ".csi"
TBI_BP = 1 << 29
"""Longest contig (bp) of a .tbi; longer contigs get a .csi."""

_BLOCK = 1 << 16


@dataclass(frozen=True)
class IndexedPart:
    """Temporary paths of rows and of their index (None for rows alone), and the kind of index."""

    rows: Path
    index: Path | None
    csi: bool


class BgzipWriter:
    """Write bytes as bgzip; the file is written in place and complete only after :meth:`close`."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "wb")  # noqa: SIM115  (closed by the packer)
        self._packer = bgzf.BgzfWriter(fileobj=self._file)

    def write(self, data: bytes) -> None:
        """Add bytes in blocks, because the packer copies all that it gets for each block."""
        view = memoryview(data)
        for first in range(0, len(view), _BLOCK):
            self._packer.write(bytes(view[first : first + _BLOCK]))

    def close(self) -> None:
        """Write the remaining bytes and the end-of-file marker."""
        self._packer.close()

    def abandon(self) -> None:
        """Close the unfinished file, without an error that would mask an earlier one."""
        with suppress(OSError):
            self._file.close()


def index_suffix(last_bp: int) -> str:
    """``.tbi``, or ``.csi`` where rows may end after 2^29 bp."""
    return CSI if last_bp > TBI_BP else TBI


def index_of(path: str | Path) -> Path | None:
    """The index beside a file, or None."""
    found = (Path(f"{path}{suffix}") for suffix in (TBI, CSI))
    return next((index for index in found if index.exists()), None)


@contextmanager
def atomic_indexed(path: str | Path, last_bp: int) -> Iterator[IndexedPart]:
    """Yield temporary paths of a file and of its index; rename both on success, the index last.

    The index is written beside the given name, even if that is a link, because readers look for
    it there. A pipe or a device has no random access: it gets the rows and no index.

    Parameters
    ----------
    path : ends in ``.gz``
    last_bp : where rows may end (bp); decides between ``.tbi`` and ``.csi``
    """
    target = Path(path)
    suffix = index_suffix(last_bp)
    with ExitStack() as stack:
        index = None
        if target.is_file() or not target.exists():
            index = stack.enter_context(atomic_path(f"{path}{suffix}"))
        rows = stack.enter_context(atomic_path(path))
        yield IndexedPart(rows, index, suffix == CSI)
    if index is not None:
        _remove_others(path, f"{path}{suffix}")


def _remove_others(path: str | Path, index: str) -> None:
    """Remove stale indexes: those of the other kind, and those beside the target of a link."""
    kept = os.path.realpath(index)
    for name in (path, os.path.realpath(path)):
        for other in (f"{name}{TBI}", f"{name}{CSI}"):
            if os.path.realpath(other) != kept:
                Path(other).unlink(missing_ok=True)


@contextmanager
def open_indexed(part: IndexedPart) -> Iterator[BgzipWriter]:
    """Open a part of :func:`atomic_indexed`; the index is made once all rows are written.

    A full disk or rows that are not sorted raise OSError.
    """
    writer = BgzipWriter(part.rows)
    try:
        yield writer
        writer.close()
    except BaseException:
        writer.abandon()
        raise
    if part.index is None:
        return
    before = pysam.set_verbosity(0)  # the error below is reported once
    try:
        rows, index = str(part.rows), str(part.index)
        pysam.tabix_index(rows, preset="bed", index=index, csi=part.csi, force=True)
    except OSError:
        raise OSError("its index cannot be written: no room, or rows are not sorted") from None
    finally:
        pysam.set_verbosity(before)
