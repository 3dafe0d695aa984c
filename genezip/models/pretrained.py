"""Model folders: ``config.json`` + ``model.safetensors``, whole or refused.

The configuration holds the resolved architecture and the target BPT, so weights never
need this repository's ``config/`` folder.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from genezip.errors import GenezipError
from genezip.models.architecture import Architecture, architecture
from genezip.models.network import GeneZipNetwork
from genezip.provenance import atomic_path, sha256_file, write_json

FORMAT_VERSION = 1
WEIGHTS = "model.safetensors"
BEST = "best.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True)
class ModelCard:
    """What a model folder says of its model.

    Attributes
    ----------
    name : model name, seed : training seed
    architecture : resolved layout
    target_bpt : target of every region class, bp per token
    training : settings and results of the training, as written by the loop
    """

    name: str
    seed: int
    architecture: Architecture
    target_bpt: dict[str, float]
    training: dict[str, Any]


def save_weights(path: str | Path, network: GeneZipNetwork) -> None:
    """Write the weights as safetensors (atomically; a full disk is one sentence)."""
    tensors = {name: value.cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors))


def save_pretrained(folder: str | Path, network: GeneZipNetwork, card: ModelCard) -> None:
    """Write a model folder; ``config.json`` comes last and holds the hash of all weights.

    Other weights of the same run (:data:`BEST`) that lie in the folder are hashed as well.
    """
    folder = Path(folder)
    save_weights(folder / WEIGHTS, network)
    weights = [name for name in (WEIGHTS, BEST) if (folder / name).exists()]
    write_json(
        folder / CONFIG,
        {
            "format_version": FORMAT_VERSION,
            "name": card.name,
            "seed": card.seed,
            "parameters": network.count_parameters(),
            "architecture": card.architecture.to_dict(),
            "target_bpt": card.target_bpt,
            "sha256": {name: sha256_file(folder / name) for name in weights},
            "training": card.training,
        },
    )


def load_card(folder: str | Path) -> ModelCard:
    """Read ``config.json`` of a model folder.

    Raises
    ------
    GenezipError
        If folder or file is missing, unreadable, or of another format version.
    """
    folder = Path(folder)
    path = folder / CONFIG
    if not path.is_file():
        raise GenezipError(
            f"{folder} is no model folder ({CONFIG} is missing); train one or name another"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config["format_version"]
        if found != FORMAT_VERSION:
            raise GenezipError(
                f"{path} has format version {found}, this genezip reads {FORMAT_VERSION}; "
                "train again or install the matching genezip"
            )
        return ModelCard(
            config["name"],
            config["seed"],
            architecture(config["architecture"], str(path)),
            config["target_bpt"],
            {**config["training"], "sha256": config["sha256"]},
        )
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
        raise GenezipError(f"{path} is not a genezip model configuration; train again") from None


def load_network(folder: str | Path, weights: str = WEIGHTS) -> tuple[GeneZipNetwork, ModelCard]:
    """Load a model folder for inference.

    Raises
    ------
    GenezipError
        If the weights are missing, broken, altered, or do not fit the architecture.
    """
    card = load_card(folder)
    path = Path(folder) / weights
    if not path.is_file():
        raise GenezipError(f"{path} is missing; copy the whole model folder or train again")
    if sha256_file(path) != card.training["sha256"].get(weights):
        raise GenezipError(
            f"{path} is broken: its sha256 differs from {CONFIG}; copy it again or train again"
        )
    network = GeneZipNetwork(card.architecture)
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise GenezipError(f"{path} does not hold the weights of {CONFIG}: {reason}") from None
    return network.eval(), card
