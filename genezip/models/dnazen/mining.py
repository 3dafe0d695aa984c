"""Mining of G-grams by pointwise mutual information (PMI).

Neighbouring tokens a, b are linked if both and their pair occur at least ``min_count`` times and
PMI(a, b) = log(n_ab T / (n_a n_b)) is at least the threshold, with T tokens in all. A sequence is
read from the left: a segment goes on while the next pair is linked and the length allows it, and
the next begins after it. Segments of 2 tokens or more that occur ``min_count`` times are G-grams,
and are counted again wherever they occur. Source: DNAZEN (arXiv 2505.02206) and its code; unlike
there, the last segment of a sequence counts, and no segment is longer than a G-gram.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from genezip.config import Mining
from genezip.errors import GenezipError
from genezip.models.bpe.vocabulary import SPECIAL
from genezip.models.dnazen.ggrams import BREAK, GGrams, with_breaks

TRIES = 50  # rounds of drawing random G-grams


def mine(ids: np.ndarray, vocabulary: int, settings: Mining) -> GGrams:
    """The G-grams of tokenised DNA, the most frequent first.

    ``ids`` are int64 (n,) with a break (a negative number) after each sequence; ``vocabulary`` is
    the number of token ids. Special tokens, such as a run of N, are no part of a G-gram.
    """
    ids = _words(ids)
    counts = np.bincount(ids[ids >= 0], minlength=vocabulary)
    links, pmi = _links(ids, counts, settings)
    start, length = _segments(links, settings.max_tokens)
    found = []
    for size in range(2, settings.max_tokens + 1):
        rows, seen = _distinct(ids[start[length == size][:, None] + np.arange(size)], vocabulary)
        found += list(rows[seen >= settings.min_count])
    return _counted(ids, vocabulary, found, pmi, settings)


def _words(ids: np.ndarray) -> np.ndarray:
    """The tokens with a break in place of every special one."""
    return np.where(ids < len(SPECIAL), BREAK, ids)


def _links(
    ids: np.ndarray, counts: np.ndarray, settings: Mining
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """Whether each token is linked with the next, bool (n,), and the PMI of the linked pairs."""
    links = np.zeros(len(ids), dtype=bool)
    at = np.flatnonzero((ids[:-1] >= 0) & (ids[1:] >= 0)) if len(ids) else np.zeros(0, int)
    size = len(counts)
    pairs, which, number = np.unique(
        ids[at] * size + ids[at + 1], return_inverse=True, return_counts=True
    )
    first, second = pairs // size, pairs % size
    expected = counts[first].astype(float) * counts[second] / max(counts.sum(), 1)
    pmi = np.log(number / expected) / np.log(settings.log_base)
    least = np.minimum(np.minimum(counts[first], counts[second]), number)
    linked = (pmi >= settings.threshold) & (least >= settings.min_count)
    links[at] = linked[which]
    rows = zip(first[linked].tolist(), second[linked].tolist(), pmi[linked].tolist(), strict=True)
    return links, {(a, b): value for a, b, value in rows}


def _segments(links: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """First token and number of tokens of every segment of 2 or more: int64 (m,) each."""
    follows = np.append(False, links[:-1])
    begins = np.flatnonzero(links & ~follows)
    ends = np.flatnonzero(~links & follows)  # the last token of each run
    tokens = ends - begins + 1
    run = np.repeat(np.arange(len(begins)), -(-tokens // longest))
    part = np.arange(len(run)) - np.searchsorted(run, run)
    start = begins[run] + part * longest
    length = np.minimum(longest, tokens[run] - part * longest)
    return start[length >= 2], length[length >= 2]


def _distinct(rows: np.ndarray, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of token ids, (m, k), without repetition in ascending order, and their numbers."""
    if vocabulary ** rows.shape[1] < 2**63:  # a row as one number: much faster
        powers = np.array([vocabulary**n for n in range(rows.shape[1] - 1, -1, -1)])
        _, first, counts = np.unique(rows @ powers, return_index=True, return_counts=True)
        return rows[first], counts
    found, counts = np.unique(rows, axis=0, return_counts=True)
    return found, counts


def _counted(
    ids: np.ndarray,
    vocabulary: int,
    words: Sequence[np.ndarray],
    pmi: dict[tuple[int, int], float],
    settings: Mining,
) -> GGrams:
    """The table of some G-grams with all their occurrences, the most frequent first."""
    tokens = np.full((len(words), settings.max_tokens), -1, dtype=np.int64)
    for row, one in enumerate(words):
        tokens[row, : len(one)] = one
    table = GGrams(vocabulary, tokens, np.zeros(len(words)), np.zeros(len(words)))
    counts = np.bincount(table.find(ids).ggram, minlength=len(words))
    lists = [row[row >= 0].tolist() for row in tokens]
    least = np.array([_least(one, pmi) for one in lists], dtype=float)
    kept = np.flatnonzero(counts >= settings.min_count) if pmi else np.arange(len(words))
    order = sorted(
        kept.tolist(), key=lambda row: (-counts[row], -np.nan_to_num(least[row]), lists[row])
    )[: settings.most]
    chosen = np.array(order, dtype=np.int64)
    facts = {"mining": settings.model_dump(), "mined_tokens": int((ids >= 0).sum())}
    return GGrams(vocabulary, tokens[chosen], counts[chosen], least[chosen], facts)


def _least(tokens: list[int], pmi: dict[tuple[int, int], float]) -> float:
    """The least PMI of neighbouring tokens; NaN where one was not computed."""
    known = [pmi.get(pair, float("nan")) for pair in pairwise(tokens)]
    return min(known, default=float("nan"))


def draw_random(ids: np.ndarray, like: GGrams, seed: int) -> GGrams:
    """As many G-grams of each length as a table has, that begin at random tokens of the same DNA.

    None is drawn twice; those of the table may be among them, as chance has it.
    """
    ids = _words(ids)
    random = np.random.default_rng([seed, 1])
    lengths = np.bincount(like.lengths, minlength=like.tokens.shape[1] + 1)
    words: list[np.ndarray] = []
    for size in np.flatnonzero(lengths).tolist():
        whole = np.lib.stride_tricks.sliding_window_view(ids, size) if len(ids) >= size else ids
        at = np.flatnonzero((whole >= 0).all(axis=1)) if len(ids) >= size else np.zeros(0, int)
        chosen: dict[tuple[int, ...], None] = {}
        for _ in range(TRIES if len(at) else 0):
            missing = int(lengths[size]) - len(chosen)
            if missing <= 0:
                break
            drawn = whole[random.choice(at, missing)]
            chosen |= dict.fromkeys(map(tuple, drawn.tolist()))
        if len(chosen) < lengths[size]:
            raise GenezipError(
                f"the training DNA has fewer than {lengths[size]:,} runs of {size} tokens, from "
                "which random G-grams are drawn; mine more DNA"
            )
        words += [np.array(one, dtype=np.int64) for one in chosen]
    settings = Mining.model_validate({**like.facts.get("mining", {}), "random": True})
    settings = settings.model_copy(update={"max_tokens": like.tokens.shape[1], "most": None})
    return _counted(ids, like.vocabulary, words, {}, settings)


def permuted(ids: np.ndarray, seed: int) -> np.ndarray:
    """The tokens of every sequence in random order: what is mined here was found by chance."""
    random = np.random.default_rng([seed, 2])
    sequence = np.cumsum(ids < 0)
    inside = np.flatnonzero(ids >= 0)
    order = np.lexsort((random.random(len(inside)), sequence[inside]))
    found = ids.copy()
    found[inside] = ids[inside[order]]
    return found


def tokens_in_blocks(starts: np.ndarray, words: np.ndarray, block_bp: int) -> list[np.ndarray]:
    """Token ids of every block of a sequence, by the first bases of the tokens."""
    edges = np.flatnonzero(np.diff(starts // block_bp)) + 1
    return np.split(words, edges)


def tokenised(found: Any, block_bp: int) -> np.ndarray:
    """Tokens of a compressed sequence of a vocabulary, with a break after each block."""
    return with_breaks(tokens_in_blocks(found.token_starts, found.token_ids, block_bp))
