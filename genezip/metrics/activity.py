"""Regulatory activity: the three Pearson correlations that are in use, which differ strongly.

``pcc_sequence``: r over all bins and tracks of a sequence, mean over sequences (the released
analysis of DNALongBench). ``pcc_flat``: one r over everything (its CNN script).
``pcc_track``: r of each track over sequences and bins, mean over tracks (the convention of
Enformer, doi 10.1038/s41592-021-01252-x). The first two reward the scale between tracks.
"""

import numpy as np

from genezip.metrics.correlation import moments, pearson

METRICS = ("pcc_sequence", "pcc_flat", "pcc_track")


def track_sums(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Sums of one sequence for every track.

    Parameters
    ----------
    prediction, target : float array, shape (bins, tracks)

    Returns
    -------
    float64 array, shape (tracks, 6) (:func:`genezip.metrics.correlation.moments`)
    """
    return moments(prediction, target, axis=0)


def sequence_pcc(sums: np.ndarray) -> np.ndarray:
    """r over bins and tracks of one sequence: (..., tracks, 6) -> (...), NaN if undefined."""
    return pearson(sums.sum(axis=-2))


def flat_pcc(sums: np.ndarray) -> np.ndarray:
    """r over everything, of sums over sequences: (..., tracks, 6) -> (...)."""
    return pearson(sums.sum(axis=-2))


def track_pcc(sums: np.ndarray) -> np.ndarray:
    """Mean over tracks of r, of sums over sequences: (..., tracks, 6) -> (...).

    Tracks whose r is undefined are left out; NaN without any.
    """
    each = pearson(sums)
    defined = np.isfinite(each)
    count = defined.sum(axis=-1)
    total = np.where(defined, each, 0).sum(axis=-1)
    return np.divide(total, count, out=np.full(np.shape(count), np.nan), where=count > 0)
