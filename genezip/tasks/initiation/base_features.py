"""Per-base features on both strands: hidden states, or the one-hot bases around every base."""

import numpy as np

from genezip.alphabet import A_ID, reverse_complement

LOCAL_BP = 10  # on each side of a base
_NORM_EPS = 1e-5  # of the layer norm, as in PyTorch

BaseFeatures = tuple[np.ndarray, np.ndarray]
"""Of every base, read forward and on the reverse complement; row i of both belongs to base i."""


def normed(features: BaseFeatures) -> BaseFeatures:
    """Layer norm without scale and shift of each vector, kept in half precision."""

    def one(states: np.ndarray) -> np.ndarray:
        mean = states.mean(axis=1, keepdims=True)
        spread = np.sqrt(states.var(axis=1, keepdims=True) + _NORM_EPS)
        return ((states - mean) / spread).astype(np.float16)

    forward, reverse = features
    return one(forward), one(reverse)


def local_features(ids: np.ndarray, reach: int = LOCAL_BP) -> BaseFeatures:
    """One-hot bases around every base, read on both strands; N and what lies outside are zero.

    Returns
    -------
    Two float16 arrays, shape (L, 4 (2 reach + 1)); row i of both belongs to base i.
    """

    def one(sequence: np.ndarray) -> np.ndarray:
        padded = np.pad(sequence, reach)
        around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
        hot = around[:, :, None] == np.arange(A_ID, A_ID + 4)
        return hot.reshape(len(sequence), -1).astype(np.float16)

    return one(ids), one(reverse_complement(ids))[::-1]
