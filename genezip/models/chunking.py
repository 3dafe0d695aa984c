"""From bases to tokens and back.

A chunk is represented by its first position (selection, not averaging). De-chunking is an
exponential moving average over the tokens in fp32, whatever the autocast: a bf16 scan here
is known to change results.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from genezip.models.scan import full_precision, linear_scan

EMA_CLIP = 1e-4


@dataclass
class Chunks:
    """Kept positions of a batch, packed to the left.

    Attributes
    ----------
    positions : int64 Tensor, shape (B, M)
        Position of each token in the sequence it was taken from; 0 at padding.
    valid : bool Tensor, shape (B, M)
    token_index : int64 Tensor, shape (B, L)
        For every position, the last token at or before it.
    """

    positions: Tensor
    valid: Tensor
    token_index: Tensor

    def select(self, values: Tensor) -> Tensor:
        """Take (B, L) or (B, L, D) values at the kept positions: (B, M) or (B, M, D)."""
        if values.dim() == 2:
            return values.gather(1, self.positions)
        index = self.positions.unsqueeze(-1).expand(-1, -1, values.shape[-1])
        return values.gather(1, index)

    def expand(self, tokens: Tensor) -> Tensor:
        """Give every position its token: (B, M, D) -> (B, L, D)."""
        index = self.token_index.unsqueeze(-1).expand(-1, -1, tokens.shape[-1])
        return tokens.gather(1, index)


def chunk(boundary_mask: Tensor) -> Chunks:
    """Pack the kept positions of each sequence; one value (the largest count) is read.

    Parameters
    ----------
    boundary_mask : bool Tensor, shape (B, L)
        Every sequence keeps its first position.
    """
    rank = boundary_mask.cumsum(1)  # 1-based number of the last token at or before t
    counts = rank[:, -1:]
    most = int(counts.max())
    length = boundary_mask.shape[1]
    slot = torch.where(boundary_mask, rank - 1, most)
    places = torch.arange(length, device=rank.device).expand_as(rank)
    # dropped positions all land in one spare column that is cut off
    positions = rank.new_zeros(rank.shape[0], most + 1).scatter(1, slot, places)[:, :most]
    valid = torch.arange(most, device=rank.device) < counts
    return Chunks(positions * valid, valid, rank - 1)


def ema_dechunk(tokens: Tensor, prob: Tensor) -> Tensor:
    """zbar_m = P_m z_m + (1 - P_m) zbar_{m-1}, in fp32.

    Parameters
    ----------
    tokens : Tensor, shape (B, M, D)
    prob : Tensor, shape (B, M)
        Boundary probability of each token; clipped to [1e-4, 1 - 1e-4].

    Returns
    -------
    float32 (or float64) Tensor, shape (B, M, D)
    """
    with torch.autocast(device_type=tokens.device.type, enabled=False):
        tokens = full_precision(tokens)
        prob = prob.to(tokens.dtype).clamp(EMA_CLIP, 1 - EMA_CLIP)
        return linear_scan(torch.log1p(-prob), prob.unsqueeze(-1) * tokens)


def ema_dechunk_loop(tokens: Tensor, prob: Tensor) -> Tensor:
    """The same, token by token (slow; the definition)."""
    prob = prob.clamp(EMA_CLIP, 1 - EMA_CLIP)
    state = torch.zeros_like(tokens[:, 0])
    states = []
    for m in range(tokens.shape[1]):
        p = prob[:, m, None]
        state = p * tokens[:, m] + (1 - p) * state
        states.append(state)
    return torch.stack(states, dim=1)


def straight_through(confidence: Tensor) -> Tensor:
    """1 in the forward pass, identity in the backward pass."""
    return confidence + (1 - confidence).detach()
