"""Cosine between each position's query and the next position's key.

Written out with its gradient: normalising both (B, L, D) tensors first, as the library does,
moves each of them about five times as often. A test holds it equal to that.
"""

from typing import Any

import torch
from torch import Tensor


def adjacent_cosine(query: Tensor, key: Tensor) -> Tensor:
    """cos(query_{t-1}, key_t) for t = 1 .. L - 1.

    A zero vector has cosine 0 with everything, and no gradient.

    Parameters
    ----------
    query, key : Tensor, shape (B, L, D)

    Returns
    -------
    Tensor, shape (B, L - 1)
    """
    return _AdjacentCosine.apply(query, key)


class _AdjacentCosine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        q, k = query[:, :-1], key[:, 1:]
        q_scale, k_scale = _inverse_norm(q), _inverse_norm(k)
        cosine = (q * k).sum(-1) * q_scale * k_scale
        ctx.save_for_backward(query, key, q_scale, k_scale, cosine)
        return cosine

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        query, key, q_scale, k_scale, cosine = ctx.saved_tensors
        q, k = query[:, :-1], key[:, 1:]
        across = (grads[0] * q_scale * k_scale).unsqueeze(-1)
        along = -grads[0] * cosine
        grad_q, grad_k = torch.empty_like(query), torch.empty_like(key)
        grad_q[:, -1], grad_k[:, 0] = 0, 0
        torch.mul(k, across, out=grad_q[:, :-1])
        torch.mul(q, across, out=grad_k[:, 1:])
        grad_q[:, :-1].addcmul_(q, (along * q_scale**2).unsqueeze(-1))
        grad_k[:, 1:].addcmul_(k, (along * k_scale**2).unsqueeze(-1))
        return grad_q, grad_k


def _inverse_norm(x: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(x, dim=-1)
    return torch.where(norm > 0, 1 / norm, 0.0)
