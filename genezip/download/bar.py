"""How far a download is: a bar on a terminal, a few lines in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

_TOLD_ABOVE = 1_000_000  # bytes; smaller files are not worth a line of a log
_STEPS_ABOVE = 200_000_000  # bytes; larger files get a line every tenth


@contextmanager
def progress(name: str, begin: int, total: int | None) -> Iterator[Callable[[int], object]]:
    """Yield a function that is told how many bytes came.

    Parameters
    ----------
    begin : int
        Bytes that were there before.
    total : int, optional
        Size of the whole file where the server names it.
    """
    if sys.stderr.isatty():
        with tqdm(
            total=total, initial=begin, unit="B", unit_scale=True, desc=name, leave=False
        ) as bar:
            yield bar.update
        return
    if total is not None and total > _TOLD_ABOVE:
        print(f"download: {name}, {total / 1e6:.0f} MB", file=sys.stderr, flush=True)
    done = begin

    def advance(n_bytes: int) -> None:
        nonlocal done
        before, done = done, done + n_bytes
        if total is not None and total > _STEPS_ABOVE:
            tenth = 10 * done // total
            if 10 * before // total < tenth < 10:
                print(f"download: {name}, {10 * tenth} %", file=sys.stderr, flush=True)

    yield advance
