"""Base pairs per token in windows of a chromosome, from chunks as they come.

A mean of chunk lengths over bases is no such number: long chunks have more bases and count more.
Tokens per base can be averaged, so a window's bases are divided by its tokens, where a chunk of
b bases spreads its one token evenly over them (Eq. 15 of the paper).
"""

from collections.abc import Callable

import numpy as np

WINDOW_BP = 1000

Write = Callable[[str, np.ndarray, np.ndarray, np.ndarray], None]
"""Takes chromosome, starts, ends (int64, adjoining) and values (float64)."""

_NO_BASES = np.zeros(0, dtype=np.int64)


class WindowedBpt:
    """Base pairs per token in windows that begin at multiples of 1,000 bp.

    Only bases in chunks count, however few of a window they are: the last window of a contig is
    as long as what is left, and one at the edge of a covered stretch is as long as its part in it.
    Where several stretches lie in one window, they share one value. Bases outside have none.

    Parameters
    ----------
    write : receives the windows in order, those that adjoin together
    window_bp : length of a window (bp)
    """

    def __init__(self, write: Write, window_bp: int = WINDOW_BP) -> None:
        self.write = write
        self.window_bp = window_bp
        self.chrom = ""
        # Pieces of the window that may still grow: start, end and length of the whole chunk. They
        # are summed once, so the value does not depend on how chunks came together.
        self.open = (_NO_BASES, _NO_BASES, _NO_BASES)

    def add(self, chrom: str, starts: np.ndarray, ends: np.ndarray, chunk_bp: np.ndarray) -> None:
        """Add chunks that adjoin, after those before.

        Parameters
        ----------
        starts, ends : int64 arrays, shape (M,), none empty
        chunk_bp : int64 array, shape (M,)
            Lengths of the whole chunks, more than ``ends - starts`` where one was cut.
        """
        if chrom != self.chrom:
            self.finish()
            self.chrom = chrom
        width, last = self.window_bp, int(ends[-1])
        grid = np.arange(int(starts[0]) // width + 1, -(-last // width)) * width
        cuts = np.union1d(starts, grid)
        own = np.searchsorted(starts, cuts, side="right") - 1
        pieces = cuts, np.append(cuts[1:], last), chunk_bp[own]
        start, end, length = map(np.concatenate, zip(self.open, pieces, strict=True))
        window = start // width
        done = int(np.searchsorted(window, window[-1]))
        self._write(start[:done], end[:done], length[:done])
        self.open = start[done:], end[done:], length[done:]

    def finish(self) -> None:
        """Write the window that is open: nothing follows on this chromosome."""
        self._write(*self.open)
        self.open = (_NO_BASES, _NO_BASES, _NO_BASES)

    def _write(self, start: np.ndarray, end: np.ndarray, length: np.ndarray) -> None:
        """Values of whole windows, given by their pieces."""
        if not len(start):
            return
        new_window = np.diff(start // self.window_bp, prepend=-1) != 0
        firsts = np.flatnonzero(new_window)
        bases = np.add.reduceat(end - start, firsts)
        bpt = bases / np.add.reduceat((end - start) / length, firsts)
        gap = np.append(False, start[1:] != end[:-1])
        runs = np.flatnonzero(new_window | gap)
        run_start, run_end = start[runs], end[np.append(runs[1:], len(start)) - 1]
        value = bpt[np.cumsum(new_window)[runs] - 1]
        for stretch in np.split(np.arange(len(runs)), np.flatnonzero(gap[runs])):
            if len(stretch):
                self.write(self.chrom, run_start[stretch], run_end[stretch], value[stretch])
