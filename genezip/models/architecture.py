"""The architecture of a model as plain data, as it stands in ``config/models/*.yaml``."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked

from genezip.config import read_yaml
from genezip.errors import GenezipError
from genezip.vocab import VOCAB_SIZE


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Architecture:
    """Layout of a hierarchical Mamba-2 model.

    Attributes
    ----------
    d_model : widths of stage 0, 1, ..., S - 1 and of the trunk
    encoder_layers, decoder_layers : Mamba-2 layers per stage, length S
    trunk_layers : Mamba-2 layers of the innermost trunk
    d_state, headdim, expand, d_conv : sizes of a Mamba-2 layer
    ssd_chunk : positions per chunk of the state-space scan; any value gives the same result
    k_min, k_max : bounds on kept tokens per sequence and stage (Eq. 10); None is no bound
    logit_scale : ``none`` as published, or ``inverse_sqrt_width`` for the tied head
    """

    d_model: tuple[int, ...]
    encoder_layers: tuple[int, ...]
    trunk_layers: int
    decoder_layers: tuple[int, ...]
    d_state: int
    headdim: int
    k_min: tuple[int, ...]
    k_max: tuple[int | None, ...]
    expand: int = 2
    d_conv: int = 4
    ssd_chunk: int = 256
    logit_scale: Literal["none", "inverse_sqrt_width"] = "none"
    vocab_size: int = VOCAB_SIZE

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        stages = len(self.d_model) - 1
        for name in ("encoder_layers", "decoder_layers", "k_min", "k_max"):
            if len(getattr(self, name)) != stages:
                raise ValueError(f"{name} must have {stages} values, one per stage")
        if any(inner < outer for outer, inner in zip(self.d_model, self.d_model[1:], strict=False)):
            raise ValueError("d_model must not shrink from stage to stage")
        sizes = (self.d_state, self.headdim, self.expand, self.d_conv, self.ssd_chunk)
        layers = (*self.encoder_layers, self.trunk_layers, *self.decoder_layers)
        if min(*sizes, *self.d_model, *self.k_min) < 1 or min(layers) < 0 or stages < 1:
            raise ValueError("sizes must be at least 1 and layer counts at least 0")
        for low, high in zip(self.k_min, self.k_max, strict=True):
            if high is not None and high < low:
                raise ValueError(f"k_max {high} is below k_min {low}")
        if any(width * self.expand % self.headdim for width in self.d_model):
            raise ValueError("headdim must divide expand x d_model of every stage")
        return self

    @property
    def n_stages(self) -> int:
        """Routing stages S."""
        return len(self.d_model) - 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values for ``config.json``."""
        return asdict(self)


def architecture(value: Any, where: str = "architecture") -> Architecture:
    """Check plain values; one sentence says what is wrong."""
    try:
        return TypeAdapter(Architecture).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise GenezipError(f"{where}: {key or 'value'}: {first['msg']}") from None


def load_architecture(path: str | Path) -> Architecture:
    """Read ``config/models/NAME.yaml``."""
    return architecture(read_yaml(path), str(path))
