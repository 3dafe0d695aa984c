"""What each rule of a rehearsal took, and what it takes in the paper run.

Memory is not extrapolated: inputs have their true size, or are read row by row in true shape. (Not
so for probes of pairs, narrow here, and for the sums per locus of scores of rsap, at most 1 GB.)
The time of a rule on thinned inputs grows with its rows, but for the start of the program. Rules on
GPUs are not extrapolated from small networks on a CPU; their hours are bases over an assumed speed.
A job that was interrupted counts with its last call alone.
"""

import ast
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.config.rules import needs
from genezip.disk import size_of

from . import deposits, genome

MEMORY_MARGIN, TIME_MARGIN = 1.25, 1.5
MOST_MB = 16_000
"""Most memory of a rule that holds no model."""
SHIFTS = 100 / 20
TISP_TESTED = sum(deposits.TISP_SIZES[chrom] for chrom in ("chr8", "chr9"))
FASTA_BP = {
    "eqtl": sum(genome.sizes(deposits.CHROMS).values()),
    "rsap": sum(genome.sizes([deposits.LARGEST, *deposits.CHROMS]).values()),
    "etgp": sum(deposits.hg19().values()),
    "tisp": sum(deposits.TISP_SIZES.values()),
}
ROWS = {
    "cmp": sum(-(-rows // deposits.EVERY) for rows in deposits.AKITA_ROWS.values()),
    "etgp": sum(deposits.SCREEN_ROWS.values()),
    "rsap": sum(deposits.RSAP_ROWS.values()),
}
TISP_TRAINED = 100  # config/rehearsal.yaml
PAPER_WIDTH, WIDTH = 512, 32  # of stage 0, in the paper run and in config/rehearsal/network.yaml
PROBED = {
    "eqtl": max(deposits.TISSUES.values()) / deposits.TISSUES[deposits.TISSUE],
    "etgp": deposits.FULL_ROWS["etgp"] / ROWS["etgp"],
}
OF_ROWS = ("prepare", "task_baselines", "score", "score_one")


@dataclass(frozen=True)
class Speed:
    """Bases per second of a network of 70 million parameters on a GPU: assumed, not measured."""

    gpu: str
    reading: float
    training: float


SPEEDS = (Speed("H200", 1.5e6, 2.8e6), Speed("A100", 0.75e6, 1.4e6))
HELD_OUT_BP = 417_330_775
GPU_WORK = (  # rule, what, jobs, bases of a job, whether it trains
    ("pretrain", "30,600 steps of 256 x 12,800 bp", 2, 30_600 * 256 * 12_800, True),
    ("compress", "held-out windows, both strands", 2, 2 * HELD_OUT_BP, False),
    ("compress", "held-out windows, causal bound or untrained", 3, HELD_OUT_BP, False),
    ("compress", "stretches with repeats", 2, 270_000_000, False),
    ("features", "cmp, first 12,800 bp of each piece", 2, 8_200_000_000, False),
    ("features", "cmp, whole windows, both strands", 2, 16_400_000_000, False),
    ("features", "rsap", 2, 15_000_000_000, False),
    ("features", "eqtl, whole spans, nine tissues", 2, 19_000_000_000, False),
)


def ratio(rule: str, task: str) -> tuple[float, str]:
    """How many times larger the work of a rule is in the paper run, and why."""
    if rule == "repeats":
        return SHIFTS, "100 shifts of the intervals instead of 20"
    if rule == "benchmark_genome":
        return sum(genome.sizes().values()) / FASTA_BP[task], "bases of the FASTA"
    if rule == "prepare" and task == "tisp":
        return 100_000 / TISP_TRAINED, "training windows that are drawn"
    if rule == "predict" and task in PROBED:
        rows, columns = PROBED[task], PAPER_WIDTH / WIDTH
        return rows * columns, "rows and columns of a probe"
    if rule in OF_ROWS and task == "tisp":
        return deposits.FULL_TISP_BP / TISP_TESTED, "bases of chr8 and chr9"
    if rule in OF_ROWS and task in ROWS:
        return deposits.FULL_ROWS[task] / ROWS[task], "rows"
    return 1.0, ""


def output_mb(folder: Path, summary: str, corpora: float) -> dict[str, float]:
    """Rule -> megabytes of its outputs, from the text of ``snakemake --summary``.

    A manifest counts with the files beside it, the source with all of them, and corpora with the
    bytes that they had with their training shards.
    """
    found: dict[str, float] = {}
    head, *rows = [line.split("\t") for line in summary.splitlines() if "\t" in line]
    path_at, rule_at = head.index("output_file"), head.index("rule")
    for row in rows:
        path = folder / row[path_at]
        if path.name == "manifest.json":
            n_bytes = size_of(path.parent)
        else:
            n_bytes = path.stat().st_size if path.is_file() else 0
        found[row[rule_at]] = found.get(row[rule_at], 0.0) + n_bytes / 1e6
    source = folder / "resources"
    found["fetch"] = (size_of(source) - size_of(source / "dnalongbench")) / 1e6
    found["corpus_shards"] = corpora / 1e6
    return found


def measured(folder: Path, summary: str = "", corpora: float = 0.0) -> pd.DataFrame:
    """One row for each rule and task, of its longest job and its largest memory.

    The columns are rule, task, jobs, seconds, peak_mb, output_mb (of the whole rule, from
    ``summary`` and ``corpora``), ratio, why, paper_minutes, runtime (minutes that the workflow asks
    for), mem_mb (memory that it asks for), gpu, and enough.
    """
    found = []
    for path in sorted((folder / "results" / "benchmarks").rglob("*.tsv")):
        table = pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE)
        if "rule_name" not in table:
            continue
        row = table.iloc[-1]
        known = ast.literal_eval(row["wildcards"])
        found.append(
            {
                "rule": row["rule_name"],
                "task": known.get("task", ""),
                "seconds": float(row["s"]),
                "peak_mb": float(row["max_rss"]),
            }
        )
    jobs = pd.DataFrame(found)
    start = jobs["seconds"].min()
    rows = jobs.groupby(["rule", "task"], sort=False).agg(
        jobs=("seconds", "size"), seconds=("seconds", "max"), peak_mb=("peak_mb", "max")
    )
    rows = rows.reset_index()
    written = output_mb(folder, summary, corpora) if summary else {}
    rows["output_mb"] = [round(written.get(rule, float("nan")), 1) for rule in rows["rule"]]
    grown = [ratio(rule, task) for rule, task in zip(rows["rule"], rows["task"], strict=True)]
    rows["ratio"] = [times for times, _ in grown]
    rows["why"] = [why for _, why in grown]
    asked = [needs(rule, "full") for rule in rows["rule"]]
    probes = (rows["rule"] == "predict") & rows["task"].isin(PROBED)
    rows["gpu"] = np.where(probes, 0, [one.gpu for one in asked])
    minutes = (start + (rows["seconds"] - start) * rows["ratio"]) / 60
    rows["paper_minutes"] = minutes.where(rows["gpu"] == 0).round(1)
    rows["runtime"] = [one.runtime for one in asked]
    of_probes = needs("task_baselines", "full").mem_mb  # as their rule asks (predict_memory)
    rows["mem_mb"] = np.where(probes, of_probes, [one.mem_mb for one in asked])
    in_time = rows["paper_minutes"].fillna(0) * TIME_MARGIN <= rows["runtime"]
    in_memory = rows["peak_mb"] * MEMORY_MARGIN <= rows["mem_mb"]
    small = (rows["mem_mb"] <= MOST_MB) | (rows["gpu"] > 0)
    rows["enough"] = in_time & in_memory & (small | (rows["rule"] == "latency"))
    return rows


def lines(rows: pd.DataFrame) -> Iterator[str]:
    """The table as text, each rule beside what the workflow asks for."""
    yield (
        f"{'rule':<24}{'task':<6}{'jobs':>5}{'seconds':>9}{'output MB':>11}{'peak MB':>9}"
        f"{'of MB':>8}{'paper min':>11}{'of min':>8}  verdict"
    )
    for row in rows.itertuples(index=False):
        minutes = "GPU" if row.gpu else f"{row.paper_minutes:,.1f}"
        verdict = "met" if row.enough else "MISSED"
        yield (
            f"{row.rule:<24}{row.task:<6}{row.jobs:>5}{row.seconds:>9,.0f}"
            f"{row.output_mb:>11,.1f}{row.peak_mb:>9,.0f}"
            f"{row.mem_mb:>8,}{minutes:>11}{row.runtime:>8,}  {verdict}"
        )


def paper_run(rows: pd.DataFrame) -> str:
    """The extrapolation to the paper run with its arithmetic, as Markdown."""
    head = ("rule", "task", "jobs", "seconds here", "times", "why", "minutes there", "asked for")
    kinds = [f"hours, {one.gpu}" for one in SPEEDS]
    found = [
        "# The paper run, from a rehearsal",
        "",
        "Rules without a GPU: the longest job here, times how much larger its input is.",
        "",
        f"| {' | '.join(head)} |",
        "| --- " * len(head) + "|",
    ]
    for row in rows[rows["gpu"] == 0].itertuples(index=False):
        found.append(
            f"| {row.rule} | {row.task} | {row.jobs} | {row.seconds:,.0f} | {row.ratio:,.1f} | "
            f"{row.why} | {row.paper_minutes:,.1f} | {row.runtime:,} |"
        )
    found += [
        "",
        "Rules on a GPU: bases over an assumed speed (no GPU was measured).",
        "",
        f"| {' | '.join(['rule', 'work', 'jobs', 'Gb of a job', *kinds])} |",
        "| --- " * (4 + len(kinds)) + "|",
    ]
    for rule, what, jobs, bases, trains in GPU_WORK:
        hours = [bases / (s.training if trains else s.reading) / 3600 for s in SPEEDS]
        text = " | ".join(f"{one:,.1f}" for one in hours)
        found.append(f"| {rule} | {what} | {jobs} | {bases / 1e9:,.1f} | {text} |")
    speeds = "; ".join(
        f"{s.gpu} {s.reading / 1e6:g} Mb/s reading, {s.training / 1e6:g} training" for s in SPEEDS
    )
    return "\n".join([*found, "", f"Assumed speeds: {speeds}.", ""])
