"""Masks of the positions that a router wants to keep, in orders that strain a bound."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from genezip.models.routing.bounds import CausalBound

RATES = [(0, 1), (1, 1), (3, 3), (1, 2), (1, 3), (2, 7), (5, 6), (37, 101), (999, 1000)]
CORNERS = [
    CausalBound(max_chunk, burst, rate)
    for max_chunk, burst, rate in itertools.product((1, 2, 5, 400), (1, 2, 64), RATES)
]


def noise(length: int, share: float = 0.5) -> Tensor:
    """Each position is wanted by chance; the length decides the draws."""
    return torch.rand(length, generator=torch.Generator().manual_seed(length)) < share


def every(step: int) -> Callable[[int], Tensor]:
    """Positions that are multiples of ``step``."""
    return lambda length: torch.arange(length) % step == 0


# What routers may want. On one repeated base, or on N alone, p is the same at every position,
# so such a sequence wants everything or nothing.
WANTED: dict[str, Callable[[int], Tensor]] = {
    "keeps all (only N, p above 1/2)": lambda length: torch.ones(length, dtype=torch.bool),
    "keeps nothing (one repeated base, p of 1/2 or less)": lambda length: torch.zeros(
        length, dtype=torch.bool
    ),
    "white noise": noise,
    "sparse noise": lambda length: noise(length, 0.05),
    "alternating": every(2),
    "every fifth": every(5),
    "one before every fifth": lambda length: every(5)(length).roll(-1),
    "saves its credit, then spends it": lambda length: torch.arange(length) % 200 > 100,
    "all but the first": lambda length: torch.arange(length) > 0,
    "only the last": lambda length: torch.arange(length) == length - 1,
}


def adversaries(length: int) -> Tensor:
    """All of :data:`WANTED`, one per row."""
    return torch.stack([want(length) for want in WANTED.values()])


def all_valid(provisional: Tensor) -> Tensor:
    """A mask of no padding."""
    return torch.ones_like(provisional)


def mask_of(text: str) -> Tensor:
    """A mask of one row, from ones and zeros as text."""
    return torch.tensor([[character == "1" for character in text]])


def text_of(mask: Tensor) -> str:
    """The first row of a mask as ones and zeros."""
    return "".join("1" if kept else "0" for kept in mask[0].tolist())
