"""The workflow: plans on a bare checkout, and one real run on a simulated genome.

Snakemake needs over a second to start, so each test asks one call several questions.
"""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from toolkit.configurations import refusal
from toolkit.snakemake_runs import jobs_of, snakemake

slow = partial(pytest.param, marks=pytest.mark.slow)  # further cases of what others show

STAGES = ["fetch", "regions", "corpus", "pretrain", "compress", "repeats", "report"]


@pytest.fixture(scope="module")
def checkout(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare checkout: workflow and config, no resources, no results."""
    folder = tmp_path_factory.mktemp("bare") / "genezip"
    folder.mkdir()
    for name in ("workflow", "config", "envs", "genezip"):
        shutil.copytree(repo / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_paper_run_is_planned_without_data_or_network(checkout: Path) -> None:
    done = snakemake(checkout, "-n", "--cores", "16", "all")
    assert done.returncode == 0, done.stdout
    jobs = jobs_of(done.stdout)
    assert set(STAGES) < set(jobs)
    assert jobs["pretrain"] == 2  # the reference and its control, one seed each
    assert jobs["compress_trivially"] == 4
    assert list((checkout / "results").glob("*")) == []


def test_the_demo_is_the_same_rules_with_another_config(checkout: Path) -> None:
    demo = ("-n", "--profile", "workflow/profiles/demo")
    done = snakemake(checkout, *demo, "all")
    assert done.returncode == 0, done.stdout
    assert set(STAGES) < set(jobs_of(done.stdout))
    assert "Train genezip-tiny, seed 0" in done.stdout
    assert "70m" not in done.stdout
    layers = [f"config/{name}.yaml" for name in ("config", "demo", "three-seeds")]
    more = snakemake(checkout, *demo, "--configfile", *layers, "--", "all")
    assert jobs_of(more.stdout)["pretrain"] == 6, more.stdout


@pytest.mark.slow
def test_tokens_of_no_network_are_compared_like_models(checkout: Path) -> None:
    """They are compressed and compared; there is no curve, causal bound or track of probability."""
    layers = [checkout / "config" / f"{name}.yaml" for name in ("config", "tokens")]
    call = ("-n", "-p", "--cores", "1", "--configfile", *layers, "--", "all")
    done = snakemake(checkout, *call, "results/tracks/bpe-4096.seed0/igv_session.xml")
    assert done.returncode == 0, done.stdout
    plain, jobs = (
        jobs_of(snakemake(checkout, "-n", "--cores", "1", "all").stdout),
        jobs_of(done.stdout),
    )
    more = {name: count - plain.get(name, 0) for name, count in jobs.items()}
    changed = {name: count for name, count in more.items() if count}
    assert changed == {"fixed_tokens": 2, "bpe_tokens": 1, "compress": 3, "tracks_of_tokens": 1}
    commands = [line for line in done.stdout.splitlines() if " tokenizer " in line]
    assert len(commands) == 3
    assert any('"stride": 128' in line and "--name fixed-128 " in line for line in commands)
    words = next(line for line in commands if "tokenizer bpe" in line)
    assert "--corpus results/corpus/human-12.8k/manifest.json" in words and "--seed 0" in words
    assert '"block_bp": 4096' in words and '"vocabulary": 4096' in words


def test_a_single_target_plans_only_what_it_needs(checkout: Path) -> None:
    target = "results/regions/gene7.bed.gz"
    done = snakemake(checkout, "-n", "--cores", "1", target)
    assert jobs_of(done.stdout) == {"fetch": 1, "regions": 1}, done.stdout
    target = "results/pretrain/hnet-128bpt-70m.seed3/model.safetensors"
    done = snakemake(checkout, "-n", "--cores", "1", target)
    corpus = {"corpus_plan": 1, "corpus_shards": 16, "corpus": 1}
    leakage = {"dnalongbench_intervals": 4, "exclusions": 1}
    assert jobs_of(done.stdout) == {"fetch": 1, "regions": 1, **leakage, **corpus, "pretrain": 1}
    target = "results/corpus/human-128k/manifest.json"
    done = snakemake(checkout, "-n", "--cores", "1", "--set-scatter", "corpus=3", "--", target)
    corpus["corpus_shards"] = 3
    assert jobs_of(done.stdout) == {"fetch": 1, "regions": 1, **leakage, **corpus}, done.stdout


CORPUS_JOBS = {
    "fetch": 1,
    "regions": 1,
    "exclusions": 1,
    "dnalongbench_intervals": 4,
    "corpus_plan": 1,
    "corpus_shards": 16,
    "corpus": 1,
    "pretrain": 2,
}
ONE_CELL = {"dnalongbench": 1, "prepare": 1, "task_baselines": 1, "score": 1}


@pytest.mark.parametrize(
    ("target", "more"),
    [
        # 2 models x (authors, full); heads on authors, full, contrast; release on authors; the CNN
        (
            "results/eqtl/artery.tsv",
            {"benchmark_genome": 1, "features": 4, "predict": 9},
        ),
        slow("results/cmp/HFF.tsv", {"features": 4, "predict": 5}),
        slow(
            "results/etgp/K562.tsv",
            {"benchmark_genome": 1, "features": 4, "predict": 9},
        ),
        ("results/tisp/procap.tsv", {"benchmark_genome": 1, "predict": 5}),
        slow(
            "results/rsap/human.tsv",
            {
                "benchmark_genome": 1,
                "features": 2,
                "predict": 3,
                "score_one": 4,  # of each prediction file, and of the baselines
                "dnalongbench_intervals": 5,  # its own, besides those that the corpus keeps out
            },
        ),
    ],
)
def test_one_cell_of_a_table_plans_exactly_its_jobs(
    checkout: Path, target: str, more: dict[str, int]
) -> None:
    done = snakemake(checkout, "-n", "--cores", "4", target)
    assert done.returncode == 0, done.stdout
    assert jobs_of(done.stdout) == {**CORPUS_JOBS, **ONE_CELL, **more}


def test_a_published_model_is_compared_with_frozen_heads_alone(
    checkout: Path, tmp_path: Path
) -> None:
    (tmp_path / "more.yaml").write_text(
        "benchmarks: {comparators: {caduceus-ph: {kind: caduceus, source: owner/name}}}"
    )
    files = [checkout / "config" / "config.yaml", tmp_path / "more.yaml"]
    call = ("-n", "-p", "--cores", "1", "--configfile", *files, "--")
    done = snakemake(checkout, *call, "results/eqtl/artery.tsv")
    jobs = jobs_of(done.stdout)
    assert jobs["features"] == 6 and jobs["predict"] == 12, done.stdout
    assert '"source": "owner/name"' in done.stdout


def test_a_wrong_config_stops_the_run(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("benchmarks: {models: [nobody]}")
    files = [checkout / "config" / "config.yaml", tmp_path / "wrong.yaml"]
    done = snakemake(checkout, "-n", "--cores", "1", "--configfile", *files, "--", "all")
    assert done.returncode == 1
    assert refusal(checkout, tmp_path / "wrong.yaml") in " ".join(done.stdout.split())
    assert "Traceback" not in done.stdout


def test_a_failing_stage_stops_the_run_with_its_sentence(checkout: Path, tmp_path: Path) -> None:
    """The sentence is on the terminal and in the log, and no output is left."""
    (tmp_path / "wrong.yaml").write_text("genome: {sources: [files], fasta: no.fa}")
    files = [checkout / "config" / "config.yaml", tmp_path / "wrong.yaml"]
    call = ("--cores", "1", "--directory", tmp_path, "--configfile", *files, "--", "fetch")
    done = snakemake(checkout, *call)
    assert done.returncode == 1
    assert "no.fa" in done.stdout, done.stdout

    (tmp_path / "wrong.yaml").write_text("genome: {sources: [files], fasta: null}")
    done = snakemake(checkout, *call)
    assert done.returncode == 1
    sentence = next(line for line in done.stdout.splitlines() if line.startswith("genezip: "))
    assert sentence in (tmp_path / "logs" / "fetch.log").read_text()
    assert "completed successfully" not in done.stdout
    assert not (tmp_path / "resources" / "source.json").exists()


@pytest.mark.slow
def test_lint_and_format(repo: Path, checkout: Path) -> None:
    lint = snakemake(checkout, "--lint")
    assert lint.returncode == 0, lint.stdout
    formatted = subprocess.run(
        [Path(sys.executable).parent / "snakefmt", "--check", repo / "workflow"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert formatted.returncode == 0, formatted.stderr


def test_key_tables_are_generated(repo: Path) -> None:
    from genezip import config
    from genezip.cli.config import BEGIN, END, key_tables

    readme = (repo / "config" / "README.md").read_text()
    tables = readme.split(BEGIN)[1].split(END)[0]
    assert tables.strip() == key_tables(config.schema()).strip(), "run: make generated"


def _below(folder: Path, name: str | None) -> list[Path]:
    return [folder / f"{name}.yaml"] if name else []


def test_every_overlay_is_a_valid_configuration(repo: Path) -> None:
    from genezip import config

    folder = repo / "config"
    # the others are laid over the demo
    paper = {"config", "comparison", "stage-128k", "ablation", "tables", "rehearsal"}
    between = {"bacteria-full": "bacteria", "ldarnet-sets": "ldarnet", "ldarnet-grid": "ldarnet"}
    between |= {"dnazen-yeast": "dnazen", "dnazen-arms": "dnazen"}
    runs = [
        [overlay]
        if overlay.stem in paper
        else [folder / "demo.yaml", *_below(folder, between.get(overlay.stem)), overlay]
        for overlay in folder.glob("*.yaml")
    ]
    for overlays in [*runs, [repo / "tests" / "workflow" / "config.yaml"]]:
        config.check_presets(config.load(folder / "config.yaml", *overlays), repo)


def test_rules_take_their_own_settings(repo: Path) -> None:
    """No rule takes the whole configuration; of the metrics each takes the keys that it uses."""
    for path in sorted((repo / "workflow" / "rules").glob("*.smk")):
        text = path.read_text()
        if path.stem != "config":
            assert "config[" not in text and "settings(CONFIG)" not in text
        assert "settings(CONFIG.evaluation)" not in text, "name the keys that the rule uses"


def own_checkout(repo: Path, folder: Path) -> list[str]:
    """A copy of the checkout with a region class of its user; the layers of its configuration."""
    for name in ("workflow", "config", "envs", "genezip"):
        shutil.copytree(repo / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(repo / "tests" / "workflow" / "config.yaml", folder / "test.yaml")
    bed = "".join(
        f"sim{n}\t{at}\t{at + 600}\n" for n in (1, 2, 3, 4) for at in (3000, 12000, 24000)
    )
    (folder / "own.bed").write_text(bed)
    (folder / "own.yaml").write_text(
        "regions: {classes: [{name: enhancer, label: my enhancer, before: promoter, "
        "bed: own.bed, target_bpt: 48}]}\n"
        "labels: {tasks: [contacts, elements]}\n"  # which no simulated genome has
    )
    (folder / "free.yaml").write_text(FREE)
    return ["config/config.yaml", "test.yaml", "own.yaml"]


@pytest.mark.slow
def test_a_finished_run_is_renamed_with_its_checkout(repo: Path, tmp_path: Path) -> None:
    """Nothing reruns, and a new setting reruns only what reads it."""
    first, home = tmp_path / "first", tmp_path / "second"
    layers = own_checkout(repo, first)
    call = ["--directory", "runs/test", "--cores", "2"]
    weights = "results/pretrain/genezip-tiny.seed0/model.safetensors"
    done = snakemake(first, *call, "--configfile", *layers, "--", weights)
    assert done.returncode == 0, done.stdout[-6000:]
    first.rename(home)
    again = snakemake(home, *call, "--configfile", *layers, "free.yaml", "--", weights)
    assert "Nothing to be done" in again.stdout, again.stdout

    (home / "steps.yaml").write_text("pretrain: {steps: 13}")
    other = snakemake(home, *call, "-n", "--configfile", *layers, "steps.yaml", "--", weights)
    assert set(jobs_of(other.stdout)) == {"pretrain"}, other.stdout

    # where the folder of the run lies seen from the checkout is no setting
    (home / "runs" / "test").rename(tmp_path / "away")
    call = ["--directory", tmp_path / "away", "--cores", "1", "--configfile", *layers, "--"]
    away = snakemake(home, *call, "results/corpus/exclusions.bed.gz")
    assert "Nothing to be done" in away.stdout, away.stdout


@pytest.mark.slow
def test_the_whole_workflow_on_a_simulated_genome(repo: Path, tmp_path: Path) -> None:
    """Fetch to report, with a region class that no preset knows; then nothing is left to do."""
    layers = own_checkout(repo, tmp_path)
    run, call = tmp_path / "runs" / "test", ["--directory", "runs/test", "--cores", "2"]
    done = snakemake(tmp_path, *call, "--configfile", *layers, "--", "all", timeout=600)
    assert done.returncode == 0, done.stdout[-6000:]
    results = run / "results"
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "simulated" in page
    assert len(page) < 5_000_000
    assert page.count("my enhancer") > 5
    assert "The measured targets were not available: the DNA of this run is simulated" in page
    summary = (results / "regions" / "gene7.summary.tsv").read_text()
    assert "all\tenhancer\t7200\t" in summary
    manifest = json.loads((results / "corpus" / "sim" / "manifest.json").read_text())
    assert manifest["splits"]["test"]["composition"]["enhancer"] == 1800
    card = json.loads((results / "pretrain" / "genezip-tiny.seed0" / "config.json").read_text())
    assert card["target_bpt"]["enhancer"] == 48
    proofs = {(results / "corpus" / "sim" / f"{name}.tsv").stat().st_size > 50
              for name in ("leakage", "homology")}  # fmt: skip
    assert proofs == {True}
    source = json.loads((run / "resources" / "source.json").read_text())
    assert source["source"] == "simulated"
    for log in (run / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log

    for more in ([], ["free.yaml"]):
        again = snakemake(tmp_path, *call, "--configfile", *layers, *more, "--", "all")
        assert "Nothing to be done" in again.stdout, again.stdout

    (tmp_path / "locus.yaml").write_text("report: {locus: 'sim4:10000-40000'}")
    other = snakemake(tmp_path, *call, "-n", "--configfile", *layers, "locus.yaml", "--", "all")
    changed = {"locus", "browser_session", "report", "all"}
    assert set(jobs_of(other.stdout)) == changed, other.stdout

    report = ("--report", tmp_path / "workflow.html", "--configfile", *layers, "--", "all")
    done = snakemake(tmp_path, *call, *report)
    assert done.returncode == 0, done.stdout[-3000:]
    assert (tmp_path / "workflow.html").stat().st_size > 100_000


FREE = """
pretrain: {micro_batch: 1, device: auto, checkpoint_every: 5, validate_every: 3}
compress: {batch: 1, device: auto}
labels: {device: auto}
"""
TOKENS = """
models:
  ruler: {compressor: fixed, stride: 6}
  words: {compressor: bpe, vocabulary: 64, block_bp: 1024, bases: 50000}
labels: {tasks: []}
"""


@pytest.mark.slow
def test_tokens_of_no_network_from_genome_to_report(repo: Path, tmp_path: Path) -> None:
    """Fitted on the corpus, compressed, compared by region, drawn, and on the page."""
    (tmp_path / "tokens.yaml").write_text(TOKENS)
    config = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    call = ["--snakefile", repo / "workflow" / "Snakefile", "--directory", tmp_path, "--cores", "2"]
    call += ["--configfile", *config, tmp_path / "tokens.yaml", "--"]
    runs = ("ruler.seed0", "words.seed0")
    tracks = [f"results/tracks/{run}/igv_session.xml" for run in runs]
    repeats = [f"results/compress/rmsk/{run}.parquet" for run in runs]
    done = snakemake(tmp_path, *call, "all", *tracks, *repeats, timeout=600)
    assert done.returncode == 0, done.stdout[-6000:]
    for log in (tmp_path / "logs").rglob("*.log"):
        assert "Traceback" not in log.read_text(), log
    results = tmp_path / "results"

    table = pd.read_csv(results / "compress" / "compression.tsv", sep="\t")
    table = table[(table["subset"] == "all") & (table["strand"] == "+")]
    overall = table[(table["metric"] == "bpt") & (table["region"] == "all")]
    bpt = overall.set_index("model")["value"]
    assert bpt["ruler"] == pytest.approx(6, rel=0.01)  # windows end with a shorter token
    assert 2 < bpt["words"] < 6
    for name in ("ruler", "words"):
        metrics = set(table.loc[table["model"] == name, "metric"])
        assert {"bpt", "enrichment"} <= metrics
        assert not metrics & {"ppl", "bits_per_base"}, "nothing is predicted"

    words = results / "pretrain" / "words.seed0"
    card = json.loads((words / "config.json").read_text())
    assert card["training"]["bases"] == 50_000 and card["training"]["scale"] == "test"
    assert not (results / "pretrain" / "ruler.seed0" / "curve.jsonl").exists()
    for run in runs:
        drawn = {path.name for path in (results / "tracks" / run).iterdir()}
        assert {"tokens_per_kb.bw", "bpt.bw", "chunks.bed.gz", "igv_session.xml"} <= drawn
        assert "boundary_prob.bw" not in drawn
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "words" in page and "ruler" in page
    assert "Nothing to be done" in snakemake(tmp_path, *call, "all", *tracks, *repeats).stdout
