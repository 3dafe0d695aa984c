"""Class totals by promoter half-width, beside published ones."""

import pandas as pd
import pytest

from genezip.config import Regions
from genezip.corpus.calibration import (
    HALF_WIDTHS,
    HELD_OUT_ROW,
    calibrate,
    closest,
    published,
    read_table5,
)
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.gene_models import read_gene_models
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
    path = repo / "resources" / "paper" / "table5_corpora.csv"
    mb = published(read_table5(path), HELD_OUT_ROW, "bp_M")
    assert mb["promoter"] == 22.44
    assert mb.sum() == pytest.approx(417.34, abs=0.035)  # seven rounded numbers
    with pytest.raises(GenezipError, match="has no row Held-out chrX, test"):
        published(read_table5(path), ("Held-out chrX", "test"), "bp_M")
    with pytest.raises(GenezipError, match=r"absent\.csv does not exist; give --paper"):
        read_table5(tmp_path / "absent.csv")
    (tmp_path / "b.csv").write_text("dataset,split\nx,y\n")
    with pytest.raises(GenezipError, match="lacks the column promoter_bp_M"):
        read_table5(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("")
    with pytest.raises(GenezipError, match="cannot be read as CSV"):
        read_table5(tmp_path / "c.csv")


def test_refseq_on_the_held_out_chromosomes(mirror, repo):
    """Wider promoters take more bases; every half-width adds up to the three chromosomes."""
    table5 = read_table5(repo / "resources" / "paper" / "table5_corpora.csv")
    genes = read_gene_models(mirror / "annotation" / "refseq_refGene.hg38.bed12.gz", "bed12")
    paper_mb = published(table5, HELD_OUT_ROW, "bp_M")
    table = calibrate(genes, hg38_sizes(), Regions(), paper_mb, say=lambda _: None)
    wide = table.pivot(index="half_width_bp", columns="class", values="measured_mb")
    assert wide.index.tolist() == list(HALF_WIDTHS)
    assert wide["promoter"].is_monotonic_increasing
    assert wide["all"].round(6).unique().tolist() == [417.330775]
