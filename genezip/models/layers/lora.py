"""Low-rank adapters (LoRA, arXiv 2106.09685) on the projections of every mixer.

A projection W becomes W + (alpha / rank) B A, with A (rank, in) and B (out, rank). B starts at
zero, so an adapted network initially equals the original one. Mixers call their projections as
modules and the scan uses no weight of them, so input and output projections can have adapters. A
mixer is a Mamba-2 layer or attention.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from genezip.errors import GenezipError
from genezip.models.layers.attention import Attention
from genezip.models.layers.mamba2 import Mamba2

PROJECTIONS = ("in_proj", "out_proj")
_PARTS = ("lora_a", "lora_b")


class AdaptedLinear(nn.Linear):
    """A linear map with a low-rank addition; the original weight keeps its name.

    ``lora_a`` is (rank, in_features); ``lora_b``, (out_features, rank), is zero at the start.
    ``scale`` is alpha / rank, and ``dropout`` the share of its inputs that are zero in training.
    """

    def __init__(self, plain: nn.Linear, rank: int, alpha: float, dropout: float) -> None:
        bias = plain.bias is not None
        super().__init__(plain.in_features, plain.out_features, bias, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.scale = alpha / rank
        self.dropout = dropout
        like = plain.weight
        self.lora_a = nn.Parameter(like.new_empty(rank, plain.in_features))
        self.lora_b = nn.Parameter(like.new_zeros(plain.out_features, rank))

    def reset_adapter(self) -> None:
        """Set A uniform in +-1/sqrt(in_features) and B zero, so that the addition is zero."""
        bound = 1 / math.sqrt(self.in_features)
        with torch.no_grad():  # drawn on the CPU, so that a seed gives equal values on any device
            self.lora_a.copy_(torch.empty(self.lora_a.shape).uniform_(-bound, bound))
            self.lora_b.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        inner = linear(dropout(x, self.dropout, self.training), self.lora_a)
        return super().forward(x) + self.scale * linear(inner, self.lora_b)


def is_adapter(name: str) -> bool:
    """Whether a parameter of this name belongs to an adapter."""
    return name.endswith(_PARTS)


def add_adapters(network: nn.Module, rank: int, alpha: float, dropout: float, seed: int) -> None:
    """Add an adapter to the input and output projection of every mixer, in place."""
    mixers = [module for module in network.modules() if isinstance(module, Mamba2 | Attention)]
    if not mixers:
        raise GenezipError("this network has no mixer, so there is nothing to adapt")
    if any(isinstance(module, AdaptedLinear) for module in network.modules()):
        raise GenezipError("this network has adapters already; load it again")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for mixer in mixers:
            for name in PROJECTIONS:
                adapted = AdaptedLinear(getattr(mixer, name), rank, alpha, dropout)
                adapted.reset_adapter()
                adapted.train(mixer.training)
                setattr(mixer, name, adapted)
