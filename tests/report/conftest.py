"""A made-up results folder in the formats that the stages write, with numbers known by eye."""

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toolkit.region_classes import with_enhancer

from genezip.artifacts.scores import DNA_SCORES, TASK_SCORES
from genezip.artifacts.tables import write_tsv
from genezip.config import Report
from genezip.region_classes import CLASSES, GENE7, RegionClasses
from genezip.report import page
from genezip.report.drawing import Drawing
from genezip.report.paper import COLUMNS
from genezip.report.results import LATENCY_COLUMNS, Results, load

REFERENCE, CONTROL = "genezip-tiny", "hnet-tiny"
TARGET = dict(zip(CLASSES, (32.0, 32.0, 64.0, 64.0, 256.0, 256.0, 512.0), strict=True))
BPT = {
    REFERENCE: dict(zip(CLASSES, (70, 130, 190, 220, 230, 228, 260), strict=True)),
    CONTROL: dict(zip(CLASSES, (180, 190, 192, 193, 195, 192, 190), strict=True)),
}
OWN_BPT = {REFERENCE: 110, CONTROL: 191}
# model -> enrichment of promoter, genic, intergenic
ENRICHMENT = {
    REFERENCE: (2.9, 1.3, 0.95),
    CONTROL: (1.05, 1.0, 1.0),
    "untrained": (0.9, 0.8, 1.01),
    "fixed_stride": (1.0, 1.0, 1.0),
    "gc_cpg": (2.1, 1.4, 0.96),
}
PPL = {REFERENCE: 3.69, CONTROL: 3.68, "untrained": 4.01}
MARKOV = (3.950, 3.829, 3.801, 3.786, 3.764, 3.726, 3.661, 3.589, 3.526, 3.503, 3.540, 3.616)
SPLITS = ("train", "valid", "test")
SUBSETS = ("all", "n_le_5pct")

Rows = list[dict[str, Any]]
score = DNA_SCORES.row


def number(value: float, spread: float, n: int = 157, unit: str = "windows") -> dict[str, Any]:
    return {
        "value": value,
        "ci_low": value - spread,
        "ci_high": value + spread,
        "n": n,
        "unit": unit,
    }


def compression(
    models: Iterable[str], seeds: Iterable[int], region_classes: RegionClasses = GENE7
) -> Rows:
    rows: Rows = []
    for model in models:
        learned = model in BPT
        for seed in seeds if learned else [None]:
            for subset in SUBSETS:
                for strand in ("+", "both") if model in PPL else ("+",):
                    cells = {
                        "model": model,
                        "task": "compression",
                        "subset": subset,
                        "split": "test",
                        "strand": strand,
                        "seed": seed,
                        "scale": "demo",
                        "source": "simulated",
                    }
                    rows += [score(**cells, **extra) for extra in _metrics(model, region_classes)]
                    if model in BPT and strand == "+":
                        cells["model"] = f"{model} (causal bound)"
                        extra = number(PPL[model] + 0.007, 0.015)
                        rows.append(score(**cells, region="all", metric="ppl", **extra))
    return rows


def _metrics(model: str, region_classes: RegionClasses) -> Rows:
    found: Rows = []

    def add(metric: str, region: str, value: float, spread: float) -> None:
        found.append({"metric": metric, "region": region, **number(value, spread)})

    for group, value in zip(("promoter", "genic", "intergenic"), ENRICHMENT[model], strict=True):
        add("enrichment", group, value, 0.06 * value)
    for own in region_classes.user_classes:
        add("enrichment", own.name, 1.7 if model == REFERENCE else 1.02, 0.1)
    add("bound_bit_share", "all", 0.12, 0.03)
    add("bound_bit_share_stage0", "all", 0.02, 0.01)
    add("bound_bit_share_stage1", "all", 0.11, 0.03)
    add("bpt", "all", 217 if model == REFERENCE else 192, 8)
    if model in BPT:
        add("expected_bpt", "all", 206, 4)
        add("bpt_ratio", "all", 1.05, 0.04)
        add("micro_err", "all", 0.35, 0.02)
        for region in region_classes.names:
            got = BPT[model].get(region, OWN_BPT[model])
            add("bpt", region, got, 0.08 * got)
            add("target_bpt", region, TARGET.get(region, 48) if model == REFERENCE else 206, 0)
    if model in PPL:
        for place, region in enumerate(("all", *region_classes.names)):
            add("ppl", region, PPL[model] + 0.02 * (place % 4) - 0.03 * (place % 3), 0.015)
            add("bits_per_base", region, 1.88, 0.01)
            add("ppl_unbounded", region, 3.3, 0.01)
            if model == REFERENCE:
                add("ppl_release_weighting", region, 2.1, 0.01)
    return found


def windows(seeds: Iterable[int]) -> pd.DataFrame:
    """Of 40 windows of each run, one of N alone has 8 tokens, and one has a tenth of N."""
    shares = [0.0] * 38 + [0.1, 1.0]
    bases = [180.0 + 2 * number for number in range(39)] + [16_000.0]
    return pd.DataFrame([
        {"model": model, "seed": seed, "strand": strand, "bpt": bpt, "n_fraction": share}
        for model in BPT for seed in seeds for strand in ("+", "both")
        for bpt, share in zip(bases, shares, strict=True)
    ])  # fmt: skip


def comparisons(seeds: Iterable[int], gc_difference: float = 0.8, inside: float = 0.4) -> Rows:
    rows: Rows = []
    others = [name for name in ENRICHMENT if name != REFERENCE]
    common = {"task": "comparison", "split": "test", "strand": "+", "scale": "demo"}
    thirds = ("gc_tertile_1", "gc_tertile_2", "gc_tertile_3", "gc_tertile_mean")
    for place, third in enumerate(thirds):
        for name, values in ENRICHMENT.items():
            value = 1 + (values[0] - 1) * (0.6, 0.5, 0.4, 0.5)[place]
            rows.append(
                score(**common, model=name, subset=third, region="promoter",
                      metric="enrichment", seed=0 if name in BPT else None,
                      **number(value, 0.1))
            )  # fmt: skip
        if place < 2:
            rows.append(
                score(**common, model="corpus", subset=third, region="all",
                      metric="gc_upper_edge", value=(0.38, 0.44)[place], n=157)
            )  # fmt: skip
    for seed in seeds:
        for name in others:
            pair = f"{REFERENCE} - {name}"
            plain = gc_difference if name == "gc_cpg" else 2.9 - ENRICHMENT[name][0]
            for subset in SUBSETS:
                rows.append(
                    score(**common, model=pair, subset=subset, region="promoter", seed=seed,
                          metric="enrichment_difference", **number(plain, 0.3))
                )  # fmt: skip
            for third in thirds:
                value = inside if name == "gc_cpg" else plain / 2
                rows.append(
                    score(**common, model=pair, subset=third, region="promoter", seed=seed,
                          metric="enrichment_difference", **number(value, 0.25))
                )  # fmt: skip
        for subset in SUBSETS:
            rows.append(
                score(**common, model=f"{REFERENCE} / {CONTROL}", subset=subset, seed=seed,
                      region="promoter", metric="enrichment_ratio", **number(2.76, 0.3))
            )  # fmt: skip
    return rows


BEST_ORDER = 8  # on validation DNA, which is not the best on held-out DNA


def markov(region_classes: RegionClasses = GENE7) -> Rows:
    best = score(model="markov", task="markov", subset="all", region="all", split="test",
                 strand="+", metric="best_order", value=BEST_ORDER)  # fmt: skip
    mixing = [
        score(model="mixing", task="mixing", subset=subset, region="all", split="test", strand="+",
              metric=metric, **number(value, 0.01))
        for subset in SUBSETS
        for metric, value in (("ppl", 3.3), ("bits_per_base", 1.722))
    ]  # fmt: skip
    return [best, *mixing] + [
        score(model=f"markov{order}", task="markov", subset=subset, region=region, split="test",
                 strand="+", metric=metric, **number(value if metric == "ppl" else 1.9, 0.01))
        for order, value in enumerate(MARKOV)
        for subset in SUBSETS
        for region in ("all", *region_classes.names)
        for metric in ("ppl", "bits_per_base")
    ]  # fmt: skip


def repeats(region_classes: RegionClasses = GENE7) -> Rows:
    rows: Rows = []
    places = {
        "softmasked_outside_trf": ("test", 1.12), "tandem": ("test", 1.3),
        "SINE": ("train", 0.9), "LINE": ("train", 1.2),
    }  # fmt: skip
    for model in (REFERENCE, CONTROL):
        for subset, (split, value) in places.items():
            for region in ("all", *region_classes.names):
                for metric in ("bpt_ratio", "bpt_ratio_region_adjusted"):
                    if region != "all" and metric != "bpt_ratio":
                        continue
                    cells = {"model": model, "task": "repeats", "subset": subset, "split": split,
                             "region": region, "strand": "+", "seed": 0}  # fmt: skip
                    n = 50_000 if region != "utr" else 200
                    rows.append(score(**cells, metric=metric, **number(value, 0.05, n, "bases")))
                    shifted = number(1.0, 0.04, 100, "shifts")
                    rows.append(score(**cells, metric=f"{metric}_shifted", **shifted))
    return rows


def repeat_kinds() -> Rows:
    """A family, an age and two periods of both models, and a family with too few bases."""
    rows: Rows = []
    groups = {
        "families:Alu": 0.9, "families:L1": 1.3, "families:CR1": 2.0, "ages:10-15 %": 1.1,
        "periods:2 bp": 1.4, "copies:3-5": 1.2,
    }  # fmt: skip
    for model in (REFERENCE, CONTROL):
        for subset, value in groups.items():
            cells = {"model": model, "task": "repeats", "subset": subset, "region": "all",
                     "split": "test" if subset[0] in "pc" else "train", "strand": "+",
                     "seed": 0}  # fmt: skip
            n = 500 if subset.endswith("CR1") else 90_000
            metric = "bpt_ratio_region_adjusted"
            rows.append(score(**cells, metric=metric, **number(value, 0.05, n, "bases")))
            shifted = number(1.0, 0.04, 100, "shifts")
            rows.append(score(**cells, metric=f"{metric}_shifted", **shifted))
    return rows


def stability(model: str, seed: int, region_classes: RegionClasses = GENE7) -> Rows:
    """Effects of substitutions by region, and boundaries of both strands."""
    cells = {"model": model, "task": "stability", "split": "test", "strand": "+", "seed": seed}
    rows: Rows = []
    for metric, value in (
        ("moved_share", 0.4), ("moved_earlier_share", 0.02), ("changed_chunk_share", 0.1),
        ("reach_bp", 180),
    ):  # fmt: skip
        for region in ("all", *region_classes.names):
            where = {**cells, "subset": "substitution", "region": region, "metric": metric}
            rows.append(score(**where, **number(value, value / 10, 60, "substitutions")))
    for metric, value in (("both_strands_share", 0.3), ("close_strands_share", 0.5)):
        where = {**cells, "subset": "reverse_complement", "region": "all"}
        rows.append(score(**where, metric=metric, **number(value, 0.02, 90)))
        rows.append(score(**where, metric=f"{metric}_shifted", **number(0.01, 0.005, 20)))
    return rows


def latency() -> pd.DataFrame:
    """Two models at three lengths; the flat one runs out of memory at the longest."""
    common = {"input": "repeated snippet", "device": "cpu", "threads": 1, "dtype": "float32",
              "torch": "2.0", "rule": "3 repeats"}  # fmt: skip
    rows = []
    for role, name, each in (("genezip", "genezip-tiny", 1.0), ("flat", "Mamba-2", 4.0)):
        for length in (1024, 4096, 1_048_576):
            known = not (role == "flat" and length > 4096)
            row = {"model": name, "role": role, "length_bp": length, **common}
            timed = {"median_ms": each * length / 100, "peak_mb": 300 + length / 500}
            rows.append({**row, **(timed if known else {"note": "out of memory"})})
    return pd.DataFrame(rows, columns=list(LATENCY_COLUMNS))


def claims() -> pd.DataFrame:
    """Two comparisons, and published numbers of each verdict."""
    number = {"table": "table6", "kind": "number", "file": "x.tsv", "scale": "demo"}
    order = {**number, "kind": "comparison", "test": "ci_low > 0"}
    rows = [
        {**order, "row": "Promoters get more tokens", "paper": 0.92, "measured": 1.85,
         "ci_low": 1.5, "ci_high": 2.2, "verdict": "reproduced"},
        {**order, "row": "Compression costs perplexity", "paper": 0.31,
         "verdict": "not testable at this scale", "reason": "no model of this run: mamba2"},
        {**number, "row": "GeneZip", "column": "bpt", "paper": 766.5, "measured": 190.0,
         "verdict": "not testable at this scale", "reason": "scale demo"},
        {**number, "row": "targets", "column": "promoter", "paper": 1, "measured": 1,
         "verdict": "reproduced"},
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def curve(steps: int = 60, classes: int = 7) -> str:
    rng = random.Random(0)
    lines = []
    for step in range(1, steps + 1):
        done = 1 - 2.718 ** (-5 * step / steps)
        f = [[max((0.5 - 0.4 * done) * rng.uniform(0.7, 1.3) / (1 + r / 4), 0.02)
              for r in range(classes)] for _ in range(2)]  # fmt: skip
        f[0][3] = None  # type: ignore[call-overload]
        lines.append(
            {"step": step, "lr": 0.003, "lm_loss": 1.39 - 0.08 * done + rng.gauss(0, 0.01),
             "rar_loss": 2.6 - 0.55 * done + rng.gauss(0, 0.03), "kept": [f[0][0], f[1][0]],
             "F": f, "G": f, "bpt": 1 / (f[0][0] * f[1][0]), "seconds": 0.4 * step,
             "stage_tokens": [900 - step, 120], "bound_bit": 0.25}
        )  # fmt: skip
        if step % 15 == 0:
            lines.append({"step": step, "valid": {"ppl": 3.7, "bpt": 150.0}})
    return "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 61, "lm_lo'


def locus(region_classes: RegionClasses = GENE7) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = random.Random(1)
    rows: Rows = []
    for model in (REFERENCE, CONTROL):
        for start in range(600_000, 665_536, 64):
            near = 617_000 <= start < 619_000 and model == REFERENCE
            prob = rng.uniform(0.05, 0.12) + (0.15 if near else 0)
            rows.append(
                {"kind": "bin", "model": model, "seed": 0, "chrom": "chr9", "start": start,
                 "end": start + 64, "boundary_prob": prob, "bpt": 60 if near else 220,
                 "tokens": int(rng.random() < (0.9 if near else 0.3))}
            )  # fmt: skip
    edges = (600_000, 617_000, 619_000, 620_000, 650_000, 665_536)
    names = ("nig", "promoter", "utr", "intron", "nig")
    if region_classes.user_classes:
        edges, names = (
            (*edges[:4], 628_000, 634_000, *edges[4:]),
            (*names[:4], region_classes.user_classes[0].name, *names[3:]),
        )
    for name, start, end in zip(names, edges, edges[1:], strict=False):
        rows.append({"kind": "region", "chrom": "chr9", "start": start, "end": end, "region": name})
    for kind, start, end, name in (("tss", 618_000, 618_001, "+"), ("tss", 617_499, 617_500, "-"),
                                   ("repeat", 640_000, 641_000, "SINE"),
                                   ("repeat", 642_000, 642_040, "tandem")):  # fmt: skip
        rows.append({"kind": kind, "chrom": "chr9", "start": start, "end": end, "region": name})
    for model, size in ((REFERENCE, 128), (CONTROL, 256)):
        rows += [{"kind": "chunk", "model": model, "seed": 0, "chrom": "chr9", "start": start,
                  "end": start + size} for start in range(600_000, 665_536, size)]  # fmt: skip
    rows.append({"kind": "dna", "chrom": "chr9", "start": 600_000, "end": 665_536,
                 "region": "ACGT" * 16_384})  # fmt: skip
    columns = ["locus", "kind", "model", "seed", "chrom", "start", "end", "region", "boundary_prob",
               "tokens", "bpt"]  # fmt: skip
    genes = pd.DataFrame(
        [
            ("chr9", 618_000, 650_000, "transcript", "+", "ALPHA1", "T1", "protein_coding"),
            ("chr9", 618_000, 619_500, "exon", "+", "ALPHA1", "T1", "protein_coding"),
            ("chr9", 648_000, 650_000, "exon", "+", "ALPHA1", "T1", "protein_coding"),
            ("chr9", 619_000, 619_500, "cds", "+", "ALPHA1", "T1", "protein_coding"),
            ("chr9", 612_000, 617_500, "transcript", "-", "BETA", "T2", "lncRNA"),
            ("chr9", 617_000, 617_500, "exon", "-", "BETA", "T2", "lncRNA"),
        ],
        columns=["chrom", "start", "end", "feature", "strand", "gene_name", "transcript_id",
                 "gene_type"],
    )  # fmt: skip
    named = "chr9:600000-665536"
    return pd.DataFrame(rows, columns=columns).assign(locus=named), genes.assign(locus=named)


def manifest(region_classes: RegionClasses = GENE7) -> dict[str, Any]:
    split = {"windows": 157, "bp": 2_009_600, "n_bp": 500}
    shares = (0.027, 0.010, 0.012, 0.007, 0.420, 0.496, 0.028)
    composition = {name: round(2_009_600 * s) for name, s in zip(CLASSES, shares, strict=True)}
    for own in region_classes.user_classes:
        composition |= {"intron": composition["intron"] - 60_000, own.name: 60_000}
    return {
        "schema_version": 1,
        "source": "simulated",
        "classes": region_classes.to_json(),
        "splits": {name: {**split, "composition": composition} for name in SPLITS},
        "dropped": {"windows": 13, "of": 157, "threshold": 0.1, "k": 31},
        "settings": {"window_bp": 12800, "sampling": {"tss": 0.3}},
        "provenance": {
            "settings_sha256": "ab" * 32,
            "inputs": {"source.json": "cd" * 32},
            "versions": {"genezip": "0.1.0", "python": "3.11.2"},
        },
    }  # fmt: skip


LABELS = [
    TASK_SCORES.row(
        task="initiation", subset="all", rule="blocks", split="test", metric="pcc", n=900,
        unit="blocks", units=30, **cells,
    )
    for cells in (
        {"model": "tss_profile", "mode": "baseline", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3},
        {"model": "genezip-tiny", "mode": "frozen", "seed": 0, "value": 0.25, "ci_low": 0.1,
         "ci_high": 0.4},
    )
]  # fmt: skip


SETS = [
    TASK_SCORES.row(
        task="classification", subset="tf_2", rule="official", split="test", metric="mcc", n=900,
        unit="groups", units=30, **cells,
    )
    for cells in (
        {"model": "twin", "mode": "baseline", "value": 0.2, "ci_low": 0.1, "ci_high": 0.3},
        {"model": "genezip-tiny", "mode": "frozen", "seed": 0, "value": 0.25, "ci_low": 0.1,
         "ci_high": 0.4},
    )
]  # fmt: skip


def write(folder: Path, text: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text(text, encoding="utf-8")


def build(
    folder: Path,
    seeds: tuple[int, ...] = (0,),
    region_classes: RegionClasses = GENE7,
    **difference: float,
) -> Path:
    """Write the whole folder; ``difference`` goes to :func:`comparisons`."""
    write(folder / "corpus" / "main" / "manifest.json", json.dumps(manifest(region_classes)))
    summary = "".join(
        f"train\t{name}\t{100 - 10 * n}\n" for n, name in enumerate(region_classes.names)
    )
    write(folder / "regions" / "gene7.summary.tsv", "split\tclass\tbp\n" + summary)
    DNA_SCORES.write(
        folder / "compress" / "compression.tsv", compression(ENRICHMENT, seeds, region_classes)
    )
    DNA_SCORES.write(folder / "compress" / "comparisons.tsv", comparisons(seeds, **difference))
    DNA_SCORES.write(folder / "compress" / "markov.tsv", markov(region_classes))
    write_tsv(folder / "compress" / "windows.tsv", windows(seeds))
    DNA_SCORES.write(folder / "repeats" / "repeats.tsv", repeats(region_classes))
    DNA_SCORES.write(folder / "repeats" / "kinds.tsv", repeat_kinds())
    write_tsv(folder / "latency" / "latency.tsv", latency())
    (folder / "tables").mkdir()
    write_tsv(folder / "tables" / "claims.tsv", claims())
    for table, name in zip(locus(region_classes), ("locus", "locus_genes"), strict=True):
        table.to_csv(folder / "compress" / f"{name}.tsv", sep="\t", index=False)
    for model in (REFERENCE, CONTROL):
        for seed in seeds:
            run = folder / "pretrain" / f"{model}.seed{seed}"
            rows = stability(model, seed, region_classes)
            (folder / "stability").mkdir(exist_ok=True)
            DNA_SCORES.write(folder / "stability" / f"{run.name}.tsv", rows)
            write(run / "curve.jsonl", curve(classes=len(region_classes)))
            training: dict[str, Any] = {"settings": {"steps": 60, "batch": 2, "alpha": 0.3}}
            target = TARGET | {own.name: 48.0 for own in region_classes.user_classes}
            if region_classes.user_classes:
                training["classes"] = region_classes.to_json()
            config = {"name": model, "parameters": 123_456, "target_bpt": target,
                      "weights_sha256": "ef" * 32, "training": training}  # fmt: skip
            write(run / "config.json", json.dumps(config))
    TASK_SCORES.write(folder / "labels" / "initiation.tsv", LABELS)
    TASK_SCORES.write(folder / "labels" / "classification.tsv", SETS)
    for stage, seconds in (("fetch", 2.5), ("pretrain/genezip-tiny.seed0", 401.0)):
        path = folder / "benchmarks" / f"{stage}.tsv"
        write(path, f"s\th:m:s\tmax_rss\n{seconds}\t0:00:01\t512.5\n")
    return folder


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """One results folder, loaded; not to be changed."""
    folder = build(tmp_path_factory.mktemp("demo") / "results")
    settings = Report(reference=REFERENCE, control=CONTROL, bounds=[REFERENCE, CONTROL])
    labels = ["initiation", "classification"]
    return load(folder, settings, "demo", labels=labels, claims=folder / "tables" / "claims.tsv")


@pytest.fixture(scope="session")
def drawings(results: Results) -> dict[str, Drawing]:
    """Its figures."""
    return page.draw(results)


@pytest.fixture
def eight_classes() -> RegionClasses:
    """The seven classes and one of the user, for ``make_results(region_classes=...)``."""
    return with_enhancer(label="distal enhancer", group="genic")


@pytest.fixture
def make_results(tmp_path: Path) -> Callable[..., Path]:
    """Function that writes a results folder below ``tmp_path`` and returns its path."""

    def make(**choices: Any) -> Path:
        return build(tmp_path / "results", **choices)

    return make
