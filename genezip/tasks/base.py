"""What was compared: one model, fed in one way, with one kind of head, on one subset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genezip.artifacts.files import sha256_file
from genezip.artifacts.scores import BASELINE


@dataclass(frozen=True)
class Arm:
    """One column of a comparison.

    Attributes
    ----------
    task : cmp, eqtl, etgp, tisp or rsap
    subset : short name, as in result paths (artery, HFF, ...)
    model : name of a model, comparator or baseline
    seed : training seed; None for baselines that learn nothing at random
    input : ``authors``, ``full`` or ``contrast``; empty for baselines without sequence input
    mode : ``frozen``, ``head_only``, ``release``, ``lora`` or ``full``; ``baseline``
    """

    task: str
    subset: str
    model: str
    seed: int | None
    input: str
    mode: str

    @property
    def label(self) -> str:
        """``model.seed0.input.mode``, for messages."""
        seed = [] if self.seed is None else [f"seed{self.seed}"]
        return ".".join([self.model, *seed, *filter(None, (self.input, self.mode))])


def run_identity(arm: Arm, prepared_manifest: str | Path) -> dict[str, Any]:
    """What ties a checkpoint to its data and its column of the tables."""
    return {
        "task": arm.task,
        "subset": arm.subset,
        "model": arm.label,
        "data": sha256_file(prepared_manifest),
    }


def baseline_arm(name: str, task: str, subset: str) -> Arm:
    """Arm of a baseline without a model."""
    return Arm(task, subset, name, None, "", BASELINE)
