"""`genezip evaluate ...` and the page of a run with a region class of the user."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call
from toolkit.compressed import scored_window
from toolkit.genomes import simulate
from toolkit.networks import SMALL_YAML

from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Corpus, Pretrain, Regions
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.genome.region_rules import build_region_map
from genezip.inference.table import read_compressed, write_compressed
from genezip.region_classes import CLASSES
from genezip.training.setup import prepare, targets_of

WINDOW_BP = 2048
EVALUATION = json.dumps(
    {"bootstrap": 50, "block_bp": 8192, "markov_orders": [0], "shifts": 5,
     "composition_windows": [256], "composition_sharpness": [1]}
)  # fmt: skip
REPORT = json.dumps({"reference": "ours", "control": "even"})
REGIONS = Regions.model_validate(
    {"classes": [{"name": "enhancer", "bed": "-", "before": "promoter", "label": "my enhancers"}]}
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Every 5,000 bp, 1,000 bp are enhancers; the model ``ours`` cuts them every 8 bp."""
    folder = tmp_path_factory.mktemp("run")
    source = simulate(folder / "resources", 90_000, 50_000, 70_000)
    own = pd.concat(
        pd.DataFrame({"chrom": chrom, "start": np.arange(0, bp - 1000, 5000)})
        for chrom, bp in source.chrom_sizes().items()
    )
    own["end"] = own["start"] + 1000
    region_map = build_region_map(
        source.annotations(), source.assembly(), REGIONS, user={"enhancer": own}
    )
    region_map.write_bed9(folder / "regions.bed.gz")
    corpus = Corpus(
        window_bp=WINDOW_BP, heldout_window_bp=WINDOW_BP, train_windows=4, valid_windows=0,
        keep_short=False, validation="pieces",
    )  # fmt: skip
    build_corpus(source, region_map, corpus, folder / "results" / "corpus" / "main")
    reader = CorpusReader(folder / "results" / "corpus" / "main" / "manifest.json")
    targets = {**dict.fromkeys(CLASSES, 64.0), "enhancer": 8.0}
    for name, fine in (("ours", 8), ("even", 64)):
        windows = []
        for place in reader.windows("test"):
            step = np.where(place.regions == 7, fine, 64)
            starts = np.flatnonzero(np.arange(WINDOW_BP) % step == 0)
            windows.append(scored_window(place, starts, np.full(WINDOW_BP, 0.1)))
        write_compressed(folder / f"{name}.parquet", windows, name=name, seed=0, target_bpt=targets)
    return folder


def options(run, *names):
    values = {
        "--corpus": run / "results" / "corpus" / "main" / "manifest.json",
        "--source": run / "resources" / "source.json",
        "--regions": run / "regions.bed.gz",
        "--settings": EVALUATION,
        "--scale": "test",
    }
    return [part for name in names for part in (name, values[name])]


def files(run, *names):
    return [part for name in names for part in ("--compressed", run / f"{name}.parquet")]


def routed(run, preset: Path) -> int:
    return call(
        "evaluate", "routers", "--like", run / "ours.parquet", "--router", "gc_cpg",
        *options(run, "--corpus", "--source", "--regions", "--settings"),
        "--region-preset", preset, "--out", run / "gc_cpg.parquet",
    )  # fmt: skip


@pytest.fixture(scope="module")
def preset(run):
    path = run / "mine.yaml"
    multipliers = {**dict.fromkeys(CLASSES, 2), "enhancer": 0.5}
    path.write_text(json.dumps({"base_bpt": 32, "multipliers": multipliers}))
    return path


def test_a_budget_without_the_class_is_refused(run, repo, capsys):
    assert routed(run, repo / "genezip" / "config" / "regions" / "transcript_balanced.yaml") == 1
    assert "gives no target to the region class 'enhancer'" in capsys.readouterr().err
    assert not (run / "gc_cpg.parquet").exists()


def test_a_run_is_prepared_with_the_class(run, preset):
    corpus = run / "results" / "corpus" / "main" / "manifest.json"
    prepared = prepare(
        corpus=corpus,
        architecture=SMALL_YAML,
        targets=targets_of(corpus, preset, None, None),
        settings=Pretrain(batch=2, micro_batch=1, validate_windows=100),
        seed=0,
        name="toy",
        scale="test",
    ).run
    assert list(prepared.target_bpt.items()) == [*((n, 64) for n in CLASSES), ("enhancer", 16)]
    assert prepared.region_classes.names == (*CLASSES, "enhancer")
    assert [found["label"] for found in prepared.facts["classes"]] == ["my enhancers"]
    assert (prepared.valid_regions == 7).any()


@pytest.mark.slow
def test_the_commands_and_the_page(run, preset, tmp_path):
    assert routed(run, preset) == 0
    assert set(read_compressed(run / "gc_cpg.parquet").target_bpt) == {*CLASSES, "enhancer"}
    out = run / "results" / "compress"
    out.mkdir()
    assert call(
        "evaluate", "markov", *options(run, "--corpus", "--source", "--settings", "--scale"),
        "--out", out / "markov.tsv", "--windows", run / "markov.parquet",
    ) == 0  # fmt: skip
    assert call(
        "evaluate", "compression", *files(run, "ours", "even", "gc_cpg"),
        *options(run, "--corpus", "--settings", "--scale"), "--reference", "ours",
        "--control", "even", "--markov", run / "markov.parquet", "--out", out / "compression.tsv",
        "--comparisons", out / "comparisons.tsv", "--windows", run / "windows.tsv",
    ) == 0  # fmt: skip
    rows = DNA_SCORES.read(out / "compression.tsv")
    ours = rows[(rows["model"] == "ours") & (rows["subset"] == "all")].set_index(
        ["metric", "region"]
    )["value"]
    assert ours["bpt", "enhancer"] == pytest.approx(8, rel=0.05)
    assert ours["target_bpt", "enhancer"] == 8
    assert ours["enrichment", "enhancer"] > 3
    assert ours["region_share", "enhancer"] == pytest.approx(0.2, abs=0.02)
    assert call(
        "evaluate", "repeats", *files(run, "ours", "even"),
        *options(run, "--corpus", "--source", "--regions", "--settings", "--scale"),
        "--out", run / "results" / "repeats" / "repeats.tsv",
    ) == 0  # fmt: skip
    assert "enhancer" in set(DNA_SCORES.read(run / "results" / "repeats" / "repeats.tsv")["region"])
    assert call(
        "evaluate", "locus", *files(run, "ours", "even"), *options(run, "--source", "--regions"),
        "--settings", REPORT, "--out", out / "locus.tsv", "--genes", out / "locus_genes.tsv",
        "--transcripts", "all", "--gene-type", "protein_coding", "--gene-type", "lncRNA",
    ) == 0  # fmt: skip
    assert "enhancer" in set(pd.read_csv(out / "locus.tsv", sep="\t")["region"].dropna())
    assert call(
        "report", "--results", run / "results", "--settings", REPORT, "--scale", "test",
        "--out", tmp_path / "page.html", "--figures", tmp_path / "figures",
    ) == 0  # fmt: skip
    page = (tmp_path / "page.html").read_text()
    assert "my enhancers &gt; promoter" in page
    shown = pd.read_csv(tmp_path / "figures" / "bpt.tsv", sep="\t")
    assert "enhancer" in set(shown["region"])
