"""The Mamba-2 mixer of both directions (BiMamba-2), and the reversal of padded sequences.

A sequence is reversed by its true length, so its padding stays at the end. To flip a padded row
instead would put padding first, where the bias of the convolution leaks into the state.
"""

from typing import Any

import torch
from torch import Tensor, nn

from genezip.models.hnet.architecture import Architecture
from genezip.models.layers.mamba2 import MixerState, SelectiveScan
from genezip.models.layers.packing import Packing, refuse_parts, rows


class BiMamba2(nn.Module):
    """Two Mamba-2 mixers with shared projections, whose results are averaged (LDARNet).

    ``ahead`` reads the sequence and ``back`` its reverse; each has a convolution, dt bias, A, D and
    gated norm of its own. Since the projections are linear and shared, they are computed once.
    Number of parameters: those of :class:`~genezip.models.layers.mamba2.Mamba2` and of one more
    :class:`~genezip.models.layers.mamba2.SelectiveScan`.
    """

    def __init__(self, width: int, shape: Architecture) -> None:
        super().__init__()
        self.ahead = SelectiveScan(width, shape)
        self.back = SelectiveScan(width, shape)
        self.in_proj = nn.Linear(width, self.ahead.projected_width, bias=False)
        self.out_proj = nn.Linear(self.ahead.inner, width, bias=False)

    def reset_parameters(self, out_std: float) -> None:
        """Set initial values (Mamba-2 defaults; linear N(0, 0.02), output N(0, out_std))."""
        nn.init.normal_(self.in_proj.weight, std=0.02)
        nn.init.normal_(self.out_proj.weight, std=out_std)
        self.ahead.reset_scan()
        self.back.reset_scan()

    def forward(
        self,
        x: Tensor,
        state: MixerState | None = None,
        packed: Packing | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Mix a sequence: (B, L, width) -> (B, L, width); a position depends on all others.

        ``valid``, bool (B, L), is False at padding, which is at the end; None without padding.
        """
        refuse_parts(state, packed)
        projected = self.in_proj(x)
        order = reversal(x, valid)
        back = reverse(self.back.scanned(reverse(projected, order)), order)
        return self.out_proj((self.ahead.scanned(projected) + back) / 2)


def reversal(x: Tensor, valid: Tensor | None) -> Tensor:
    """Position of every position in the reversed sequence: int64 (B, L), its own inverse.

    ``x`` is (B, L, ...); padding, where ``valid`` is False, keeps its place at the end.
    """
    at = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
    if valid is None:
        return x.shape[1] - 1 - at
    return torch.where(valid, valid.sum(1, keepdim=True) - 1 - at, at)


def reverse(values: Tensor, order: Tensor) -> Tensor:
    """Sequences in the order of :func:`reversal`: (B, L) or (B, L, D)."""
    if values.dim() == 2:
        return values.gather(1, order)
    return _Reverse.apply(values, order)


class _Reverse(torch.autograd.Function):
    """Whole rows are copied, in the backward pass too, which reverses once more."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rows(values, order)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        return rows(grads[0].contiguous(), order), None
