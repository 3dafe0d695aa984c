"""The paper's compression metrics (Eq. 12 to 18) as formulas on sums, and tokens at a given rate.

Functions of sums take arrays whose last axis is the region class (R of them: seven and the user's)
and work on one window, on a set of windows, or on all samples without one block at once. Functions
of starts take one window.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from genezip.metrics.bootstrap import ratio
from genezip.region_classes import RegionClasses


@dataclass(frozen=True)
class Groups:
    """Groups of region classes for which enrichment is computed.

    ``names`` are the paper's three groups, then every class that is no group by itself;
    ``members``, float64 (R, G), is 1 where a class belongs to a group.
    """

    names: tuple[str, ...]
    members: np.ndarray


@cache
def groups_of(region_classes: RegionClasses) -> Groups:
    """Groups of the enrichment metric; a name shared by class and group means the group.

    So ``promoter`` includes the user's classes in that group.
    """
    single = {name: (name,) for name in region_classes.names if name not in region_classes.groups}
    found = {**region_classes.groups, **single}
    members = np.zeros((len(region_classes), len(found)))
    for column, names in enumerate(found.values()):
        members[[region_classes.ids[name] for name in names], column] = 1
    return Groups(tuple(found), members)


def target_array(target_bpt: Mapping[str, float], region_classes: RegionClasses) -> np.ndarray:
    """Target BPT in order of class ids, float64 array of shape (R,)."""
    return np.array([target_bpt[name] for name in region_classes.names], dtype=np.float64)


def bpt(bp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Base pairs per token, all regions together (Eq. 12): (..., R) -> (...)."""
    return ratio(bp.sum(-1), tokens.sum(-1))


def region_bpt(bp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Base pairs per token in each region (l_r / T_r): (..., R) -> (..., R)."""
    return ratio(bp, tokens)


def expected_bpt(bp: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Harmonic mean of the targets, weighted by bases (Eq. 13): (..., R) -> (...)."""
    return ratio(bp.sum(-1), (bp / target).sum(-1))


def bpt_ratio(bp: np.ndarray, tokens: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Realised over expected BPT (Eq. 14) = expected over observed tokens."""
    return ratio((bp / target).sum(-1), tokens.sum(-1))


def micro_err(bp: np.ndarray, tokens: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean over bases of abs(ln(region BPT / target)) (Eq. 16): (..., R) -> (...).

    Its ``exp`` is the typical factor between realised and target BPT.
    """
    # a class without a base has no region BPT; any finite one does, since it weighs 0
    miss = np.abs(np.log(np.where(bp > 0, region_bpt(bp, tokens), 1.0) / target))
    return ratio((bp * miss).sum(-1), bp.sum(-1))


def enrichment(bp: np.ndarray, tokens: np.ndarray, groups: Groups) -> np.ndarray:
    """Share of tokens over share of bases (Eq. 17): (..., R) -> (..., G).

    NaN for a group without a base.
    """
    token_share = ratio(tokens @ groups.members, tokens.sum(-1)[..., None])
    base_share = ratio(bp @ groups.members, bp.sum(-1)[..., None])
    return ratio(token_share, base_share)


def group_bp(bp: np.ndarray, groups: Groups) -> np.ndarray:
    """Bases of the groups: (..., R) -> (..., G)."""
    return np.asarray(bp @ groups.members)


def with_all(values: np.ndarray) -> np.ndarray:
    """Sum over all regions first, then each: (..., R) -> (..., R + 1)."""
    return np.concatenate([values.sum(-1, keepdims=True), values], axis=-1)


def mean_nll(nll: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean negative log likelihood in nats, all regions first, then each: (..., R + 1)."""
    return ratio(with_all(nll), with_all(predicted))


def perplexity(nll: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """exp of :func:`mean_nll` (Eq. 18): all regions first, then each, (..., R) -> (..., R + 1)."""
    return np.exp(mean_nll(nll, predicted))


def stride_starts(length: int, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks of equal length (to the base), int32 (tokens,)."""
    return (np.arange(tokens, dtype=np.int64) * length // tokens).astype(np.int32)


def rate_starts(rate: np.ndarray, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks with equal shares of the summed rate, int32 (tokens,).

    Token j starts at the base in which the running sum reaches j / ``tokens`` of the total. Starts
    are strictly increasing, the first is 0. Where several tokens fall on one base (a rate above one
    token per base), later ones move right, or left at the end of the window. ``rate``, float (L,),
    is the positive rate of tokens per base, up to a factor; ``tokens`` is from 1 to L.
    """
    before = np.concatenate([[0.0], np.cumsum(rate, dtype=np.float64)])
    wanted = np.arange(tokens) * (before[-1] / tokens)
    starts = np.searchsorted(before[:-1], wanted * (1 + 1e-12), side="right") - 1
    rank = np.arange(tokens)
    starts = np.maximum.accumulate(starts - rank) + rank
    starts = np.minimum(starts, len(rate) - tokens + rank)
    return starts.astype(np.int32)


def token_density(starts: np.ndarray, length: int) -> np.ndarray:
    """Tokens per base, each token spread evenly over its chunk (Eq. 15), float64 (length,).

    The sum over any set of bases is the fractional token count of that set.
    """
    chunk_bp = np.diff(np.append(starts.astype(np.int64), length))
    return np.repeat(1 / chunk_bp, chunk_bp)


def share_tokens(total: float, weight: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Whole tokens of each window: ``total`` shared by weight, from 1 to the window's length.

    The running sum is rounded, so that the counts, int64 (n,), sum to the rounded total wherever
    no window is at a limit.
    """
    wanted = np.rint(np.cumsum(weight) * (total / weight.sum())).astype(np.int64)
    return np.clip(np.diff(wanted, prepend=0), 1, length)


def moved_boundaries(
    before: np.ndarray, after: np.ndarray, position: int
) -> tuple[np.ndarray, int]:
    """Boundaries that a change of bases made or removed, and how far it reached.

    Parameters
    ----------
    before, after : boundaries without and with the change, int64, in the same coordinates
    position : the changed base, or the last of them

    Returns
    -------
    tuple
        the boundaries that only one of both has, int64, increasing; and the bases from
        ``position`` to the farthest of them, 0 without one
    """
    moved = np.setxor1d(before, after)
    return moved, int(np.abs(moved - position).max(initial=0))
