"""Features of a window: one vector per bin of a map or a track.

One of two layers is pooled: token states (``tokens``), where a bin is the mean over its bases of
the vector of each base's chunk, or the hidden states of the bases (``states``), where a bin is
their mean.

The input ``authors`` is the release input (arXiv 2602.17739): independent windows of 12,800 bp,
forward strand, states. The input ``full`` is the whole window on both strands; bins of the reverse
strand are put in forward order, so a bin has the same bases in both.
"""

from collections.abc import Iterable
from typing import Literal

import numpy as np

from genezip.alphabet import reverse_complement
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.inference.forward import base_vectors, sequence_vectors
from genezip.models.base import Compressor, vector_width
from genezip.tasks.features import FLOAT, RELEASE_BP, Extraction, StorePlan
from genezip.tasks.windows.examples import Bins, WindowExamples

WINDOWS_AT_A_TIME = 16  # with their vectors in memory together
ROWS_PER_PART = 4

Layer = Literal["states", "tokens"]


def pool_tokens(starts: np.ndarray, length: int, vectors: np.ndarray, bins: Bins) -> np.ndarray:
    """Bins of the vectors of chunks, by exact base coverage; float32 (bins.count, D).

    A bin is the sum over chunks of (bases of the chunk in the bin) x vector / width of the bin. A
    chunk ends where the next begins, the last one at ``length``; bases before the first chunk count
    as zero.

    Parameters
    ----------
    starts : int64 array, shape (M,), first base of every chunk, rising
    length : bases of the sequence
    vectors : float array, shape (M, D)
    """
    from scipy.sparse import csr_matrix  # late: a list of tasks does without

    _check(bins, length)
    if len(starts) == 0:
        return np.zeros((bins.count, vectors.shape[1]), dtype=np.float32)
    edges = bins.edges()
    inside = starts[(starts > edges[0]) & (starts < edges[-1])]
    # all bases between two neighbouring cuts belong to one chunk and one bin
    cuts = np.union1d(edges, inside)
    chunk = np.searchsorted(starts, cuts[:-1], side="right") - 1
    bin_of = (cuts[:-1] - bins.first_bp) // bins.width_bp
    share = np.diff(cuts) / bins.width_bp
    known = chunk >= 0
    weights = csr_matrix(
        (share[known], (bin_of[known], chunk[known])), shape=(bins.count, len(starts))
    )
    return np.asarray(weights @ vectors, dtype=np.float32)


def pool_states(blocks: Iterable[np.ndarray], bins: Bins) -> np.ndarray:
    """Mean of every bin, float32 (bins.count, D), from vectors of bases in blocks of any lengths.

    Blocks are float32 (n, D), of consecutive bases from base 0 on; only one of them and the bins
    are in memory. Sums are float64.
    """
    total: np.ndarray | None = None
    at, end = 0, bins.end_bp
    for block in blocks:
        if total is None:
            total = np.zeros((bins.count, block.shape[1]))
        position, stop = max(at, bins.first_bp), min(at + len(block), end)
        while position < stop:
            number = (position - bins.first_bp) // bins.width_bp
            until = min(stop, bins.first_bp + (number + 1) * bins.width_bp)
            total[number] += block[position - at : until - at].sum(0, dtype=np.float64)
            position = until
        at += len(block)
    _check(bins, at)
    assert total is not None
    return (total / bins.width_bp).astype(np.float32)


def _check(bins: Bins, length: int) -> None:
    if bins.end_bp > length:
        raise ValueError(f"the bins end at base {bins.end_bp:,}, the sequence at {length:,}")


def mirrored(bins: Bins, length: int) -> Bins:
    """The same bins counted from the other end of a sequence of ``length`` bases."""
    return Bins(length - bins.end_bp, bins.width_bp, bins.count)


def release_features(compressor: Compressor, ids: np.ndarray, bins: Bins) -> np.ndarray:
    """Bins of independent windows of 12,800 bp, the last one shorter; float32 (count, width)."""
    windows = [ids[start : start + RELEASE_BP] for start in range(0, len(ids), RELEASE_BP)]
    return pool_states(sequence_vectors(compressor, windows, WINDOWS_AT_A_TIME), bins)


def full_features(compressor: Compressor, ids: np.ndarray, bins: Bins, layer: Layer) -> np.ndarray:
    """Bins of the whole window on both strands; float32 (count, 2, width): forward, reverse.

    The layer is ``tokens`` or ``states``; where every base is its own token both are the same.
    """
    forward = _pooled(compressor, ids, bins, layer)
    reverse = _pooled(compressor, reverse_complement(ids), mirrored(bins, len(ids)), layer)[::-1]
    return np.stack([forward, reverse], axis=1)


def _pooled(compressor: Compressor, ids: np.ndarray, bins: Bins, layer: Layer) -> np.ndarray:
    if layer == "states" or compressor.token_width is None:
        return pool_states(base_vectors(compressor, ids), bins)
    (found,) = compressor.embed([ids], "token")
    return pool_tokens(found.starts, len(ids), found.vectors, bins)


def window_features(
    compressor: Compressor,
    windows: WindowExamples,
    bins: Bins,
    input: Input,
    layer: Layer,
    dtype: str = FLOAT,
) -> Extraction:
    """How the features of all windows of a prepared folder are computed.

    The compressor streams for the input ``full``, and has its own bound for ``authors``, which
    always pools states. Scored bins of contact maps begin at bp 0 for ``authors``. ``dtype`` is
    that of a number on disk.
    """
    if layer not in ("states", "tokens"):
        raise GenezipError(f"there is no layer {layer}; use states or tokens")
    if input == "authors" or compressor.token_width is None:
        layer = "states"
    width = compressor.token_width if layer == "tokens" else None
    strands = ("forward",) if input == "authors" else ("forward", "reverse")
    model = {**compressor.facts, "bins": [bins.first_bp, bins.width_bp, bins.count]}
    blocks = dict.fromkeys(strands, width or vector_width(compressor))
    inner = (bins.count,)
    plan = StorePlan.of(windows.prepared, windows.table, input, model, blocks, inner, layer, dtype)

    def compute(rows: range) -> tuple[np.ndarray, int]:
        found, bases = [], 0
        for row in rows:
            ids = windows.ids(row)
            if input == "authors":
                one = release_features(compressor, ids, bins)
            else:
                one = full_features(compressor, ids, bins, layer)
            found.append(one.reshape(bins.count, -1))
            bases += len(ids) * len(strands)
        return np.stack(found), bases

    return Extraction(plan, compute, ROWS_PER_PART)
