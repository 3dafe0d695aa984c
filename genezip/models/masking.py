"""Masked bases: which bases of a sequence are hidden from a network that predicts them.

Each A, C, G or T is chosen with the same probability, N and padding never. Of the chosen bases 80 %
are replaced by the symbol MASK, 10 % by a random base (which may be the same one), and 10 % are
kept (BERT, Devlin et al. 2019, doi:10.18653/v1/N19-1423). A network is trained on all chosen
bases. A kept base can be read off, so a figure that is to say how well bases are predicted is taken
at MASK alone.

The random numbers of a row depend on its key only (a seed, a step, a row), so the same bases are
hidden in whatever portions rows are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genezip.alphabet import A_ID, MASK_ID, is_base

HIDDEN, REPLACED = 0.8, 0.1  # shares of the chosen bases; the rest is kept
TRAINING, VALIDATION, HELD_OUT, COUNTED = range(4)
"""First numbers of the keys of rows, so that no two uses share their random numbers.

The masks on validation windows are the same in every training.
"""


@dataclass(frozen=True)
class MaskedRows:
    """Rows with hidden bases.

    Attributes
    ----------
    ids : uint8 array, shape (n, L), token ids that a network is given
    chosen : bool array, shape (n, L), bases that it has to predict
    """

    ids: np.ndarray
    chosen: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """The chosen bases that are replaced by MASK, bool (n, L)."""
        return self.ids == MASK_ID


def mask_rows(ids: np.ndarray, rate: float, keys: Sequence[Sequence[int]]) -> MaskedRows:
    """Hide bases of rows of token ids, uint8 (n, L), which are not changed.

    ``rate`` is the share of the bases that is chosen. ``keys`` are the seeds of each row's random
    numbers, integers from 0.
    """
    given, chosen = ids.copy(), np.zeros(ids.shape, dtype=bool)
    for row, key in enumerate(keys):
        random = np.random.default_rng([*key])
        bases = np.flatnonzero((random.random(ids.shape[1]) < rate) & is_base(ids[row]))
        chosen[row, bases] = True
        kind = random.random(len(bases))
        letters = random.integers(A_ID, A_ID + 4, len(bases))
        new = np.where(kind < HIDDEN + REPLACED, letters, ids[row, bases])
        given[row, bases] = np.where(kind < HIDDEN, MASK_ID, new)
    return MaskedRows(given, chosen)


def score_bases(log_prob: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loss of the true bases (nats), and whether each is the most probable one: (L,) and bool (L,).

    ``log_prob`` are the natural logs of the probabilities of A, C, G and T, (L, 4), ``ids`` the
    true token ids, (L,). Values of ids that are no base have no meaning.
    """
    digits = np.clip(ids.astype(np.int64) - A_ID, 0, 3)
    nll = -np.take_along_axis(log_prob, digits[:, None], axis=1)[:, 0]
    return nll, log_prob.argmax(axis=1) == digits
