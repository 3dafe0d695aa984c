"""The table of G-grams: phrases of 2 to 5 tokens, which it finds in tokenised DNA.

Tokens are given as one array in which a negative number ends a sequence; no G-gram extends over
it. The search follows a trie whose levels are sorted arrays, for all tokens at once: it compares
each token with as many levels as G-grams of its beginning reach, so the time is proportional to
the number of tokens (times the length of the longest G-gram at most).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np

from genezip.artifacts.files import write_text
from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError

GGRAMS = "ggrams.json"
KIND = Kind(
    "table of G-grams",
    1,
    "mine it first (genezip tokenizer ggrams)",
    "mine it again (genezip tokenizer ggrams)",
    keys=("vocabulary", "tokenizer_sha256", "mining", "tokens", "counts", "pmi"),
)
BREAK = -1
"""Stands between sequences of tokens."""


@dataclass(frozen=True)
class Matches:
    """G-grams that were found, ordered by first token, then by length: int64 arrays, shape (m,).

    ``start`` is the place of the first token, ``length`` the number of tokens and ``ggram`` the
    row in the table.
    """

    start: np.ndarray
    length: np.ndarray
    ggram: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, chosen: Any) -> "Matches":
        """Some of the matches, by an index of arrays."""
        return Matches(self.start[chosen], self.length[chosen], self.ggram[chosen])


@dataclass(frozen=True)
class _Level:
    """Beginnings of G-grams of one length; each is numbered by its place in ``keys``.

    A key is the number of the beginning without its last token, times the vocabulary, plus that
    token. ``ggram`` is the G-gram that ends here, -1 where none does.
    """

    keys: np.ndarray
    ggram: np.ndarray


@dataclass(frozen=True)
class GGrams:
    """G-grams of a vocabulary.

    Attributes
    ----------
    vocabulary : number of token ids
    tokens : int64 array, shape (G, K), token ids; -1 after the end of a shorter G-gram
    counts : int64 array, shape (G,), occurrences in the DNA that was mined
    pmi : float64 array, shape (G,), least PMI of its neighbouring tokens; NaN of random ones
    facts : JSON values: ``tokenizer_sha256``, ``mining`` (settings), and provenance
    """

    vocabulary: int
    tokens: np.ndarray
    counts: np.ndarray
    pmi: np.ndarray
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of every G-gram, int64 (G,)."""
        return (self.tokens >= 0).sum(axis=1)

    @cached_property
    def _levels(self) -> list[_Level]:
        """The trie, from beginnings of two tokens."""
        found = []
        rows = np.arange(len(self))
        number = self.tokens[:, 0] if len(self) else np.zeros(0, dtype=np.int64)
        for place in range(1, self.tokens.shape[1]):
            longer = self.tokens[rows, place] >= 0
            rows, number = rows[longer], number[longer]
            keys, inverse = np.unique(
                number * self.vocabulary + self.tokens[rows, place], return_inverse=True
            )
            ggram = np.full(len(keys), -1)
            ends = self.lengths[rows] == place + 1
            ggram[inverse[ends]] = rows[ends]
            found.append(_Level(keys, ggram))
            number = inverse
        return found

    def find(self, ids: np.ndarray) -> Matches:
        """All G-grams in tokens, overlapping ones as well; ``ids`` are int64 (n,)."""
        at = np.flatnonzero(ids >= 0)
        number = ids[at]
        parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        for place, level in enumerate(self._levels, start=1):
            inside = at + place < len(ids)
            at, number = at[inside], number[inside]
            token = ids[at + place]
            key = np.where(token >= 0, number * self.vocabulary + token, -1)
            known = np.searchsorted(level.keys, key)
            known[known == len(level.keys)] = 0  # which is another key
            hit = level.keys[known] == key if len(level.keys) else np.zeros(len(key), dtype=bool)
            at, number = at[hit], known[hit]
            ends = level.ggram[number] >= 0
            parts.append((at[ends], np.full(ends.sum(), place + 1), level.ggram[number[ends]]))
        if not parts:
            return Matches(*(np.zeros(0, dtype=np.int64) for _ in range(3)))
        start, length, ggram = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.lexsort((length, start))
        return Matches(start[order], length[order], ggram[order])

    def cover(self, ids: np.ndarray, matches: Matches | None = None) -> Matches:
        """G-grams that cover tokens from the left, at each place the longest; none overlap.

        ``matches`` are those of :meth:`find`, where they are known.
        """
        found = self.find(ids) if matches is None else matches
        last = np.flatnonzero(np.append(found.start[1:] != found.start[:-1], True)[: len(found)])
        longest = found[last]  # of each place
        kept, end = [], 0
        pairs = zip(longest.start.tolist(), longest.length.tolist(), strict=True)
        for row, (start, length) in enumerate(pairs):
            if start >= end:
                kept.append(row)
                end = start + length
        return longest[np.array(kept, dtype=np.int64)]

    def check_tokenizer(self, sha256: str | None, vocabulary: int, where: str) -> None:
        """Refuse a tokenizer, of the model folder ``where``, that the G-grams were not mined with.

        Without a hash, that of a tokenizer which was never written, only sizes are compared.
        """
        mined = self.facts.get("tokenizer_sha256")
        if vocabulary != self.vocabulary:
            raise GenezipError(
                f"the G-grams were mined with a vocabulary of {self.vocabulary:,} tokens, but "
                f"{where} has {vocabulary:,}; mine them again with it"
            )
        if None not in (mined, sha256) and mined != sha256:
            raise GenezipError(
                f"the G-grams were mined with another tokenizer than {where} (sha256 "
                f"{str(mined)[:12]}, not {str(sha256)[:12]}); mine them again with it"
            )

    def save(self, path: str | Path) -> None:
        """Write the table as JSON, one G-gram a line (atomically)."""
        from json import dumps

        head = KIND.head(vocabulary=self.vocabulary, **self.facts)
        words = [row[row >= 0].tolist() for row in self.tokens]
        columns = {
            "tokens": words,
            "counts": self.counts.tolist(),
            "pmi": [None if np.isnan(one) else round(float(one), 6) for one in self.pmi],
        }
        lines = [f"{dumps(key)}: {dumps(value)}" for key, value in (head | columns).items()]
        write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a table; one that is no table of G-grams is refused."""
        found = KIND.read(path)
        try:
            words = [np.asarray(one, dtype=np.int64) for one in found["tokens"]]
            tokens = padded(words)
            counts = np.asarray(found["counts"], dtype=np.int64)
            pmi = np.asarray([np.nan if one is None else one for one in found["pmi"]], dtype=float)
            vocabulary = int(found["vocabulary"])
            sizes = {len(tokens), len(counts), len(pmi)}
        except (TypeError, ValueError):
            raise KIND.foreign(path) from None
        whole = len(sizes) == 1 and (tokens < vocabulary).all()
        if not whole or any(len(one) < 2 or (one < 0).any() for one in words):
            raise KIND.foreign(path)
        own = {"tokens", "counts", "pmi", "vocabulary", KIND.version_key}
        facts = {key: value for key, value in found.items() if key not in own}
        return cls(vocabulary, tokens, counts, pmi, facts)


def padded(words: list[np.ndarray]) -> np.ndarray:
    """Rows of token ids of unequal length as int64 (G, K), -1 after their ends; K is at least 2."""
    widest = max(map(len, words), default=2)
    found = np.full((len(words), max(widest, 2)), -1, dtype=np.int64)
    for row, one in enumerate(words):
        found[row, : len(one)] = one
    return found


def with_breaks(sequences: list[np.ndarray]) -> np.ndarray:
    """Tokens of several sequences as one array, with a break after each: int64."""
    parts = [np.append(one, BREAK) for one in sequences]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def split_at_breaks(ids: np.ndarray) -> list[np.ndarray]:
    """The sequences of one array, without those that are empty."""
    edges = [-1, *np.flatnonzero(ids < 0).tolist(), len(ids)]
    return [ids[a + 1 : b] for a, b in pairwise(edges) if b > a + 1]


def scan(table: GGrams, ids: np.ndarray) -> Matches:
    """The definition of :meth:`GGrams.find`: each run of tokens is looked up in a dictionary."""
    known = {tuple(row[row >= 0].tolist()): n for n, row in enumerate(table.tokens)}
    found = []
    tokens = ids.tolist()
    for start in range(len(tokens)):
        for length in range(2, table.tokens.shape[1] + 1):
            ggram = known.get(tuple(tokens[start : start + length]))
            if ggram is not None and start + length <= len(tokens):
                found.append((start, length, ggram))
    columns = np.array(found, dtype=np.int64).reshape(-1, 3)
    return Matches(columns[:, 0], columns[:, 1], columns[:, 2])
