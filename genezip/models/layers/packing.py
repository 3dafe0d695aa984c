"""Sequences of unequal length, end to end in one row instead of padded to the longest.

This pays with a heavy trunk and a large batch: padding doubles the trunk's tokens in a batch of 32
windows. Between two sequences is a gap as long as the history of the convolution, where mixers
set their inputs to zero and let the state decay to zero, so that sequences are independent.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from genezip.errors import GenezipError

# Decay across a gap, in nats: exp(-110) is below the smallest fp32 number.
FORGET = 110.0


@dataclass(frozen=True)
class Packing:
    """Layout of the tokens of a padded batch in one row.

    Attributes
    ----------
    positions : int64 Tensor, shape (B, M), position of each token in the row; the last gap position
        for padding
    gap : bool Tensor, shape (1, T), positions between sequences
    reset : bool Tensor, shape (1, T), last position of every gap, where the state decays to zero
    """

    positions: Tensor
    gap: Tensor
    reset: Tensor

    def pack(self, tokens: Tensor) -> Tensor:
        """(B, M, D) -> (1, T, D), zero in the gaps."""
        row = tokens.new_zeros(self.gap.shape[1], tokens.shape[-1])
        row = row.index_copy(0, self.positions.flatten(), tokens.flatten(0, 1))
        return row.masked_fill(self.gap[0].unsqueeze(-1), 0.0).unsqueeze(0)

    def unpack(self, row: Tensor) -> Tensor:
        """(1, T, D) -> (B, M, D)."""
        return row[0][self.positions]


def refuse_parts(state: object, packed: Packing | None) -> None:
    """Refuse to continue a sequence, and packed rows, in a layer of both directions."""
    if state is not None or packed is not None:
        raise GenezipError(
            "a network of both directions reads whole sequences, so it neither streams nor packs "
            "its trunk; give windows, and set packed_trunk to false"
        )


def rows(values: Tensor, index: Tensor) -> Tensor:
    """values[i, index[i, t]], shape (B, T, D), by whole rows: 18 times as fast as a gather."""
    first = torch.arange(len(values), device=index.device).unsqueeze(1) * values.shape[1]
    taken = values.flatten(0, 1).index_select(0, (first + index).flatten())
    return taken.unflatten(0, index.shape)


def packing(valid: Tensor, gap: int) -> Packing:
    """Layout of a batch; one number, the length of the row, is read from the device.

    ``valid``, bool (B, M), is False at padding, which is at the end of rows. ``gap`` are the
    positions between sequences, at least 1 and the history of the convolution.
    """
    counts = valid.sum(1)
    starts = (counts + gap).cumsum(0) - (counts + gap)
    length = int((counts + gap).sum())
    inside = torch.arange(valid.shape[1], device=valid.device)
    positions = torch.where(valid, starts.unsqueeze(1) + inside, length - 1)
    in_gap = torch.ones(length, dtype=torch.bool, device=valid.device)
    # padding points to the last gap position, which is set again below
    in_gap = in_gap.index_fill(0, positions.flatten(), False)
    in_gap[-1] = True
    reset = torch.zeros_like(in_gap).index_fill(0, starts + counts + gap - 1, True)
    return Packing(positions, in_gap.unsqueeze(0), reset.unsqueeze(0))
