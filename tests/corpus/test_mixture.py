"""The sampling mixture that comes closest to published class shares."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.config import Regions
from genezip.corpus.calibration import read_table5
from genezip.corpus.mixture import CORPORA, fit_mixture, fit_simplex, mode_shares
from genezip.corpus.pool import Pool
from genezip.corpus.sampling import MODES, sample
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_rules import label_chromosomes
from genezip.region_classes import CLASSES

NONE = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
STEPS = 40


def grid():
    """Every mixture of three in steps of 1/40."""
    for first in range(STEPS + 1):
        for second in range(STEPS + 1 - first):
            yield np.array([first, second, STEPS - first - second]) / STEPS


def distance(matrix, weights, target):
    return float(np.sum((matrix @ weights - target) ** 2))


numbers = st.lists(st.floats(0, 100), min_size=28, max_size=28)


@given(numbers)
@settings(max_examples=100, deadline=None)
def test_no_mixture_of_a_grid_is_closer(values):
    matrix, target = np.array(values[:21]).reshape(7, 3), np.array(values[21:])
    weights = fit_simplex(matrix, target)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    best = min(grid(), key=lambda tried: distance(matrix, tried, target))
    least = distance(matrix, best, target)
    assert distance(matrix, weights, target) <= least + 1e-9 * max(1, least)


def test_the_fit_is_that_of_the_grid_where_the_truth_lies_on_it():
    matrix = np.random.default_rng(0).uniform(0, 100, (7, 3))
    for truth in ([0.5, 0.3, 0.2], [0.0, 0.4, 0.6], [1.0, 0.0, 0.0]):
        target = matrix @ np.array(truth)
        best = min(grid(), key=lambda tried: distance(matrix, tried, target))
        assert fit_simplex(matrix, target) == pytest.approx(best, abs=1e-9)
        assert best == pytest.approx(np.array(truth))


def test_a_target_outside_the_simplex_is_met_at_its_border():
    # only the first two can help; the best point of the line between them is half and half
    matrix = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert fit_simplex(matrix, np.array([1.0, 1.0, -5.0])) == pytest.approx([0.5, 0.5, 0])


@pytest.fixture
def small(write_gtf):
    rows = []
    for number, start in enumerate((3000, 9000, 14_000)):
        ids = f'gene_id "g{number}"; transcript_id "t{number}";'
        rows += [
            ("a", "exon", start, start + 900, "+", ids),
            ("a", "CDS", start + 300, start + 600, "+", ids),
        ]
    genes = read_gene_models(write_gtf(rows), "gtf", "all")
    sizes = {"a": 20_000, "b": 4000}
    settings = Regions(promoter_half_width=100, nig_distance=800, required=[])
    region_map = label_chromosomes(
        read_gene_models(write_gtf(rows), "gtf", "all"), sizes, settings, say=lambda _: None
    )
    pieces = [Piece(c, c, 0, n, "train", "genes", False, False, False) for c, n in sizes.items()]
    empty = pd.DataFrame({"chrom": [], "start": [], "end": []})
    pool = Pool(pieces, 1000, {"genes": genes}, {"a": NONE, "b": NONE}, empty)
    return region_map, pool


def test_shares_equal_the_bases_of_the_windows_counted_one_by_one(small):
    region_map, pool = small
    found = mode_shares(region_map, pool, 40, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    for mode, share in zip(MODES, found, strict=True):
        drawn = sample(pool, 40, {name: float(name == mode) for name in MODES}, 0.01, rng)
        counts = np.zeros(7)
        for row in drawn.table().itertuples():
            counts += np.bincount(region_map.ids(row.piece, row.start, row.end), minlength=7)
        assert counts.sum() == 40 * 1000
        assert share == pytest.approx(100 * counts / counts.sum())
    by_mode = dict(zip(MODES, found, strict=True))
    cds = CLASSES.index("cds")
    assert by_mode["cds"][cds] > by_mode["uniform"][cds]


def test_equal_seeds_give_equal_shares(small):
    first, second = (mode_shares(*small, 20, np.random.default_rng(5)) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_a_mixture_that_made_the_published_row_is_found_again(repo):
    table5 = read_table5(repo / "resources" / "paper" / "table5_corpora.csv")
    rng = np.random.default_rng(1)
    truth = np.array([0.2, 0.5, 0.3])
    shares = {}
    for name, (row, _) in CORPORA.items():
        shares[name] = rng.dirichlet(np.ones(7), 3) * 100
        table5.loc[[row], [f"{c}_pct" for c in CLASSES]] = truth @ shares[name]
    table = fit_mixture(shares, table5, "x.gtf", "[TSS-1,TSS+1)", np.array([1.0, 0, 0]))
    first = table.drop_duplicates(["fit", "corpus"]).set_index(["fit", "corpus"])
    for fit in ("own", "both"):
        for corpus in CORPORA:
            row = first.loc[(fit, corpus)]
            assert [row[f"{m}_weight"] for m in MODES] == pytest.approx(truth.tolist(), abs=1e-6)
            assert row["residual_pct"] == pytest.approx(0, abs=1e-6)
    assert first.loc[("config", "128k"), "uniform_weight"] == 1
    assert first.loc[("config", "128k"), "residual_pct"] > 1
    assert len(table) == 3 * 2 * 7
    plain = fit_mixture(shares, table5, "x.gtf", "", np.array([1.0, 0, 0]), "default")
    assert set(plain["fit"]) == {"own", "both", "default"}
    with pytest.raises(GenezipError, match="no corpus to fit a mixture to"):
        fit_mixture({}, table5, "x.gtf", "", truth)
