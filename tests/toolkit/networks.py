"""Networks that run in milliseconds, and folders of their weights."""

from collections.abc import Sequence
from pathlib import Path

import torch

from genezip.models.genezip.release_names import expected_shapes
from genezip.models.hnet.architecture import Architecture, load_architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.pretrained import ModelCard, save_pretrained
from genezip.models.routing.bounds import CausalBound, token_limits
from genezip.region_classes import CLASSES

SMALL_YAML = Path(__file__).with_name("small.yaml")
SMALL = load_architecture(SMALL_YAML)

# Changes of the small network.
FREE = {"bound": "none"}
CAUSAL = {"bound": "causal", "max_chunk": (9, 5), "burst": (4, 2), "rate": ((1, 3), (1, 2))}
LONG_CHUNKS = {"bound": "causal", "max_chunk": (40, 6), "burst": (2, 2), "rate": ((1, 4), (1, 3))}
FLAT = {
    "d_model": (16,), "encoder_layers": (), "decoder_layers": (), "router": (), "stride": (),
    "k_min": (), "k_max": (),
}  # fmt: skip
# dnaHNet, its fixed grid, attention without stages, and LDARNet.
DNAHNET = {
    "encoder_layers": ("m1", "T1m1"), "trunk_layers": "T2", "decoder_layers": ("m1", "m1T1"),
    "attention_heads": (None, 2, 3), "attention_window": (None, 5, None), "bound": "none",
    "stage_bpt": (3.0, 2.0),
}  # fmt: skip
GRID = {**DNAHNET, "router": ("stride", "stride"), "stride": (3, 2)}
FLAT_ATTENTION = {
    **FLAT, "trunk_layers": "t1M1T1", "attention_heads": (2,), "attention_window": (20,),
}  # fmt: skip

LDARNET = {
    "d_model": (16, 24), "encoder_layers": ("m1t1",), "trunk_layers": "M1T1",
    "decoder_layers": ("m1",), "attention_heads": (2, 3), "attention_window": (5, None),
    "router": (), "stride": (), "k_min": (), "k_max": (), "bound": "none", "logit_scale": "none",
    "vocab_size": 7, "direction": "both", "head": "untied",
}  # fmt: skip


def small_shape(**changes: object) -> Architecture:
    """The architecture of ``small.yaml`` with some keys changed."""
    return Architecture(**{**SMALL.to_dict(), **changes})


def small_network(seed: int = 3, **changes: object) -> GeneZipNetwork:
    """A small network as initialised."""
    return build(small_shape(**changes), seed=seed)


def speaking_network(seed: int = 3, **changes: object) -> GeneZipNetwork:
    """A small network whose layers speak up as after training, not as at the start."""
    network = small_network(seed, **changes)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("out_proj.weight"):
                parameter.mul_(20)
    return network


def stacked_limits(bounds: Sequence[CausalBound], length: int) -> tuple[int, int]:
    """Fewest and most tokens after several stages, outermost first; limits grow with the length."""
    low = high = length
    for bound in bounds:
        low, high = token_limits(bound, low)[0], token_limits(bound, high)[1]
    return low, high


def toy_card(
    shape: Architecture = SMALL,
    seed: int = 3,
    name: str = "toy",
    targets: dict[str, float] | None = None,
    facts: dict[str, object] | None = None,
    compressor: str = "genezip",
) -> ModelCard:
    """What a model folder says of a network; every target is 16 bp per token unless given."""
    targets = targets or dict.fromkeys(CLASSES, 16.0)
    return ModelCard(name, seed, shape, targets, facts or {}, compressor)


def save_toy(folder: Path, network: GeneZipNetwork, seed: int = 3, **card: object) -> Path:
    """Write a model folder; ``card`` are further arguments of :func:`toy_card`."""
    save_pretrained(folder, network, toy_card(network.shape, seed, **card))  # type: ignore[arg-type]
    return folder


def published_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights of ``small.yaml`` under the names of the release."""
    draw = torch.Generator().manual_seed(seed)
    shapes = expected_shapes(SMALL)
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
