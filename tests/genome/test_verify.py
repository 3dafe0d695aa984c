import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_rules import build_region_map
from genezip.genome.verify import verify_region_map

IDS = 'gene_id "g"; transcript_id "t";'
ROWS = [
    ("c", "exon", 1, 20, "+", IDS),
    ("c", "exon", 30, 50, "+", IDS),
    ("c", "CDS", 15, 20, "+", IDS),
    ("c", "CDS", 30, 40, "+", IDS),
    ("c", "exon", 56, 58, "-", 'gene_id "h";'),
    ("d", "exon", 0, 8, "-", 'gene_id "i";'),
]
SMALL = Regions(promoter_half_width=3, nig_distance=12, required=[])
SEGMENTS = [("c", 0, 22, "train"), ("c", 35, 60, "test"), ("d", 0, 40, "train")]

needs_bedtools = pytest.mark.skipif(
    shutil.which("bedtools") is None and os.environ.get("GENEZIP_REQUIRE_REAL") != "1",
    reason="bedtools is not on PATH",
)


@dataclass
class Coordinates:
    """What the check needs of an assembly: no bases."""

    chrom_sizes: dict[str, int]
    segments: tuple[Segment, ...]


@pytest.fixture
def small(write_gtf, make_assembly):
    assembly = make_assembly({"c": "A" * 60, "d": "A" * 40, "e": "A" * 5}, SEGMENTS)
    return {"genes": read_gene_models(write_gtf(ROWS), "gtf", transcripts="all")}, assembly


@needs_bedtools
def test_bedtools_agrees_on_a_small_genome(small):
    annotations, assembly = small
    region_map = build_region_map(annotations, assembly, SMALL)
    outcome = verify_region_map(region_map, annotations, assembly, SMALL)
    assert (outcome.bp, outcome.different, outcome.first) == (87, 0, "")
    assert Path(tempfile.gettempdir()).is_dir()  # pybedtools moves it; it must move back


@needs_bedtools
def test_bedtools_agrees_on_strand_aware_promoters(small):
    annotations, assembly = small
    aware = Regions(promoter_upstream=5, promoter_downstream=2, nig_distance=12, required=[])
    region_map = build_region_map(annotations, assembly, aware)
    assert verify_region_map(region_map, annotations, assembly, aware).different == 0
    turned = aware.model_copy(update={"promoter_upstream": 2, "promoter_downstream": 5})
    assert verify_region_map(region_map, annotations, assembly, turned).different > 0


@needs_bedtools
def test_bedtools_agrees_on_own_classes(small):
    annotations, assembly = small
    classes = [
        {"name": "enhancer", "bed": "e.bed", "before": "promoter"},
        {"name": "ctcf", "bed": "c.bed", "before": "utr"},
    ]
    chosen = Regions(promoter_half_width=3, nig_distance=12, required=[], classes=classes)
    own = {
        "enhancer": pd.DataFrame({"chrom": ["c", "d"], "start": [0, 5], "end": [3, 30]}),
        "ctcf": pd.DataFrame({"chrom": ["c", "c"], "start": [10, 8], "end": [18, 12]}),
    }
    region_map = build_region_map(annotations, assembly, chosen, own)
    assert verify_region_map(region_map, annotations, assembly, chosen, own).different == 0
    moved = {**own, "ctcf": own["ctcf"].assign(start=[10, 7])}
    outcome = verify_region_map(region_map, annotations, assembly, chosen, moved)
    assert outcome.different == 1
    assert outcome.first == "c:7 is utr in the map and ctcf by bedtools"
    with pytest.raises(GenezipError, match="the region map has the classes enhancer, promoter"):
        verify_region_map(region_map, annotations, assembly, SMALL)


@needs_bedtools
def test_an_empty_interval_of_an_own_class_claims_no_base(small):
    annotations, assembly = small
    classes = [{"name": "peak", "bed": "p.bed", "before": "promoter"}]
    chosen = Regions(promoter_half_width=3, nig_distance=12, required=[], classes=classes)
    own = {"peak": pd.DataFrame({"chrom": ["c", "c"], "start": [2, 12], "end": [4, 12]})}
    region_map = build_region_map(annotations, assembly, chosen, own)
    assert region_map.ids("c", 11, 13).tolist() == [2, 2]  # utr, by hand
    assert verify_region_map(region_map, annotations, assembly, chosen, own).different == 0


def test_own_classes_in_another_order_are_refused(small):
    """Their priority is equal, but the ids are swapped."""
    annotations, assembly = small
    first = {"name": "first", "bed": "f.bed", "before": "promoter"}
    second = {"name": "second", "bed": "s.bed", "before": "cds"}
    other, chosen = (
        SMALL.model_copy(update={"classes": Regions(classes=classes).classes})
        for classes in ([first, second], [second, first])
    )
    assert other.region_classes().priority == chosen.region_classes().priority
    table = pd.DataFrame({"chrom": ["c"], "start": [4], "end": [9]})
    own = {"first": table, "second": table}
    region_map = build_region_map(annotations, assembly, other, own)
    with pytest.raises(GenezipError, match=r"numbers its classes .*, first, second, the settings"):
        verify_region_map(region_map, annotations, assembly, chosen, own)


@needs_bedtools
def test_every_difference_is_counted_and_the_first_is_named(small):
    annotations, assembly = small
    region_map = build_region_map(annotations, assembly, SMALL)
    wider = SMALL.model_copy(update={"promoter_half_width": 4})
    outcome = verify_region_map(region_map, annotations, assembly, wider)
    # one base more on either side of three TSSs (1, 57 and 7), clipped at 0 and at 60
    assert outcome.different == 4
    assert outcome.first == "c:4 is utr in the map and promoter by bedtools"


def test_without_bedtools_it_says_so(small, monkeypatch):
    annotations, assembly = small
    region_map = build_region_map(annotations, assembly, SMALL)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GenezipError, match="regions verify needs bedtools on PATH"):
        verify_region_map(region_map, annotations, assembly, SMALL)


@needs_bedtools
def test_bedtools_agrees_on_the_demo_slices(mirror):
    segments = []
    for line in (mirror / "demo" / "splits.bed").read_text().splitlines():
        chrom, start, end, split = line.split("\t")
        name = f"{chrom}:{start}-{end}"
        segments.append(
            Segment(name, chrom, int(start), int(end), split, "genes", False, False, False)
        )
    sizes = {chrom: hg38_sizes()[chrom] for chrom in ("chr1", "chr2", "chr9", "chr21", "chr22")}
    assembly = Coordinates(sizes, tuple(segments))
    annotations = {"genes": read_gene_models(mirror / "demo" / "genes.gtf.gz", "gtf")}
    region_map = build_region_map(annotations, assembly, Regions())
    outcome = verify_region_map(region_map, annotations, assembly, Regions())
    assert (outcome.bp, outcome.different) == (6_175_271, 0)
