"""Two-sided Markov models against a slow dictionary version, and by hand."""

from collections import Counter

import numpy as np
import pytest

from genezip.alphabet import A_ID, MASK_ID, N_ID, T_ID, is_base
from genezip.errors import GenezipError
from genezip.evaluation.markov import STRENGTHS
from genezip.evaluation.masked.markov import TwoSidedMarkov, choose_strengths, contexts, train
from genezip.models.masking import mask_rows

WIDTH = 3
COMPLEMENT = {0: 3, 1: 2, 2: 1, 3: 0, 4: 4}


def periodic(length: int, seed: int) -> np.ndarray:
    """Noisy repeats of a word, so that neighbours say something; some N."""
    random = np.random.default_rng(seed)
    ids = np.resize([3, 3, 4, 6, 5, 4], length).astype(np.uint8)
    noise = random.random(length) < 0.2
    ids[noise] = random.integers(A_ID, T_ID + 1, noise.sum())
    ids[random.integers(0, length, length // 50)] = N_ID
    return ids


def neighbours(ids: np.ndarray, at: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Symbols left of a position from the nearest, and right of it; 4 is unknown."""

    def symbol(place: int) -> int:
        inside = 0 <= place < len(ids) and A_ID <= ids[place] <= T_ID
        return int(ids[place]) - A_ID if inside else 4

    steps = range(1, width + 1)
    return tuple(symbol(at - d) for d in steps), tuple(symbol(at + d) for d in steps)


def slow_counts(shown: np.ndarray, true: np.ndarray, width: int) -> Counter:
    """How often each base was between its neighbours, on both strands."""
    found: Counter = Counter()
    for at in range(len(true)):
        if A_ID <= true[at] <= T_ID:
            base = int(true[at]) - A_ID
            left, right = neighbours(shown, at, width)
            found[left, right, base] += 1
            turned = tuple(COMPLEMENT[s] for s in right), tuple(COMPLEMENT[s] for s in left)
            found[*turned, 3 - base] += 1
    return found


def slow_log_prob(counts: list[Counter], strengths: tuple[float, ...], ids, at, width) -> list:
    p = [0.25] * 4
    for k in range(width + 1):
        own = [counts[k][*neighbours(ids, at, k), base] for base in range(4)]
        p = [
            (n + strengths[k] * q) / (sum(own) + strengths[k]) for n, q in zip(own, p, strict=True)
        ]
    return list(np.log(p))


@pytest.fixture(scope="module")
def masked() -> tuple[np.ndarray, np.ndarray]:
    true = periodic(600, 0)
    return mask_rows(true[None], 0.25, [(0, 0)]).ids[0], true


def test_contexts_by_hand() -> None:
    """C between A, MASK and the end, G: pairs (left, right) of base 5, the nearest lowest."""
    ids = np.array([A_ID, A_ID + 1, MASK_ID, A_ID + 2], dtype=np.uint8)
    forward, reverse = contexts(ids, 2)
    assert forward[1] == (0 * 5 + 4) + 25 * (4 * 5 + 2)
    # the reverse strand reads C MASK G T: left of the G are MASK and C, right T and the end
    assert reverse[1] == (4 * 5 + 3) + 25 * (1 * 5 + 4)
    assert (contexts(ids, 1)[0] == forward % 25).all()
    assert contexts(ids, 0)[0].tolist() == [0, 0, 0, 0]


def test_counts_and_probabilities_are_those_of_a_dictionary(
    masked: tuple[np.ndarray, np.ndarray],
) -> None:
    counts = train([masked], WIDTH)
    slow = [slow_counts(*masked, width) for width in range(WIDTH + 1)]
    for width, table in enumerate(counts):
        assert table.bases.sum() == slow[width].total() == 2 * is_base(masked[1]).sum()
        assert (np.diff(table.contexts) > 0).all()
    strengths = (1.0, 4.0, 2.0, 16.0)
    model = TwoSidedMarkov(counts, strengths, ())
    other = mask_rows(periodic(80, 1)[None], 0.25, [(0, 1)])
    found = model.log_prob(other.ids[0], other.chosen[0])
    for row, at in enumerate(np.flatnonzero(other.chosen[0])):
        for width in range(WIDTH + 1):
            wanted = slow_log_prob(slow, strengths, other.ids[0], at, width)
            assert found[width][row] == pytest.approx(wanted, rel=1e-12)
    assert np.exp(found[WIDTH]).sum(axis=1) == pytest.approx(1)


def test_several_sequences_are_counted_apart(masked: tuple[np.ndarray, np.ndarray]) -> None:
    """No context reaches from one sequence into the next."""
    shown, true = masked
    parts = train([(shown[:300], true[:300]), (shown[300:], true[300:])], WIDTH)[WIDTH]
    halves = (slice(0, 300), slice(300, 600))
    slow: Counter = sum((slow_counts(shown[h], true[h], WIDTH) for h in halves), Counter())
    assert sorted(parts.bases[parts.bases > 0].tolist()) == sorted(slow.values())
    assert len(parts.contexts) == len({key[:2] for key in slow})
    assert len(parts.contexts) != len({key[:2] for key in slow_counts(shown, true, WIDTH)})


def test_strengths_are_the_best_of_the_list_at_the_chosen_bases(
    masked: tuple[np.ndarray, np.ndarray],
) -> None:
    """Order by order; the recorded bits are those of the loop; some width beats composition."""
    counts = train([masked], WIDTH)
    true = periodic(300, 5)
    rows = mask_rows(true[None], 0.25, [(0, 2)])
    where = rows.hidden[0]
    model = choose_strengths(counts, [(rows.ids[0], true, where)])
    base = true[where] - A_ID
    lower = np.full((len(base), 4), 0.25)
    context = contexts(rows.ids[0], WIDTH)[0][where]
    for width, table in enumerate(counts):
        n = table.of(context % 25**width)
        bits = {}
        for strength in STRENGTHS:
            p = (n + strength * lower) / (n.sum(axis=1, keepdims=True) + strength)
            bits[strength] = -np.log2(p[np.arange(len(base)), base]).mean()
        assert model.strengths[width] == min(bits, key=bits.__getitem__)
        assert model.validation_bits[width] == pytest.approx(min(bits.values()))
        own = model.strengths[width]
        lower = (n + own * lower) / (n.sum(axis=1, keepdims=True) + own)
    assert model.best_width > 0
    assert min(model.validation_bits) < model.validation_bits[0] - 0.3


def test_dna_without_bases_is_refused() -> None:
    nothing = np.full(9, N_ID, dtype=np.uint8)
    with pytest.raises(GenezipError, match=r"no A, C, G or T .*; a two-sided Markov model"):
        train([(nothing, nothing)], 2)
