"""Every preset in one line: architectures in words, and region budgets."""

from dataclasses import dataclass
from pathlib import Path

import torch

from genezip.config import RegionPreset, preset_files, region_preset
from genezip.models.dnazen.architecture import WordsArchitecture, load_words
from genezip.models.dnazen.network import WordsNetwork
from genezip.models.hnet.architecture import Architecture, layers_text, load_architecture
from genezip.models.hnet.network import GeneZipNetwork


@dataclass(frozen=True)
class ModelPreset:
    """An architecture in words, of the functions :func:`layout`, :func:`routers` and :func:`bound`.

    ``name`` is that of the file, without ``.yaml``; ``parameters`` are learned numbers, tied ones
    counted once.
    """

    name: str
    parameters: int
    layout: str
    routers: str
    bound: str


def count_parameters(shape: Architecture) -> int:
    """Exact size of an architecture, counted on the network itself without its memory."""
    shape = shape.resolved([32.0])  # a causal bound may wait for targets; no size depends on it
    with torch.device("meta"):
        return GeneZipNetwork(shape).count_parameters()


def layout(shape: Architecture) -> str:
    """Stacks in the order bases pass them, as layers and width.

    ``m2 512 | m2 512 | m15 768 | m2 512 | m2 512``: two encoders, trunk, two decoders; the letters
    are those of :mod:`genezip.models.layers.stack`.
    """
    outer = shape.d_model[:-1]
    stacks = [
        *zip(shape.encoder_layers, outer, strict=True),
        (shape.trunk_layers, shape.d_model[-1]),
        *zip(shape.decoder_layers[::-1], outer[::-1], strict=True),
    ]
    return " | ".join(f"{layers_text(layers)} {width}" for layers, width in stacks)


def routers(shape: Architecture) -> str:
    """What decides on tokens at each stage, outermost first: ``block 8, block 16``."""
    stages = zip(shape.router, shape.stride, strict=True)
    named = [kind if stride is None else f"{kind} {stride}" for kind, stride in stages]
    return ", ".join(named) or "none"


def bound(shape: Architecture) -> str:
    """The bound on tokens and its integers per stage: ``sequence 8+, 8+``, ``8-3000, 8-3000``."""
    if not shape.learns_routing or shape.bound == "none":
        return "none"
    if shape.bound == "causal":
        integers = [
            f"G {one.max_chunk} burst {one.burst} rate {one.rate[0]}/{one.rate[1]}"
            for one in shape.causal_bounds()
        ]
        return f"causal {', '.join(integers) or 'from the targets'}"
    limits = [_limits(*pair) for pair in zip(shape.k_min, shape.k_max, strict=True)]
    return f"sequence {', '.join(limits)}"


def _limits(low: int | None, high: int | None) -> str:
    if high is not None:
        return f"{low or 1}-{high}"
    return "free" if low is None else f"{low}+"


def model_presets(folder: Path | None = None) -> list[ModelPreset]:
    """Every architecture of a folder, else of genezip, smallest first."""
    found = []
    for path in preset_files("models", folder):
        shape = load_architecture(path)
        size = count_parameters(shape)
        found.append(ModelPreset(path.stem, size, layout(shape), routers(shape), bound(shape)))
    return sorted(found, key=lambda preset: (preset.parameters, preset.name))


def region_presets(folder: Path | None = None) -> dict[str, RegionPreset]:
    """Every region budget of a folder, else of genezip."""
    return {path.stem: region_preset(path) for path in preset_files("regions", folder)}


@dataclass(frozen=True)
class WordsPreset:
    """A layout of a network on words; ``parameters`` are its learned numbers with its sizes."""

    name: str
    parameters: int
    architecture: WordsArchitecture


def words_presets() -> list[WordsPreset]:
    """Every layout of words of genezip, smallest first."""
    found = []
    for path in preset_files("words"):
        shape = load_words(path.stem)
        with torch.device("meta"):
            size = WordsNetwork(shape).count_parameters()
        found.append(WordsPreset(path.stem, size, shape))
    return sorted(found, key=lambda preset: (preset.parameters, preset.name))
