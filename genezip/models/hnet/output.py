"""The output of a network for a batch."""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from genezip.models.routing.chunking import Chunks
from genezip.models.routing.learned import Routing


@dataclass
class Output:
    """Logits, vectors and routing of a batch.

    Attributes
    ----------
    logits : Tensor, shape (B, L, vocab), position t predicts the base at t + 1, or
        in a network of both directions the base at t
    states : Tensor, shape (B, L, d_model[0]), stage-0 decoder output, one vector per base
    valid : bool Tensor, shape (B, L)
    marks_end : whether a token is at the last position of its chunk, not at the first
    stage_shares : exponents of the target BPT at every stage (``Architecture.stage_shares``)
    tokens : Tensor, shape (B, M, D)
        Trunk output, one vector per final-stage token (padded; see :meth:`token_positions`).
    routings, chunks : one per stage, outermost first; none for a flat model

    After ``GeneZipNetwork.route`` logits, states and tokens have no meaning.
    """

    logits: Tensor
    states: Tensor
    valid: Tensor
    marks_end: bool = False
    stage_shares: tuple[float, ...] = ()
    tokens: Tensor = field(default_factory=lambda: torch.empty(0))
    routings: list[Routing] = field(default_factory=list)
    chunks: list[Chunks] = field(default_factory=list)

    def token_positions(self) -> tuple[Tensor, Tensor]:
        """Base of every final-stage token: int64 (B, M) and its valid mask."""
        if not self.chunks:
            bases = torch.arange(self.valid.shape[1], device=self.valid.device)
            return bases.expand_as(self.valid), self.valid
        positions = self.chunks[-1].positions
        for outer in reversed(self.chunks[:-1]):
            positions = outer.positions.gather(1, positions)
        return positions, self.chunks[-1].valid

    def token_starts(self) -> tuple[Tensor, Tensor]:
        """First base of the chunk of every final-stage token: int64 (B, M), valid mask.

        A chunk ends where the next begins. Bases of an unfinished last block, which has no token
        yet, belong to the last chunk.
        """
        positions, valid = self.token_positions()
        if self.marks_end:
            positions = pad(positions[:, :-1] + 1, (1, 0)) * valid
        return positions, valid

    def kept_by(self) -> Tensor:
        """Reason for every final-stage token: index into ``KEPT_BY``, uint8 (B, M).

        It is ``router`` if the router chose the token at every stage, else the reason at the
        innermost stage where the router did not.
        """
        if not self.chunks:
            return torch.zeros_like(self.valid, dtype=torch.uint8)
        reason = torch.zeros_like(self.routings[0].kept_by)
        for routing, kept in zip(self.routings, self.chunks, strict=True):
            reason = torch.where(routing.kept_by > 0, routing.kept_by, reason)
            reason = kept.select(reason)
        return reason
