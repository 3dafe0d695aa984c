"""The network on words: sizes, padding, positions, fusion, operations."""

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from genezip.errors import GenezipError
from genezip.models.dnazen.architecture import load_words, words_architecture
from genezip.models.dnazen.network import (
    WordsNetwork,
    alibi,
    alibi_slopes,
    build_words,
    word_log_prob,
    words_flops,
)
from genezip.models.presets import words_presets

SHAPE = words_architecture(
    {"width": 16, "layers": 3, "heads": 2, "inner": 24, "ggram_layers": 2, "vocabulary": 30,
     "ggrams": 9}
)  # fmt: skip


@pytest.fixture
def network() -> WordsNetwork:
    found = build_words(SHAPE, 0).double()
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.dim() > 1:
                parameter.mul_(20)
    return found.eval()


def batch(rows: int = 2, length: int = 7, ggrams: int = 3) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(1)
    ids = torch.randint(5, 30, (rows, length))
    numbers = torch.randint(0, 9, (rows, ggrams))
    covers = torch.rand(rows, length, ggrams) < 0.4
    return ids, torch.ones(rows, length, dtype=torch.bool), numbers, covers


def test_published_sizes_round_to_the_published_figures() -> None:
    sizes = {one.name: one.parameters for one in words_presets()}
    assert round(sizes["dnazen-285m"] / 1e6) == 285
    assert round(sizes["dnazen-650m"] / 1e6) == 650
    assert round(sizes["dnazen-2.1b"] / 1e8) == 21
    assert sizes["dnazen-tiny"] < 1.2e6


def test_padding_changes_nothing(network: WordsNetwork) -> None:
    ids, valid, numbers, covers = batch()
    with torch.no_grad():
        alone = network(ids, valid, numbers, covers)
        wide = torch.nn.functional.pad(ids, (0, 4), value=3)
        more = torch.nn.functional.pad(numbers, (0, 2), value=-1)
        at = torch.nn.functional.pad(covers, (0, 2, 0, 4))
        padded = network(wide, torch.nn.functional.pad(valid, (0, 4)), more, at)
    torch.testing.assert_close(padded[:, :7], alone, atol=1e-12, rtol=1e-10)


def test_the_order_of_ggrams_has_no_meaning(network: WordsNetwork) -> None:
    ids, valid, numbers, covers = batch()
    order = torch.tensor([2, 0, 1])
    with torch.no_grad():
        one = network(ids, valid, numbers, covers)
        other = network(ids, valid, numbers[:, order], covers[:, :, order])
    torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-10)


def test_ggrams_reach_the_tokens_that_they_cover(network: WordsNetwork) -> None:
    """With one layer of either kind a token that no G-gram covers has the state without any."""
    shape = words_architecture({**SHAPE.to_dict(), "layers": 1, "ggram_layers": 1})
    small = build_words(shape, 0).double().eval()
    ids, valid, numbers, covers = batch()
    with torch.no_grad():
        with_them = small(ids, valid, numbers, covers)
        without = small(ids, valid)
    touched = covers.any(dim=2)
    assert touched.any() and not touched.all()
    torch.testing.assert_close(with_them[~touched], without[~touched])
    assert (with_them[touched] - without[touched]).abs().max() > 0.1


def test_fusion_adds_the_vectors_or_takes_their_mean() -> None:
    """Of one G-gram both are equal; of two the mean is half the sum (one layer each)."""
    found = {}
    for fusion in ("sum", "mean"):
        shape = words_architecture(
            {**SHAPE.to_dict(), "layers": 1, "ggram_layers": 1, "fusion": fusion}
        )
        small = build_words(shape, 0).double().eval()
        ids, valid, numbers, _ = batch(rows=1)
        for count in (1, 2):
            covers = torch.zeros(1, 7, 3, dtype=torch.bool)
            covers[0, 2, :count] = True
            with torch.no_grad():
                change = small(ids, valid, numbers, covers) - small(ids, valid)
            found[fusion, count] = change[0, 2]
    torch.testing.assert_close(found["sum", 1], found["mean", 1])
    torch.testing.assert_close(found["sum", 2], 2 * found["mean", 2])


def test_a_row_without_ggrams_is_one_of_no_ggrams_at_all(network: WordsNetwork) -> None:
    ids, valid, numbers, covers = batch()
    numbers[1] = -1
    covers[1] = False
    with torch.no_grad():
        found = network(ids, valid, numbers, covers)
        alone = network(ids[1:], valid[1:])
    assert found.isfinite().all()
    torch.testing.assert_close(found[1:], alone, atol=1e-12, rtol=1e-10)


def test_attention_falls_with_distance_on_both_sides() -> None:
    bias = alibi(2, 5, torch.device("cpu"), torch.float64)[0]
    slopes = alibi_slopes(2)
    for head in range(2):
        for one in range(5):
            for other in range(5):
                assert bias[head, one, other] == -slopes[head] * abs(one - other)


@pytest.mark.parametrize("heads", [1, 2, 8, 12, 16])
def test_slopes_are_those_of_the_paper(heads: int) -> None:
    """2^(-8 k / n); of 12 heads those of 8, then every second one of 16 (Press et al. 2022)."""
    found = alibi_slopes(heads)
    eight = [2.0**-k for k in range(1, 9)]
    sixteen = [2.0 ** (-k / 2) for k in range(1, 17)]
    expected = {1: [2.0**-8], 2: [2.0**-4, 2.0**-8], 8: eight, 12: eight + sixteen[:8:2],
                16: sixteen}  # fmt: skip
    np.testing.assert_allclose(found, expected[heads])


def test_probabilities_are_those_of_words_alone(network: WordsNetwork) -> None:
    ids, valid, numbers, covers = batch()
    with torch.no_grad():
        found = word_log_prob(network.logits(network(ids, valid, numbers, covers)))
    assert found.shape == (2, 7, 25)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(2, 7))


def test_operations_are_those_that_torch_counts() -> None:
    network = build_words(SHAPE, 0).eval()
    ids, valid, numbers, covers = batch(rows=1, length=11, ggrams=4)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(ids, valid, numbers, covers)
    assert counter.get_total_flops() == pytest.approx(words_flops(SHAPE, 11, 4), rel=0.02)


def test_a_wrong_layout_is_one_sentence() -> None:
    for change, words in (
        ({"heads": 3}, "heads 3 must divide width 16"),
        ({"ggram_layers": 4}, "ggram_layers must be between 0 and layers"),
        ({"fusion": "max"}, "fusion is sum or mean"),
        ({"layers": 0}, "are at least 1"),
        ({"depth": 3}, "'depth'"),
        ({"width": "wide"}, "'width'"),
    ):
        with pytest.raises(GenezipError, match=words) as caught:
            words_architecture({**SHAPE.to_dict(), **change})
        assert "no layout of words" in str(caught.value) and ";" in str(caught.value)
    with pytest.raises(GenezipError, match="did you mean dnazen-tiny"):
        load_words("dnazen-tinny")
