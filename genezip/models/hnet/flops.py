"""Floating-point operations of one pass through a hierarchical network, in closed form.

Matrix products are counted, a multiply-add as two operations, as ``torch.utils.flop_counter``
counts them in the plain network: projections of layers and of routers, the state-space scan in
chunks, attention in blocks of queries, the moving average of de-chunking, residual maps and the
head. Element-wise work (convolutions of four taps, norms, gates, softmax) is left out by both.
Tokens are the realised ones, so a sequence with more tokens costs more.
"""

import numpy as np

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import GUIDED, Architecture, block_letters
from genezip.models.layers.attention import spans, spans_both
from genezip.models.layers.scan import BLOCK


def flops(shape: Architecture, lengths: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Operations of one pass over each sequence, float64 (n,).

    ``lengths`` are bases, int (n,), and ``tokens`` those kept at each of the S stages, int (n, S).
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    tokens = np.asarray(tokens, dtype=np.int64).reshape(
        len(lengths), shape.n_stages if not len(lengths) else -1
    )
    if tokens.shape[1] != shape.n_stages:
        raise GenezipError(
            f"tokens of {tokens.shape[1]} stages are given for a network of {shape.n_stages}; "
            "give the stage_tokens of its results"
        )
    positions = [lengths, *tokens.T]
    total = 2.0 * lengths * shape.d_model[0] * shape.vocab_size  # the head
    for s in range(shape.n_stages):
        width, here, inner = shape.d_model[s], positions[s], positions[s + 1]
        total += level_flops(shape, s, here)
        total += 2.0 * here * width**2  # the residual map
        if shape.router[s] in ("learned", *GUIDED):
            # query and key; under a guided router those of its guide, its own are not used
            total += 4.0 * here * width**2
        if shape.router[s] == "learned":
            scans = np.array([scan_flops(count, width) for count in inner.tolist()])
            total += directions(shape) * scans
    return total + level_flops(shape, shape.n_stages, positions[-1])


def guide_flops(shape: Architecture, lengths: np.ndarray) -> np.ndarray:
    """Operations of the guide's encoder over each sequence, float64 (n,); 0 without a guide.

    They are no part of :func:`flops`: the compared network takes the number of tokens as given. The
    guide's router is counted there, so that routing costs a control what it costs its guide.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    if not shape.is_guided:
        return np.zeros(len(lengths))
    return layer_flops(shape, 0, block_letters(shape.encoder_layers[0]), lengths)


def directions(shape: Architecture) -> int:
    """Number of directions in which a network reads, so of scans per layer and of tokens."""
    return 2 if shape.direction == "both" else 1


def level_flops(shape: Architecture, level: int, positions: np.ndarray) -> np.ndarray:
    """Operations of all blocks of a level over sequences of ``positions``: float64 (n,)."""
    return layer_flops(shape, level, shape.letters(level), positions)


def layer_flops(shape: Architecture, level: int, letters: str, positions: np.ndarray) -> np.ndarray:
    """Operations of blocks of these letters and the width of a level: float64 (n,)."""
    width = shape.d_model[level]
    mamba2, attention = (letters.lower().count(kind) for kind in "mt")
    total = mamba2 * mamba2_flops(shape, width, positions)
    if attention:
        window = shape.attention(level)[2]
        both = shape.direction == "both"
        total = total + attention * attention_flops(width, window, positions, both)
    gated = sum(letter.isupper() for letter in letters)
    return total + 6.0 * gated * positions * width * shape.mlp_width(level)


def attention_flops(
    width: int, window: int | None, positions: np.ndarray, both: bool = False
) -> np.ndarray:
    """Operations of one attention layer over sequences of ``positions``: float64 (n,).

    Every block of queries is multiplied with all keys of its span, masked ones included.
    """
    products = [
        sum(
            (stop - start) * (high - low)
            for start, stop, low, high in (spans_both(n, window) if both else spans(n, n, window))
        )
        for n in positions.tolist()
    ]
    return 8.0 * positions * width**2 + 4.0 * width * np.array(products, dtype=np.float64)


def mamba2_flops(shape: Architecture, width: int, positions: np.ndarray) -> np.ndarray:
    """Operations of one Mamba-2 layer over sequences of ``positions``: float64 (n,).

    Both directions share the projections.
    """
    inner, state = shape.expand * width, shape.d_state
    projections = width * (2 * inner + 2 * state + inner // shape.headdim) + inner * width
    chunk = np.minimum(shape.ssd_chunk, np.maximum(positions, 1))
    filled = -(-positions // chunk) * chunk
    scan = 2 * state * inner + chunk * (state + inner)
    return 2.0 * (positions * projections + directions(shape) * filled * scan)


def scan_flops(length: int, width: int) -> float:
    """Operations of :func:`genezip.models.layers.scan.linear_scan` over rows of ``width``."""
    total = 0.0
    while length > BLOCK:
        length = -(-length // BLOCK)
        total += 2.0 * length * BLOCK**2 * width
    return total + 2.0 * length**2 * width
