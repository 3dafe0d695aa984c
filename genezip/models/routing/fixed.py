"""Routers that learn nothing: the controls, behind the interface of the learned one.

Each is a function of the position or of the bases up to it, so all are causal and can be
streamed. Their boundary probability is 1 at a token and 0 elsewhere, and de-chunking hands
on each token as it is, without the moving average.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from genezip.alphabet import C_ID, G_ID
from genezip.models.routing.learned import Router, RouterState, Routing


class UnlearnedRouter(nn.Module, ABC):
    """Common frame: a subclass says which positions are tokens.

    ``marks_end`` is True where a token stands at the last position of its chunk.
    """

    marks_end = False
    smooths = False
    bound = None

    @abstractmethod
    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Which positions become tokens.

        Parameters
        ----------
        positions : int64 Tensor, shape (L,), numbers of the positions in their sequence
        ids : integer Tensor, shape (B, L), bases (at stage 0 only)
        before : integer Tensor, shape (B, 1), the base before the first; None at the start

        Returns
        -------
        bool Tensor, shape (L,) or (B, L)
        """

    def reset_parameters(self) -> None:
        """Nothing is learned."""

    def capacity(self, length: int) -> int | None:
        """Tokens that ``length`` positions can have at most; None where that is not known."""
        return None

    def forward(
        self,
        states: Tensor,
        valid: Tensor,
        forced: Tensor | None = None,
        state: RouterState | None = None,
        ids: Tensor | None = None,
    ) -> Routing:
        """Route a batch; arguments as of :class:`genezip.models.routing.learned.Router`."""
        first = 0 if state is None else state.position
        length = states.shape[1]
        positions = torch.arange(first, first + length, device=states.device)
        before = None if state is None else state.previous
        active = self.tokens(positions, ids, before) & valid
        if state is not None and length:
            state.position += length
            state.previous = None if ids is None else ids[:, -1:].clone()
        mask = active if forced is None else forced
        kept_by = torch.zeros_like(mask, dtype=torch.uint8)
        return Routing(mask.float(), active, mask, valid, kept_by)


class StrideRouter(UnlearnedRouter):
    """A token at every ``stride``-th position; the first position is one."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Multiples of the stride."""
        return positions % self.stride == 0

    def capacity(self, length: int) -> int | None:
        """One token for every block that has begun."""
        return -(-length // self.stride)


class BlockRouter(StrideRouter):
    """Blocks of an autoregressive U-Net: a token is the last position of its block.

    It exists from that position on: earlier positions of the block still receive the token
    of the block before, those of the first block a learned start vector. An unfinished last
    block has no token.
    """

    marks_end = True

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Last position of every block."""
        return positions % self.stride == self.stride - 1


class RandomRouter(StrideRouter):
    """One token in every block of ``stride`` positions, at an offset hashed from its number.

    So the rate is exact at every length. The same positions in every sequence, whatever it
    holds: nothing of the sequence can enter the choice, and a stream chooses as the whole
    does. The first block's token is its first position.
    """

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Where a position is its block's offset."""
        block = positions // self.stride
        offset = torch.where(block == 0, 0, position_hash(block) % self.stride)
        return positions % self.stride == offset


class CpgRouter(UnlearnedRouter):
    """A token at the G of every CpG, and at the first position; of stage 0 only.

    CpG marks many promoters, and the human genome has one per about 100 bp, so this costs
    nothing to learn and spends about what GeneZip spends.
    """

    def tokens(self, positions: Tensor, ids: Tensor | None, before: Tensor | None) -> Tensor:
        """Where C is followed by G."""
        assert ids is not None
        first = ids.new_zeros(len(ids), 1) if before is None else before
        earlier = torch.cat([first, ids[:, :-1]], dim=1)
        return ((earlier == C_ID) & (ids == G_ID)) | (positions == 0)


def position_hash(positions: Tensor) -> Tensor:
    """31 well-mixed bits of a position (int64 in, int64 out), the same on every device.

    Multiply and xor-shift on 32 bits, by the constants of the finaliser of MurmurHash3; all
    products stay below 2^63.
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


def make_router(kind: str, width: int, stride: int | None) -> Router | UnlearnedRouter:
    """The router of a stage by its name in the architecture; bounds are set by the network."""
    if kind == "learned":
        return Router(width, None)
    if kind == "cpg":
        return CpgRouter()
    assert stride is not None
    kinds = {"stride": StrideRouter, "block": BlockRouter, "random": RandomRouter}
    return kinds[kind](stride)
