"""A file or pipe that a user names: opened once, unpacked, walked as often as needed."""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Self, cast

from genezip.artifacts.destination import descriptor
from genezip.errors import GenezipError

GZIP = b"\x1f\x8b"
"""The first bytes of gzip and bgzip."""

NAME_ONE = "name an existing file"


class InputFile:
    """Bytes of a file, opened once, that can be walked any number of times.

    What can be read only once (standard input, ``<(...)``, a named pipe, a device) is kept in a
    temporary file without a name, so that it too can be walked twice: for its rows, and for what
    is wrong with one. It costs as much disk as the input has bytes, and is gone with the process,
    however that ends.

    Parameters
    ----------
    path : str or Path
        ``-`` and ``/dev/stdin`` are standard input, ``/dev/fd/5`` is an open descriptor; what was
        read of them before is not read again.
    todo : str
        What to do about a file that is missing or empty.
    folder : Path, optional
        Where the temporary file takes its room, or the nearest folder above that exists; by
        default in ``TMPDIR``.

    Attributes
    ----------
    path : Path
        As given.
    regular : bool
        Whether the path can be opened again and gives the same bytes.
    name : str
        What it is called in messages about what is in it: the file name without folder, or all
        that was given where that says nothing (``/dev/fd/63``). ``str()`` is the whole path.

    Raises
    ------
    GenezipError
        If there is no such file, it is a folder, or it may not be read.
    """

    def __init__(self, path: str | Path, todo: str = NAME_ONE, folder: Path | None = None) -> None:
        self.path = Path(path)
        self.todo = todo
        self._file, self.regular = _open(self.path, todo, folder)
        self.name = self.path.name if self.regular else str(self)

    def __str__(self) -> str:
        return shown(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
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
        raw = self._raw()
        packed = raw.peek(len(GZIP)).startswith(GZIP)
        try:
            yield cast(io.BufferedReader, gzip.GzipFile(fileobj=raw) if packed else raw)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise GenezipError(
                f"{self} is a truncated or broken gzip file; fetch it again"
            ) from None

    def sha256(self) -> str:
        """Hex SHA-256 of the bytes as they came, not unpacked."""
        return hashlib.file_digest(self._raw(), "sha256").hexdigest()

    def _raw(self) -> io.BufferedReader:
        return io.BufferedReader(_Pass(self._file.fileno()), 1 << 17)


def shown(path: str | Path) -> str:
    """What a path is called in messages: itself, or ``standard input``."""
    return "standard input" if _number(path) == 0 else str(path)


def is_pipe(path: str | Path) -> bool:
    """Whether a path can be read only once; it is not opened.

    So can standard input and every open descriptor, whatever they lead to, pipes and devices.
    """
    if _number(path) is not None:
        return True
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # opening it reports what is wrong
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def refuse_pipe(path: Path, what: str) -> None:
    """Refuse what can be read only once where a file is read twice, or at any position.

    Parameters
    ----------
    path : Path
    what : str
        What it is called in the message: ``the FASTA``.
    """
    if is_pipe(path):
        raise GenezipError(
            f"{what} {shown(path)} is a pipe or device, which cannot be read twice or at any "
            "position; write it to a file first"
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
    refuse_pipe(path, what)
    if path.is_file():
        return
    if path.is_dir():
        raise GenezipError(f"{what} {path} is a folder; {todo}")
    raise GenezipError(f"{what} {path} does not exist; {todo}")


def is_packed(path: str | Path) -> bool:
    """Whether a file is gzip or bgzip, known by its first bytes."""
    with open(path, "rb") as handle:
        return handle.read(2) == GZIP


@contextmanager
def open_bytes(given: str | Path | InputFile) -> Iterator[BinaryIO]:
    """A file or pipe as bytes, unpacked when it is gzip or bgzip.

    Raises
    ------
    GenezipError
        The file is missing, or its gzip stream is truncated or damaged.
    """
    with ExitStack() as stack:
        file = given if isinstance(given, InputFile) else stack.enter_context(InputFile(given))
        yield stack.enter_context(file.unpacked())


class _Pass(io.RawIOBase):
    """A file from its beginning, with a position of its own: walks do not disturb each other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._position = descriptor, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # a writable buffer
        if hasattr(os, "preadv"):  # straight into the buffer
            count = os.preadv(self._descriptor, [buffer], self._position)
        else:
            data = os.pread(self._descriptor, len(buffer), self._position)
            count = len(data)
            buffer[:count] = data
        self._position += count
        return count


def _number(path: str | Path) -> int | None:
    """The open descriptor that the path of an input stands for, or None."""
    return descriptor(path, dash=0)


def _open(path: Path, todo: str, folder: Path | None) -> tuple[BinaryIO, bool]:
    """A file that can be read at any position, and whether it is a regular one.

    A pipe is opened once and never again: a second opening would wait for ever.
    """
    name, number = shown(path), _number(path)
    try:
        if number is not None:
            file: BinaryIO = os.fdopen(os.dup(number), "rb")
            regular = False  # it may have been read up to some position: the rest counts
        else:
            file = open(path, "rb")  # noqa: SIM115
            regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        raise GenezipError(f"{name} does not exist; {todo}") from None
    except IsADirectoryError:
        raise GenezipError(f"{name} is a folder; {todo}") from None
    except PermissionError:
        raise GenezipError(
            f"{name} may not be read (permission denied); change its permissions"
        ) from None
    except OSError as error:
        raise GenezipError(f"{name} cannot be read: {error.strerror}; {todo}") from None
    return (file, True) if regular else (_kept(file, name, folder), False)


def _kept(pipe: BinaryIO, name: str, folder: Path | None) -> BinaryIO:
    """Copy the bytes of a pipe into a temporary file without a name."""
    if folder is not None:
        folder = folder.absolute()
        while not folder.is_dir():
            folder = folder.parent
    with pipe:
        try:
            kept = cast(BinaryIO, tempfile.TemporaryFile(prefix="genezip-", dir=folder))  # noqa: SIM115
            try:
                shutil.copyfileobj(pipe, kept, 1 << 20)
                kept.flush()
            except BaseException:
                kept.close()
                raise
        except OSError as error:
            choose = "let TMPDIR name" if folder is None else "choose"
            raise GenezipError(
                f"{name} cannot be kept in {folder or tempfile.gettempdir()} ({error.strerror}); "
                f"write it to a file, or {choose} a folder with room"
            ) from None
    return kept
