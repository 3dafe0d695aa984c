"""A Markov model of the training DNA of a run: what composition alone says of a changed base."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from genezip.alphabet import N_ID, is_base, reverse_complement
from genezip.artifacts.files import sha256_file
from genezip.evaluation.markov import (
    MarkovModel,
    choose_strengths,
    negative_log_likelihood,
    train,
)
from genezip.genome.assembly import Assembly
from genezip.genome.sources.source import Source

logger = logging.getLogger(__name__)

_BLOCK_BP = 1 << 22
VALIDATION_BP = 1 << 20  # at most so many validation bases choose strengths and order
UNCHOSEN = 5  # order where there is no validation DNA to choose it on


@dataclass(frozen=True)
class Mixture:
    """A Markov model fitted on both strands of training DNA, with the order that is used."""

    model: MarkovModel
    order: int

    def log_likelihoods(self, sequences: Sequence[np.ndarray], first: Sequence[int]) -> np.ndarray:
        """Log-probability (nats) of the bases from ``first`` on of every sequence; float64 (n,).

        Sequences are token ids. The first base of a sequence counts if ``first`` is 0, without
        context.
        """
        ends = np.cumsum([len(ids) + 1 for ids in sequences])
        joined = np.full(ends[-1] if len(ends) else 0, N_ID, dtype=np.uint8)
        counted = np.zeros(len(joined), dtype=bool)
        for ids, at, end in zip(sequences, first, ends, strict=True):
            joined[end - 1 - len(ids) : end - 1] = ids
            counted[end - 1 - len(ids) + at : end - 1] = True
        nats = negative_log_likelihood(self.model, joined)[self.order] if len(joined) else joined
        sums = np.concatenate([[0.0], np.cumsum(np.where(counted, -nats, 0.0))])
        return sums[ends] - sums[np.concatenate([[0], ends[:-1]])] if len(ends) else sums[:0]


def training_mixture(source: Path, longest: int) -> Mixture | None:
    """The model of the training segments of a ``source.json``; None if it has none."""
    return _fitted(source, sha256_file(source), longest)


@lru_cache(maxsize=1)
def _fitted(source: Path, sha256: str, longest: int) -> Mixture | None:
    assembly = Source.load(source).assembly()
    if not assembly.segments_of("train"):
        return None
    model = train(((ids, 0) for ids in _both_strands(assembly)), longest)
    valid = list(_validation(assembly))
    if not any(is_base(ids).any() for ids in valid):
        return Mixture(model, min(UNCHOSEN, longest))
    model = choose_strengths(model, valid)
    nats = sum(negative_log_likelihood(model, ids).sum(axis=1) for ids in valid)
    order = int(np.argmin(nats))
    logger.info(f"the Markov model of the training DNA has order {order}, chosen on validation DNA")
    return Mixture(model, order)


def _both_strands(assembly: Assembly) -> Iterator[np.ndarray]:
    for segment in assembly.segments_of("train"):
        for start in range(segment.start, segment.end, _BLOCK_BP):
            ids = assembly.ids(segment, start, min(start + _BLOCK_BP, segment.end))
            yield ids
            yield reverse_complement(ids)


def _validation(assembly: Assembly) -> Iterator[np.ndarray]:
    """The first bases of every validation segment, an equal share of each at most."""
    segments = assembly.segments_of("valid")
    for segment in segments:
        share = min(segment.length, max(VALIDATION_BP // len(segments), 1))
        yield assembly.ids(segment, segment.start, segment.start + share)
