"""Sequences of unequal length, end to end in one row instead of padded to the longest.

Worth it where the trunk is heavy and the batch large: a batch of 32 windows pads the trunk to
about twice its tokens. Between two sequences lies a gap as long as the convolution looks
back. Mixers hold their inputs at zero there and let the state decay to nothing, so no
sequence sees another.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# Decay across a gap, in nats: exp(-110) is below the smallest fp32 number.
FORGET = 110.0


@dataclass(frozen=True)
class Packing:
    """Where the tokens of a padded batch lie in one row.

    Attributes
    ----------
    places : int64 Tensor, shape (B, M)
        Position of each token in the row; that of the row's last gap position for padding.
    gap : bool Tensor, shape (1, T)
        Positions between sequences.
    reset : bool Tensor, shape (1, T)
        The last position of every gap, where the state is forgotten.
    """

    places: Tensor
    gap: Tensor
    reset: Tensor

    def pack(self, tokens: Tensor) -> Tensor:
        """(B, M, D) -> (1, T, D), zero in the gaps."""
        row = tokens.new_zeros(self.gap.shape[1], tokens.shape[-1])
        row = row.index_copy(0, self.places.flatten(), tokens.flatten(0, 1))
        return row.masked_fill(self.gap[0].unsqueeze(-1), 0.0).unsqueeze(0)

    def unpack(self, row: Tensor) -> Tensor:
        """(1, T, D) -> (B, M, D)."""
        return row[0][self.places]


def packing(valid: Tensor, gap: int) -> Packing:
    """Lay out a batch; one number, the length of the row, is read from the device.

    Parameters
    ----------
    valid : bool Tensor, shape (B, M), False at padding, which stands at the end of rows
    gap : positions between sequences, at least as many as a convolution looks back, and 1
    """
    counts = valid.sum(1)
    starts = (counts + gap).cumsum(0) - (counts + gap)
    length = int((counts + gap).sum())
    inside = torch.arange(valid.shape[1], device=valid.device)
    places = torch.where(valid, starts.unsqueeze(1) + inside, length - 1)
    in_gap = torch.ones(length, dtype=torch.bool, device=valid.device)
    # padding points into the last gap, so writing False there is undone below
    in_gap = in_gap.index_fill(0, places.flatten(), False)
    in_gap[-1] = True
    reset = torch.zeros_like(in_gap).index_fill(0, starts + counts + gap - 1, True)
    return Packing(places, in_gap.unsqueeze(0), reset.unsqueeze(0))
