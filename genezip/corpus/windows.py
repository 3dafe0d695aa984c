"""Windows: where one lies, tiling a piece, and blocks that keep two splits apart.

Random windows are drawn by :mod:`genezip.corpus.sampling` from a
:class:`genezip.corpus.pool.Pool`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genezip.errors import GenezipError
from genezip.genome.assembly import Piece


@dataclass(frozen=True)
class Placement:
    """Where a window lies: [start, end) of a piece, and how it was chosen."""

    piece: Piece
    start: int
    end: int
    mode: str


def tile(piece: Piece, window_bp: int, keep_short: bool = False) -> list[Placement]:
    """Windows side by side from the start of a piece.

    The remainder at the end is a short window if ``keep_short``, else it is left out.
    """
    starts = range(piece.start, piece.end, window_bp)
    placed = [
        Placement(piece, start, min(start + window_bp, piece.end), "tile") for start in starts
    ]
    if not keep_short and placed and placed[-1].end - placed[-1].start < window_bp:
        placed.pop()
    return placed


def strict_blocks(
    pieces: Sequence[Piece], block_bp: int, valid_fraction: float, seed: int
) -> tuple[list[Piece], list[Piece]]:
    """Cut pieces into blocks and give a share of them to validation.

    Blocks begin at multiples of ``block_bp`` of the chromosome, so that the cut does not depend
    on where pieces begin. Neighbouring blocks of one split stay together. A window drawn from
    one of the parts never touches a base of the other split.

    Parameters
    ----------
    pieces : Sequence[Piece]
    block_bp : int
        Length of a block (bp); the first and last of a piece may be shorter.
    valid_fraction : float
        Share of the blocks that validate, at least one of them.
    seed : int
        Chooses them.

    Returns
    -------
    train, valid : lists of Piece
        Parts of the pieces under their names, with their own start and end.

    Raises
    ------
    GenezipError
        If there are fewer than two blocks.
    """
    blocks = [
        replace(piece, start=max(start, piece.start), end=min(start + block_bp, piece.end))
        for piece in pieces
        for start in range(piece.start // block_bp * block_bp, piece.end, block_bp)
    ]
    if len(blocks) < 2:
        raise GenezipError(
            f"the training pieces make {len(blocks)} block of {block_bp:,} bp, which cannot be "
            "shared between training and validation; choose a smaller corpus.strict_block_bp"
        )
    count = min(max(1, round(len(blocks) * valid_fraction)), len(blocks) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(blocks))[:count].tolist())
    parts: tuple[list[Piece], list[Piece]] = ([], [])
    last = (-1, -1)  # split and number of the block before
    for number, block in enumerate(blocks):
        own = int(number in chosen)
        grown = parts[own]
        if last == (own, number - 1) and grown[-1].name == block.name:
            grown[-1] = replace(grown[-1], end=block.end)
        else:
            grown.append(block)
        last = (own, number)
    return parts
