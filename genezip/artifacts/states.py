"""Saved states of long work: tensors and plain values from which the work is resumed.

A state is one file, written atomically, with the identity of its run. Training, heads,
fine-tuning and the parts of a FASTA are saved and resumed through this module, the only one of
the package that needs torch.
"""

import io
import logging
import shutil
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Self

import torch

from genezip.artifacts.files import atomic_path
from genezip.artifacts.manifest import first_difference
from genezip.errors import GenezipError

logger = logging.getLogger(__name__)

IDENTITY = "identity"
PART = "part"


def save_state(
    path: Path, identity: Mapping[str, Any], values: Mapping[str, Any], previous: Path | None = None
) -> None:
    """Write a state atomically: tensors and plain values by name, in any nesting.

    ``identity`` has JSON values that must not change between two parts of a run. The replaced state
    is moved to ``previous``, or discarded if that is None.
    """
    data = io.BytesIO()  # torch does not raise OSError on a full disk
    torch.save({**values, IDENTITY: dict(identity)}, data)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.getbuffer())
        if previous is not None and path.exists():
            path.replace(previous)


def load_state(path: Path, names: Collection[str]) -> dict[str, Any] | None:
    """Read a state: its values, on the CPU, and its ``identity``.

    Returns None if the file is damaged (each part of the archive has a checksum) or lacks one of
    ``names``, so that it is a state of something else; a file without read permission raises.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        return state if {IDENTITY, *names} <= state.keys() else None
    except PermissionError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}; allow it") from None
    except Exception:  # a damaged archive fails in many ways
        return None


def kept_state(
    path: Path, identity: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any] | None:
    """The state of an earlier call of the same job; None without any, or of another job."""
    if not path.is_file():
        return None
    state = load_state(path, names)
    return state if state is not None and state[IDENTITY] == identity else None


def refuse_other_run(
    path: Path,
    what: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    free: Collection[str] = (),
) -> None:
    """Raise if a state belongs to another run, with the first key that differs and both values.

    ``path`` is the file or folder to delete if the old run is not wanted, and ``what`` that run, as
    in "a run that stopped at step 3". Dotted keys in ``free`` may differ between the identities.
    """
    difference = first_difference(old, new, free)
    if difference is not None:
        key, before, now = difference
        raise GenezipError(
            f"{path} holds {what} with {key} {before}, not {now}; restore it to continue, or "
            f"delete {path} to start over"
        )


class StateFolder:
    """The folder of the finished parts of one run; it is removed at exit if it is empty.

    A part is a state with the results of consecutive units of work, from ``start`` to ``end``,
    half-open.

    Parameters
    ----------
    identity : plain values that must be equal in all parts
    units : what is made again after damage, as in "its bases are compressed again"
    """

    def __init__(self, folder: Path, identity: dict[str, Any], units: str) -> None:
        self.folder = folder
        self.identity = identity
        self.units = units

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenezipError(
                f"cannot make the folder {self.folder}: {error.strerror}; choose another --out"
            ) from error
        return self

    def __exit__(self, *error: object) -> None:
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def save(self, start: int, end: int, values: Mapping[str, Any]) -> None:
        """Write a part atomically: tensors and plain values by name."""
        part = {**values, "start": start, "end": end}
        save_state(self._path(start, end), self.identity, {PART: part})

    def load(self, start: int, end: int) -> dict[str, Any]:
        """Values of a part that :meth:`finished` lists, with its ``start`` and ``end``."""
        path = self._path(start, end)
        state = load_state(path, (PART,))
        if state is None:
            raise GenezipError(f"{path} was damaged during the run; run the same command again")
        part: dict[str, Any] = state[PART]
        return part

    def finished(self) -> list[tuple[int, int]]:
        """Start and end of every complete part, in order; damaged ones are deleted with a warning.

        If the folder holds parts of another run, an error is raised and no file is deleted.
        """
        found: list[tuple[int, int]] = []
        damaged = []
        for path in sorted(self.folder.glob("*.pt")):
            state = load_state(path, (PART,))
            if state is None:
                damaged.append(path)
                continue
            refuse_other_run(self.folder, "an unfinished run", state[IDENTITY], self.identity)
            start, end = state[PART]["start"], state[PART]["end"]
            if not found or start >= found[-1][1]:
                found.append((start, end))
        for path in damaged:
            logger.warning(f"{path} is damaged; {self.units} again")
            path.unlink()
        return found

    def remove(self) -> None:
        """Delete all parts."""
        shutil.rmtree(self.folder)

    def _path(self, start: int, end: int) -> Path:
        return self.folder / f"{start:013d}-{end:013d}.pt"  # sorted by start
