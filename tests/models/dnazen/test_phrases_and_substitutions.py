"""Where G-grams can help and where they cannot: labels on phrases, and on single substitutions.

Rows of words are made up. In the first set a class has its words in fixed pairs, so a G-gram is the
class, while every word is equally frequent in both. In the second, the negative control, the label
hangs on a single substituted word, and no G-gram can tell more than words.
"""

from collections.abc import Callable

import numpy as np
import pytest
from toolkit.words import flat

from genezip.config import Mining
from genezip.metrics.classification import confusion, mcc
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import GGrams
from genezip.models.dnazen.mining import mine
from genezip.tasks.classification.probe import linear_probe
from genezip.tasks.classification.splits import Fold

ROWS, COMMON = 400, 40
FIRST = len(SPECIAL)
A, B, C, D = range(FIRST + COMMON, FIRST + COMMON + 4)
VOCABULARY = D + 1

Made = tuple[list[list[int]], np.ndarray]


def background(rng: np.random.Generator, low: int, high: int) -> list[int]:
    return rng.integers(FIRST, FIRST + COMMON, int(rng.integers(low, high))).tolist()


def phrases(seed: int) -> Made:
    """Class 1 has A B and C D, class 0 A D and C B."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, ROWS)
    rows = []
    for label in labels:
        pairs = [[A, B], [C, D]] if label else [[A, D], [C, B]]
        order = rng.permutation(2)
        rows.append(
            background(rng, 4, 9) + pairs[order[0]] + background(rng, 4, 9) + pairs[order[1]]
            + background(rng, 4, 9)
        )  # fmt: skip
    return rows, labels


def rare_substitution(seed: int) -> Made:
    """A word of class 0 is another one in class 1; the background has neither."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, ROWS)
    return [
        [*background(rng, 8, 12), (A, B)[label], *background(rng, 8, 12)] for label in labels
    ], labels


def common_substitution(seed: int) -> Made:
    """The same with two words of the background."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, ROWS)
    return [
        [*background(rng, 8, 12), FIRST + int(label), *background(rng, 8, 12)] for label in labels
    ], labels


def counts(table: GGrams | None, rows: list[list[int]]) -> np.ndarray:
    """How often each word, and each G-gram, is in each row."""
    found = np.zeros((len(rows), VOCABULARY + (0 if table is None else len(table))))
    for number, row in enumerate(rows):
        np.add.at(found[number], row, 1)
        if table is not None:
            np.add.at(found[number], VOCABULARY + table.find(np.array(row)).ggram, 1)
    return found


def score(x: np.ndarray, labels: np.ndarray) -> float:
    """MCC of a linear probe that is trained on half of the rows."""
    half = len(labels) // 2
    fold = Fold(0, np.arange(half), np.arange(half, len(labels)))
    found = linear_probe(x, labels, np.arange(len(labels)), fold, 2).argmax(axis=1)
    return float(mcc(confusion(labels[half:], found, 2)))


def gain(rows: list[list[int]], labels: np.ndarray) -> tuple[float, float]:
    """MCC by words alone, and the gain by G-grams that are mined in the training rows."""
    table = mine(flat(rows[: ROWS // 2]), VOCABULARY, Mining(threshold=0.5, min_count=3))
    assert len(table)
    alone = score(counts(None, rows), labels)
    return alone, score(counts(table, rows), labels) - alone


def test_ggrams_tell_phrases() -> None:
    alone, more = gain(*phrases(0))
    assert alone < 0.3 and more > 0.6


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("made", "by_words"), [(rare_substitution, (0.9, 1.01)), (common_substitution, (0.1, 0.9))]
)
def test_ggrams_do_not_help_where_a_single_word_is_the_label(
    seed: int, made: Callable[[int], Made], by_words: tuple[float, float]
) -> None:
    alone, more = gain(*made(seed))
    assert by_words[0] < alone < by_words[1] and more < 0.1
