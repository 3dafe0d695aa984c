"""The layout of a network on words as plain data, as in the presets (``genezip/config/words``)."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as checked

from genezip.config import read_preset
from genezip.errors import GenezipError


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class WordsArchitecture:
    """Layout of the two encoders of DNAZEN.

    Attributes
    ----------
    width, heads, inner : width of both encoders, attention heads, and inner width of feed-forward
        parts
    layers : layers of the token encoder
    ggram_layers : layers of the G-gram encoder, which are fused with the first token layers
    most_ggrams : G-grams of a row at most
    fusion : whether the vectors of all G-grams on a token are added (``sum``), or their mean
    vocabulary, ggrams : token ids, and rows of the table of G-grams; None is no G-gram encoder.
        Those of a preset are only counted: a training takes those of its tokenizer and its table
    """

    width: int
    layers: int
    heads: int
    inner: int
    ggram_layers: int
    most_ggrams: int = 30
    fusion: str = "sum"
    vocabulary: int = 0
    ggrams: int | None = 0

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if min(self.width, self.layers, self.heads, self.inner, self.most_ggrams) < 1:
            raise ValueError("width, layers, heads, inner and most_ggrams are at least 1")
        if self.width % self.heads:
            raise ValueError(f"heads {self.heads} must divide width {self.width}")
        if not 0 <= self.ggram_layers <= self.layers:
            raise ValueError(f"ggram_layers must be between 0 and layers ({self.layers})")
        if self.fusion not in ("sum", "mean"):
            raise ValueError(f"fusion is sum or mean, not {self.fusion!r}")
        return self

    @property
    def reads_ggrams(self) -> bool:
        """Whether there is a G-gram encoder."""
        return self.ggrams is not None and self.ggram_layers > 0

    def sized(self, vocabulary: int, ggrams: int | None) -> "WordsArchitecture":
        """The layout with the sizes of a vocabulary and of a table of G-grams, or without one."""
        return words_architecture({**self.to_dict(), "vocabulary": vocabulary, "ggrams": ggrams})

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the entry of ``config.json``."""
        return asdict(self)


_ADAPTER = TypeAdapter(WordsArchitecture)


def words_architecture(values: Any, where: str = "the layout") -> WordsArchitecture:
    """A layout from plain values; the error names the wrong key."""
    try:
        return _ADAPTER.validate_python(values)
    except ValidationError as error:
        parts = []
        for item in error.errors():
            key = ".".join(map(str, item["loc"]))
            reason = item["msg"].removeprefix("Value error, ")
            parts.append(f"'{key}': {reason}" if key else reason)
        raise GenezipError(
            f"{where} is no layout of words ({'; '.join(parts)}); see docs/dnazen.md for the keys"
        ) from None


def load_words(name: str | Path) -> WordsArchitecture:
    """A preset by its name, or a YAML file by its path."""
    return words_architecture(read_preset("words", name), str(name))
