"""Chunking of bases to tokens, and de-chunking.

A chunk is represented by its first position (selection, not averaging). De-chunking is an
exponential moving average over the tokens in fp32, also under autocast, because a bf16 scan is
known to change results.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from genezip.models.layers.packing import rows
from genezip.models.layers.scan import full_precision, linear_scan

EMA_CLIP = 1e-4


@dataclass
class Chunks:
    """Kept positions of a batch, packed to the left.

    Attributes
    ----------
    positions : int64 Tensor, shape (B, M), position of each token in its sequence; 0 at padding
    valid : bool Tensor, shape (B, M)
    token_index : int64 Tensor, shape (B, L), index of the last token at or before every position;
        -1 where there is none
    """

    positions: Tensor
    valid: Tensor
    token_index: Tensor

    def select(self, values: Tensor) -> Tensor:
        """Take (B, L) or (B, L, D) values at the kept positions: (B, M) or (B, M, D)."""
        if values.dim() == 2:
            return values.gather(1, self.positions)
        return rows(values, self.positions)

    def expand(self, tokens: Tensor, before: Tensor | None = None) -> Tensor:
        """Copy tokens to their positions: (B, M, D) -> (B, L, D), as :meth:`copies` of all."""
        return self.copies(tokens, before)(slice(None))

    def copies(self, tokens: Tensor, before: Tensor | None = None) -> Callable[[slice], Tensor]:
        """A function that copies tokens, (B, M, D), to the positions of a slice: (B, L', D).

        Positions before the first token get ``before``, shape (B, D).
        """
        index = self.token_index
        if before is not None:
            tokens = torch.cat([before.unsqueeze(1).to(tokens.dtype), tokens], dim=1)
            index = index + 1
        return lambda part: rows(tokens, index[:, part])


def chunk(boundary_mask: Tensor, capacity: int | None = None) -> Chunks:
    """Pack the kept positions of each sequence; ``boundary_mask`` is bool (B, L).

    ``capacity`` is the number of token slots, at least that of any sequence (which a bound on the
    mask guarantees). Without it the largest count is read from the device.
    """
    rank = boundary_mask.cumsum(1)  # 1-based number of the last token at or before t
    batch, length = boundary_mask.shape
    counts = boundary_mask.sum(1, keepdim=True)
    if length == 0:
        capacity = 0
    most = int(counts.max()) if capacity is None else capacity
    slot = torch.where(boundary_mask, rank - 1, most)
    every = torch.arange(length, device=rank.device).expand_as(rank)
    # positions that are not kept are written to one spare column, which is cut off
    positions = rank.new_zeros(batch, most + 1).scatter(1, slot, every)[:, :most]
    valid = torch.arange(most, device=rank.device) < counts
    return Chunks(positions * valid, valid, rank - 1)


def ema_dechunk(tokens: Tensor, prob: Tensor, initial: Tensor | None = None) -> Tensor:
    """zbar_m = P_m z_m + (1 - P_m) zbar_{m-1}, in fp32 (or fp64): (B, M, D).

    ``prob``, (B, M), is the boundary probability of each token, clipped to [1e-4, 1 - 1e-4];
    ``initial``, (B, D), is zbar before the first of these tokens, or zero.
    """
    with torch.autocast(device_type=tokens.device.type, enabled=False):
        tokens = full_precision(tokens)
        prob = prob.to(tokens.dtype).clamp(EMA_CLIP, 1 - EMA_CLIP)
        return linear_scan(torch.log1p(-prob), prob.unsqueeze(-1) * tokens, initial)


def ema_dechunk_loop(tokens: Tensor, prob: Tensor, initial: Tensor | None = None) -> Tensor:
    """The definition of :func:`ema_dechunk`, token by token (slow)."""
    prob = prob.clamp(EMA_CLIP, 1 - EMA_CLIP)
    state = torch.zeros_like(tokens[:, 0]) if initial is None else initial
    states = []
    for m in range(tokens.shape[1]):
        p = prob[:, m, None]
        state = p * tokens[:, m] + (1 - p) * state
        states.append(state)
    return torch.stack(states, dim=1)


def straight_through(values: Tensor, confidence: Tensor) -> Tensor:
    """The values, (B, L, D), with the gradient of ``values * confidence`` at confidence 1.

    The values are unchanged; ``confidence`` is (B, L).
    """
    return _StraightThrough.apply(values, confidence)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, confidence: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        ctx.dtype = confidence.dtype
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        (values,) = ctx.saved_tensors
        return grads[0], (grads[0] * values).sum(-1).to(ctx.dtype)
