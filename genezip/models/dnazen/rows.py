"""Rows of a network on words: tokens and G-grams of blocks of DNA, as padded arrays.

A row is a block of DNA (of the vocabulary's length) between ``[CLS]`` and ``[SEP]``. It is given
the G-grams that occur first, each once, at most as many as the layout allows, and for each of them
the tokens that it covers in all its places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import GGrams, Matches, with_breaks
from genezip.models.dnazen.masking import MaskedTokens
from genezip.models.dnazen.mining import tokens_in_blocks

CLS, SEP, PAD = (list(SPECIAL).index(f"{name}_token") for name in ("cls", "sep", "pad"))


@dataclass(frozen=True)
class Rows:
    """Padded rows of tokens with their G-grams.

    Attributes
    ----------
    ids : int64 array, shape (B, T), token ids with ``[CLS]`` first and ``[SEP]`` last
    valid : bool array, shape (B, T), False at padding
    ggrams : int64 array, shape (B, G), number of each G-gram; -1 where there is none
    covers : bool array, shape (B, T, G), whether a G-gram covers a token
    cut : int64 array, shape (B,), different G-grams of the row that were left out as too many
    """

    ids: np.ndarray
    valid: np.ndarray
    ggrams: np.ndarray
    covers: np.ndarray
    cut: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


def blocks_of(
    tokenizer: BPE, sequences: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Words of every block of some sequences, int64 (n,) each, and the sequence of each block.

    ``sequences`` are uint8 token ids of the alphabet.
    """
    tokens: list[np.ndarray] = []
    sequence: list[int] = []
    for number, one in enumerate(tokenizer.encode(list(sequences))):
        assert one.token_ids is not None
        parts = tokens_in_blocks(one.token_starts, one.token_ids, tokenizer.block_bp)
        tokens += parts
        sequence += [number] * len(parts)
    return tokens, np.array(sequence, dtype=np.int64)


def matches_of_rows(table: GGrams | None, tokens: Sequence[np.ndarray]) -> list[Matches]:
    """The G-grams in each of several rows of tokens, found in one search."""
    none = Matches(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
    if table is None or not len(table):
        return [none] * len(tokens)
    found = table.find(with_breaks(list(tokens)))
    first = np.cumsum([0, *(len(one) + 1 for one in tokens)])
    edges = np.searchsorted(found.start, first)
    parts = []
    for row in range(len(tokens)):
        one = found[edges[row] : edges[row + 1]]
        parts.append(Matches(one.start - first[row], one.length, one.ggram))
    return parts


def make_rows(tokens: Sequence[np.ndarray], matches: Sequence[Matches], most_ggrams: int) -> Rows:
    """Rows of tokens, int64 (n,) each, and of the G-grams that a network is to see in them."""
    longest = max(map(len, tokens), default=0) + 2
    ids = np.full((len(tokens), longest), PAD, dtype=np.int64)
    seen, cut = [], np.zeros(len(tokens), dtype=np.int64)
    for row, (one, found) in enumerate(zip(tokens, matches, strict=True)):
        ids[row, 0], ids[row, 1 : len(one) + 1], ids[row, len(one) + 1] = CLS, one, SEP
        different, first = np.unique(found.ggram, return_index=True)
        order = different[np.argsort(first, kind="stable")]
        seen.append(order[:most_ggrams])
        cut[row] = len(order) - len(seen[-1])
    # one column at least, so that every row passes all parts of a network
    width = max(1, *map(len, seen)) if seen else 1
    ggrams = np.full((len(tokens), width), -1, dtype=np.int64)
    covers = np.zeros((len(tokens), longest, width), dtype=bool)
    for row, (found, kept) in enumerate(zip(matches, seen, strict=True)):
        ggrams[row, : len(kept)] = kept
        if not len(kept):
            continue
        sort = np.argsort(kept)
        place = np.searchsorted(kept[sort], found.ggram)
        place[place == len(kept)] = 0
        column = sort[place]
        inside = kept[column] == found.ggram
        for start, length, at in zip(
            found.start[inside], found.length[inside], column[inside], strict=True
        ):
            covers[row, start + 1 : start + 1 + length, at] = True
    return Rows(ids, ids != PAD, ggrams, covers, cut)


def masked_rows(
    tokens: Sequence[MaskedTokens], matches: Sequence[Matches], most_ggrams: int
) -> Rows:
    """Rows with hidden tokens, whose G-grams are the visible ones."""
    seen = [found[one.visible] for one, found in zip(tokens, matches, strict=True)]
    return make_rows([one.ids for one in tokens], seen, most_ggrams)
