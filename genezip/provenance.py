"""Files that are either whole or absent, and where they came from."""

import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from genezip.errors import GenezipError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it into place on success.

    Whatever goes wrong inside, the temporary file is removed and an existing ``path`` is
    left as it was. A full disk (or file-size limit) becomes a :class:`GenezipError`.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenezipError(f"cannot make the folder {target.parent}: {error.strerror}") from error
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(target)
    except OSError as error:
        if error.filename not in (None, str(temporary), str(target)):
            raise
        reason = error.strerror or str(error)
        raise GenezipError(
            f"cannot write {target}: {reason}; free space or choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_room(path: str | Path, needed: int) -> None:
    """Refuse to begin a file that the disk cannot hold.

    For writers that crash on a full disk instead of reporting it: about ``needed`` bytes
    are allocated beside ``path`` and given back at once.
    """
    path = Path(path)
    trial = path.with_name(f".{path.name}.{os.getpid()}.room")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(trial, "wb") as handle:
            os.posix_fallocate(handle.fileno(), 0, max(needed, 1))
    except OSError as error:
        raise GenezipError(
            f"cannot write {path}: {error.strerror} (about {needed:,} bytes are needed); "
            "free space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):  # a parent that is a file was told above
            trial.unlink()


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


def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that decide its numbers."""
    found = {"python": platform.python_version(), "platform": sys.platform}
    for name in ("genezip", "torch", "numpy", "pandas", "pyarrow", "snakemake"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record(settings: Any, inputs: Mapping[str, str | Path], **more: Any) -> dict[str, Any]:
    """Provenance of one result: settings with hash, input hashes, versions, and ``more``."""
    return {
        "settings": settings,
        "settings_sha256": sha256_json(settings),
        "inputs": {name: sha256_file(path) for name, path in inputs.items()},
        "versions": versions(),
        **more,
    }
