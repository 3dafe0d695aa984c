"""Drawing random windows in three modes.

The training corpus mixes windows placed uniformly with windows around transcription start
sites and coding bases (GeneZip section 4.1), because promoters are a few percent of the genome
and a model that hardly sees them cannot learn to treat them differently.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.corpus.pool import Pool
from genezip.errors import GenezipError

MODES = ("uniform", "tss", "cds")
"""Choices of window centre; a tiled window has the mode ``tile``."""

_FRUITLESS_ROUNDS = 100  # rounds of candidates without one accepted before all are counted
_ROUND = 256  # fewest candidates in a round
_JUDGED = 4096  # legal candidates after which the share of new ones is judged
_LEAST_NEW = 0.02  # share of new windows below which the rest are counted, not drawn


@dataclass(frozen=True)
class Drawn:
    """Windows of a pool in random order.

    Attributes
    ----------
    piece : int64 array, shape (n,), index in ``pool.pieces``
    start : int64 array, shape (n,), genome coordinates
    mode : int64 array, shape (n,), index in :data:`MODES`
    """

    pool: Pool
    piece: np.ndarray
    start: np.ndarray
    mode: np.ndarray

    def table(self) -> pd.DataFrame:
        """The windows as a table: piece (name), start, end, sampling_mode."""
        names = np.array([piece.name for piece in self.pool.pieces], dtype=object)
        return pd.DataFrame(
            {
                "piece": names[self.piece],
                "start": self.start,
                "end": self.start + self.pool.window_bp,
                "sampling_mode": np.array(MODES, dtype=object)[self.mode],
            }
        )


def sample(
    pool: Pool,
    count: int,
    weights: Mapping[str, float],
    max_n_fraction: float,
    rng: np.random.Generator,
    distinct: bool = False,
) -> Drawn:
    """Draw windows in random order; each draws its mode, then its place until one is legal.

    Parameters
    ----------
    pool : Pool
    count : int
        Number of windows.
    weights : share of each of :data:`MODES`, summing to 1
    max_n_fraction : float
        Windows with a larger share of N are redrawn.
    rng : numpy Generator
        Decides everything: equal state, equal windows.
    distinct : bool
        No window comes twice, in whatever mode it was drawn. Once fewer than 2 % of a mode's
        legal candidates are new, its last windows are chosen among all that are left, each as
        likely as any other.

    Raises
    ------
    GenezipError
        If a mode has no anchor, only candidates that are rejected (with the causes counted),
        or fewer distinct windows than asked for (with their number).
    """
    modes = rng.choice(len(MODES), size=count, p=[weights[name] for name in MODES])
    starts = np.zeros(count, dtype=np.int64)
    taken = np.zeros(0, dtype=np.int64)
    for mode in reversed(MODES):  # the scarce ones first; `uniform` finds room anywhere
        index = MODES.index(mode)
        slots = np.flatnonzero(modes == index)
        if slots.size:
            starts[slots] = _draw(pool, mode, slots.size, max_n_fraction, rng, taken, distinct)
            if distinct:
                taken = _merged(taken, starts[slots])
    piece = pool.piece_of(starts)
    origin = np.array([own.start for own in pool.pieces], dtype=np.int64)
    return Drawn(pool, piece, starts - pool.offsets[piece] + origin[piece], modes)


def _draw(
    pool: Pool,
    mode: str,
    count: int,
    max_n_fraction: float,
    rng: np.random.Generator,
    taken: np.ndarray,
    distinct: bool,
) -> np.ndarray:
    """Legal window starts on the line, int64 array of shape (count,); ``taken`` is sorted."""
    anchors = {"tss": pool.tss, "cds": pool.cds}.get(mode)
    if anchors is not None and not anchors.bp:
        raise GenezipError(
            f"the corpus is left with no window: no {mode.upper()} lies in the pieces to draw "
            f"from; set corpus.sampling.{mode} to 0 or choose other chromosomes"
        )
    drawn: list[np.ndarray] = []
    missing, tried, fruitless, legal_seen = count, 0, 0, False
    judged = new = 0  # legal candidates since the last judgement, and how many were new
    rejected: dict[str, int] = {}
    while missing:
        starts, piece = pool.candidates(mode, max(missing, _ROUND), rng)
        faults = pool.faults(starts, piece, max_n_fraction)
        tried += len(starts)
        for cause, mask in faults.items():
            rejected[cause] = rejected.get(cause, 0) + int(mask.sum())
        legal = starts[~np.logical_or.reduce(list(faults.values()))]
        legal_seen |= bool(len(legal))
        if distinct:
            judged += len(legal)
            _, first = np.unique(legal, return_index=True)
            legal = legal[np.sort(first)]
            legal = legal[~_among(legal, taken)]
            new += len(legal)
        legal = legal[:missing]
        drawn.append(legal)
        missing -= len(legal)
        if distinct:
            taken = _merged(taken, legal)
        if missing and judged >= _JUDGED:
            if new < _LEAST_NEW * judged:
                drawn.append(_rest(pool, mode, count, missing, max_n_fraction, rng, taken))
                break
            judged = new = 0
        fruitless = 0 if len(legal) else fruitless + 1
        if fruitless == _FRUITLESS_ROUNDS:
            if legal_seen:
                drawn.append(_rest(pool, mode, count, missing, max_n_fraction, rng, taken))
                break
            causes = ", ".join(f"{number} {cause}" for cause, number in rejected.items())
            raise GenezipError(
                f"the corpus is left with no window: of {tried} candidates of the mode {mode} "
                f"{causes}; choose a shorter {pool.key}, a larger corpus.max_n_fraction "
                "or fewer excluded intervals (leakage)"
            )
    return np.concatenate(drawn)


def _rest(
    pool: Pool,
    mode: str,
    count: int,
    missing: int,
    max_n_fraction: float,
    rng: np.random.Generator,
    taken: np.ndarray,
) -> np.ndarray:
    """The last distinct windows of a mode, found by judging every position.

    Each is as likely as any other here. Drawing favours windows with several anchors, but only
    few windows of a mode are left when this is called.
    """
    blocks = [block[~_among(block, taken)] for block in pool.legal_starts(mode, max_n_fraction)]
    left = np.concatenate(blocks)
    if len(left) < missing:
        raise GenezipError(
            f"the corpus asks for {count:,} windows of the mode {mode}, but only "
            f"{count - missing + len(left):,} distinct ones exist that no other mode took; ask for "
            f"fewer windows, or lower corpus.sampling.{mode}"
        )
    return rng.choice(left, size=missing, replace=False)


def _merged(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A sorted array with values put in their places."""
    values = np.sort(values)
    return np.insert(ordered, np.searchsorted(ordered, values), values)


def _among(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """True where a value is in a sorted array."""
    if not len(ordered):
        return np.zeros(len(values), dtype=bool)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[place] == values)
