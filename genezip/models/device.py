"""Where a network runs."""

import torch

from genezip.errors import GenezipError


def choose_device(name: str = "auto") -> torch.device:
    """``cpu``, ``cuda``, or ``auto``: CUDA where there is a device.

    Raises
    ------
    GenezipError
        If ``cuda`` is asked for and there is none, or there is no such device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise GenezipError(f"there is no device {name!r}; use cpu, cuda or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise GenezipError("device cuda is asked for, but none is there; use auto or cpu")
    return torch.device(name)
