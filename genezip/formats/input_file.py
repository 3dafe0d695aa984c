"""A file or pipe that a user names: opened once, decompressed, and readable several times."""

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
from typing import Any, BinaryIO, Self, cast

from genezip.artifacts.destination import descriptor
from genezip.errors import GenezipError

GZIP = b"\x1f\x8b"
"""The first bytes of gzip and bgzip."""

BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The last block of every bgzip file, which is empty (SAM specification, 4.1.2)."""

NAME_ONE = "name an existing file"


class InputFile:
    """Bytes of a file, opened once, that can be read from the beginning any number of times.

    An input that can be read only once (standard input, ``<(...)``, a named pipe, a device) is
    copied to an anonymous temporary file, so that it can be read again to explain a malformed row.
    The copy takes as much disk as the input has bytes, and vanishes with the process.

    Parameters
    ----------
    path : ``-`` and ``/dev/stdin`` are standard input, ``/dev/fd/5`` is an open descriptor; bytes
        that were read from them before are not included
    todo : advice for a file that is missing or empty
    folder : folder of the temporary file, or its nearest existing parent; by default ``TMPDIR``

    Attributes
    ----------
    path : as given
    regular : whether the path can be opened again and gives the same bytes
    name : name in messages about the content: the file name without its folder, or the whole path
        of an input that is not a regular file (``/dev/fd/63``); ``str()`` is the whole path
    """

    def __init__(self, path: str | Path, todo: str = NAME_ONE, folder: Path | None = None) -> None:
        self.path = Path(path)
        self.todo = todo
        self._file, self.regular = _open(self.path, todo, folder)
        self.name = self.path.name if self.regular else str(self)

    def __str__(self) -> str:
        return shown_path(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a temporary one is deleted."""
        self._file.close()

    def fileno(self) -> int:
        """Descriptor of the open file."""
        return self._file.fileno()

    def __getstate__(self) -> dict[str, Any]:
        """For a child process that inherits the descriptor under the same number."""
        return {**vars(self), "_file": self.fileno()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({**state, "_file": os.fdopen(state["_file"], "rb")})

    @contextmanager
    def unpacked(self) -> Iterator[io.BufferedReader]:
        """The bytes from the beginning, decompressed if they are gzip.

        gzip may have several members (bgzip), and zeros after the last (tar).
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
        """Hex SHA-256 of the bytes as given, before decompression."""
        return hashlib.file_digest(self._raw(), "sha256").hexdigest()

    def check_end(self) -> None:
        """Refuse a bgzip file that was cut between two blocks, where gzip sees no fault."""
        size = os.fstat(self._file.fileno()).st_size
        head = os.pread(self._file.fileno(), _BGZIP_HEAD, 0)
        last = os.pread(self._file.fileno(), len(BGZIP_END), max(size - len(BGZIP_END), 0))
        if _is_bgzip(head) and last != BGZIP_END:
            raise GenezipError(
                f"{self} is a truncated bgzip file: its last block is missing; fetch it again, or "
                "pack it again if it is complete"
            )

    def _raw(self) -> io.BufferedReader:
        return io.BufferedReader(_Pass(self.fileno()), 1 << 17)


def shown_path(path: str | Path) -> str:
    """Name of a path in messages: the path, or ``standard input``."""
    return "standard input" if _number(path) == 0 else str(path)


def is_pipe(path: str | Path) -> bool:
    """Whether a path can be read only once; the path is not opened.

    This holds for standard input and every open descriptor, and for pipes and devices.
    """
    if _number(path) is not None:
        return True
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # reported when the path is opened
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def refuse_pipe(path: Path, what: str) -> None:
    """Raise for a path that can be read only once; ``what`` names the file (``the FASTA``)."""
    if is_pipe(path):
        raise GenezipError(
            f"{what} {shown_path(path)} is a pipe or device, which cannot be read twice or at any "
            "position; write it to a file first"
        )


def need_regular(path: Path, what: str, todo: str) -> None:
    """Raise unless a path is a regular file, for readers that seek in it.

    ``what`` names the file (``the FASTA``), ``todo`` is the advice for a missing one.
    """
    refuse_pipe(path, what)
    if not path.is_file():
        wrong = "is a folder" if path.is_dir() else "does not exist"
        raise GenezipError(f"{what} {path} {wrong}; {todo}")


def is_packed(path: str | Path) -> bool:
    """Whether a file is gzip or bgzip, by its first bytes."""
    with open(path, "rb") as handle:
        return handle.read(2) == GZIP


_BGZIP_HEAD = 16  # bytes of a gzip header up to the name of its first extra field


def is_bgzip(path: str | Path) -> bool:
    """Whether a file is bgzip, which has random access, by its first bytes."""
    with open(path, "rb") as handle:
        return _is_bgzip(handle.read(_BGZIP_HEAD))


def _is_bgzip(head: bytes) -> bool:
    return head.startswith(GZIP + b"\x08\x04") and head[12:14] == b"BC"


@contextmanager
def open_bytes(given: str | Path | InputFile) -> Iterator[BinaryIO]:
    """Yield the bytes of a file or pipe, decompressed if they are gzip or bgzip."""
    with ExitStack() as stack:
        file = given if isinstance(given, InputFile) else stack.enter_context(InputFile(given))
        yield stack.enter_context(file.unpacked())


class _Pass(io.RawIOBase):
    """Raw reader of a descriptor with its own position, so that readers are independent."""

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
    """File descriptor that an input path denotes, or None."""
    return descriptor(path, dash=0)


def _open(path: Path, todo: str, folder: Path | None) -> tuple[BinaryIO, bool]:
    """A file that can be read at any position, and whether the path is a regular file.

    A pipe is opened only once, because a second open would block forever.
    """
    name, number = shown_path(path), _number(path)
    try:
        if number is not None:
            file: BinaryIO = os.fdopen(os.dup(number), "rb")
            regular = False  # part of it may have been read already
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
    """Copy the bytes of a pipe into an anonymous temporary file."""
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
