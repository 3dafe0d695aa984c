"""Blocks, GC tertiles and N of held-out windows."""

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.evaluation.windows import block_ids, read_labels, subset_name
from genezip.region_classes import MOST_CLASSES


def test_blocks_start_anew_in_each_piece():
    piece = pd.Series(["a", "a", "a", "b", "b"])
    start = pd.Series([100, 150, 200, 1000, 1099])
    assert len(set(block_ids(piece, start, 100))) == 3
    assert block_ids(piece, start, 100).tolist() == [0, 0, 1, 2, 2]


def test_tertiles_split_the_bases_in_three(toy, settings):
    parts = ["A" * 2048, "AG" * 1024, "G" * 2048]
    toy.tile(toy.add_segment("p", "".join(parts), "nig"), 2048)
    labels = read_labels(toy, settings)
    strata = [np.bincount(cells // MOST_CLASSES, minlength=4).tolist() for cells in labels.cells]
    assert strata == [[2048, 0, 0, 0], [0, 2048, 0, 0], [0, 0, 2048, 0]]
    assert labels.gc_edges == pytest.approx((0, 0.5), abs=0.002)


def test_n_and_padding_are_a_stratum_of_their_own(toy, settings):
    piece = toy.add_segment("p", "ACGT" * 16 + "N" * 10 + "ACGT" * 13 + "AC", "nig")
    toy.tile(piece, 96, pad_last=True)  # 128 bp: one full window, one of 32 + 64 padding
    labels = read_labels(toy, settings)
    assert [(cells // MOST_CLASSES == 3).sum() for cells in labels.cells] == [10, 64]
    assert labels.table["n_fraction"].tolist() == pytest.approx([10 / 96, 0])
    assert [subset.chosen.tolist() for subset in labels.subsets] == [[True, True], [False, True]]
    assert labels.subsets[1].name == subset_name(0.05) == "n_le_5pct"


def test_no_window_is_said(toy, settings):
    with pytest.raises(GenezipError, match="no window of split test"):
        read_labels(toy, settings)
