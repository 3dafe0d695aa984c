"""The device of a process: a CPU, or a GPU that no other process of this program has taken."""

import fcntl
import logging
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from genezip.errors import GenezipError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_LOCKS: dict[int, IO[str]] = {}
"""Index of a GPU -> the open file whose lock this process holds until it ends."""


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device ``cpu`` or ``cuda``; ``auto`` is CUDA if it is available.

    Of several GPUs it is the first that no other process took, so that jobs of one machine do not
    all share the first. Processes of one training have one GPU each, by their rank
    (:meth:`genezip.training.ranks.Ranks.device`).
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise GenezipError(f"there is no device {name!r}; use cpu, cuda or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise GenezipError("device cuda is not available; use auto or cpu")
    count = torch.cuda.device_count() if name == "cuda" else 0
    if count < 2 or "LOCAL_RANK" in os.environ:
        return torch.device(name)
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(count)]
    index = take_first_free(names)
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def take_first_free(names: list[str]) -> int:
    """Index of the first GPU that no other process holds; the first one where all are held.

    ``names`` are unique and equal in every process (a UUID, whatever is visible).
    """
    if _LOCKS:
        return next(iter(_LOCKS))
    folder = Path(tempfile.gettempdir())
    for index, name in enumerate(names):
        handle = open(folder / f"genezip-{os.getuid()}-{name}.lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            continue
        _LOCKS[index] = handle
        return index
    logger.warning(f"all of {len(names)} GPUs are in use; the first is shared")
    return 0
