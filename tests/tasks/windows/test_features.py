"""Features of windows: every base counts for its bin, and every bin lies where it should."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toolkit.crafted import Crafted, Runs, counted_tokens
from toolkit.dna import random_ids
from toolkit.made_examples import MadeWindows
from toolkit.networks import FREE, speaking_network, toy_card

from genezip.alphabet import A_ID, T_ID, reverse_complement
from genezip.errors import GenezipError
from genezip.models.genezip.compressor import GeneZip
from genezip.models.token_counts import TokenCounts
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.windows.examples import (
    CMP_BP,
    CMP_FULL,
    CMP_RELEASE,
    RSAP_BINS,
    RSAP_BP,
    Bins,
)
from genezip.tasks.windows.features import (
    RELEASE_BP,
    full_features,
    mirrored,
    pool_states,
    pool_tokens,
    release_features,
    window_features,
)


def by_base(per_base: np.ndarray, bins: Bins) -> np.ndarray:
    """The definition: a vector per base, and the mean of every bin."""
    inside = per_base[bins.first_bp : bins.end_bp].astype(np.float64)
    return inside.reshape(bins.count, bins.width_bp, -1).mean(axis=1)


def pool_tokens_slow(
    starts: np.ndarray, length: int, vectors: np.ndarray, bins: Bins
) -> np.ndarray:
    """Every chunk's vector repeated for each of its bases; zeros before the first chunk."""
    per_base = np.repeat(vectors, np.diff(np.append(starts, length)), axis=0)
    before = np.zeros((length - len(per_base), vectors.shape[1]))
    return by_base(np.concatenate([before, per_base]), bins)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[np.ndarray, int, np.ndarray, Bins]:
    bins = Bins(*(draw(st.integers(*ends)) for ends in ((0, 20), (1, 12), (1, 9))))
    length = bins.end_bp + draw(st.integers(0, 20))
    starts = draw(st.sets(st.integers(0, length - 1), max_size=length))
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(len(starts), 2))
    return np.array(sorted(starts), dtype=np.int64), length, values.astype(np.float32), bins


@given(chunked())
def test_tokens_pooled_by_coverage_are_means_over_bases(case: tuple) -> None:
    found = pool_tokens(*case)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pool_tokens_slow(*case), rtol=0, atol=1e-6)


@given(chunked(), st.integers(1, 40))
def test_states_pooled_in_blocks_are_means_over_bases(case: tuple, block: int) -> None:
    _, length, _, bins = case
    states = np.random.default_rng(length).normal(size=(length, 3)).astype(np.float32)
    blocks = (states[start : start + block] for start in range(0, length, block))
    np.testing.assert_allclose(pool_states(blocks, bins), by_base(states, bins), rtol=0, atol=1e-6)


def test_coverage_by_hand() -> None:
    """Chunks [2, 5) and [5, 12), bins [1, 5), [5, 9): base 1 is of no chunk."""
    vectors = np.array([[4.0, 0.0], [8.0, 1.0]], dtype=np.float32)
    found = pool_tokens(np.array([2, 5]), 12, vectors, Bins(1, 4, 2))
    assert found.tolist() == [[3.0, 0.0], [8.0, 1.0]]


def test_bins_beyond_the_sequence_are_a_mistake() -> None:
    states = np.zeros((11, 1), dtype=np.float32)
    with pytest.raises(ValueError, match="the bins end at base 12, the sequence at 11"):
        pool_states([states], Bins(0, 4, 3))
    with pytest.raises(ValueError, match="the bins end at base 12, the sequence at 11"):
        pool_tokens(np.array([0]), 11, states[:1], Bins(0, 4, 3))


def plain(token_bp: int | None = 1000) -> Crafted:
    """1 where a base is T; a token every 1,000 bases, of their mean."""
    return Crafted("plain", 1, lambda ids: ids[:, None] == T_ID, token_bp)


@pytest.mark.parametrize("layer", ["states", "tokens"])
@pytest.mark.parametrize("b", [0, 1, 211, 447])
def test_a_signal_in_the_window_lights_up_its_bin_and_no_other(b: int, layer: str) -> None:
    """Bin b of the contact map is bp 65,536 + 2,048 b of the window, on both strands."""
    ids = np.full(CMP_BP, A_ID, dtype=np.uint8)
    start = 65_536 + 2_048 * b
    ids[start : start + 2_048] = T_ID
    forward = full_features(plain(), ids, CMP_FULL, layer)[:, 0, 0]
    # T of the reverse strand are A here
    reverse = full_features(plain(), A_ID + T_ID - ids, CMP_FULL, layer)[:, 1, 0]
    for found in (forward, reverse):
        assert int(found.argmax()) == b
        if layer == "states":
            assert found[b] == 1 and found.sum() == 1
    authors = release_features(plain(), ids, CMP_RELEASE)[:, 0]
    if b + 32 < 448:
        assert int(authors.argmax()) == b + 32 and authors.sum() == 1
    else:
        assert authors.sum() == 0  # the release leaves out the last 64 bins


def test_the_authors_windows_are_82_of_12_800_the_last_of_11_776() -> None:
    model = plain()
    release_features(model, np.full(CMP_BP, A_ID, dtype=np.uint8), CMP_RELEASE)
    assert [len(ids) for ids in model.read] == [RELEASE_BP] * 81 + [11_776]


def test_mirrored_bins_are_the_same_bases() -> None:
    assert mirrored(CMP_FULL, CMP_BP) == CMP_FULL  # the crops are symmetric
    assert mirrored(RSAP_BINS, RSAP_BP) == RSAP_BINS
    assert mirrored(Bins(3, 2, 4), 20) == Bins(9, 2, 4)


def compressor(block_bp: int, double: bool = True) -> GeneZip:
    network = speaking_network(**FREE)
    model = GeneZip(network.double() if double else network, toy_card(network.shape))
    model.block_bp = block_bp
    return model


@pytest.mark.parametrize("layer", ["states", "tokens"])
def test_bins_read_in_blocks_are_those_of_a_single_pass(layer: str) -> None:
    """Blocks that no bin edge fits; a state carried wrongly would give other bins."""
    ids = random_ids(1500)
    bins = Bins(150, 64, 17)
    single = full_features(compressor(1500), ids, bins, layer)
    assert np.abs(np.diff(single, axis=0)).max() > 1e-2
    for block_bp in (100, 777):
        found = full_features(compressor(block_bp), ids, bins, layer)
        assert found.shape == (17, 2, 16 if layer == "states" else 24)
        np.testing.assert_allclose(found, single, rtol=0, atol=1e-6)


def windows(folder: Path, sequences: list[np.ndarray]) -> MadeWindows:
    (folder / "manifest.json").write_text("{}")
    table = pd.DataFrame({"example": np.arange(len(sequences)) + 7})
    return MadeWindows(table, {}, sequences.__getitem__, folder=folder)


@pytest.mark.parametrize("input", ["authors", "full"])
@pytest.mark.parametrize("layer", ["states", "tokens"])
def test_a_store_of_windows_is_what_the_windows_give_one_by_one(
    tmp_path: Path, input: str, layer: str
) -> None:
    random = np.random.default_rng(1)
    sequences = [random_ids(600, random) for _ in range(6)]
    model, bins = compressor(100, double=False), Bins(40, 50, 10)
    manifest = tmp_path / "store" / "manifest.json"
    reading = window_features(model, windows(tmp_path, sequences), bins, input, layer)
    write_store(manifest, reading)
    store = FeatureStore.load(manifest, tmp_path / "manifest.json")
    pooled = "states" if input == "authors" else layer
    width, strands = (16 if pooled == "states" else 24), (1 if input == "authors" else 2)
    assert store.array.shape == (6, 10, strands * width)
    assert list(store.blocks) == ["forward", "reverse"][:strands]
    assert store.examples.tolist() == list(range(7, 13))
    assert store.facts["tap"] == pooled and store.facts["bases"] == 600 * 6 * strands
    for row, ids in enumerate(sequences):
        if input == "authors":
            assert np.array_equal(store.block("forward")[row], release_features(model, ids, bins))
        else:
            one = full_features(model, ids, bins, layer)
            assert np.array_equal(store.block("forward")[row], one[:, 0])
            assert np.array_equal(store.block("reverse")[row], one[:, 1])


def test_where_every_base_is_its_own_token_tokens_are_states(tmp_path: Path) -> None:
    model = plain(token_bp=None)
    manifest = tmp_path / "store" / "manifest.json"
    given_windows = windows(tmp_path, [np.full(100, T_ID, dtype=np.uint8)])
    write_store(manifest, window_features(model, given_windows, Bins(0, 50, 2), "full", "tokens"))
    store = FeatureStore.load(manifest)
    assert store.facts["tap"] == "states"
    assert store.array.tolist() == [[[1.0, 0.0], [1.0, 0.0]]]  # T forward, A backward


@pytest.mark.parametrize("input", ["authors", "full"])
def test_a_system_without_vectors_is_pooled_as_counts_of_its_tokens(
    tmp_path: Path, input: str
) -> None:
    """Bins that cut tokens; counts per base, and the identity of the features says so."""
    ids, bins, model = random_ids(400), Bins(13, 29, 11), TokenCounts(Runs())
    manifest = tmp_path / "store" / "manifest.json"
    reading = window_features(model, windows(tmp_path, [ids]), bins, input, "tokens")
    write_store(manifest, reading)
    store = FeatureStore.load(manifest)
    assert store.facts["tap"] == "states"
    assert store.facts["model"]["vectors"] == "token-id counts"
    turned = reverse_complement(ids)
    for number in range(bins.count):
        first = bins.first_bp + number * bins.width_bp
        counts = counted_tokens(model, ids, first, first + bins.width_bp)
        np.testing.assert_allclose(
            store.block("forward")[0, number], counts / bins.width_bp, atol=1e-7
        )
        if input == "full":
            end = len(ids) - first
            counts = counted_tokens(model, turned, end - bins.width_bp, end)
            np.testing.assert_allclose(
                store.block("reverse")[0, number], counts / bins.width_bp, atol=1e-7
            )


def test_another_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="no layer logits"):
        window_features(plain(), windows(tmp_path, []), Bins(0, 5, 2), "full", "logits")
