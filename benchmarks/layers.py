"""Are the hand-written layers worth having? Forward and backward against their peers, on CPU.

python benchmarks/layers.py
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from allocator import restart_with_malloc
from pairs import Run, Table, Work, training
from torch import Tensor
from torch.nn.functional import conv1d, pad

from genezip.models.layers import ssd as ssd_module
from genezip.models.layers.mamba2 import causal_convolution
from genezip.models.layers.ssd import ssd
from genezip.models.routing.chunking import ema_dechunk, ema_dechunk_loop


def compare(
    table: Table, what: str, ours: Run, peer: Run, name: str, goal: float, leaves: list, work: Work
) -> None:
    """One row, forward and backward."""
    grads = [torch.randn_like(ours())]
    own, other = training(ours, leaves, grads), training(peer, leaves, grads)
    table.compare(what, "forward+backward", own, other, name, goal, work)


def convolution(table: Table) -> None:
    """Causal depthwise convolution against the library's grouped one."""
    x = torch.randn(2, 4096, 160, requires_grad=True)
    weight = torch.randn(160, 4, requires_grad=True)
    bias = torch.randn(160, requires_grad=True)

    def library() -> Tensor:
        padded = pad(x.transpose(1, 2), (3, 0))
        return conv1d(padded, weight.unsqueeze(1), bias, groups=160).transpose(1, 2).contiguous()

    compare(
        table,
        "convolution, 2 x 4,096 x 160",
        lambda: causal_convolution(x, weight, bias),
        library,
        "conv1d",
        1.2,
        [x, weight, bias],
        Work(0, 5 * x.numel()),
    )


@contextmanager
def masked_form() -> Iterator[None]:
    """No chunk counts as safe for the factorised form."""
    limit, ssd_module.FACTORISED_LIMIT = ssd_module.FACTORISED_LIMIT, 0.0
    try:
        yield
    finally:
        ssd_module.FACTORISED_LIMIT = limit


def state_space(table: Table) -> None:
    """Factorised against masked form of the state-space scan."""
    x = torch.randn(2, 4096, 4, 32, requires_grad=True)
    dt = torch.rand(2, 4096, 4) * 0.05
    a = -torch.linspace(1, 16, 4)
    b, c = torch.randn(2, 2, 4096, 16)

    def masked() -> Tensor:
        with masked_form():
            return ssd(x, dt, a, b, c)[0]

    positions = x.numel() / 128
    products = 3 * positions * (2 * 64 * 16 + 128 * (2 * 64 + 4 * 16))
    compare(
        table,
        "state-space scan, 2 x 4,096 x 128",
        lambda: ssd(x, dt, a, b, c)[0],
        masked,
        "masked form",
        1.5,
        [x],
        Work(products, 5 * x.numel()),
    )


def dechunk(table: Table) -> None:
    """Blocked de-chunk scan against the loop."""
    tokens = torch.randn(2, 400, 64, requires_grad=True)
    prob = torch.rand(2, 400)
    compare(
        table,
        "de-chunk, 2 x 400 tokens of width 64",
        lambda: ema_dechunk(tokens, prob),
        lambda: ema_dechunk_loop(tokens, prob),
        "loop",
        5.0,
        [tokens],
        Work(0, 5 * tokens.numel()),
    )


def main() -> int:
    """Print every figure beside its goal."""
    restart_with_malloc()
    table = Table()
    for layer in (convolution, state_space, dechunk):
        layer(table)
    return table.exit_status()


if __name__ == "__main__":
    sys.exit(main())
