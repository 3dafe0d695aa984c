"""The state of a stream as plain values, for files that are loaded without running code."""

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from genezip.models.hnet.state import NetworkState, StageState
from genezip.models.layers.mamba2 import MixerState, StackState
from genezip.models.routing.bounds import CausalState
from genezip.models.routing.learned import RouterState


def plain(state: NetworkState) -> dict[str, Any]:
    """Dicts, lists, numbers and copied tensors: what ``torch.load(weights_only=True)`` reads."""
    return asdict(state)


def restored(values: dict[str, Any], device: torch.device | str = "cpu") -> NetworkState:
    """The state that :func:`plain` wrote down, on a device."""
    values = _on(values, device)
    stages = [
        StageState(
            _stack(stage["encoder"]),
            _stack(stage["decoder"]),
            _router(stage["router"]),
            stage["before"],
        )
        for stage in values["stages"]
    ]
    return NetworkState(stages, _stack(values["trunk"]))


def _stack(values: dict[str, Any]) -> StackState:
    return StackState([MixerState(**mixer) for mixer in values["mixers"]])


def _router(values: dict[str, Any]) -> RouterState:
    causal = values["causal"]
    return RouterState(**{**values, "causal": None if causal is None else CausalState(**causal)})


def _on(values: Any, device: torch.device | str) -> Any:
    if isinstance(values, Tensor):
        return values.to(device)
    if isinstance(values, dict):
        return {key: _on(value, device) for key, value in values.items()}
    return [_on(value, device) for value in values] if isinstance(values, list) else values
