"""Weight files of the authors' release: where they lie, and how to read them safely."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from genezip.errors import GenezipError
from genezip.models.genezip.release_config import NAME as CONFIG_NAME
from genezip.models.hub import HubId, snapshot

FILES = ("pytorch_model.bin", "pytorch_model.safetensors", "model.safetensors", "model.bin")
LAST = "last-checkpoint"
_STEP = re.compile(r"checkpoint-(\d+)")
_PREFIX = re.compile(r"^((module|_orig_mod)\.)+")


def find_weights(folder: Path) -> Path | None:
    """The weights of a folder in the release's order; None if there are none.

    The folder itself comes first, then ``last-checkpoint/``, then the ``checkpoint-STEP/`` of
    the highest step; in each, the names of :data:`FILES` in turn.
    """
    steps = {
        int(match[1]): path for path in folder.iterdir() if (match := _STEP.fullmatch(path.name))
    }
    places = [folder, folder / LAST, *(steps[step] for step in sorted(steps, reverse=True))]
    candidates = (place / name for place in places for name in FILES)
    return next((path for path in candidates if path.is_file()), None)


def locate(source: str | Path) -> Path:
    """The weight file of a file, a folder or a hub id.

    From the hub, one place after another is asked for, so that no more than the weights of
    one place is downloaded; all are taken from the same commit.

    Raises
    ------
    GenezipError
        If there is no such file.
    """
    hub_id = HubId.parse(source)
    if hub_id is None:
        path = Path(source)
        if path.is_file():
            return path
        found = find_weights(path) if path.is_dir() else None
        if found is None:
            what = "holds no" if path.is_dir() else "does not exist; name a"
            raise GenezipError(f"{source} {what} weight file ({', '.join(FILES)})")
        return found
    for place in ("", f"{LAST}/", "checkpoint-*/"):
        folder = snapshot(hub_id, [CONFIG_NAME, *(place + name for name in (CONFIG_NAME, *FILES))])
        hub_id = HubId(hub_id.name, folder.name)
        found = find_weights(folder)
        if found is not None:
            return found
    raise GenezipError(f"{source} on the hub holds no weight file ({', '.join(FILES)})")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a weight file by name, on the CPU, without the prefixes of wrappers.

    A pickle may hold tensors in plain dictionaries and nothing else: no code in it is run.

    Raises
    ------
    GenezipError
        If the file is broken, or holds anything but floating-point tensors by name.
    """
    state = _load(path)
    if isinstance(state, Mapping) and set(state) == {"state_dict"}:
        state = state["state_dict"]
    if not isinstance(state, Mapping) or not state:
        raise GenezipError(f"{path} holds no dictionary of tensors; name a weight file")
    named = {}
    for name, value in state.items():
        if not isinstance(value, Tensor) or not value.is_floating_point():
            kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
            raise GenezipError(
                f"{path} holds {name} of type {kind}, which is no floating-point tensor; "
                "name the file of the weights alone"
            )
        short = _PREFIX.sub("", str(name))
        if short in named:
            raise GenezipError(f"{path} holds {short} twice, with and without a prefix")
        named[short] = value
    return named


def _load(path: Path) -> Any:
    """What a weight file holds, by weights-only unpickling or safetensors."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # anything but tensors in plain containers: its name is in the message
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign is None:
            raise _unreadable(path) from None
        raise GenezipError(
            f"{path} is a pickle with {foreign[1]} in it, which could run code when read; "
            "save its tensors alone (a plain state dict) and import that"
        ) from None
    except PermissionError:
        raise GenezipError(f"{path} may not be read; change its permissions") from None
    except Exception as error:  # wrong bytes fail in any way inside the readers
        raise _unreadable(path) from error


def _unreadable(path: Path) -> GenezipError:
    return GenezipError(f"{path} is broken or no weight file; fetch it again")
