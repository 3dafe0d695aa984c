"""A small bidirectional network, its folder, and a toy run that trains it."""

from pathlib import Path
from typing import Any

import torch

from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.region_classes import CLASSES
from genezip.training.setup import Run
from toolkit.networks import LDARNET, save_toy, small_shape
from toolkit.training import run_of

TOY = small_shape(**LDARNET)
TARGET = dict.fromkeys(CLASSES, 4.0)


def masked_run(**changes: Any) -> Run:
    """A run of :func:`toolkit.training.run_of` that learns masked bases."""
    given = {"architecture": TOY, "compressor": "ldarnet", "target_bpt": TARGET, **changes}
    return run_of(**given)


def felt_network(seed: int = 0) -> GeneZipNetwork:
    """A network as initialised, but a base is felt: its skip is not zero."""
    network = build(TOY, seed).eval()
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        network.residuals[0].weight.normal_(std=0.2, generator=random)
        network.head.normal_(std=1.0, generator=random)
    return network


def save_masked(folder: Path) -> Path:
    """A model folder of the network."""
    return save_toy(folder, felt_network(), targets=TARGET, compressor="ldarnet")
