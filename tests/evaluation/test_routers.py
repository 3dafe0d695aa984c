"""Trivial routers copy windows and token counts."""

import numpy as np
import pytest

from genezip.evaluation.composition_router import learn_composition_router
from genezip.evaluation.controls import write_fixed_stride, write_gc_cpg
from genezip.inference.table import read_compressed
from genezip.region_classes import CLASSES

TARGET = {**dict.fromkeys(CLASSES, 64.0), "promoter": 4.0}


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
        toy.tile(toy.add_segment(name, "".join(letters), regions, split=split), 400)
    return toy


def test_tokens_are_copied_and_the_choice_is_recorded(
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
    learned = learn_composition_router(islands, islands, islands, TARGET, settings)
    assert router.info["composition_bp"] == learned.width
    assert router.info["composition_sharpness"] == learned.sharpness
    assert router.info["chosen_on"] == "valid"
    trials = router.info["trials"]
    assert {(trial["width"], trial["sharpness"]) for trial in trials} == {
        (width, sharpness) for width in (8, 16) for sharpness in (1, 2)
    }
    assert all(trial["promoter_enrichment"] > 1.3 for trial in trials)
    for place, window in zip(islands.windows("test"), router.windows(), strict=True):
        expected = learned.starts(place.ids, len(window.token_starts))
        assert window.token_starts.tolist() == expected.tolist()
    write_fixed_stride(like, out)
    stride = read_compressed(out)
    assert [len(window.token_starts) for window in stride.windows()] == list(counts)
    assert stride.target_bpt is None


def test_padded_windows_get_n(islands, settings, save, compressed_window, tmp_path):
    islands.tile(islands.add_segment("d", "ACGT" * 50, "nig"), 400, pad_last=True)
    like = save("model", [compressed_window(islands.corpus[-1], [0, 100, 250])])
    write_gc_cpg(like, islands, islands, islands, TARGET, settings, tmp_path / "x.parquet")
    (window,) = read_compressed(tmp_path / "x.parquet").windows()
    assert (window.end - window.start, window.length, len(window.token_starts)) == (200, 400, 3)
