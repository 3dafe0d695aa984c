"""Blocks, GC tertiles and N of held-out windows, and the sums of each by hand."""

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.evaluation.windows import block_ids, collect, read_facts, subset_name
from genezip.region_classes import MOST_CLASSES


def test_blocks_start_anew_in_each_segment():
    segment = pd.Series(["a", "a", "a", "b", "b"])
    start = pd.Series([100, 150, 200, 1000, 1099])
    assert len(set(block_ids(segment, start, 100))) == 3
    assert block_ids(segment, start, 100).tolist() == [0, 0, 1, 2, 2]


def test_tertiles_split_the_bases_in_three(toy, settings):
    parts = ["A" * 2048, "AG" * 1024, "G" * 2048]
    toy.tile(toy.add_segment("p", "".join(parts), "nig"), 2048)
    facts = read_facts(toy.reader(), settings)
    strata = [np.bincount(cells // MOST_CLASSES, minlength=4).tolist() for cells in facts.cells]
    assert strata == [[2048, 0, 0, 0], [0, 2048, 0, 0], [0, 0, 2048, 0]]
    assert facts.gc_edges == pytest.approx((0, 0.5), abs=0.002)


def test_n_and_padding_are_a_stratum_of_their_own(toy, settings):
    piece = toy.add_segment("p", "ACGT" * 16 + "N" * 10 + "ACGT" * 13 + "AC", "nig")
    toy.tile(piece, 96, pad_last=True)  # 128 bp: one full window, one of 32 + 64 padding
    facts = read_facts(toy.reader(), settings)
    assert [(cells // MOST_CLASSES == 3).sum() for cells in facts.cells] == [10, 64]
    assert facts.table["n_fraction"].tolist() == pytest.approx([10 / 96, 0])
    assert [subset.chosen.tolist() for subset in facts.subsets] == [[True, True], [False, True]]
    assert facts.subsets[1].name == subset_name(0.05) == "n_le_5pct"


def test_a_split_without_a_window_is_refused(toy, settings):
    with pytest.raises(GenezipError, match="no window of split test"):
        read_facts(toy.reader(), settings)


@pytest.fixture
def ten(toy):
    """One window of 10 bp: promoter on bases 2..4, intron elsewhere."""
    regions = [4, 4, 0, 0, 0, 4, 4, 4, 4, 4]
    toy.tile(toy.add_segment("p", "ACGTACGTAC", regions), 10)
    return toy


def test_boundaries_0_3_7(ten, settings, save, compressed_window):
    # chunks [0,3) [3,7) [7,10): promoter has base 2 of the first, bases 3 and 4 of the second
    window = compressed_window(ten.corpus[0], [0, 3, 7])
    sums = collect(save("m", [window]), read_facts(ten.reader(), settings))
    columns = sums.by_strand["+"]
    assert columns["bp"].sum(axis=1)[0].tolist() == [3, 0, 0, 0, 7, 0, 0]
    tokens = columns["tokens"].sum(axis=1)[0]
    assert tokens[0] == pytest.approx(1 / 3 + 2 / 4)
    assert tokens.sum() == pytest.approx(3)
    assert set(sums.by_strand) == {"+"}
    assert "nll" not in columns


def test_both_strands_are_averaged(ten, settings, save, compressed_window):
    nll = np.full(10, np.log(4), dtype=np.float32)
    forward, reverse = nll.copy(), nll.copy() * 2
    forward[0], reverse[9] = np.nan, np.nan  # each strand leaves out its own first base
    windows = [
        compressed_window(ten.corpus[0], [0, 3, 7], nll=forward),
        compressed_window(ten.corpus[0], [0, 5], "-", nll=reverse, bound_active=np.array([True])),
    ]
    both = collect(save("m", windows), read_facts(ten.reader(), settings)).by_strand["both"]
    assert both["tokens"].sum() == pytest.approx(2.5)
    assert both["predicted"].sum() == 9
    assert both["nll"].sum() == pytest.approx(9 * 1.5 * np.log(4), rel=1e-6)
    assert both["bound_active"].tolist() == [[0.5]]


def test_strict_leaves_padding_out(toy, settings, save, compressed_window):
    toy.tile(toy.add_segment("p", "ACGTACGT", "nig"), 10, pad_last=True)
    facts = read_facts(toy.reader(), settings)
    # chunks [0,6) [6,10): two real bases and two of padding share the second token
    sums = collect(save("m", [compressed_window(toy.corpus[0], [0, 6])]), facts)
    loose, strict = (sums.columns("+", subset.chosen, subset.strict) for subset in facts.subsets)
    assert loose["bp"].sum() == 10
    assert loose["tokens"].sum() == pytest.approx(2)
    assert strict["bp"].sum() == 8
    assert strict["tokens"].sum() == pytest.approx(1.5)


def test_windows_that_do_not_belong_are_named(ten, settings, save, compressed_window):
    facts = read_facts(ten.reader(), settings)
    stranger = compressed_window(ten.corpus[0], [0])
    object.__setattr__(stranger, "start", 5)
    with pytest.raises(GenezipError, match=r"p:5-10 of .* is not in the corpus"):
        collect(save("m", [stranger]), facts)
    with pytest.raises(GenezipError, match="0 of the 1 held-out windows"):
        collect(save("empty", []), facts)
