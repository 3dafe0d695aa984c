"""Stacks of residual blocks: Mamba-2 or attention, alone or with a SwiGLU.

The letters of a layout name the kind of a block, as in H-Net: ``m`` is Mamba-2 and ``t`` is
attention; a capital adds a SwiGLU, as a second residual addition. In direction ``both`` they are
BiMamba-2 and attention to both sides.

Every block can continue a sequence from a state, which it updates for the next positions. Tensors
of a state are replaced, never changed in place, so a shallow copy is a snapshot.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import silu
from torch.utils.checkpoint import checkpoint

from genezip.models.hnet.architecture import Architecture, block_letters
from genezip.models.layers.attention import Attention, AttentionState
from genezip.models.layers.bidirectional import BiMamba2
from genezip.models.layers.fused import normalised
from genezip.models.layers.mamba2 import NORM_EPS, Mamba2, MixerState
from genezip.models.layers.packing import Packing
from genezip.models.layers.scan import full_precision


@dataclass
class StackState:
    """States of the mixers of a stack."""

    mixers: list[MixerState | AttentionState] = field(default_factory=list)

    def copy(self) -> Self:
        """A snapshot that later blocks do not change."""
        return type(self)([copy(mixer) for mixer in self.mixers])


class SwiGLU(nn.Module):
    """Gated layer on single positions (Shazeer, 2020): W_out (silu(W_gate x) * W_in x).

    There are 3 d f parameters at width d and inner width f.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(width, 2 * inner, bias=False)
        self.out_proj = nn.Linear(inner, width, bias=False)

    def reset_parameters(self, out_std: float) -> None:
        """Set initial values: N(0, 0.02), output N(0, out_std)."""
        nn.init.normal_(self.in_proj.weight, std=0.02)
        nn.init.normal_(self.out_proj.weight, std=out_std)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        values, gate = self.in_proj(x).chunk(2, dim=-1)
        return self.out_proj(values * silu(gate))


class Block(nn.Module):
    """Pre-norm residual block of one letter; the residual stream is fp32.

    ``level`` is the stage, or S for the trunk.
    """

    def __init__(self, letter: str, level: int, shape: Architecture) -> None:
        super().__init__()
        self.width = shape.d_model[level]
        self.norm_weight = nn.Parameter(torch.ones(self.width))
        self.mixer: Mamba2 | BiMamba2 | Attention
        both = shape.direction == "both"
        if letter in "tT":
            self.mixer = Attention(self.width, *shape.attention(level), both)
        elif both:
            self.mixer = BiMamba2(self.width, shape)
        else:
            self.mixer = Mamba2(self.width, shape)
        self.mlp: SwiGLU | None = None
        if letter.isupper():
            self.mlp_norm_weight = nn.Parameter(torch.ones(self.width))
            self.mlp = SwiGLU(self.width, shape.mlp_width(level))

    def start(self) -> MixerState | AttentionState:
        """The state before the first position."""
        return MixerState() if isinstance(self.mixer, Mamba2) else AttentionState()

    def forward(
        self,
        residual: Tensor,
        state: MixerState | AttentionState | None = None,
        packed: Packing | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """(B, L, width) -> (B, L, width)."""
        normed = normalised(residual, self.norm_weight, NORM_EPS)
        residual = residual + full_precision(self.mixer(normed, state, packed, valid))
        if self.mlp is None:
            return residual
        normed = normalised(residual, self.mlp_norm_weight, NORM_EPS)
        return residual + full_precision(self.mlp(normed))


@dataclass(frozen=True)
class Source:
    """The input of a stack, computed when it is read: slice of positions -> (B, positions, D)."""

    length: int
    read: Callable[[slice], Tensor]


def whole(x: Tensor) -> Source:
    """A tensor, (B, L, D), as a source."""
    return Source(x.shape[1], lambda part: x[:, part])


class Stack(nn.Module):
    """Blocks, then one RMS norm.

    ``layers`` is a layout text or a number of Mamba-2 mixers, ``level`` the stage, or S for the
    trunk. ``recompute`` trades time for memory in training: the activations of a block are computed
    again in the backward pass. Routers and chunking are outside, so a mask is computed only once.
    """

    def __init__(self, layers: int | str, level: int, shape: Architecture) -> None:
        super().__init__()
        self.width = shape.d_model[level]
        self.recompute = False
        self.both = shape.direction == "both"
        self.blocks = nn.ModuleList(Block(letter, level, shape) for letter in block_letters(layers))
        self.norm_weight = nn.Parameter(torch.ones(self.width))

    def start(self) -> StackState:
        """The state before the first position."""
        return StackState([block.start() for block in self.blocks if isinstance(block, Block)])

    def forward(
        self,
        x: Tensor | Source,
        state: StackState | None = None,
        segment: int | None = None,
        packed: Packing | None = None,
        valid: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        """(B, L, width) -> (B, L, width), fp32.

        ``state`` continues a sequence and is updated to the end of ``x``. ``segment`` positions go
        through all blocks at a time (only without gradients), so that they fit the caches and a
        long sequence needs less memory; the result is the same. ``packed``, the layout of several
        sequences in one row, does not go together with ``state``. ``valid``, bool (B, L), is False
        at padding; layers of both directions, which read a sequence as a whole, need it. ``into``,
        the shape of the result, is overwritten with it: a source may still read from a segment
        that is not yet written.
        """
        source = whole(x) if isinstance(x, Tensor) else x
        length = source.length
        one = segment is None or length <= segment or torch.is_grad_enabled()
        if one or self.both or packed is not None:
            return self._blocks(source.read(slice(0, length)), state, packed, valid)
        assert segment is not None
        state = self.start() if state is None else state
        for start in range(0, length, segment):
            part = slice(start, min(start + segment, length))
            found = self._blocks(source.read(part), state)
            if into is None:
                into = found.new_empty(found.shape[0], length, self.width)
            into[:, part] = found
        assert into is not None
        return into

    def _blocks(
        self,
        x: Tensor,
        state: StackState | None,
        packed: Packing | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        x = full_precision(x)
        if x.shape[1] == 0:
            return x
        for number, block in enumerate(self.blocks):
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, None, packed, valid, use_reentrant=False)
            else:
                x = block(x, None if state is None else state.mixers[number], packed, valid)
        return normalised(x, self.norm_weight, NORM_EPS)
