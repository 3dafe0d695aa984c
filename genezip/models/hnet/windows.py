"""Run a network over windows and hand back plain arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from genezip.alphabet import PAD_ID
from genezip.models.hnet.losses import base_nll
from genezip.models.hnet.network import GeneZipNetwork


@dataclass(frozen=True)
class WindowResult:
    """What the network made of one window of L bases.

    Attributes
    ----------
    token_starts : int32 array, shape (M,), first base of every chunk
    stage_tokens : int32 array, shape (S,), tokens kept at each stage
    bound_bit : bool array, shape (S,), whether floor or ceiling changed the mask
    boundary_prob : one float32 array per stage, of the positions that entered the stage: the
        L bases, then the tokens of stage 0, ...
    kept_by : uint8 array, shape (M,), codes of :data:`genezip.models.routing.learned.KEPT_BY`
    nll : float32 array, shape (L,), nats; NaN where the base is not predicted
    tokens : float32 array, shape (M, D), trunk output
    """

    token_starts: np.ndarray
    stage_tokens: np.ndarray
    bound_bit: np.ndarray
    boundary_prob: list[np.ndarray]
    kept_by: np.ndarray
    nll: np.ndarray
    tokens: np.ndarray


@torch.inference_mode()
def run_batch(network: GeneZipNetwork, windows: list[np.ndarray]) -> list[WindowResult]:
    """Compress windows of any lengths in one forward pass.

    Parameters
    ----------
    windows : list of uint8 arrays of token ids, each at least one base long

    Returns
    -------
    One result per window. Under a U-Net a window shorter than a block has no token.
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
    tokens, kept_by, nll_of = (t.cpu().numpy() for t in (output.tokens, output.kept_by(), nll))
    first, is_token = starts.cpu().numpy(), real.cpu().numpy()
    stages = [
        (
            routing.boundary_prob.float().cpu().numpy(),
            routing.valid.cpu().numpy(),
            routing.boundary_mask.sum(1).cpu().numpy(),
            routing.bound_bit().cpu().numpy(),
        )
        for routing in output.routings
    ]
    results = []
    for row, window in enumerate(windows):
        here = is_token[row]
        results.append(
            WindowResult(
                token_starts=first[row][here].astype(np.int32),
                stage_tokens=np.array([kept[row] for _, _, kept, _ in stages], dtype=np.int32),
                bound_bit=np.array([bit[row] for _, _, _, bit in stages], dtype=bool),
                boundary_prob=[prob[row][inside[row]] for prob, inside, _, _ in stages],
                kept_by=kept_by[row][here],
                nll=nll_of[row][: len(window)],
                tokens=tokens[row][here].astype(np.float32),
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
