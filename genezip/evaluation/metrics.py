"""The paper's compression metrics (Eq. 12 to 18), as formulas on sums.

Every function takes arrays whose last axis is the region class and works on one window,
on the sums over a set of windows, or on a thousand resampled sums at once.
"""

import numpy as np

from genezip.taxonomy import CLASS_IDS, CLASSES, GROUPS

# Enrichment is given for the paper's three groups and for the remaining single classes.
ENRICHED = {**GROUPS, **{name: (name,) for name in CLASSES if name != "promoter"}}

_MEMBERS = np.zeros((len(CLASSES), len(ENRICHED)))
for _column, _names in enumerate(ENRICHED.values()):
    _MEMBERS[[CLASS_IDS[_name] for _name in _names], _column] = 1


def target_array(target_bpt: dict[str, float]) -> np.ndarray:
    """Target BPT in class order, float64 array of shape (7,)."""
    return np.array([target_bpt[name] for name in CLASSES], dtype=np.float64)


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def bpt(bp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Base pairs per token, all regions together (Eq. 12): (..., 7) -> (...)."""
    return _divide(bp.sum(-1), tokens.sum(-1))


def region_bpt(bp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Base pairs per token in each region (l_r / T_r): (..., 7) -> (..., 7)."""
    return _divide(bp, tokens)


def expected_bpt(bp: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Harmonic mean of the targets, weighted by bases (Eq. 13): (..., 7) -> (...)."""
    return _divide(bp.sum(-1), (bp / target).sum(-1))


def bpt_ratio(bp: np.ndarray, tokens: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Realised over expected BPT (Eq. 14) = expected over observed tokens."""
    return _divide((bp / target).sum(-1), tokens.sum(-1))


def micro_err(bp: np.ndarray, tokens: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean over bases of abs(ln(region BPT / target)) (Eq. 16): (..., 7) -> (...).

    Weighted by base mass; ``exp`` of it is the typical multiplicative miss.
    """
    miss = np.abs(np.log(np.where(bp > 0, region_bpt(bp, tokens), 1.0) / target))
    return _divide(np.where(bp > 0, bp * miss, 0.0).sum(-1), bp.sum(-1))


def enrichment(bp: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Share of tokens over share of bases (Eq. 17): (..., 7) -> (..., len(ENRICHED)).

    NaN for a group without a base.
    """
    token_share = _divide(tokens @ _MEMBERS, tokens.sum(-1)[..., None])
    base_share = _divide(bp @ _MEMBERS, bp.sum(-1)[..., None])
    return _divide(token_share, base_share)


def group_bp(bp: np.ndarray) -> np.ndarray:
    """Bases of the groups of :data:`ENRICHED`: (..., 7) -> (..., len(ENRICHED))."""
    return np.asarray(bp @ _MEMBERS)


def with_all(values: np.ndarray) -> np.ndarray:
    """Sum over all regions first, then each: (..., 7) -> (..., 8)."""
    return np.concatenate([values.sum(-1, keepdims=True), values], axis=-1)


def mean_nll(nll: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Mean negative log likelihood in nats, all regions first, then each: (..., 8)."""
    return _divide(with_all(nll), with_all(predicted))


def perplexity(nll: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """exp of :func:`mean_nll` (Eq. 18): all regions first, then each, (..., 7) -> (..., 8)."""
    return np.exp(mean_nll(nll, predicted))
