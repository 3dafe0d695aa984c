"""Floors of the prediction of masked words: models that count words and their neighbours.

They are what a network on words must beat, and get the same masks; a masked neighbour is unknown.

- ``word_unigram``: how often each word is,
- ``word_neighbour``: given the word before; where that is masked or absent, the word after,
- ``word_neighbours``: given the words on both sides.

A word x beside the word a has p(x | a) = (n(a, x) + s p(x)) / (n(a) + s). Of both sides the words
a, b give q(x) ~ p(x | a) p(x | b) / p(x) first, as if they were independent given x, then
p(x | a, b) = (n(a, x, b) + t q(x)) / (n(a, ., b) + t). The strengths s and t are those that predict
masked words of validation windows best.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genezip.artifacts.scores import WORD_FLOORS
from genezip.evaluation.markov import STRENGTHS
from genezip.models.bpe.vocabulary import SPECIAL

UNKNOWN = -1
"""A neighbour that is masked, a run of N, or absent."""
AT_A_TIME = 2_048  # positions whose probabilities of all words are in memory

Masked = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of one row: the true words, what is shown, int64 (n,), and which are to be predicted, bool."""


@dataclass(frozen=True)
class Floors:
    """Counts of words, of pairs and of triples, and the strengths that were chosen.

    Words are numbered from 0 without the special tokens; V is their number. ``pairs``, (V, V),
    counts a word and the next; ``triples`` and ``around`` are numbers of (first, second, third) and
    of (first, third) with their counts, ascending.
    """

    words: np.ndarray
    pairs: np.ndarray
    triples: tuple[np.ndarray, np.ndarray]
    around: tuple[np.ndarray, np.ndarray]
    strengths: tuple[float, float] = (1.0, 1.0)

    @property
    def size(self) -> int:
        """Number of words, V."""
        return len(self.words)

    def losses(self, row: Masked) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Loss (nats) at each hidden word of a row, and whether it is the most probable one.

        The models are those of :data:`WORD_FLOORS`.
        """
        truth, left, right = hidden_words(row)
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in WORD_FLOORS}
        for first in range(0, len(truth), AT_A_TIME):
            part = slice(first, first + AT_A_TIME)
            tables = self._probabilities(left[part], right[part])
            for name, table in zip(WORD_FLOORS, tables, strict=True):
                true = table[np.arange(len(table)), truth[part]]
                found[name].append((-np.log(true), table.argmax(axis=1) == truth[part]))
        empty = (np.zeros(0), np.zeros(0, dtype=bool))
        return {
            name: tuple(map(np.concatenate, zip(*parts, strict=True))) if parts else empty  # type: ignore[misc]
            for name, parts in found.items()
        }

    def _unigram(self) -> np.ndarray:
        share: np.ndarray = (self.words + 1) / (self.words.sum() + self.size)
        return share

    def _beside(self, words: np.ndarray, after: bool, strength: float) -> np.ndarray:
        """p(x | neighbour), (k, V), of known neighbours before x, or ``after`` it."""
        counts = self.pairs[:, words].T if after else self.pairs[words]
        total = counts.sum(axis=1, keepdims=True)
        return np.asarray((counts + strength * self._unigram()) / (total + strength))

    def _probabilities(
        self, left: np.ndarray, right: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Probabilities of all words at some positions under each model, (k, V) each."""
        one, both = self.strengths
        unigram = np.tile(self._unigram(), (len(left), 1))
        before, behind = unigram.copy(), unigram.copy()
        before[left >= 0] = self._beside(left[left >= 0], False, one)
        behind[right >= 0] = self._beside(right[right >= 0], True, one)
        neighbour = np.where((left >= 0)[:, None], before, behind)
        product = before * behind / unigram
        product /= product.sum(axis=1, keepdims=True)
        known = np.flatnonzero((left >= 0) & (right >= 0))
        for first in range(0, len(known), 256):
            rows = known[first : first + 256]
            place = left[rows] * self.size + right[rows]
            total = _looked_up(self.around, place)[:, None]
            middle = np.arange(self.size) * self.size + right[rows, None]
            keys = left[rows, None] * self.size**2 + middle
            counts = np.where(total > 0, _looked_up(self.triples, keys), 0)
            product[rows] = (counts + both * product[rows]) / (total + both)
        return unigram, neighbour, product


def hidden_words(row: Masked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True words at the hidden places of a row and their neighbours: int64 (k,) each.

    Words are numbered from 0; a neighbour that is not known is :data:`UNKNOWN`.
    """
    truth, shown, hidden = row
    around = np.concatenate([[UNKNOWN], _numbered(shown), [UNKNOWN]])
    at = np.flatnonzero(hidden)
    return truth[at] - len(SPECIAL), around[at], around[at + 2]


def _numbered(ids: np.ndarray) -> np.ndarray:
    """Token ids as words from 0; special tokens are unknown."""
    return np.where(ids < len(SPECIAL), UNKNOWN, ids - len(SPECIAL))


def _looked_up(table: tuple[np.ndarray, np.ndarray], keys: np.ndarray) -> np.ndarray:
    """Counts of some keys, float64 of their shape; 0 of one that never occurred."""
    known, counts = table
    if not len(known):
        return np.zeros(keys.shape)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, counts[at], 0).astype(np.float64)


def count_words(rows: Sequence[np.ndarray], vocabulary: int) -> Floors:
    """Count the words of some rows of tokens, int64 (n,) each, and their neighbours."""
    size = vocabulary - len(SPECIAL)
    flat = np.concatenate([np.append(_numbered(one), UNKNOWN) for one in rows])
    flat = np.append(flat, UNKNOWN)
    words = np.bincount(flat[flat >= 0], minlength=size).astype(np.float64)
    first, second, third = flat[:-2], flat[1:-1], flat[2:]
    two, three = (first >= 0) & (second >= 0), (first >= 0) & (second >= 0) & (third >= 0)
    pairs = np.bincount(first[two] * size + second[two], minlength=size * size)
    triples = np.unique(
        (first[three] * size + second[three]) * size + third[three], return_counts=True
    )
    around = np.unique(first[three] * size + third[three], return_counts=True)
    return Floors(words, pairs.reshape(size, size).astype(np.float64), triples, around)


def with_strengths(floors: Floors, rows: Sequence[Masked]) -> Floors:
    """The floors with the strengths that predict the hidden words of some rows best.

    The first is chosen for one neighbour, the second for both.
    """
    chosen = list(floors.strengths)
    for place, name in enumerate(WORD_FLOORS[1:]):
        bits = []
        for strength in STRENGTHS:
            chosen[place] = strength
            one = Floors(floors.words, floors.pairs, floors.triples, floors.around, tuple(chosen))  # type: ignore[arg-type]
            bits.append(sum(float(one.losses(row)[name][0].sum()) for row in rows))
        chosen[place] = STRENGTHS[int(np.argmin(bits))]
    found = floors.words, floors.pairs, floors.triples, floors.around
    return Floors(*found, (chosen[0], chosen[1]))
