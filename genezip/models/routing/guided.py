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

from typing import get_args

import torch
from torch import Tensor, nn

from genezip.models.routing.chunking import chunk
from genezip.models.routing.fixed import GuidedKind, position_hash
from genezip.models.routing.learned import Router

GUIDED: tuple[GuidedKind, ...] = get_args(GuidedKind)
"""Names of these routers in an architecture."""
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
    if mask.shape[1] == 0:
        return mask
    positions = torch.arange(mask.shape[1], device=mask.device)
    key = position_hash(position_hash(positions) ^ draw)
    key[:, 0] = -1
    key = key.masked_fill(~valid, torch.iinfo(torch.int64).max)
    order = key.argsort(dim=1, stable=True)
    chosen = positions < mask.sum(1, keepdim=True)
    return torch.zeros_like(mask).scatter(1, order, chosen)


def shuffled_gaps(mask: Tensor, valid: Tensor, draw: Tensor, capacity: int | None = None) -> Tensor:
    """The chunks of ``mask`` in a random order: bool (B, L), True where each begins.

    The last chunk of a row ends with its valid positions, and takes part. ``draw`` is that of
    :func:`random_positions`, ``capacity`` that of :func:`genezip.models.routing.chunking.chunk`.
    """
    kept = chunk(mask, capacity)
    length, tokens = valid.sum(1, keepdim=True), mask.sum(1, keepdim=True)
    number = torch.arange(kept.positions.shape[1], device=mask.device)
    following = torch.cat([kept.positions[:, 1:], length[:, :0]], dim=1)
    following = nn.functional.pad(following, (0, kept.positions.shape[1] - following.shape[1]))
    ends = torch.where(number == tokens - 1, length, following)
    gaps = (ends - kept.positions) * kept.valid
    key = position_hash(position_hash(number) ^ draw)
    key = key.masked_fill(~kept.valid, torch.iinfo(torch.int64).max)
    gaps = gaps.gather(1, key.argsort(dim=1, stable=True))
    starts = torch.where(kept.valid, gaps.cumsum(1) - gaps, mask.shape[1])
    # slots without a token are written to one spare column, which is cut off
    begins = mask.new_zeros(mask.shape[0], mask.shape[1] + 1)
    return begins.scatter(1, starts, kept.valid)[:, : mask.shape[1]]


def content_hash(ids: Tensor, valid: Tensor, seed: Tensor) -> Tensor:
    """Hash of 31 bits of the valid token ids of each row and a seed: int64 (B, 1)."""
    positions = torch.arange(ids.shape[1], device=ids.device) * _IDS
    total = (position_hash(positions + ids.long()) * valid).sum(1, keepdim=True)
    return position_hash((total & _WORD) ^ position_hash(seed.long()))


class Guide(nn.Module):
    """Frozen first stage of a trained network: all of its tensors are buffers.

    ``embedding`` are the rows of its vocabulary, (V, D); ``encoder`` and ``router`` are modules of
    its layout, whose parameters become buffers, so they are saved with a network but neither
    counted nor trained.
    """

    embedding: Tensor

    def __init__(self, embedding: Tensor, encoder: nn.Module, router: Router) -> None:
        super().__init__()
        self.register_buffer("embedding", embedding)
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
