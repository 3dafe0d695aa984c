"""The state of a stream: everything that a network carries from block to block.

:func:`plain` and :func:`restored` convert it to and from plain values, for files that are loaded
without running code.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from genezip.models.layers.mamba2 import MixerState, StackState
from genezip.models.routing.bounds import CausalState
from genezip.models.routing.learned import RouterState


@dataclass
class StageState:
    """State of a stage; ``before`` is the last de-chunked token."""

    encoder: StackState
    decoder: StackState
    router: RouterState = field(default_factory=RouterState)
    before: Tensor | None = None


@dataclass
class NetworkState:
    """State of one sequence after some bases.

    Tensors are replaced, never changed in place, so :meth:`copy` is a cheap snapshot.
    """

    stages: list[StageState]
    trunk: StackState

    def copy(self) -> Self:
        """A snapshot that later blocks do not change."""
        stages = [
            StageState(
                stage.encoder.copy(),
                stage.decoder.copy(),
                RouterState(**vars(stage.router)),
                stage.before,
            )
            for stage in self.stages
        ]
        return type(self)(stages, self.trunk.copy())


def plain(state: NetworkState) -> dict[str, Any]:
    """The state as dicts, lists, numbers and copied tensors (``torch.load(weights_only=True)``)."""
    return asdict(state)


def restored(values: dict[str, Any], device: torch.device | str = "cpu") -> NetworkState:
    """The state from values of :func:`plain`, on a device."""
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
