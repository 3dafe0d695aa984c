"""Windows in one padded batch through a network, with plain arrays as results."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from genezip.alphabet import PAD_ID
from genezip.models.compressed import Compressed
from genezip.models.hnet.losses import base_nll
from genezip.models.hnet.network import GeneZipNetwork


def padded(windows: Sequence[np.ndarray], device: torch.device) -> tuple[Tensor, Tensor]:
    """One batch of windows of any lengths, padded at their ends.

    The results are the ids, uint8 (B, L), and a bool mask (B, L), False at padding.
    """
    longest = max(len(window) for window in windows)
    ids = np.full((len(windows), longest), PAD_ID, dtype=np.uint8)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
    lengths = np.array([len(window) for window in windows])
    valid = np.arange(longest) < lengths[:, None]
    return torch.from_numpy(ids).to(device), torch.from_numpy(valid).to(device)


@torch.inference_mode()
def base_states(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Vector of every base of each window: float32 arrays, shape (L, d_model[0])."""
    ids, valid = padded(windows, network.embedding.device)
    equal = len({len(window) for window in windows}) == 1
    states = network(ids, None if equal else valid).states.float().cpu().numpy()
    return [states[row, : len(window)] for row, window in enumerate(windows)]


@torch.inference_mode()
def run_batch(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[Compressed]:
    """Compress windows of any lengths (uint8 token ids, at least one) in one forward pass, in fp32.

    Under a U-Net a window shorter than a block has no token.
    """
    batch, valid = padded(windows, network.embedding.device)
    output = network(batch, valid)
    nll, informative = base_nll(output.logits, batch)
    nll = nn.functional.pad(nll.masked_fill(~informative, torch.nan), (1, 0), value=torch.nan)
    starts, real = output.token_starts()
    tokens, kept_by, nll_of = (t.cpu().numpy() for t in (output.tokens, output.kept_by(), nll))
    first, is_token = starts.cpu().numpy(), real.cpu().numpy()
    stages = [
        (
            routing.boundary_prob.float().cpu().numpy(),
            routing.valid.cpu().numpy(),
            routing.boundary_mask.sum(1).cpu().numpy(),
            routing.bound_active().cpu().numpy(),
        )
        for routing in output.routings
    ]
    results = []
    for row, window in enumerate(windows):
        here = is_token[row]
        token_starts = first[row][here].astype(np.int64)
        probs = [prob[row][inside[row]] for prob, inside, _, _ in stages]
        active = np.array([changed[row] for _, _, _, changed in stages], dtype=bool)
        looked_ahead = network.bound == "sequence" and bool(active.any())
        results.append(
            Compressed(
                length=len(window),
                token_starts=token_starts,
                tokens=tokens[row][here].astype(np.float32),
                boundary_prob=probs[0] if probs else None,
                inner_prob=tuple(probs[1:]),
                start_prob=probs[0][token_starts] if probs else None,
                kept_by=kept_by[row][here],
                stage_tokens=np.array([kept[row] for _, _, kept, _ in stages], dtype=np.int64),
                bound_active=active,
                log_prob=-nll_of[row][: len(window)],
                likelihood="looked_ahead" if looked_ahead else "exact",
            )
        )
    return results


@dataclass(frozen=True)
class BasePrediction:
    """Prediction of the bases of a sequence that may hold MASK, by a bidirectional network.

    ``log_prob``, float32 (L, 4), is the natural log of the probabilities of A, C, G and T at every
    position; ``tokens`` is the number of tokens of the last stage.
    """

    log_prob: np.ndarray
    tokens: int


@torch.inference_mode()
def _predicted(network: GeneZipNetwork, windows: Sequence[np.ndarray]) -> list[BasePrediction]:
    ids, valid = padded(windows, network.embedding.device)
    output = network(ids, valid)
    logits = output.logits[..., network.base_columns].float()
    log_prob = logits.log_softmax(-1).cpu().numpy()
    tokens = output.token_positions()[1].sum(1).tolist()
    found = zip(windows, log_prob, tokens, strict=True)
    return [BasePrediction(one[: len(window)], count) for window, one, count in found]


def predict_bases(
    network: GeneZipNetwork, windows: Iterable[np.ndarray], batch: int
) -> Iterator[BasePrediction]:
    """Predict the bases of windows of any lengths (uint8 token ids) in batches, in fp32."""
    waiting = iter(windows)
    while together := list(islice(waiting, batch)):
        yield from _predicted(network, together)


def run(network: GeneZipNetwork, windows: Iterable[np.ndarray], batch: int) -> Iterator[Compressed]:
    """Compress windows in batches of ``batch``, in constant memory."""
    waiting = iter(windows)
    while together := list(islice(waiting, batch)):
        yield from run_batch(network, together)
