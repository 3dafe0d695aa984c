"""Trivial routers place exactly the tokens they are given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genezip.data.compressed import read_compressed
from genezip.errors import GenezipError
from genezip.evaluation.routers import (
    N_BINS,
    composition_bins,
    learn_rates,
    promoter_enrichment,
    rate_starts,
    stride_starts,
    validation_windows,
    write_fixed_stride,
    write_gc_cpg,
)
from genezip.taxonomy import CLASSES
from genezip.vocab import encode

TARGET = {**dict.fromkeys(CLASSES, 64.0), "promoter": 4.0}


def test_equal_steps_by_eye():
    assert stride_starts(10, 3).tolist() == [0, 3, 6]
    assert stride_starts(10, 10).tolist() == list(range(10))
    assert rate_starts(np.ones(12), 3).tolist() == [0, 4, 8]
    # the second half is three times as dense: shares 4 and 12 of 16, a token every 4
    assert rate_starts(np.repeat([1.0, 3.0], 4), 4).tolist() == [0, 4, 5, 6]


def test_collisions_move_apart():
    # nearly all rate on base 2, and on the last base
    assert rate_starts(np.array([1e-9, 1e-9, 1, 1e-9, 1e-9]), 3).tolist() == [0, 2, 3]
    assert rate_starts(np.array([1e-9, 1e-9, 1e-9, 1e-9, 1]), 4).tolist() == [0, 2, 3, 4]


@given(st.data())
def test_exactly_m_increasing_starts(data):
    length = data.draw(st.integers(1, 60))
    tokens = data.draw(st.integers(1, length))
    rate = data.draw(st.lists(st.floats(1e-6, 1e3), min_size=length, max_size=length))
    for starts in (rate_starts(np.array(rate), tokens), stride_starts(length, tokens)):
        assert len(starts) == tokens
        assert starts[0] == 0
        assert (np.diff(starts) > 0).all()
        assert starts[-1] < length


@pytest.fixture
def islands(toy):
    """Promoters are CpG islands of 40 bp in AT-rich DNA, on train, valid and test."""
    rng = np.random.default_rng(4)
    for name, split, size in (("a", "train", 4000), ("b", "valid", 1200), ("c", "test", 1200)):
        letters = rng.choice(list("ACGT"), size, p=[0.4, 0.1, 0.1, 0.4])
        regions = np.full(size, 5)
        for start in range(100, size - 100, 300):
            letters[start : start + 40] = list("CG" * 20)
            regions[start : start + 40] = 0
        toy.tile(toy.add_piece(name, "".join(letters), regions, split=split), 400)
    return toy


def test_rates_are_means_over_training_bases(islands):
    rates = learn_rates(islands, islands, TARGET, 8)
    piece = islands.pieces_of("train")[0]
    bins = composition_bins(islands.read_ids(piece, piece.start, piece.end), 8)
    wanted = np.where(islands.classes["a"] == 0, 1 / 4, 1 / 64)
    for number in np.unique(bins):
        here = wanted[bins == number]
        pulled = (here.sum() + 1000 * wanted.mean()) / (len(here) + 1000)
        assert rates[number] == pytest.approx(pulled)
    assert rates[N_BINS - 1] == pytest.approx(wanted.mean())


def test_composition_bins_of_n_only():
    assert (composition_bins(encode("N" * 5), 4) == N_BINS - 1).all()


def test_the_width_is_chosen_on_validation_and_tokens_are_copied(
    islands, settings, save, compressed_window, random_cuts, tmp_path
):
    rng = np.random.default_rng(0)
    counts = (5, 31, 200)
    windows = [
        compressed_window(place, random_cuts(rng, 400, count))
        for place, count in zip(islands.windows("test"), counts, strict=True)
    ]
    like = save("model", windows, seed=3, target_bpt=TARGET)
    out = tmp_path / "gc_cpg.parquet"
    write_gc_cpg(like, islands, islands, islands, TARGET, settings, out)
    router = read_compressed(out)
    assert (router.name, router.seed) == ("gc_cpg", 3)
    assert (router.info["like"], router.info["like_seed"]) == ("model", 3)
    assert [len(window.token_starts) for window in router.windows()] == list(counts)
    scores = router.info["validation_enrichment"]
    assert set(scores) == {"8", "16"}
    assert router.info["composition_bp"] == int(max(scores, key=scores.get))
    assert max(scores.values()) > 1.3
    for width, score in scores.items():
        rates = learn_rates(islands, islands, TARGET, int(width))
        tiles = validation_windows(islands, islands, islands, 400)
        assert promoter_enrichment(rates, int(width), tiles) == pytest.approx(score)
    write_fixed_stride(like, out)
    stride = read_compressed(out)
    assert [len(window.token_starts) for window in stride.windows()] == list(counts)
    assert stride.target_bpt is None


def test_padded_windows_get_n(islands, settings, save, compressed_window, tmp_path):
    islands.tile(islands.add_piece("d", "ACGT" * 50, "nig"), 400, pad_last=True)
    like = save("model", [compressed_window(islands.corpus[-1], [0, 100, 250])])
    write_gc_cpg(like, islands, islands, islands, TARGET, settings, tmp_path / "x.parquet")
    (window,) = read_compressed(tmp_path / "x.parquet").windows()
    assert (window.end - window.start, window.length, len(window.token_starts)) == (200, 400, 3)


def test_training_dna_without_bases_is_said(toy):
    toy.add_piece("a", "N" * 50, "nig", split="train")
    with pytest.raises(GenezipError, match="gc_cpg cannot learn"):
        learn_rates(toy, toy, TARGET, 8)
