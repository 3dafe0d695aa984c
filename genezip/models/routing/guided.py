"""Controls that rearrange the tokens of a learned router: as many in every sequence, elsewhere.

A guide is the frozen embedding, first encoder and router of a trained network. It decides how many
tokens M a sequence has; an arrangement decides where they are:

- ``guided_even``: at equal distances, ceil(i L / M) for i = 0 .. M - 1 (Bresenham);
- ``guided_random``: the first position, and M - 1 others that are drawn without replacement;
- ``guided_shuffled``: the lengths of the guide's chunks in another, random order.

So a network with such a router has exactly the tokens per sequence of its guide, and differs from
it only in their positions. Draws are hashes of a seed and of the bases of the sequence, so that a
result does not depend on the batch, its padding or the device. All arrangements look ahead.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genezip.alphabet import MASK_ID
from genezip.errors import GenezipError
from genezip.models.routing.chunking import chunk
from genezip.models.routing.fixed import UnlearnedRouter, position_hash
from genezip.models.routing.learned import Bound, Router, RouterState, Routing

EVEN, RANDOM, SHUFFLED = "guided_even", "guided_random", "guided_shuffled"
_WORD = 0xFFFFFFFF
_IDS = 16  # more than there are token ids


def even_positions(mask: Tensor, valid: Tensor) -> Tensor:
    """Equally spaced positions, as many in each row as in ``mask``: bool (B, L).

    The number of positions from one to the next, and from the last to the end, is L / M rounded
    down or up; L is the number of valid positions of the row.
    """
    length, tokens = valid.sum(1, keepdim=True).clamp(min=1), mask.sum(1, keepdim=True)
    positions = torch.arange(mask.shape[1], device=mask.device)
    return ((positions * tokens) % length < tokens) & valid


def random_positions(mask: Tensor, valid: Tensor, draw: Tensor) -> Tensor:
    """The first position and others at random, as many in each row as in ``mask``: bool (B, L).

    ``draw``, int64 (B, 1), is the random number of each row (:func:`content_hash`).
    """
    positions = torch.arange(mask.shape[1], device=mask.device)
    key = position_hash(position_hash(positions) ^ draw)
    key[:, :1] = -1
    order = _last(key, ~valid).argsort(dim=1, stable=True)
    chosen = positions < mask.sum(1, keepdim=True)
    return torch.zeros_like(mask).scatter(1, order, chosen)


def shuffled_chunks(
    mask: Tensor, valid: Tensor, draw: Tensor, capacity: int | None = None
) -> Tensor:
    """The chunks of ``mask`` in a random order: bool (B, L), True where each begins.

    The last chunk of a row ends with its valid positions, and takes part. ``draw`` is that of
    :func:`random_positions`, ``capacity`` that of :func:`genezip.models.routing.chunking.chunk`.
    """
    kept = chunk(mask, capacity)
    length, tokens = valid.sum(1, keepdim=True), mask.sum(1, keepdim=True)
    number = torch.arange(kept.positions.shape[1], device=mask.device)
    following = pad(kept.positions, (0, 1))[:, 1:]
    ends = torch.where(number == tokens - 1, length, following)
    gaps = (ends - kept.positions) * kept.valid
    key = position_hash(position_hash(number) ^ draw)
    gaps = gaps.gather(1, _last(key, ~kept.valid).argsort(dim=1, stable=True))
    # slots without a token are written to one spare column, which is cut off
    starts = torch.where(kept.valid, gaps.cumsum(1) - gaps, mask.shape[1])
    begins = mask.new_zeros(mask.shape[0], mask.shape[1] + 1)
    return begins.scatter(1, starts, kept.valid)[:, :-1]


def content_hash(ids: Tensor, valid: Tensor, seed: Tensor) -> Tensor:
    """Hash of 31 bits of the valid token ids of each row and a seed: int64 (B, 1)."""
    positions = torch.arange(ids.shape[1], device=ids.device) * _IDS
    total = (position_hash(positions + ids.long()) * valid).sum(1, keepdim=True)
    return position_hash((total & _WORD) ^ position_hash(seed))


def _last(key: Tensor, here: Tensor) -> Tensor:
    """The key with the largest value where ``here`` is True, so that these are sorted last."""
    return key.masked_fill(here, torch.iinfo(torch.int64).max)


class Guide(nn.Module):
    """Frozen first stage of a trained network, all of whose tensors are buffers.

    So they are saved with a network, but neither counted nor trained. ``embedding``, (V, D), has
    the rows of the vocabulary; ``rows`` has the row of every id, or None where these are equal.
    ``encoder`` and ``router`` are modules of the layout, whose parameters become buffers.
    ``protect_masked`` is that of the network: whether every masked base is a token of its own.
    """

    protect_masked = False
    embedding: Tensor
    rows: Tensor | None

    def __init__(
        self, embedding: Tensor, rows: Tensor | None, encoder: nn.Module, router: Router
    ) -> None:
        super().__init__()
        self.register_buffer("embedding", embedding)
        self.register_buffer("rows", rows, persistent=False)
        self.encoder, self.router = encoder, router
        for module in self.modules():
            for name, value in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, value.detach())

    @torch.no_grad()
    def take(self, embedding: Tensor, encoder: nn.Module, router: nn.Module) -> None:
        """Copy the first stage of another network of the same layout."""
        self.embedding.copy_(embedding)
        self.encoder.load_state_dict(encoder.state_dict())
        self.router.load_state_dict(router.state_dict())

    @torch.no_grad()
    def forward(self, ids: Tensor, valid: Tensor) -> Tensor:
        """Tokens of the guide in a batch of token ids: bool (B, L)."""
        rows = ids.long() if self.rows is None else self.rows[ids.long()]
        encoded = self.encoder(self.embedding[rows], valid=valid)
        routing: Routing = self.router(encoded, valid)
        if self.protect_masked:
            routing = routing.protecting(ids == MASK_ID)
        return routing.boundary_mask


class GuidedRouter(UnlearnedRouter):
    """As many tokens in each sequence as its guide makes, arranged as ``kind`` says.

    ``q_proj`` and ``k_proj`` are those of a learned router of the same width; they are not used,
    so that the network has as many parameters. ``seed``, int64 (), is that of the draws. Until
    :meth:`Guide.take` copies a trained one, the guide is the untrained network itself.
    """

    seed: Tensor

    def __init__(self, kind: str, width: int, guide: Guide) -> None:
        super().__init__()
        self.kind, self.guide = kind, guide
        self.q_proj = nn.Linear(width, width, bias=False).requires_grad_(False)
        self.k_proj = nn.Linear(width, width, bias=False).requires_grad_(False)
        self.register_buffer("seed", torch.zeros((), dtype=torch.int64))

    @property
    def bound(self) -> Bound:
        """The bound of the guide's router."""
        return self.guide.router.bound

    @bound.setter
    def bound(self, bound: Bound) -> None:
        self.guide.router.bound = bound

    def reset_parameters(self) -> None:
        """Set the unused projections to the identity, as those of a learned router."""
        nn.init.eye_(self.q_proj.weight)
        nn.init.eye_(self.k_proj.weight)

    def begin(self, seed: int, embedding: Tensor, encoder: nn.Module) -> None:
        """Take a seed, and as guide the untrained first stage of the network itself."""
        self.seed.fill_(seed)
        self.guide.take(embedding, encoder, self.guide.router)
        for projection in (self.guide.router.q_proj, self.guide.router.k_proj):
            nn.init.eye_(projection.weight)

    def capacity(self, length: int) -> int | None:
        """That of the guide's router."""
        return self.guide.router.capacity(length)

    def forward(
        self,
        states: Tensor,
        valid: Tensor,
        forced: Tensor | None = None,
        state: RouterState | None = None,
        ids: Tensor | None = None,
    ) -> Routing:
        """Route a batch by its ``ids``, (B, L), alone; a stream is refused."""
        if state is not None:
            raise GenezipError("a guided router reads whole sequences, so it cannot be streamed")
        assert ids is not None, "of stage 0"
        return self.routing(self.arranged(self.guide(ids, valid), ids, valid), valid, forced)

    def arranged(self, mask: Tensor, ids: Tensor, valid: Tensor) -> Tensor:
        """The positions that become tokens, bool (B, L), by those of the guide, ``mask``."""
        if self.kind == EVEN:
            return even_positions(mask, valid)
        draw = content_hash(ids, valid, self.seed)
        if self.kind == RANDOM:
            return random_positions(mask, valid, draw)
        # protected tokens are beyond any limit
        most = None if self.guide.protect_masked else self.capacity(mask.shape[1])
        return shuffled_chunks(mask, valid, draw, most)
