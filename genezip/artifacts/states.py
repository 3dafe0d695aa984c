"""Saved states of long work: tensors and plain values from which the work is resumed.

A state is one file, written atomically, with the identity of its run. Training, heads,
fine-tuning and the parts of a FASTA are saved and resumed through this module, the only one of
the package that needs torch.
"""

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch

from genezip.artifacts.files import atomic_path
from genezip.artifacts.manifest import first_difference
from genezip.errors import GenezipError

IDENTITY = "identity"


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
