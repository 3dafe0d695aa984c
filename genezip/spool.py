"""Inputs that come from a pipe, for readers that go over a file more than once.

What can be read only once (standard input, ``<(...)``, a named pipe) is first written into a
temporary file. It costs as much disk as the input has bytes, and everything that needs a file
then holds for pipes too: checks before the work begins, and going on after a stop, where the
same bytes come again.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import IO

from genezip.destination import descriptor
from genezip.errors import GenezipError

STANDARD_INPUT = "standard input"


def comes_once(path: str | Path) -> bool:
    """Whether a path can be read only once: ``-``, an open descriptor, a pipe or a device."""
    path = Path(path)
    return _number(path) is not None or (path.exists() and not path.is_file() and not path.is_dir())


@contextmanager
def rereadable(path: str | Path, folder: str | Path) -> Iterator[tuple[Path, str]]:
    """Yield a file with the bytes of ``path`` that can be opened again and again, and its name.

    A regular file is yielded as it is, also one that is missing. What comes once is read to its
    end into a temporary file, which is removed afterwards.

    Parameters
    ----------
    path : file, named pipe, ``/dev/stdin``, ``/dev/fd/5``, or ``-`` for standard input
    folder : where the temporary file goes, or the nearest folder above it that exists

    Raises
    ------
    GenezipError
        If the pipe cannot be read or the temporary file cannot be written.
    """
    path = Path(path)
    if not comes_once(path):
        yield path, str(path)
        return
    name = STANDARD_INPUT if _number(path) == 0 else str(path)
    folder = Path(folder).absolute()
    while not folder.is_dir():
        folder = folder.parent
    try:
        made, held = tempfile.mkstemp(prefix=".genezip-", suffix=".input", dir=folder)
    except OSError as error:
        raise GenezipError(
            f"cannot keep {name} in {folder}: {error.strerror}; choose another folder"
        ) from error
    try:
        with os.fdopen(made, "wb") as copy, _opened(path, name) as source:
            try:
                copyfileobj(source, copy, 1 << 20)
                copy.flush()
            except OSError as error:
                raise GenezipError(
                    f"cannot keep {name} in {folder}: {error.strerror}; free space or choose "
                    "another folder"
                ) from error
        yield Path(held), name
    finally:
        Path(held).unlink(missing_ok=True)


def _number(path: Path) -> int | None:
    return 0 if str(path) == "-" else descriptor(path)


def _opened(path: Path, name: str) -> IO[bytes]:
    number = _number(path)
    try:
        if number is not None:
            return os.fdopen(os.dup(number), "rb")
        return open(path, "rb")
    except OSError as error:
        raise GenezipError(f"{name} cannot be read: {error.strerror}; name a file") from None
