"""Placing a given number of tokens on a window."""

import numpy as np


def stride_starts(length: int, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks of equal length (to the base), int32 (tokens,)."""
    return (np.arange(tokens, dtype=np.int64) * length // tokens).astype(np.int32)


def rate_starts(rate: np.ndarray, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks with equal shares of the summed rate.

    Token j starts at the base in which the running sum reaches j / ``tokens`` of the total.

    Parameters
    ----------
    rate : float array, shape (L,)
        Tokens wanted per base, up to a factor; all positive.
    tokens : int
        From 1 to L.

    Returns
    -------
    int32 array, shape (tokens,)
        Strictly increasing, first is 0. Where more than one token falls on a base (a rate
        above one token per base), the later ones move right, at the end of the window left.
    """
    before = np.concatenate([[0.0], np.cumsum(rate, dtype=np.float64)])
    wanted = np.arange(tokens) * (before[-1] / tokens)
    starts = np.searchsorted(before[:-1], wanted * (1 + 1e-12), side="right") - 1
    rank = np.arange(tokens)
    starts = np.maximum.accumulate(starts - rank) + rank
    starts = np.minimum(starts, len(rate) - tokens + rank)
    return starts.astype(np.int32)


def density(starts: np.ndarray, length: int) -> np.ndarray:
    """Tokens per base, each token spread evenly over its chunk (Eq. 15), float64 (length,)."""
    chunk_bp = np.diff(np.append(starts.astype(np.int64), length))
    return np.repeat(1 / chunk_bp, chunk_bp)


def share_tokens(total: float, weight: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Whole tokens of each window: ``total`` shared by weight, from 1 to the window's length.

    Rounded on the running sum, so that the counts sum to the rounded total wherever no
    window is at a limit.

    Returns
    -------
    int64 array, shape (n,)
    """
    wanted = np.rint(np.cumsum(weight) * (total / weight.sum())).astype(np.int64)
    return np.clip(np.diff(wanted, prepend=0), 1, length)
