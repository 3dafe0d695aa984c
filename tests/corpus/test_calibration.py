"""Promoter half-width and sampling mixture, recovered from published class totals."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genezip.config import Regions
from genezip.corpus.calibration import (
    CORPORA,
    HALF_WIDTHS,
    HELD_OUT_ROW,
    calibrate,
    closest,
    fit_mixture,
    fit_simplex,
    mode_shares,
    published,
    read_table5,
)
from genezip.corpus.sampling import MODES, Pool, sample
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_rules import build_region_map
from genezip.region_classes import CLASSES

IDS = 'gene_id "g"; transcript_id "t";'
ROWS = [
    ("a", "exon", 1000, 1500, "+", IDS),
    ("a", "exon", 2000, 3000, "+", IDS),
    ("a", "CDS", 2000, 2400, "+", IDS),
    ("b", "exon", 100, 200, "+", 'gene_id "h"; transcript_id "u";'),
]
SIZES = {"a": 10_000, "b": 5000, "bare": 700}
SETTINGS = Regions(nig_distance=3000, required=[])


def paper(**mb):
    return pd.Series({name: mb.get(name, 0.0) for name in CLASSES})


@pytest.fixture
def genes(write_gtf):
    return read_gene_models(write_gtf(ROWS), "gtf", "all")


def test_totals_by_hand(genes):
    table = calibrate(genes, SIZES, SETTINGS, paper(), ["a"], [100])
    bp = (1e6 * table.set_index("class")["measured_mb"]).round().astype(int).to_dict()
    # promoter [900, 1100); UTR 1100-1500 and 2400-3000; near: 0-900 and 3000-4001
    assert bp == {
        "promoter": 200,
        "cds": 400,
        "utr": 1000,
        "exon": 0,
        "intron": 500,
        "nig": 1901,
        "dig": 5999,
        "all": 10_000,
    }
    assert set(table["annotation"]) == {"genes.gtf"}
    assert set(table["chromosomes"]) == {"a"}


def test_the_closest_half_width_by_promoter_and_by_all_classes(genes):
    """Of 100 and 300: 2 x 260 promoter bases are nearer 600; all classes may say otherwise."""
    near = calibrate(genes, SIZES, SETTINGS, paper(), ["a"], [100])
    same = {
        name: float(mb)
        for name, mb in near[["class", "measured_mb"]].itertuples(index=False)
        if name != "all"
    }
    asked = paper(**{**same, "promoter": 520e-6})
    table = calibrate(genes, SIZES, SETTINGS, asked, ["a"], [100, 300])
    rows = table.set_index(["half_width_bp", "class"])["difference_mb"] * 1e6
    assert rows[100, "promoter"] == pytest.approx(200 - 520)
    assert rows[300, "promoter"] == pytest.approx(600 - 520)
    assert closest(table, "promoter") == 300
    # half-width 300 moves 200 bases from UTR and 200 from NIG to promoter
    assert rows[100, "all"] == pytest.approx(320)
    assert rows[300, "all"] == pytest.approx(80 + 200 + 200)
    assert closest(table, "all") == 100
    marks = table.groupby("half_width_bp")[["closest_promoter", "closest_total"]].max()
    assert marks.loc[100].tolist() == [0, 1]
    assert marks.loc[300].tolist() == [1, 0]


def test_a_strand_aware_promoter_and_own_classes_are_left_out(genes):
    extra = {"name": "extra", "bed": "absent.bed", "before": "promoter"}
    odd = Regions(
        nig_distance=3000, promoter_upstream=7, promoter_downstream=9, required=[], classes=[extra]
    )
    plain, other = (calibrate(genes, SIZES, s, paper(), ["a"], [100]) for s in (SETTINGS, odd))
    assert plain.equals(other)


def test_wrong_chromosomes(genes):
    with pytest.raises(GenezipError, match="the chromosome lengths lack chr8; name others with"):
        calibrate(genes, SIZES, SETTINGS, paper(), ["a", "chr8"])
    with pytest.raises(GenezipError, match=r"genes\.gtf has no transcript on bare; name other"):
        calibrate(genes, SIZES, SETTINGS, paper(), ["a", "bare"])


def test_the_table_of_published_numbers(repo, tmp_path):
    path = repo / "genezip" / "artifacts" / "paper" / "table5_corpora.csv"
    mb = published(read_table5(path), HELD_OUT_ROW, "bp_M")
    assert mb["promoter"] == 22.44
    assert mb.sum() == pytest.approx(417.34, abs=0.035)  # seven rounded numbers
    with pytest.raises(GenezipError, match="has no row Held-out chrX, test"):
        published(read_table5(path), ("Held-out chrX", "test"), "bp_M")
    with pytest.raises(GenezipError, match=r"absent\.csv does not exist; give --paper"):
        read_table5(tmp_path / "absent.csv")
    (tmp_path / "b.csv").write_text("dataset,split\nx,y\n")
    with pytest.raises(GenezipError, match=r"lacks the columns .*, promoter_bp_M, "):
        read_table5(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(GenezipError, match="is empty; give --paper the right file"):
        read_table5(tmp_path / "c.csv")


@pytest.mark.slow
def test_refseq_on_the_held_out_chromosomes(mirror, repo):
    """Wider promoters take more bases; every half-width adds up to the three chromosomes."""
    table5 = read_table5(repo / "genezip" / "artifacts" / "paper" / "table5_corpora.csv")
    genes = read_gene_models(mirror / "annotation" / "refseq_refGene.hg38.bed12.gz", "bed12")
    paper_mb = published(table5, HELD_OUT_ROW, "bp_M")
    table = calibrate(genes, hg38_sizes(), Regions(), paper_mb)
    wide = table.pivot(index="half_width_bp", columns="class", values="measured_mb")
    assert wide.index.tolist() == list(HALF_WIDTHS)
    assert wide["promoter"].is_monotonic_increasing
    assert wide["all"].round(6).unique().tolist() == [417.330775]


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
    region_map = build_region_map(genes, sizes, settings)
    segments = [
        Segment(c, c, 0, n, "train", "genes", False, False, False) for c, n in sizes.items()
    ]
    empty = pd.DataFrame({"chrom": [], "start": [], "end": []})
    pool = Pool(segments, 1000, {"genes": genes}, {"a": NONE, "b": NONE}, empty)
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
    table5 = read_table5(repo / "genezip" / "artifacts" / "paper" / "table5_corpora.csv")
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
