"""What one training run is made of, and what must not change while it lasts."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from genezip.config import Pretrain
from genezip.models.hnet.architecture import Architecture
from genezip.region_classes import GENE7, RegionClasses
from genezip.training.initial import InitialWeights


@dataclass(frozen=True)
class Run:
    """What one training run is made of.

    Attributes
    ----------
    name, seed : model name and seed of weights and sampling
    architecture, settings, target_bpt : layout, optimisation, target per region class
    corpus_sha256 : hash of the corpus manifest, part of the run's identity
    window_bp : length of a training window
    valid_ids, valid_regions : uint8 arrays, shape (n, L); may be empty
    facts : further provenance for ``config.json`` (scale, source, where the target came from)
    initial : weights to begin with; None draws them from the seed
    region_classes : region classes of the corpus; ``target_bpt`` has one of each
    """

    name: str
    seed: int
    architecture: Architecture
    settings: Pretrain
    target_bpt: dict[str, float]
    corpus_sha256: str
    window_bp: int
    valid_ids: np.ndarray
    valid_regions: np.ndarray
    facts: dict[str, Any]
    initial: InitialWeights | None = None
    region_classes: RegionClasses = GENE7

    def identity(self) -> dict[str, Any]:
        """Everything that must be equal for a checkpoint to be continued, as plain values."""
        return {
            "name": self.name,
            "seed": self.seed,
            "architecture": self.architecture.to_dict(),
            "pretrain": self.settings.model_dump(),
            "target_bpt": self.target_bpt,
            "corpus_sha256": self.corpus_sha256,
            "init_from": None if self.initial is None else self.initial.sha256,
        }
