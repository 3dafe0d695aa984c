"""Run a network over windows and hand back plain arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from genezip.models.losses import base_nll
from genezip.models.network import GeneZipNetwork
from genezip.vocab import PAD_ID


@dataclass(frozen=True)
class WindowResult:
    """What the network made of one window of L bases.

    Attributes
    ----------
    token_starts : int32 array, shape (M,), first base of every chunk
    stage_tokens : int32 array, shape (S,), tokens kept at each stage
    bound_bit : bool array, shape (S,), whether floor or ceiling changed the mask
    boundary_prob : float32 array, shape (L,), stage-0 boundary probability
    nll : float32 array, shape (L,), nats; NaN where the base is not predicted
    tokens : float32 array, shape (M, D), trunk output
    """

    token_starts: np.ndarray
    stage_tokens: np.ndarray
    bound_bit: np.ndarray
    boundary_prob: np.ndarray
    nll: np.ndarray
    tokens: np.ndarray


@torch.inference_mode()
def run_batch(network: GeneZipNetwork, windows: list[np.ndarray]) -> list[WindowResult]:
    """Compress windows of any lengths in one forward pass.

    Parameters
    ----------
    windows : list of uint8 arrays of token ids, each at least one base long
    """
    longest = max(len(window) for window in windows)
    ids = np.full((len(windows), longest), PAD_ID, dtype=np.uint8)
    valid = np.zeros(ids.shape, dtype=bool)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = window
        valid[row, : len(window)] = True
    device = network.embedding.device
    batch = torch.from_numpy(ids).to(device)
    output = network(batch, torch.from_numpy(valid).to(device))
    nll, informative = base_nll(output.logits, batch)
    nll = nn.functional.pad(nll.masked_fill(~informative, torch.nan), (1, 0), value=torch.nan)
    starts, real = output.token_starts()
    kept = torch.stack([routing.boundary_mask.sum(1) for routing in output.routings], 1)
    bit = torch.stack([routing.bound_bit() for routing in output.routings], 1)
    prob = output.routings[0].boundary_prob
    arrays = [t.cpu().numpy() for t in (starts, real, kept, bit, prob, nll, output.tokens)]
    results = []
    for row, window in enumerate(windows):
        start, is_token, tokens_kept, changed, probability, loss, tokens = (a[row] for a in arrays)
        length = len(window)
        results.append(
            WindowResult(
                token_starts=start[is_token].astype(np.int32),
                stage_tokens=tokens_kept.astype(np.int32),
                bound_bit=changed,
                boundary_prob=probability[:length],
                nll=loss[:length],
                tokens=tokens[is_token].astype(np.float32),
            )
        )
    return results


def run(
    network: GeneZipNetwork, windows: Iterator[np.ndarray] | list[np.ndarray], batch: int
) -> Iterator[WindowResult]:
    """Compress windows as they come, ``batch`` at a time (constant memory)."""
    waiting: list[np.ndarray] = []
    for window in windows:
        waiting.append(window)
        if len(waiting) == batch:
            yield from run_batch(network, waiting)
            waiting = []
    if waiting:
        yield from run_batch(network, waiting)
