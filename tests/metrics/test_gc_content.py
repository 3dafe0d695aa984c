"""GC content and CpG of windows and of whole sequences against a plain loop."""

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import encode
from genezip.metrics.gc_content import (
    cpg_islands,
    gc_and_cpg,
    gc_and_cpg_around,
    gc_around,
    gc_content,
)


def slow(sequence: str, width: int) -> list[tuple[float, float]]:
    found = []
    for base in range(len(sequence)):
        low = max(0, base - width // 2)
        text = sequence[low : base + width - width // 2]
        known = sum(text.count(letter) for letter in "ACGT")
        c, g = text.count("C"), text.count("G")
        if known == 0:
            found.append((np.nan, np.nan))
        else:
            found.append(((c + g) / known, text.count("CG") * known / max(c * g, 1)))
    return found


@pytest.mark.parametrize("width", [1, 2, 5, 8, 100])
def test_against_a_loop(width):
    sequence = random_dna(60, width, "ACGTN", [0.2, 0.25, 0.25, 0.2, 0.1]) + "N" * 12 + "CGCG"
    gc, cpg = gc_and_cpg_around(encode(sequence), width)
    expected = np.array(slow(sequence, width))
    np.testing.assert_allclose(gc, expected[:, 0])
    np.testing.assert_allclose(cpg, expected[:, 1])
    np.testing.assert_allclose(gc_around(encode(sequence), width), expected[:, 0])


def test_by_eye():
    # window of 4 around base 4 of AACGCGTT: bases 2..5 = CGCG
    gc, cpg = gc_and_cpg_around(encode("AACGCGTT"), 4)
    assert gc[4] == 1
    assert cpg[4] == 2 * 4 / (2 * 2)


def test_whole_sequences_are_windows_that_hold_everything():
    """As the window of 200 bp around the middle base; N and sequences without a base."""
    sequences = [random_dna(60, number, "ACGTN", [0.2, 0.25, 0.25, 0.2, 0.1]) for number in (1, 2)]
    ids = np.stack([encode(text) for text in (*sequences, "N" * 60)])
    expected = np.array([slow(text, 200)[30] for text in (*sequences, "N" * 60)])
    gc, cpg = gc_and_cpg(ids)
    np.testing.assert_allclose(gc, expected[:, 0])
    np.testing.assert_allclose(cpg, expected[:, 1])
    np.testing.assert_array_equal(gc_content(ids), gc)
    assert gc_and_cpg(ids[0]) == (gc[0], cpg[0])


def test_gc_counts_known_bases_only():
    bins = encode("NNNNGCGCATNNGGNNNNNNAAAAAAAAAANNNNNNNNNNCCCCCCCCCA").reshape(5, 10)
    assert gc_content(bins) == pytest.approx([4 / 6, 1, 0, np.nan, 0.9], nan_ok=True)
    assert gc_content(encode("GCNAT")) == 0.5
    assert np.isnan(gc_content(encode("NN")))


def slow_islands(text: str) -> list[list[int]]:
    """Islands by counting letters in every window."""

    def meets(part: str) -> bool:
        c, g = part.count("C"), part.count("G")
        observed = part.count("CG") * len(part) / max(c * g, 1)
        return "N" not in part and (c + g) / len(part) >= 0.55 and observed >= 0.65

    joined: list[list[int]] = []
    for start in range(len(text) - 499):
        if meets(text[start : start + 500]):
            if joined and start - joined[-1][1] < 100:
                joined[-1][1] = start + 500
            else:
                joined.append([start, start + 500])
    return [[low, high] for low, high in joined if meets(text[low:high])]


@pytest.mark.parametrize("seed", range(6))
def test_islands_against_a_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def dna(length: int, gc: float) -> str:
        return random_dna(length, rng, "ACGT", [(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])

    parts = [dna(700, 0.35), dna(900, 0.68), dna(int(rng.integers(20, 300)), 0.35)]
    parts += [dna(700, 0.66), dna(600, 0.3), dna(450, 0.7), "N", dna(480, 0.7), dna(300, 0.4)]
    text = "".join(parts)
    found = cpg_islands(encode(text)).tolist()
    assert found == slow_islands(text) and len(found) >= 1
    assert cpg_islands(encode(text[:499])).tolist() == []
    assert cpg_islands(encode(dna(2000, 0.3))).tolist() == []
