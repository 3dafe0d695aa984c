"""What every measurement on real labels begins with: files, genome, models."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import TASK_SCORES
from genezip.config.labels import Labels
from genezip.genome.assembly import Segment
from genezip.genome.sources.source import Source
from genezip.inference.forward import base_vectors
from genezip.models import load
from genezip.models.base import Compressor, vector_width
from genezip.models.token_counts import TokenCounts, with_vectors
from genezip.tasks.base import Arm
from genezip.tasks.label_files import missing_reason, unfit_genome
from genezip.tasks.predictions import PredictionWriter, Values
from genezip.tasks.sheet import absent_row
from genezip.tasks.task_files import TaskFiles

logger = logging.getLogger(__name__)

LONGEST_BP = 20_000_000  # of a segment whose vectors of every base are held in memory
MOST_COUNTS = 500_000_000  # token-id counts of bases, of which hardly any is not 0

SHAPES: dict[str, tuple[Values, tuple[int, ...]]] = {
    "initiation": ("array", (2, -1)),
    "contacts": ("array", (-1,)),
    "elements": ("array", (3,)),
    "enhancer_gene": ("scalar", ()),
}
"""Kind and shape of the prediction file of a part that was not measured."""


@dataclass(frozen=True)
class LabelRun:
    """One call of ``genezip labels``.

    Attributes
    ----------
    listing : ``labels.json`` of ``genezip labels fetch``
    source : ``source.json`` of the genome
    models : sources as of :func:`genezip.models.load`: folders, or names with settings
    control : name of the model that the others are compared with, or None
    settings : section ``labels``
    scale : full, demo or test
    out : TSV of scores
    predictions : Parquet of predictions
    """

    listing: Path
    source: Path
    models: tuple[Path, ...]
    control: str | None
    settings: Labels
    scale: str
    out: Path
    predictions: Path

    def files(self) -> TaskFiles:
        """The label files."""
        return TaskFiles.load(self.listing)

    def absent(self, part: str) -> str | None:
        """Why this part cannot be measured on this genome; None where it can."""
        reason = missing_reason(self.listing, part)
        return reason or unfit_genome(Source.load(self.source))

    def give_up(self, part: str, reason: str) -> None:
        """Write the files of a part that cannot be measured: no prediction, and the reason."""
        kind, shape = SHAPES[part]
        with PredictionWriter(self.predictions, None, kind, shape):
            pass
        TASK_SCORES.write(self.out, [absent_row(part, self.scale, reason)])
        logger.warning(f"labels: {part} not measured: {reason}")

    def compressors(self) -> Iterator[Compressor]:
        """Every model in turn, frozen; it streams where it can, and its bases have vectors."""
        for source in self.models:
            yield with_vectors(load(source, self.settings.device, streams=True))


def model_arm(compressor: Compressor, task: str, subset: str) -> Arm:
    """Arm of a frozen model; a system that was not trained has no seed."""
    seed = compressor.metadata.get("seed")
    return Arm(task, subset, compressor.name, seed, "full", "frozen")


def too_long(segments: Iterable[Segment]) -> str | None:
    """Why vectors of every base of segments are not held in memory; None where they can be."""
    for segment in segments:
        if segment.length > LONGEST_BP:
            return (
                f"the segment {segment.name} has {segment.length:,} bp, and vectors of every base "
                f"are held in memory for segments of at most {LONGEST_BP:,} bp"
            )
    return None


def too_many_counts(compressor: Compressor, length: int) -> str | None:
    """Why token-id counts of every base are not held in memory; None where they can be.

    Parameters
    ----------
    length : bases, all together
    """
    width = vector_width(compressor)
    if not isinstance(compressor, TokenCounts) or length * width <= MOST_COUNTS:
        return None
    return (
        f"{width:,} token-id counts for each of {length:,} bases are {length * width:,} numbers, "
        f"and at most {MOST_COUNTS:,} are held in memory"
    )


def both_strands(compressor: Compressor, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of every base, read forward and read on the reverse complement.

    Parameters
    ----------
    ids : uint8 array of token ids, shape (L,)

    Returns
    -------
    Two float32 arrays, shape (L, width). Row i of both belongs to base i: the second is what the
    model made of the complement of base i after reading everything to the right of it.
    """
    forward = np.concatenate(list(base_vectors(compressor, ids)))
    reverse = np.concatenate(list(base_vectors(compressor, reverse_complement(ids))))[::-1]
    return forward, reverse
