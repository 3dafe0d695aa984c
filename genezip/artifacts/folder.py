"""Replace a folder atomically: readers find the complete old one or the complete new one."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from genezip.artifacts.destination import folder_target, keep_mode
from genezip.errors import GenezipError


@contextmanager
def replaced_folder(path: str | Path, known: Collection[str]) -> Iterator[Path]:
    """Yield an empty folder that replaces ``path`` when the block succeeds.

    If the block fails, the new folder is removed and an existing ``path`` stays. Links to the
    folder are followed and stay; the new folder takes the permission bits of the old one. Names in
    an existing folder that are not ``known`` are refused, since they would be lost.
    """
    refuse_foreign(path, known)
    target = folder_target(path)
    new = part_of(target)
    shutil.rmtree(new, ignore_errors=True)
    try:
        with _replacing(path, new, target):
            yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


@contextmanager
def resumed_folder(path: str | Path, known: Collection[str]) -> Iterator[Path]:
    """Like :func:`replaced_folder`, but the files of a failed block are kept for the next call.

    The folder that is yielded contains what an interrupted or failed block left there; the block
    decides which of these files are still valid.
    """
    refuse_foreign(path, known)
    target = folder_target(path)
    with _replacing(path, part_of(target), target) as new:
        yield new


def part_of(folder: Path) -> Path:
    """Where a folder is until it is whole."""
    return folder.with_name(f".{folder.name}.part")


@contextmanager
def _replacing(path: str | Path, new: Path, target: Path) -> Iterator[Path]:
    """Yield the folder ``new``, created if missing, and rename it to ``target``."""
    old = target.with_name(f".{target.name}.old")
    try:
        try:
            new.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenezipError(f"cannot make a folder at {path}: {error.strerror}") from error
        yield new
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
            keep_mode(new, target)
            target.rename(old)
        new.rename(target)
    except OSError as error:
        written = (str(new), str(old), str(target))
        if error.filename is not None and not str(error.filename).startswith(written):
            raise  # the error concerns an input, not the output
        reason = error.strerror or str(error)
        raise GenezipError(
            f"cannot write {path}: {reason}; free space or choose another folder"
        ) from error
    finally:
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        elif old.exists():
            old.rename(target)


def refuse_foreign(path: str | Path, known: Collection[str]) -> None:
    """Raise if replacing a folder would lose unknown files or links in it."""
    target = folder_target(path)
    if not target.exists():
        return
    foreign = sorted(item.name for item in target.iterdir() if item.name not in known)
    if foreign:
        raise GenezipError(
            f"{path} holds {foreign[0]}, which would be lost when the folder is replaced; "
            "choose an empty folder"
        )
    for folder, _, _ in os.walk(target):
        for item in os.scandir(folder):
            if item.is_symlink() or not (item.is_file() or item.is_dir()):
                name = os.path.relpath(item.path, target)
                raise GenezipError(
                    f"{path} holds {name}, a link, pipe or device that would be lost when the "
                    "folder is replaced; remove it or choose an empty folder"
                )
