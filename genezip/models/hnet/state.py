"""Where a stream stands: everything that a network carries from block to block."""

from dataclasses import dataclass, field
from typing import Self

from torch import Tensor

from genezip.models.layers.mamba2 import StackState
from genezip.models.routing.learned import RouterState


@dataclass
class StageState:
    """What a stage carries from block to block; ``before`` is the last de-chunked token."""

    encoder: StackState
    decoder: StackState
    router: RouterState = field(default_factory=RouterState)
    before: Tensor | None = None


@dataclass
class NetworkState:
    """Where a stream stands: one sequence, after some bases.

    Tensors are replaced, never written into, so :meth:`copy` is a cheap snapshot.
    """

    stages: list[StageState]
    trunk: StackState

    def copy(self) -> Self:
        """A snapshot that later blocks do not touch."""
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
