"""Masked words: which tokens of a row are hidden, and which G-grams with them.

15 % of the tokens are chosen, and of these 80 % replaced by ``[MASK]``, 10 % by a random word and
10 % kept, as in BERT. Tokens are chosen in one of three ways:

- ``token``: each by itself;
- ``expand``: each by itself, then all tokens of every G-gram that has a chosen one, until no more
  is added; more than 15 % are chosen in the end (DNAZEN, whole-G-gram masking);
- ``span``: whole G-grams in random order as long as they fit into the 15 %, then single tokens.

In each of them a G-gram is visible only where none of its tokens is chosen: its number would give
the token away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import Matches
from genezip.models.masking import HIDDEN, REPLACED

Masking = Literal["token", "span", "expand"]
MASK = list(SPECIAL).index("mask_token")
"""Id of ``[MASK]``."""


@dataclass(frozen=True)
class MaskedTokens:
    """A row with hidden tokens.

    Attributes
    ----------
    ids : int64 array, shape (n,), what a network is given
    chosen : bool array, shape (n,), what it has to predict
    visible : bool array, shape (m,), the G-grams that it is given, of those that match
    """

    ids: np.ndarray
    chosen: np.ndarray
    visible: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """The chosen tokens that are replaced by ``[MASK]``, bool (n,)."""
        return self.ids == MASK


def mask_tokens(
    ids: np.ndarray,
    matches: Matches,
    rate: float,
    masking: Masking,
    vocabulary: int,
    key: Sequence[int],
) -> MaskedTokens:
    """Hide tokens of a row, int64 (n,), in which some G-grams match.

    Special tokens are never chosen. ``key`` are the seeds of the row's random numbers; the first
    tokens drawn are the same in the ways ``token`` and ``expand``.
    """
    random = np.random.default_rng([*key])
    words = ids >= len(SPECIAL)
    if masking == "span":
        chosen = _spans(words, matches, rate, random)
    else:
        chosen = words & (random.random(len(ids)) < rate)
        if masking == "expand":
            chosen = expanded(chosen, matches)
    visible = ~touched(chosen, matches)
    at = np.flatnonzero(chosen)
    kind, other = random.random(len(at)), random.integers(len(SPECIAL), vocabulary, len(at))
    given = ids.copy()
    new = np.where(kind < HIDDEN + REPLACED, other, ids[at])
    given[at] = np.where(kind < HIDDEN, MASK, new)
    return MaskedTokens(given, chosen, visible)


def touched(chosen: np.ndarray, matches: Matches) -> np.ndarray:
    """Whether any token of each match is chosen, bool (m,)."""
    before = np.append(0, np.cumsum(chosen))
    return before[matches.start + matches.length] > before[matches.start]


def expanded(chosen: np.ndarray, matches: Matches) -> np.ndarray:
    """The chosen tokens with all tokens of the matches that touch one: the fixed point."""
    found = chosen.copy()
    while True:
        whole = touched(found, matches)
        edges = np.zeros(len(found) + 1, dtype=np.int64)
        np.add.at(edges, matches.start[whole], 1)
        np.add.at(edges, (matches.start + matches.length)[whole], -1)
        more = found | (np.cumsum(edges)[:-1] > 0)
        if (more == found).all():
            return found
        found = more


def _spans(
    words: np.ndarray, matches: Matches, rate: float, random: np.random.Generator
) -> np.ndarray:
    """Whole G-grams in random order within the share of the tokens, then single tokens."""
    chosen = np.zeros(len(words), dtype=bool)
    # rounded up or down at random, so that the mean over rows is the share
    left = int(rate * words.sum() + random.random())
    for row in random.permutation(len(matches)):
        start = matches.start[row]
        span = slice(start, start + matches.length[row])
        new = matches.length[row] - chosen[span].sum()
        if 0 < new <= left:
            chosen[span] = True
            left -= int(new)
        if left == 0:
            break
    rest = np.flatnonzero(words & ~chosen)
    chosen[random.permutation(rest)[:left]] = True
    return chosen
