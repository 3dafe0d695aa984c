"""Systems without vectors: counts of their token ids take the place of vectors."""

from collections.abc import Callable

import numpy as np
import pytest
from toolkit.crafted import Crafted, Runs, counted_tokens
from toolkit.dna import random_ids

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.inference import forward
from genezip.inference.forward import base_vectors, sequence_vectors, vectors_bp
from genezip.models import load
from genezip.models.base import Compressor
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.models.token_counts import TokenCounts, with_vectors


def test_the_vectors_of_a_token_add_up_to_one_at_its_id() -> None:
    model = TokenCounts(Runs())
    (found,) = model.embed([encode("AACCCCCN")])  # AA, CCCC, C, N: ids 1, 7, 4, 16
    assert found.vectors.dtype == np.float32 and found.vectors.shape == (8, 20)
    assert found.starts.tolist() == list(range(8))
    assert found.vectors[:, 1].tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert found.vectors[:, 7].tolist() == [0, 0, 0.25, 0.25, 0.25, 0.25, 0, 0]
    assert found.vectors.sum(axis=0)[[1, 4, 7, 16]].tolist() == [1, 1, 1, 1]
    assert found.vectors.sum() == 4


def byte_pairs() -> BPE:
    """A vocabulary fitted on a few letters that repeat."""
    return BPE(fit_tokenizer([few_letters(4000, seed) for seed in (1, 2)], 60, 64), 64)


def few_letters(length: int, seed: int = 0) -> np.ndarray:
    """Ids of A, C and G, and a run of N."""
    ids = random_ids(length, seed) & 5  # 1, 4, 5
    ids[ids == 1] = 3
    ids[length // 2 : length // 2 + 9] = 7
    return ids


@pytest.mark.parametrize(
    "system",
    [Runs, lambda: Runs(max_bp=97), lambda: load("fixed:3"), byte_pairs],
    ids=["runs", "windows", "fixed", "bpe"],
)
def test_any_part_sums_to_the_counts_that_are_there(
    system: Callable[[], Compressor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a block or a window ends within a token."""
    monkeypatch.setattr(forward, "VECTORS_BP", 40)
    ids, model = few_letters(500), with_vectors(system())
    vectors = np.concatenate(list(base_vectors(model, ids)))
    assert vectors.shape == (500, model.vocabulary)
    step = model.max_bp or 500
    for first, last in ((0, 500), (3, 4), (90, 391)):
        expected = sum(
            counted_tokens(model, ids[at : at + step], first - at, last - at)
            for at in range(0, 500, step)
        )
        np.testing.assert_allclose(vectors[first:last].sum(axis=0), expected, atol=1e-4)
        assert expected.sum() > 0


def test_long_vectors_come_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = random_ids(3000)
    model = TokenCounts(Runs(vocabulary=4096))
    assert vectors_bp(model) == 16_384 and vectors_bp(TokenCounts(Runs())) == 65_536
    assert vectors_bp(Crafted("network", 1024)) == 65_536
    whole = np.concatenate(list(base_vectors(model, ids)))
    alone = list(sequence_vectors(model, [ids[:300], ids[:200], ids[300:]], 16))
    monkeypatch.setattr(forward, "VECTORS_BP", 28)
    assert vectors_bp(model) == 7
    blocks = list(base_vectors(model, ids))
    assert {len(block) for block in blocks} == {7, 3000 % 7}
    assert np.array_equal(np.concatenate(blocks), whole)
    again = list(sequence_vectors(model, [ids[:300], ids[:200], ids[300:]], 2))
    assert [len(one) for one in again] == [300, 200, 2700]
    assert all(np.array_equal(one, two) for one, two in zip(alone, again, strict=True))


def test_all_else_is_as_the_system_has_it() -> None:
    runs, ids = Runs(max_bp=50), encode("AACCC")
    model = TokenCounts(runs)
    assert (model.name, model.width, model.vocabulary, model.max_bp) == ("runs", 20, 20, 50)
    assert model.boundaries([ids])[0].tolist() == [0, 2] == runs.boundaries([ids])[0].tolist()
    assert model.encode([ids])[0].token_ids.tolist() == [1, 6]
    counts = {"vectors": "token-id counts", "vocabulary": 20}
    assert model.facts == {**runs.facts, **counts} and model.facts["name"] == "runs"
    assert not model.streams and not model.causal
    for refused, call in (
        ("vectors of tokens", lambda: model.embed([ids], "token")),
        ("stream", model.stream),
        ("likelihood", lambda: model.log_likelihood([ids])),
        ("count of operations", lambda: model.flops(np.array([5]), np.array([[2]]))),
    ):
        with pytest.raises(GenezipError, match=f"runs gives no {refused}; name a model that does"):
            call()


def test_vectors_of_its_own_come_before_counts() -> None:
    network, runs = Crafted("network", 3), Runs()
    assert with_vectors(network) is network
    assert isinstance(with_vectors(runs), TokenCounts)
    with pytest.raises(GenezipError, match="fixed-16 gives no vectors and no token ids; name"):
        with_vectors(load("fixed:16"))
