"""The checkpoint of a run on a task: one file, whole or absent, bound to its settings.

Heads and fine-tuned networks are written and read alike.
"""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.training.differences import first_difference

CHECKPOINT = "head.pt"


def save_run(path: Path, identity: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a checkpoint in the place of the old one.

    Parameters
    ----------
    identity : all that decides the weights, as plain values
    state : tensors and plain values; ``progress`` holds the ``step``
    """
    with atomic_path(path) as temporary:
        torch.save({**state, "identity": identity}, temporary)


def load_run(
    path: Path, identity: dict[str, Any], say: Callable[[str], None]
) -> dict[str, Any] | None:
    """The state that :func:`save_run` wrote, on the CPU; None where there is none.

    A damaged file counts as none, and a line says so.

    Raises
    ------
    GenezipError
        If it is of another identity, or may not be read.
    """
    if not path.exists():
        return None
    state = _read(path)
    if state is None:
        say(f"{path} is damaged; training from the start")
        return None
    difference = first_difference(state["identity"], identity)
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{path} holds a run that stopped at step {state['progress']['step']} with {key} "
            f"{old}, not {new}; set it back to go on, or delete that file to train from the start"
        )
    return state


def _read(path: Path) -> dict[str, Any] | None:
    """The content, or None where the file is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:  # every part of the archive has a checksum
            if archive.testzip() is not None:
                return None
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        state["identity"], state["progress"]["step"]  # else it is another kind of file
        return state
    except PermissionError as error:
        raise GenezipError(f"{path} cannot be read: {error.strerror}; allow it") from None
    except Exception:  # a damaged archive fails in many ways
        return None
