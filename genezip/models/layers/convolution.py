"""Causal depthwise convolution over bases, channels last.

Written out as shifted multiply-adds with their gradient: on a CPU this is about twice as
fast in training as the library's grouped convolution, which a test holds it equal to.
"""

from typing import Any

import torch
from torch import Tensor


class _CausalConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        taps = weight.shape[1]
        y = torch.addcmul(bias, x, weight[:, -1])
        for back in range(1, min(taps, x.shape[1])):
            y[:, back:].addcmul_(x[:, :-back], weight[:, taps - 1 - back])
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grad = grads[0].contiguous()
        x, weight = ctx.saved_tensors
        taps = weight.shape[1]
        grad_x = grad * weight[:, -1]
        grad_weight = torch.zeros_like(weight)
        grad_weight[:, -1] = (grad * x).sum((0, 1))
        for back in range(1, min(taps, x.shape[1])):
            grad_x[:, :-back].addcmul_(grad[:, back:], weight[:, taps - 1 - back])
            grad_weight[:, taps - 1 - back] = (grad[:, back:] * x[:, :-back]).sum((0, 1))
        return grad_x, grad_weight, grad.sum((0, 1))


def causal_convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """y_t = bias + sum_k weight_k x_{t - taps + 1 + k}, zeros before the sequence.

    Parameters
    ----------
    x : Tensor, shape (B, L, C)
    weight : Tensor, shape (C, taps)
    bias : Tensor, shape (C,)

    Returns
    -------
    Tensor, shape (B, L, C)
    """
    return _CausalConvolution.apply(x, weight, bias)
