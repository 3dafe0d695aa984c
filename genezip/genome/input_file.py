"""A file or pipe that a user names: opened once, unpacked, walked as often as needed."""

import gzip
import io
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

from genezip.errors import GenezipError

GZIP = b"\x1f\x8b"
"""The first bytes of gzip and bgzip."""

NAME_ONE = "name an existing file"
_STANDARD_INPUT = ("-", "/dev/stdin")


class InputFile:
    """Bytes of a file, opened once, that can be walked any number of times.

    What is no regular file (a pipe, ``<(...)``, standard input) is kept in a temporary file
    without a name, so that it too can be walked twice: for its rows, and for what is wrong
    with one.

    Parameters
    ----------
    path : str or Path
        ``-`` is standard input.
    todo : str
        What to do about a file that is missing or empty.

    Attributes
    ----------
    path : Path
        As given.
    name : str
        What it is called in messages about what is in it: the file name without folder, or all
        that was given where that says nothing (``/dev/fd/63``). ``str()`` is the whole path.

    Raises
    ------
    GenezipError
        If there is no such file, it is a folder, or it may not be read.
    """

    def __init__(self, path: str | Path, todo: str = NAME_ONE) -> None:
        self.path = Path(path)
        self.todo = todo
        self._file, regular = _open(self.path, todo)
        self.name = self.path.name if regular else str(self)

    def __str__(self) -> str:
        return shown(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a temporary one is gone."""
        self._file.close()

    @contextmanager
    def unpacked(self) -> Iterator[io.BufferedReader]:
        """The bytes from the beginning, unpacked where they are gzip.

        gzip may have several members (bgzip), and zeros after the last (tar).

        Raises
        ------
        GenezipError
            For a truncated or broken gzip file.
        """
        raw = io.BufferedReader(_Pass(self._file.fileno()), 1 << 17)
        packed = raw.peek(len(GZIP)).startswith(GZIP)
        try:
            yield cast(io.BufferedReader, gzip.GzipFile(fileobj=raw) if packed else raw)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise GenezipError(
                f"{self} is a truncated or broken gzip file; fetch it again"
            ) from None


def shown(path: Path) -> str:
    """What a path is called in messages."""
    return "standard input" if str(path) in _STANDARD_INPUT else str(path)


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, standard input or a device; it is not opened."""
    return str(path) in _STANDARD_INPUT or (
        path.exists() and not path.is_file() and not path.is_dir()
    )


def refuse_pipe(path: Path, what: str) -> None:
    """Refuse a pipe where a file is read twice, or from any place.

    Parameters
    ----------
    path : Path
    what : str
        What it is called in the message: ``the FASTA``.
    """
    if is_pipe(path):
        raise GenezipError(
            f"{what} {shown(path)} is a pipe or device, which cannot be read twice or from any "
            "place; write it to a file first"
        )


def need_regular(path: Path, what: str, todo: str) -> None:
    """Refuse what is no regular file, for readers that go back and forth in it.

    Parameters
    ----------
    path : Path
    what : str
        What it is called in the message: ``the FASTA``.
    todo : str
        What to do about a missing one.

    Raises
    ------
    GenezipError
        For a missing file, a folder, a pipe or another device.
    """
    if path.is_file():
        return
    if path.is_dir():
        raise GenezipError(f"{what} {path} is a folder; {todo}")
    refuse_pipe(path, what)
    raise GenezipError(f"{what} {path} does not exist; {todo}")


class _Pass(io.RawIOBase):
    """A file from its beginning, with a place of its own: walks do not disturb each other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._place = descriptor, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # a writable buffer
        if hasattr(os, "preadv"):  # straight into the buffer
            count = os.preadv(self._descriptor, [buffer], self._place)
        else:
            data = os.pread(self._descriptor, len(buffer), self._place)
            count = len(data)
            buffer[:count] = data
        self._place += count
        return count


def _open(path: Path, todo: str) -> tuple[BinaryIO, bool]:
    """A file that can be read from any place, and whether it is a regular one.

    A pipe is opened once and never again: a second opening would wait for ever.
    """
    try:
        if str(path) in _STANDARD_INPUT:
            file: BinaryIO = open(0, "rb", closefd=False)  # noqa: SIM115
            regular = False  # it may have been read up to some place: the rest counts
        else:
            file = open(path, "rb")  # noqa: SIM115
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        raise GenezipError(f"{path} does not exist; {todo}") from None
    except IsADirectoryError:
        raise GenezipError(f"{path} is a folder; {todo}") from None
    except PermissionError:
        raise GenezipError(
            f"{path} may not be read (permission denied); change its permissions"
        ) from None
    except OSError as error:
        raise GenezipError(f"{shown(path)} cannot be read: {error.strerror}; {todo}") from None
    return (file, True) if regular else (_kept(file, path), False)


def _kept(pipe: BinaryIO, path: Path) -> BinaryIO:
    """What comes out of a pipe, in a temporary file without a name."""
    with pipe:
        try:
            kept = cast(BinaryIO, tempfile.TemporaryFile(prefix="genezip-"))  # noqa: SIM115
            try:
                shutil.copyfileobj(pipe, kept, 1 << 20)
                kept.flush()
            except BaseException:
                kept.close()
                raise
        except OSError as error:
            raise GenezipError(
                f"{shown(path)} cannot be kept in {tempfile.gettempdir()} ({error.strerror}); "
                "write it to a file, or let TMPDIR name a folder with room"
            ) from None
    return kept
