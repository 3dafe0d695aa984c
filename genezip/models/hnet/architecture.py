"""The architecture of a model as plain data, as in the presets (``genezip/config/models``)."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, Self, cast, get_args

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked

from genezip.alphabet import VOCAB_SIZE
from genezip.config import read_preset
from genezip.errors import GenezipError
from genezip.models.routing.bounds import CausalBound, default_bound

RouterKind = Literal["learned", "stride", "random", "cpg", "block"]
BoundKind = Literal["none", "sequence", "causal"]


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Architecture:
    """Layout of a hierarchical Mamba-2 model.

    Attributes
    ----------
    d_model : widths of stage 0, 1, ..., S - 1 and of the trunk; a single width is a flat model
    encoder_layers, decoder_layers : Mamba-2 layers per stage, length S
    trunk_layers : Mamba-2 layers of the innermost trunk
    d_state, headdim, expand, d_conv : sizes of a Mamba-2 layer
    ssd_chunk : positions per chunk of the state-space scan; any value gives the same result
    router : router of each stage (:mod:`genezip.models.routing.fixed`); empty is ``learned``
        everywhere
    stride : positions per token of the routers ``stride``, ``random`` and ``block``;
        null elsewhere
    bound : bound of learned routers: ``sequence`` as published (Eq. 10-11), ``causal``
        (:mod:`genezip.models.routing.bounds`), or ``none``
    k_min, k_max : bounds on kept tokens per sequence and stage (``sequence``); null is no bound
    max_chunk, burst, rate : integers G, beta and (a, b) per stage (``causal``); null for
        defaults computed from the target BPT
    logit_scale : ``none`` as published, or ``inverse_sqrt_width`` for the tied head
    """

    d_model: tuple[int, ...]
    trunk_layers: int
    d_state: int
    headdim: int
    encoder_layers: tuple[int, ...] = ()
    decoder_layers: tuple[int, ...] = ()
    expand: int = 2
    d_conv: int = 4
    ssd_chunk: int = 256
    router: tuple[RouterKind, ...] = ()
    stride: tuple[int | None, ...] = ()
    bound: BoundKind = "sequence"
    k_min: tuple[int | None, ...] = ()
    k_max: tuple[int | None, ...] = ()
    max_chunk: tuple[int, ...] | None = None
    burst: tuple[int, ...] | None = None
    rate: tuple[tuple[int, int], ...] | None = None
    logit_scale: Literal["none", "inverse_sqrt_width"] = "none"
    vocab_size: int = VOCAB_SIZE

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.d_model:
            raise ValueError("d_model must have at least one width, that of the trunk")
        stages = self.n_stages
        filled = {"router": "learned", "stride": None, "k_min": None, "k_max": None}
        for name, value in filled.items():
            if not getattr(self, name):
                object.__setattr__(self, name, (value,) * stages)
        per_stage = ["encoder_layers", "decoder_layers", "router", "stride", "k_min", "k_max"]
        causal = [self.max_chunk, self.burst, self.rate]
        if any(value is not None for value in causal):
            per_stage += ["max_chunk", "burst", "rate"]
        for name in per_stage:
            value = getattr(self, name)
            if value is None or len(value) != stages:
                raise ValueError(f"{name} must have {stages} values, one per stage")
        if any(inner < outer for outer, inner in zip(self.d_model, self.d_model[1:], strict=False)):
            raise ValueError("d_model must not shrink from stage to stage")
        sizes = (self.d_state, self.headdim, self.expand, self.d_conv, self.ssd_chunk)
        layers = (*self.encoder_layers, self.trunk_layers, *self.decoder_layers)
        if min(*sizes, *self.d_model) < 1 or min(layers) < 0:
            raise ValueError("sizes must be at least 1 and layer counts at least 0")
        for low, high in zip(self.k_min, self.k_max, strict=True):
            if low is not None and low < 1:
                raise ValueError(f"k_min {low} is below 1; give at least 1, or null for no floor")
            if high is not None and high < 1:
                raise ValueError(f"k_max {high} is below 1; the first position is always kept")
            if low is not None and high is not None and high < low:
                raise ValueError(f"k_max {high} is below k_min {low}; no mask can meet both")
        for kind, stride in zip(self.router, self.stride, strict=True):
            if (stride is None) != (kind in ("learned", "cpg")):
                raise ValueError(f"stride {stride} does not fit router {kind}")
            if stride is not None and stride < 1:
                raise ValueError(f"stride {stride} is below 1")
        if "cpg" in self.router[1:]:
            raise ValueError("router cpg reads bases, so it is of stage 0 only")
        if len(set(self.router)) > 1 and "block" in self.router:
            raise ValueError("router block fits no other router: its tokens end a chunk")
        self.causal_bounds()  # refuses impossible integers
        if any(width * self.expand % self.headdim for width in self.d_model):
            raise ValueError("headdim must divide expand x d_model of every stage")
        return self

    @property
    def n_stages(self) -> int:
        """Routing stages S; 0 is a flat model with one token per base."""
        return len(self.d_model) - 1

    @property
    def marks_end(self) -> bool:
        """Whether a token is at the last position of its chunk (U-Net blocks), not the first."""
        return "block" in self.router

    @property
    def learns_routing(self) -> bool:
        """Whether any stage has a learned router, the only kind that RAR affects."""
        return "learned" in self.router

    def resolved(self, target_bpt: Sequence[float]) -> "Architecture":
        """The architecture with explicit integers of its causal bound, if it has that bound."""
        if self.bound != "causal" or self.max_chunk is not None:
            return self
        bounds = self.causal_bounds(target_bpt)
        return replace(
            self,
            max_chunk=tuple(bound.max_chunk for bound in bounds),
            burst=tuple(bound.burst for bound in bounds),
            rate=tuple(bound.rate for bound in bounds),
        )

    def causal_bounds(self, target_bpt: Sequence[float] = ()) -> list[CausalBound]:
        """Integers of the causal bound of every stage; defaults need the target BPT, else [].

        ``target_bpt`` has the target of every region class (bp per token).
        """
        if self.max_chunk is not None and self.burst is not None and self.rate is not None:
            columns = zip(self.max_chunk, self.burst, self.rate, strict=True)
            return [CausalBound(*column) for column in columns]
        if not target_bpt:
            return []
        per_stage = [bpt ** (1 / max(1, self.n_stages)) for bpt in target_bpt]
        return [default_bound(per_stage)] * self.n_stages

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return asdict(self)


def bound_kind(name: str | None) -> BoundKind | None:
    """Check the name of a bound; None (that of the model) is returned as it is."""
    if name is not None and name not in get_args(BoundKind):
        raise GenezipError(f"there is no bound {name!r}; use {', '.join(get_args(BoundKind))}")
    return cast(BoundKind | None, name)


def architecture(value: Any, where: str = "architecture") -> Architecture:
    """Check plain values; the first error becomes one sentence that begins with ``where``."""
    try:
        return TypeAdapter(Architecture).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        raise GenezipError(f"{where}: {key}: {reason}" if key else f"{where}: {reason}") from None
    except GenezipError as error:
        raise GenezipError(f"{where}: {error}") from None


def load_architecture(name: str | Path) -> Architecture:
    """Read a preset by its name, or a YAML file by its path."""
    return architecture(read_preset("models", name), str(name))
