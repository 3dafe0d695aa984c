"""Write files atomically (complete or absent), and hash them."""

import errno
import hashlib
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from genezip.artifacts.destination import Destination, destination, keep_mode
from genezip.errors import GenezipError

_LEFT_SECONDS = 86_400.0  # containers may share the name of a machine, but not its processes
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; the file written there becomes ``path`` on success.

    The temporary file lies beside the final target of ``path``, links followed, and is renamed
    at the end: links stay, a file that is replaced leaves its owner and permission bits to the
    new one, and further names of the same file (hard links) keep the old content. A pipe, device
    or open descriptor (:mod:`genezip.artifacts.destination`) receives the finished bytes.

    If the block fails, the temporary file is removed and an existing ``path`` is unchanged. A
    full disk (or file-size limit) raises :class:`GenezipError`.
    """
    target = destination(path)
    if target.is_stream:
        with tempfile.TemporaryDirectory(prefix="genezip-") as folder:
            yield from _written(target, Path(folder) / f".{target.path.name}.part", target.pour)
        return
    try:
        target.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenezipError(
            f"cannot make the folder {target.name.parent}: {error.strerror}"
        ) from error

    def replace(made: Path) -> None:
        keep_mode(made, target.path)
        made.replace(target.path)

    temporary = part_name(target.path)
    _sweep(target.path)
    yield from _written(target, temporary, replace)


def part_name(path: Path) -> Path:
    """Where a file is until it is whole; no other process on any machine has the same name."""
    return path.with_name(f".{path.name}.{_host()}-{os.getpid()}.part")


def _host() -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in platform.node())


def _sweep(path: Path) -> None:
    """Remove parts of the file that killed processes of this machine left over a day ago."""
    begin, beside = f".{path.name}.{_host()}-", list[Path]()
    with suppress(OSError):  # a folder that may be written, but not listed
        beside = list(path.parent.iterdir())
    for left in beside:
        number = left.name.removeprefix(begin).removesuffix(".part")
        if not (left.name.startswith(begin) and left.suffix == ".part" and number.isdigit()):
            continue
        with suppress(OSError):
            old = time.time() - left.stat().st_mtime > _LEFT_SECONDS
            if old and not _alive(int(number)):
                left.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # of another user
    return True


def _written(
    target: Destination, temporary: Path, deliver: Callable[[Path], None]
) -> Iterator[Path]:
    """Yield the temporary path, deliver the file, and remove it if it is still there."""
    try:
        yield temporary
        deliver(temporary)
    except OSError as error:
        if error.filename not in (None, str(temporary), str(target.path), str(target.name)):
            raise
        reason = error.strerror or str(error)
        advice = (
            "free space or choose another folder"
            if error.errno in _NO_ROOM
            else "choose another file"
        )
        raise GenezipError(f"cannot write {target.name}: {reason}; {advice}") from error
    finally:
        temporary.unlink(missing_ok=True)


def move_file(made: Path, path: str | Path) -> None:
    """Move a finished file to ``path``, which is treated as :func:`atomic_path` treats it."""
    with atomic_path(path) as temporary:
        shutil.move(made, temporary)


def check_room(path: str | Path, needed: int, files: int = 1) -> None:
    """Raise before the work begins if the disk or the file-size limit cannot hold an output.

    Quotas that the file system does not report as missing space are noticed only while writing;
    reserving the blocks would reveal them, but writes every block on some file systems. Links are
    followed; pipes and devices are not checked. About ``needed`` bytes are shared by ``files``; the
    file-size limit is checked for a single file only.
    """
    path = Path(path)
    folder = Path(os.path.realpath(path))
    if not folder.is_dir():
        if (target := destination(path)).is_stream:
            return
        folder = target.path.parent
    while not folder.exists():
        folder = folder.parent
    reason, free = None, ""
    if not folder.is_dir():
        reason = f"{folder} is a file"
    elif files == 1 and needed > _largest_file():
        reason = os.strerror(errno.EFBIG)
    else:
        with suppress(OSError):  # some file systems do not report free space
            space = shutil.disk_usage(folder)
            if space.total and needed > space.free:
                reason, free = os.strerror(errno.ENOSPC), f", {space.free:,} are free"
    if reason:
        raise GenezipError(
            f"cannot write {path}: {reason} (about {needed:,} bytes are needed{free}); "
            "free space or choose another folder"
        )


def _largest_file() -> float:
    """Bytes that this process may write into one file."""
    try:
        import resource
    except ImportError:  # this system has no such limits
        return float("inf")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return float("inf") if limit == resource.RLIM_INFINITY else limit


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON atomically, keys in the order given, one trailing newline."""
    write_text(path, json.dumps(value, indent=2) + "\n")


def sha256_file(path: str | Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value with sorted keys: equal settings, equal hash."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
