"""`genezip evaluate ...` from end to end on a small simulated genome."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from toolkit.command_line import call, succeed
from toolkit.compressed import scored_window
from toolkit.genomes import simulate

from genezip import cli
from genezip.artifacts.scores import DNA_SCORES
from genezip.config import Corpus, Regions
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader
from genezip.genome.region_rules import build_region_map
from genezip.inference.table import read_compressed, write_compressed
from genezip.region_classes import CLASSES

EVALUATION = json.dumps({"bootstrap": 50, "block_bp": 8192, "markov_orders": [0, 2], "shifts": 5})
WINDOW_BP = 2048
REPORT = json.dumps({"reference": "ours", "control": "even"})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder with source, regions, corpus and the files of two made-up models."""
    folder = tmp_path_factory.mktemp("run")
    source = simulate(folder / "resources", 90_000, 50_000, 70_000)
    region_map = build_region_map(source.annotations(), source.assembly(), Regions())
    region_map.write_bed9(folder / "regions.bed.gz")
    corpus = Corpus(
        window_bp=WINDOW_BP, heldout_window_bp=WINDOW_BP, train_windows=4, valid_windows=0,
        keep_short=False, validation="pieces",
    )  # fmt: skip
    build_corpus(source, region_map, corpus, folder / "corpus")
    rng = np.random.default_rng(0)
    for name, rates in (("ours", [0.1, *[0.02] * 6]), ("even", [0.02] * 7)):
        places = CorpusReader(folder / "corpus" / "manifest.json").windows("test")
        windows = []
        for place in places:
            rate = np.array(rates)[place.regions]
            starts = np.flatnonzero(np.append(True, rng.random(WINDOW_BP - 1) < rate[1:]))
            windows.append(scored_window(place, starts, rate))
        target = dict(zip(CLASSES, 1 / np.array(rates), strict=True))
        write_compressed(folder / f"{name}.parquet", windows, name=name, seed=0, target_bpt=target)
    return folder


def options(run, *names):
    """Options by name, each with its value."""
    values = {
        "--corpus": run / "corpus" / "manifest.json",
        "--source": run / "resources" / "source.json",
        "--regions": run / "regions.bed.gz",
        "--settings": EVALUATION,
        "--scale": "test",
    }
    return [part for name in names for part in (name, values[name])]


def files(run, *names):
    return [part for name in names for part in ("--compressed", run / f"{name}.parquet")]


@pytest.fixture(scope="module")
def routers(run, repo):
    preset = repo / "genezip" / "config" / "regions" / "transcript_balanced.yaml"
    for router in ("fixed_stride", "gc_cpg"):
        succeed(
            "evaluate", "routers", "--like", run / "ours.parquet", "--router", router,
            *options(run, "--corpus", "--source", "--regions", "--settings"),
            "--region-preset", preset, "--out", run / f"{router}.parquet",
        )  # fmt: skip
    return run


def test_routers_of_cpg_and_surprisal(run, markov, repo, capsys):
    preset = repo / "genezip" / "config" / "regions" / "transcript_balanced.yaml"
    words = [
        "evaluate", "routers", "--like", run / "ours.parquet", "--region-preset", preset,
        *options(run, "--corpus", "--source", "--regions", "--settings"),
    ]  # fmt: skip
    windows = ("--markov", run / "markov_windows.parquet")
    wanted = [len(one.token_starts) for one in read_compressed(run / "ours.parquet").windows("+")]
    for router, more in (("cpg", ()), ("surprisal", windows)):
        succeed(*words, *more, "--router", router, "--out", run / f"{router}.parquet")
        found = read_compressed(run / f"{router}.parquet")
        assert [len(one.token_starts) for one in found.windows()] == wanted
        assert found.name == router and found.info["like"] == "ours"
    assert call(*words, "--router", "surprisal", "--out", run / "x.parquet") == 1
    assert "the router surprisal needs --markov" in capsys.readouterr().err


def test_routers_copy_token_counts(routers):
    counts = [
        [
            len(window.token_starts)
            for window in read_compressed(routers / f"{name}.parquet").windows()
        ]
        for name in ("ours", "fixed_stride", "gc_cpg")
    ]
    assert counts[0] == counts[1] == counts[2]


@pytest.fixture(scope="module")
def markov(run):
    out = run / "markov.tsv"
    names = ("--corpus", "--source", "--settings", "--scale")
    windows = run / "markov_windows.parquet"
    succeed("evaluate", "markov", *options(run, *names), "--out", out, "--windows", windows)
    return run


def test_markov(markov):
    rows = DNA_SCORES.read(markov / "markov.tsv")
    assert set(rows["model"]) == {"markov0", "markov2", "markov", "mixing"}
    assert set(rows["source"]) == {"simulated"}
    every = rows[(rows["metric"] == "ppl") & (rows["region"] == "all")]
    assert every["value"].between(2, 4.2).all()


def test_compression(routers, markov):
    run = routers
    succeed(
        "evaluate", "compression", *files(run, "ours", "even", "fixed_stride", "gc_cpg"),
        *options(run, "--corpus", "--settings", "--scale"), "--reference", "ours",
        "--markov", run / "markov_windows.parquet",
        "--control", "even", "--out", run / "compression.tsv",
        "--comparisons", run / "comparisons.tsv", "--windows", run / "windows.tsv",
    )  # fmt: skip
    rows = DNA_SCORES.read(run / "compression.tsv")
    models = {"ours", "even", "fixed_stride", "gc_cpg"}
    mixtures = {f"{name} + mixing" for name in ("ours", "even")}
    assert set(rows["model"]) == {*models, *mixtures, "corpus"}
    for metric in ("enrichment", "enrichment_window_mean"):
        here = (rows["metric"] == metric) & (rows["region"] == "promoter")
        assert set(rows.loc[here & rows["value"].notna(), "model"]) == models
    assert set(rows.loc[rows["metric"] == "blocks", "region"]) == {"all", "promoter"}
    assert set(rows["subset"]) == {"all", "n_le_5pct"}
    key = ["model", "subset", "region", "strand", "metric", "seed"]
    assert not rows.duplicated(key).any()
    paired = DNA_SCORES.read(run / "comparisons.tsv")
    assert not paired.duplicated(key).any()
    pairs = {"ours - even", "ours / even", "ours - fixed_stride", "ours - gc_cpg"}
    pairs |= {f"{name} - markov{order}" for name in ("ours", "even") for order in (0, 2)}
    pairs |= {f"{name} - mixing" for name in ("ours", "even", "ours + mixing", "even + mixing")}
    assert pairs <= set(paired["model"])
    windows = pd.read_csv(run / "windows.tsv", sep="\t")
    assert (windows["tokens"] > 0).all()


def test_repeats(run):
    out = run / "repeats.tsv"
    names = ("--corpus", "--source", "--regions", "--settings", "--scale")
    succeed("evaluate", "repeats", *files(run, "ours", "even"), *options(run, *names), "--out", out)
    rows = DNA_SCORES.read(out)
    assert {"softmasked_outside_trf", "tandem", "rest"} <= set(rows["subset"])
    ratio = rows[(rows["metric"] == "bpt_ratio") & (rows["model"] == "even")]
    assert ratio.loc[ratio["region"] == "all", "value"].between(0.5, 2).all()


def changed_source(run, folder, change):
    """A copy of the source whose tables of repeats went through ``change(name, lines)``."""
    shutil.copytree(run / "resources", folder)
    raw = json.loads((folder / "source.json").read_text())
    for kind, name in list(raw["repeats"].items()):
        path = folder / name
        entry = next(entry for entry in raw["files"] if entry["path"] == name)
        lines = change(kind, gzip.decompress(path.read_bytes()).decode().splitlines())
        if lines is None:
            raw["repeats"][kind] = None
            continue
        path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
        entry["bytes"] = path.stat().st_size
    (folder / "source.json").write_text(json.dumps(raw))
    return folder / "source.json"


def repeats_of(run, source, out):
    succeed(
        "evaluate", "repeats", *files(run, "ours", "even"),
        *options(run, "--corpus", "--regions", "--settings", "--scale"),
        "--source", source, "--out", out,
    )  # fmt: skip
    return DNA_SCORES.read(out)


def test_repeats_in_another_style_of_names_are_the_same(run, tmp_path, capsys):
    """`1` against `chr1` once emptied every set, and tandem bases counted as unmasked."""

    def other_style(kind, lines):
        return [line.replace("sim", "chrsim") for line in lines]

    source = changed_source(run, tmp_path / "styled", other_style)
    found = repeats_of(run, source, tmp_path / "styled.tsv")
    said = capsys.readouterr().err
    assert said.count("contig names converted (chrsim1 -> sim1, 3 in all)") == 2
    original = run / "resources" / "source.json"
    pd.testing.assert_frame_equal(found, repeats_of(run, original, tmp_path / "plain.tsv"))
    counts = found[(found["model"] == "corpus") & (found["metric"] == "bp")]
    assert (counts.set_index("subset").loc[["tandem", "SINE", "LINE"], "value"] > 0).all()


def test_repeatmasker_without_trf_is_used_and_it_is_said(run, tmp_path, capsys):
    source = changed_source(
        run, tmp_path / "one", lambda kind, lines: None if kind == "trf" else lines
    )
    found = repeats_of(run, source, tmp_path / "one.tsv")
    assert "repeats: the source has no TRF table" in capsys.readouterr().err
    assert set(found["subset"]) >= {"rmsk_rest_without_trf", "rmsk_interspersed", "SINE"}
    assert not {"tandem", "rmsk_rest", "softmasked_outside_trf"} & set(found["subset"])
    key = ["model", "subset", "region", "metric", "seed", "split"]
    assert not found.duplicated(key).any()


def test_an_empty_table_and_none_are_told_apart(run, tmp_path, capsys):
    none = "There were no repetitive sequences detected in x.fa"
    source = changed_source(
        run, tmp_path / "empty", lambda kind, lines: [none] if kind == "rmsk" else lines
    )
    found = repeats_of(run, source, tmp_path / "empty.tsv")
    assert "rmsk.out.gz lists no repeat" in capsys.readouterr().err
    sines = found[found["subset"] == "SINE"]
    assert sines[["model", "metric", "value"]].to_numpy().tolist() == [["corpus", "bp", 0]]
    source = changed_source(run, tmp_path / "nothing", lambda kind, lines: None)
    assert repeats_of(run, source, tmp_path / "nothing.tsv").empty
    said = capsys.readouterr().err
    assert "the source has no RepeatMasker table, so no class of repeats is measured" in said
    assert "so tandem repeats and soft-masked bases are not measured" in said


def test_locus(run):
    out, genes = run / "locus.tsv", run / "genes.tsv"
    succeed(
        "evaluate", "locus", *files(run, "ours", "even"), *options(run, "--source", "--regions"),
        "--settings", REPORT, "--out", out, "--genes", genes,
    )  # fmt: skip
    table = pd.read_csv(out, sep="\t")
    bins = table[table["kind"] == "bin"]
    assert bins.groupby("model")["end"].max().nunique() == 1
    assert bins["boundary_prob"].between(0, 1).all()
    assert {"transcript", "exon"} <= set(pd.read_csv(genes, sep="\t")["feature"])


def test_an_unknown_router_is_refused(run, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(
            ["evaluate", "routers", "--like", str(run / "ours.parquet"), "--router", "magic"]
            + [str(part) for part in options(run, "--corpus", "--source", "--regions")]
            + ["--region-preset", "x.yaml", "--out", str(run / "magic.parquet")]
        )
    assert stop.value.code == 1
    assert "there is no router 'magic'" in capsys.readouterr().err
    assert not (run / "magic.parquet").exists()
