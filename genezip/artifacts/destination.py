"""Resolve the name of an output: links are followed, pipes and devices are written through.

These rules hold for every file and folder that is written:

- A symbolic link stays and its final target is written, even if that does not exist yet.
- A named pipe, a character device (``/dev/null``), and an open descriptor (``/dev/stdout``,
  ``/dev/fd/5``, or ``-`` for standard output) receive the finished bytes; they are never replaced.
- A disk, a socket, a folder where a file is expected and links that lead in a circle are refused.
"""

import errno
import os
import re
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import IO

from genezip.errors import GenezipError

_STANDARD = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_OPEN = re.compile(r"/(?:dev|proc/(?:self|(?P<process>\d+))(?:/task/\d+)?)/fd/(?P<number>\d+)")
_MOST_LINKS = 40  # as the kernel allows


@dataclass(frozen=True)
class Destination:
    """What an output name resolves to, with links followed.

    ``name`` is as the user gave it and ``path`` the final target of all links. ``mode`` is the
    ``st_mode`` of what exists there, or None; ``descriptor`` is that of this process, if the name
    denotes one.
    """

    name: Path
    path: Path
    mode: int | None
    descriptor: int | None = None

    @property
    def is_stream(self) -> bool:
        """Whether the output takes bytes in order only: a pipe, a device, an open descriptor."""
        if self.descriptor is not None:
            return True
        return self.mode is not None and (stat.S_ISFIFO(self.mode) or stat.S_ISCHR(self.mode))

    def pour(self, made: Path) -> None:
        """Write the bytes of a finished file into a stream."""
        with suppress(OSError, ValueError):  # text printed earlier must come out first
            sys.stdout.flush()
            sys.stderr.flush()
        with open(made, "rb") as source, self._opened() as sink:
            copyfileobj(source, sink)

    def _opened(self) -> IO[bytes]:
        if self.descriptor is not None:
            return os.fdopen(os.dup(self.descriptor), "wb")
        # without O_CREAT and O_TRUNC: if the pipe is gone by now, no regular file replaces it
        return os.fdopen(os.open(self.path, os.O_WRONLY | os.O_NOCTTY), "wb")


def destination(name: str | Path) -> Destination:
    """Resolve the name of an output without touching anything."""
    name = Path(name)
    number = descriptor(name)
    if number is not None:
        try:
            kind = os.fstat(number).st_mode
        except OSError:
            raise GenezipError(
                f"cannot write {name}: descriptor {number} is not open; name a file"
            ) from None
        return Destination(name, name, kind, number)
    mode = _mode(name)
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise GenezipError(f"cannot write {name}: it is a folder; name a file")
        if stat.S_ISBLK(mode) or stat.S_ISSOCK(mode):
            what = "disk" if stat.S_ISBLK(mode) else "socket"
            raise GenezipError(f"cannot write {name}: it is a {what}; name a file")
    return Destination(name, Path(os.path.realpath(name)), mode)


def file_target(name: str | Path) -> Path:
    """Path of the regular file that an output name resolves to; pipes and devices are refused.

    Use it for outputs that are read again, grow, or have companions (an index, parts, a folder).
    """
    found = destination(name)
    if found.is_stream:
        raise GenezipError(
            f"cannot write {name}: it is a pipe or device, and this output is read again or has "
            "other files beside it; name a file"
        )
    return found.path


def folder_target(name: str | Path) -> Path:
    """Path of the folder that an output name resolves to, links followed; it need not exist."""
    name = Path(name)
    if descriptor(name) is not None:
        raise GenezipError(f"{name} is a pipe or device; name a folder")
    mode = _mode(name)
    if mode is not None and not stat.S_ISDIR(mode):
        kind = "a file" if stat.S_ISREG(mode) else "a pipe or device"
        raise GenezipError(f"{name} is {kind}; name a folder")
    return Path(os.path.realpath(name))


def keep_mode(made: Path, old: Path) -> None:
    """Give a new file or folder the owner and permission bits of the one that it replaces."""
    try:
        before, now = old.stat(), made.lstat()
    except OSError:
        return
    if stat.S_ISLNK(now.st_mode):  # a link takes its mode from its target
        return
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        with suppress(OSError):  # only root may change the owner
            os.chown(made, before.st_uid, before.st_gid)
    with suppress(OSError):
        made.chmod(stat.S_IMODE(before.st_mode))


def descriptor(name: str | Path, dash: int = 1) -> int | None:
    """File descriptor of this process that a path denotes (links followed), or None.

    ``dash`` is that of ``-``: 1 (standard output), or 0 (standard input) for inputs.
    """
    path = Path(name)
    if str(path) == "-":
        return dash
    for _ in range(_MOST_LINKS):
        if str(path) in _STANDARD:
            return _STANDARD[str(path)]
        path = Path(os.path.realpath(path.parent)) / path.name
        found = _OPEN.fullmatch(str(path))
        if found and found["process"] in (None, str(os.getpid())):
            return int(found["number"])
        try:
            path = path.parent / path.readlink()
        except OSError:  # not a link
            return None
    return None


def _mode(name: Path) -> int | None:
    try:
        return name.stat().st_mode
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise GenezipError(
                f"cannot write {name}: its links lead in a circle; remove one of them"
            ) from None
        return None
