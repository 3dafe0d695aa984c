"""Log messages, and progress of long work, for every part of the package.

Modules log with the standard library: ``logger = logging.getLogger(__name__)`` and
``logger.info("...")``. As a library the package configures nothing; a command calls
:func:`messages_to_stderr` once. :func:`progress` shows the progress of a loop.
"""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from tqdm import tqdm

logger = logging.getLogger("genezip")
T = TypeVar("T")

LINE_SECONDS = 30.0
"""Seconds before the first line of progress in a log, and the least time between two lines."""
MOST_LINES_APART = 20
"""Largest gap between lines in ``LINE_SECONDS``; the gap is a tenth of the elapsed time."""


class _Plain(logging.Formatter):
    """Format messages unchanged; warnings begin with the program's name, as errors do."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return f"genezip: {text}" if record.levelno >= logging.WARNING else text


class _Stderr(logging.Handler):
    """Write to the current ``sys.stderr``, above any progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def messages_to_stderr(level: int = logging.INFO) -> None:
    """Show the messages of the package on standard error; a second call changes the level only."""
    logger.setLevel(level)
    if not any(isinstance(handler, _Stderr) for handler in logger.handlers):
        handler = _Stderr()
        handler.setFormatter(_Plain())
        logger.addHandler(handler)


class Progress:
    """Progress of long work: a bar on a terminal, occasional lines in a log.

    Parameters
    ----------
    what : name of the work or of the file
    total : number of units in all; None if unknown
    unit : noun of a unit, in the singular; ``B`` counts bytes, ``bp`` bases
    done : units that were finished before
    show : False shows nothing (in other processes of the same run)
    """

    def __init__(
        self, what: str, total: int | None, unit: str = "", done: int = 0, show: bool = True
    ) -> None:
        self.what, self.total, self.unit, self.done = what, total, unit, done
        self._values: dict[str, Any] = {}
        self._line = show and not sys.stderr.isatty()
        self._began = time.monotonic()
        self._due = self._began + LINE_SECONDS
        self._bar = tqdm(
            total=total,
            initial=done,
            desc=what,
            unit=unit or "it",
            unit_scale=unit in ("B", "bp"),
            leave=False,
            disable=self._line or not show,
            mininterval=0.5,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def advance(self, units: int = 1) -> None:
        """Count finished units."""
        self.done += units
        self._bar.update(units)
        if self._line and (now := time.monotonic()) >= self._due and self.done != self.total:
            tenths = (now - self._began) / (10 * LINE_SECONDS)
            self._due = now + LINE_SECONDS * min(MOST_LINES_APART, max(1.0, tenths))
            logger.info("%s", self._sentence())

    def show(self, **values: Any) -> None:
        """Show values (a loss, a rate) beside the count from now on."""
        self._values = values
        self._bar.set_postfix(values, refresh=False)

    def _sentence(self) -> str:
        """The progress as one line of a log."""
        counted = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        noun = {"": "", "B": " bytes", "bp": " bp"}.get(self.unit, f" {self.unit}s")
        share = f" ({100 * self.done / self.total:.0f} %)" if self.total else ""
        figures = "".join(f", {name} {value}" for name, value in self._values.items())
        return f"{self.what}: {counted}{noun}{share}{figures}"


def progress(
    items: Iterable[T], what: str, total: int | None = None, unit: str = "", show: bool = True
) -> Iterator[T]:
    """Yield the items and show how many are done (:class:`Progress`); ``total`` may be inferred."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    with Progress(what, total, unit, show=show) as shown:
        for item in items:
            yield item
            shown.advance()


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress messages and warnings."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
