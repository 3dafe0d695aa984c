"""The architecture of a model as plain data, as in the presets (``genezip/config/models``)."""

import json
import math
import re
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

Direction = Literal["forward", "both"]
RouterKind = Literal[
    "learned", "stride", "random", "cpg", "block", "guided_even", "guided_random", "guided_shuffled"
]  # fmt: skip
GUIDED: tuple[RouterKind, ...] = ("guided_even", "guided_random", "guided_shuffled")
BoundKind = Literal["none", "sequence", "causal"]

_BLOCKS = re.compile(r"([mMtT])([1-9]\d*)?")
_MULTIPLE = 128  # the inner width of a SwiGLU is rounded up to a multiple, as in H-Net

# Keys that are absent from config.json where they are empty, as in models of earlier versions.
_OMITTED = ("d_intermediate", "attention_heads", "rotary_dims", "attention_window", "stage_bpt")
# Keys that are absent at these values, for the same reason.
_DEFAULTS = {"direction": "forward", "head": "tied"}


def block_letters(layers: int | str) -> str:
    """Letter of every block of a stack: ``mmm`` for 3 and for ``m3``, ``Tmm`` for ``T1m2``."""
    if isinstance(layers, int):
        return "m" * layers
    parts = _BLOCKS.findall(layers)
    if not parts or "".join(letter + count for letter, count in parts) != layers:
        raise ValueError(
            f"{layers!r} is no layout of layers; write a number of Mamba-2 layers, or letters m, "
            "M, t, T with counts, such as T1m4"
        )
    return "".join(letter * int(count or 1) for letter, count in parts)


def layers_text(layers: int | str) -> str:
    """The layout of a stack as text: ``m3`` for 3."""
    return f"m{layers}" if isinstance(layers, int) else layers


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Architecture:
    """Layout of a hierarchical model of Mamba-2 layers and attention.

    Levels are the stages, outermost first, and the trunk.

    Attributes
    ----------
    d_model : widths of stage 0, 1, ..., S - 1 and of the trunk; a single width is a flat model
    encoder_layers, decoder_layers : layers per stage, length S: a number of Mamba-2 layers, or a
        layout such as ``T1m4`` (``m`` Mamba-2, ``t`` attention, a capital with a SwiGLU after it)
    trunk_layers : layers of the innermost trunk
    d_intermediate : inner width of the SwiGLU per level, rounded up to a multiple of 128; null, or
        no value at all, is 8/3 of the width
    attention_heads : heads of the attention per level; null where a level has none
    rotary_dims : dimensions of a head that are rotated by position, per level; null, or no value
        at all, is half of them
    attention_window : earlier positions that attention sees, per level, and in direction ``both``
        as many later ones; null, or no value at all, is all of them
    d_state, headdim, expand, d_conv : sizes of a Mamba-2 layer
    ssd_chunk : positions per chunk of the state-space scan; any value gives the same result
    router : router of each stage (:mod:`genezip.models.routing.fixed`); empty is ``learned``
        everywhere. The ``guided_*`` routers rearrange the tokens of a trained network
        (:mod:`genezip.models.routing.guided`), in one stage and direction ``both``
    stride : positions per token of the routers ``stride``, ``random`` and ``block``;
        null elsewhere
    bound : bound of learned routers: ``sequence`` as published (Eq. 10-11), ``causal``
        (:mod:`genezip.models.routing.bounds`), or ``none``
    k_min, k_max : bounds on kept tokens per sequence and stage (``sequence``); null is no bound
    max_chunk, burst, rate : integers G, beta and (a, b) per stage (``causal``); null for
        defaults computed from the target BPT
    logit_scale : ``none`` as published, or ``inverse_sqrt_width`` for the tied head
    stage_bpt : positions per token of each stage, which say how the stages share a target: stage s
        gets the target to the power log(stage_bpt[s]) / log(product). So a target of their product
        gives these numbers; empty splits evenly (Eq. 6)
    direction : ``forward``, where a position depends on earlier ones and predicts the next base, or
        ``both``, where it depends on both sides and predicts its own base (masked language model)
    head : ``tied`` to the embedding, or ``untied``, with weights of its own
    vocab_size : rows of embedding and head: 12 as the ids of :mod:`genezip.alphabet`, or 7, which
        are A, C, G, T, N, MASK and padding
    """

    d_model: tuple[int, ...]
    trunk_layers: int | str
    d_state: int
    headdim: int
    encoder_layers: tuple[int | str, ...] = ()
    decoder_layers: tuple[int | str, ...] = ()
    d_intermediate: tuple[int | None, ...] = ()
    attention_heads: tuple[int | None, ...] = ()
    rotary_dims: tuple[int | None, ...] = ()
    attention_window: tuple[int | None, ...] = ()
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
    stage_bpt: tuple[float, ...] = ()
    direction: Direction = "forward"
    head: Literal["tied", "untied"] = "tied"

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
        counts = [count for count in layers if isinstance(count, int)]
        if min(*sizes, *self.d_model) < 1 or min(counts, default=0) < 0:
            raise ValueError("sizes must be at least 1 and layer counts at least 0")
        self._check_attention()
        self._check_stage_bpt()
        for low, high in zip(self.k_min, self.k_max, strict=True):
            if low is not None and low < 1:
                raise ValueError(f"k_min {low} is below 1; give at least 1, or null for no floor")
            if high is not None and high < 1:
                raise ValueError(f"k_max {high} is below 1; the first position is always kept")
            if low is not None and high is not None and high < low:
                raise ValueError(f"k_max {high} is below k_min {low}; no mask can meet both")
        for kind, stride in zip(self.router, self.stride, strict=True):
            if (stride is None) != (kind in ("learned", "cpg", *GUIDED)):
                raise ValueError(f"stride {stride} does not fit router {kind}")
            if stride is not None and stride < 1:
                raise ValueError(f"stride {stride} is below 1")
        if "cpg" in self.router[1:]:
            raise ValueError("router cpg reads bases, so it is of stage 0 only")
        if len(set(self.router)) > 1 and "block" in self.router:
            raise ValueError("router block fits no other router: its tokens end a chunk")
        self._check_direction()
        self._check_guided()
        self.causal_bounds()  # refuses impossible integers
        if any(width * self.expand % self.headdim for width in self.d_model):
            raise ValueError("headdim must divide expand x d_model of every stage")
        return self

    def _check_attention(self) -> None:
        """Refuse sizes of attention and SwiGLU that are no sizes, or do not fit the width."""
        levels = len(self.d_model)
        for name in ("d_intermediate", "attention_heads", "rotary_dims", "attention_window"):
            value = getattr(self, name)
            if value and len(value) != levels:
                raise ValueError(f"{name} must have {levels} values, one per level")
            least = 0 if name == "rotary_dims" else 1
            if any(number is not None and number < least for number in value):
                raise ValueError(f"{name} must be at least {least}, or null")
        for level, width in enumerate(self.d_model):
            if "t" not in self.letters(level).lower():
                continue
            heads = self.attention_heads[level] if self.attention_heads else None
            if heads is None or width % heads:
                raise ValueError(
                    f"level {level} has attention of width {width}, but attention_heads is "
                    f"{json.dumps(heads)} there; give a divisor of the width"
                )
            rotary = self.attention(level)[1]
            if rotary % 2 or rotary > width // heads:
                raise ValueError(
                    f"rotary_dims {rotary} is no even number up to the {width // heads} "
                    f"dimensions of a head of level {level}"
                )

    def _check_direction(self) -> None:
        if self.direction == "both" and (self.bound == "causal" or "block" in self.router):
            raise ValueError(
                "direction both has no causal order; use the bound none or sequence, and no router "
                "block"
            )
        if self.head == "untied" and self.logit_scale != "none":
            raise ValueError(f"logit_scale {self.logit_scale} is for the tied head; use none")

    def _check_guided(self) -> None:
        if not self.is_guided:
            return
        if self.n_stages != 1:
            raise ValueError(
                f"a guided router needs a network of one stage, not {self.n_stages}; use stride or "
                "random for a control of more"
            )
        if self.direction != "both":
            raise ValueError(
                f"router {self.router[0]} looks ahead, so a causal network would lose its exact "
                "likelihood; use stride or random, or direction both"
            )

    def _check_stage_bpt(self) -> None:
        if not self.stage_bpt:
            return
        if len(self.stage_bpt) != self.n_stages:
            raise ValueError(f"stage_bpt must have {self.n_stages} values, one per stage")
        if not all(1 <= bpt < math.inf for bpt in self.stage_bpt) or max(self.stage_bpt) == 1:
            raise ValueError(
                f"stage_bpt {list(self.stage_bpt)} must have numbers from 1 up, one of them above 1"
            )

    def letters(self, level: int) -> str:
        """Letters of all blocks of a level: those of encoder and decoder, or of the trunk."""
        if level == self.n_stages:
            return block_letters(self.trunk_layers)
        return block_letters(self.encoder_layers[level]) + block_letters(self.decoder_layers[level])

    def attention(self, level: int) -> tuple[int, int, int | None]:
        """Heads, rotated dimensions of a head, and window of the attention of a level."""
        heads = self.attention_heads[level]
        assert heads is not None, "checked"
        rotary = self.rotary_dims[level] if self.rotary_dims else None
        window = self.attention_window[level] if self.attention_window else None
        return heads, self.d_model[level] // heads // 4 * 2 if rotary is None else rotary, window

    def mlp_width(self, level: int) -> int:
        """Inner width of the SwiGLU of a level."""
        given = self.d_intermediate[level] if self.d_intermediate else None
        width = 8 * self.d_model[level] // 3 if given is None else given
        return -(-width // _MULTIPLE) * _MULTIPLE

    @property
    def stage_shares(self) -> tuple[float, ...]:
        """Exponents of the target at every stage, which sum to 1: N_s = target ** share."""
        if not self.stage_bpt:
            return (1 / max(1, self.n_stages),) * self.n_stages
        logs = [math.log(bpt) for bpt in self.stage_bpt]
        return tuple(log / sum(logs) for log in logs)

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

    @property
    def is_guided(self) -> bool:
        """Whether a router rearranges the tokens of a trained network."""
        return any(kind in GUIDED for kind in self.router)

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
        return [
            # rounded, because 6 ** (log 3 / log 6) is a little more than 3
            default_bound([round(bpt**share, 9) for bpt in target_bpt])
            for share in self.stage_shares
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        values = asdict(self)
        return {
            key: value
            for key, value in values.items()
            if (value or key not in _OMITTED) and _DEFAULTS.get(key) != value
        }


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
