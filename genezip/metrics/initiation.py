"""Transcription initiation: Pearson's r of five assays at base resolution.

Each assay has a plus and a minus track; both strands and all scored positions are pooled.
Stored values are logarithms of counts, which the official metric brings to one scale:
CAGE and RAMPAGE, v -> log10(10^v - 1 + 0.1); GRO-cap and PRO-cap, v -> v / ln 10
(DNALongBench, doi 10.1038/s41467-025-65077-4). The score is the mean of the five.
"""

import numpy as np

from genezip.metrics.correlation import moments, pearson

N_TRACKS = 10
ASSAYS: dict[str, tuple[int, int]] = {
    "fc": (0, 9),  # FANTOM CAGE: plus and minus track
    "ec": (1, 8),  # ENCODE CAGE
    "er": (2, 7),  # ENCODE RAMPAGE
    "gc": (3, 6),  # GRO-cap
    "pc": (4, 5),  # PRO-cap
}
METRICS = (*(f"pcc_{assay}" for assay in ASSAYS), "pcc_mean")
_COUNT_LOG10 = ("fc", "ec", "er")  # stored as log10(count + 1); the others as ln(count + 1)


def transformed(values: np.ndarray, assay: str) -> np.ndarray:
    """Stored values on the metric's scale, up to a constant that r does not see.

    The constant is the value at 0: most positions are 0 there, and small numbers keep the
    sums of squares exact.

    Parameters
    ----------
    values : float array, any shape; negative ones count as 0, NaN stays

    Returns
    -------
    float64 array of that shape: 0 where values are 0
    """
    values = np.maximum(np.asarray(values, dtype=np.float64), 0)
    if assay in _COUNT_LOG10:
        return np.log10(10**values - 1 + 0.1) + 1
    return values / np.log(10)


def initiation_sums(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Sums of one window, both strands of an assay together.

    Parameters
    ----------
    prediction, target : float array, shape (10, n)
        Stored scale; a target of NaN is not scored.

    Returns
    -------
    float64 array, shape (5, 6): assays in order of ``ASSAYS``, sums of
    :func:`genezip.metrics.correlation.moments`
    """
    return np.stack(
        [
            moments(
                transformed(prediction[list(pair)], name), transformed(target[list(pair)], name)
            )
            for name, pair in ASSAYS.items()
        ]
    )


def initiation_pcc(sums: np.ndarray) -> np.ndarray:
    """The scores of sums over windows.

    Parameters
    ----------
    sums : float array, shape (..., 5, 6)

    Returns
    -------
    float64 array, shape (..., 6), in order of ``METRICS``
        NaN where an assay has no r; the mean is NaN unless all five have one.
    """
    each = pearson(sums)
    return np.concatenate([each, each.mean(axis=-1, keepdims=True)], axis=-1)
