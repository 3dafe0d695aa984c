"""Routers that learn nothing (controls), with the interface of the learned router.

Each is a function of the position or of the bases up to it, so all are causal and can be streamed.
Their boundary probability is 1 at a token and 0 elsewhere, and de-chunking copies tokens without
the moving average.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from genezip.alphabet import C_ID, G_ID
from genezip.models.routing.bidirectional import BidirectionalRouter
from genezip.models.routing.learned import Router, RouterState, Routing


class UnlearnedRouter(nn.Module):
    """What routers without learning share.

    ``marks_end`` is True if a token is at the last position of its chunk.
    """

    marks_end = False
    smooths = False

    def reset_parameters(self) -> None:
        """Do nothing: there are no parameters."""

    def capacity(self, length: int) -> int | None:
        """Most tokens that ``length`` positions can have; None if unknown."""
        return None

    @staticmethod
    def routing(active: Tensor, valid: Tensor, forced: Tensor | None) -> Routing:
        """Tokens at ``active`` positions, bool (B, L), or at those of a ``forced`` mask."""
        mask = active if forced is None else forced
        kept_by = torch.zeros_like(mask, dtype=torch.uint8)
        return Routing(mask.float(), active, mask, valid, kept_by)


class PositionRouter(UnlearnedRouter, ABC):
    """Base class of causal routers; a subclass defines which positions are tokens."""

    bound = None

    @abstractmethod
    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Bool mask of the positions that become tokens, (L,) or (B, L).

        ``positions``, int64 (L,), are those in the sequence. ``ids``, (B, L), are the bases (at
        stage 0 only) and ``before``, (B, 1), the base before the first; None at the start.
        """

    def forward(
        self,
        states: Tensor,
        valid: Tensor,
        forced: Tensor | None = None,
        state: RouterState | None = None,
        ids: Tensor | None = None,
    ) -> Routing:
        """Route a batch; see :meth:`genezip.models.routing.learned.Router.forward`."""
        first = 0 if state is None else state.position
        length = states.shape[1]
        positions = torch.arange(first, first + length, device=states.device)
        before = None if state is None else state.previous
        active = self.tokens(positions, ids, before) & valid
        if state is not None and length:
            state.position += length
            state.previous = None if ids is None else ids[:, -1:].clone()
        return self.routing(active, valid, forced)


class StrideRouter(PositionRouter):
    """A token at every ``stride``-th position, beginning with the first."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Positions that are multiples of the stride."""
        return positions % self.stride == 0

    def capacity(self, length: int) -> int | None:
        """One token per block, the last of which may be incomplete."""
        return -(-length // self.stride)


class BlockRouter(StrideRouter):
    """Blocks of an autoregressive U-Net: a token is the last position of its block.

    Earlier positions of the block receive the token of the previous block, those of the first
    block a learned start vector. An unfinished last block has no token.
    """

    marks_end = True

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Last position of every block."""
        return positions % self.stride == self.stride - 1


class RandomRouter(StrideRouter):
    """One token in every block of ``stride`` positions, at a hash of the block's number.

    The rate is therefore exact at every length. Positions are equal in all sequences, so they do
    not depend on the bases and a stream gives those of the whole. The token of the first block is
    its first position.
    """

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Positions at the offset of their block."""
        block = positions // self.stride
        offset = torch.where(block == 0, 0, position_hash(block) % self.stride)
        return positions % self.stride == offset


class CpgRouter(PositionRouter):
    """A token at the G of every CpG and at the first position; for stage 0 only.

    CpG is dense in many promoters, and the human genome has one per about 100 bp, so this router
    has about as many tokens as GeneZip without training.
    """

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Positions of G after C, and the first position."""
        assert ids is not None
        first = ids.new_zeros(len(ids), 1) if before is None else before
        earlier = torch.cat([first, ids[:, :-1]], dim=1)
        return ((earlier == C_ID) & (ids == G_ID)) | (positions == 0)


def position_hash(positions: Tensor) -> Tensor:
    """Hash of 31 bits of a position (int64 to int64), equal on every device.

    It multiplies and xor-shifts 32 bits with the constants of MurmurHash3's finaliser; all
    products are below 2^63.
    """
    mask = 0xFFFFFFFF
    mixed = (positions + 0x9E3779B9) & mask
    mixed = mixed ^ (mixed >> 16)
    mixed = _multiply(mixed, 0x85EBCA6B)
    mixed = mixed ^ (mixed >> 13)
    mixed = _multiply(mixed, 0xC2B2AE35)
    return (mixed ^ (mixed >> 16)) >> 1


def _multiply(values: Tensor, factor: int) -> Tensor:
    """Product modulo 2^32 of 32-bit values held in int64, without overflow."""
    low, high = values & 0xFFFF, values >> 16
    return (low * factor + ((high * factor & 0xFFFF) << 16)) & 0xFFFFFFFF


def make_router(
    kind: str, width: int, stride: int | None, direction: str = "forward"
) -> Router | UnlearnedRouter:
    """Router of a stage by its name in the architecture; the network sets its bound."""
    if kind == "learned":
        return (BidirectionalRouter if direction == "both" else Router)(width, None)
    if kind == "cpg":
        return CpgRouter()
    assert stride is not None
    kinds = {"stride": StrideRouter, "block": BlockRouter, "random": RandomRouter}
    return kinds[kind](stride)
