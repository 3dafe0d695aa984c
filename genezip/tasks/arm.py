"""What was compared: one model, fed in one way, with one kind of head, on one subset."""

from dataclasses import dataclass


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
