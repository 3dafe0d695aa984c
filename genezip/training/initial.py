"""Initial weights from another model: the second stage of a training in two stages.

Weights only: optimiser, schedule and data begin anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.artifacts.manifest import first_difference
from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture
from genezip.models.hnet.network import GeneZipNetwork
from genezip.models.pretrained import WEIGHTS, load_card, load_network

# Keys of an architecture that no weight depends on: bounds, and the chunk of an exact scan.
FREE = ("k_min", "k_max", "bound", "max_chunk", "burst", "rate", "ssd_chunk")


@dataclass(frozen=True)
class InitialWeights:
    """Weights of a finished model.

    Attributes
    ----------
    folder : its model folder
    name, seed : of that model
    sha256 : of its weights after the last step
    """

    folder: Path
    name: str
    seed: int
    sha256: str

    def load_into(self, network: GeneZipNetwork) -> None:
        """Copy the weights; their file is checked against its hash."""
        trained, _ = load_network(self.folder)
        network.load_state_dict(trained.state_dict())

    def to_dict(self) -> dict[str, Any]:
        """What ``config.json`` records."""
        return {"name": self.name, "seed": self.seed, "sha256": self.sha256}


def initial_weights(folder: Path, shape: Architecture) -> InitialWeights:
    """Find the weights of a model folder for a network of the same layout.

    Raises
    ------
    GenezipError
        If there is no model, or its architecture differs in more than bounds.
    """
    card = load_card(folder)
    difference = first_difference(card.architecture.to_dict(), shape.to_dict(), FREE)
    if difference is not None:
        key, old, new = difference
        raise GenezipError(
            f"{folder} cannot give initial weights: its architecture has {key} {old}, this model "
            f"has {new}; only bounds may differ"
        )
    return InitialWeights(folder, card.name, card.seed, card.training["sha256"][WEIGHTS])
