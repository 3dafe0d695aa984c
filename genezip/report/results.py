"""The result files of one run, loaded and checked once, for the page and its figures.

Nothing is computed here that a stage has computed before; the page reads files only.
"""

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.scores import COMPARED_SCORES, CORPUS, DNA_SCORES, markov_name, under_bound
from genezip.config import Evaluation, Report
from genezip.errors import GenezipError
from genezip.region_classes import RegionClasses
from genezip.report.files import (
    HOMOLOGY_COLUMNS,
    LEAKAGE_COLUMNS,
    TABLE5_COLUMNS,
    read_json,
    read_scores,
    read_table,
)
from genezip.report.scores import Number, Scores

_CAUSAL = under_bound("", "causal")  # ends the name of a model that was run under that bound
LANGUAGE_METRICS = ("ppl", "bits_per_base")
LOCUS_COLUMNS = (
    *("kind", "model", "chrom", "start", "end", "region"),
    *("boundary_prob", "tokens", "bpt"),
)
GENE_COLUMNS = ("chrom", "start", "end", "feature", "strand", "gene_name", "transcript_id")


@dataclass(frozen=True)
class Curve:
    """Training log of one model and seed: one row per step, one per validation."""

    model: str
    seed: int
    steps: pd.DataFrame
    valid: pd.DataFrame
    config: dict[str, Any]

    @cached_property
    def region_classes(self) -> RegionClasses:
        """The region classes that the model was trained with."""
        return RegionClasses.from_json((self.config.get("training") or {}).get("classes") or [])


@dataclass(frozen=True)
class Results:
    """Everything that the page shows; optional parts are empty frames when not computed."""

    folder: Path
    scale: str
    reference: str
    control: str
    manifest: dict[str, Any]
    source: dict[str, Any]
    compression: Scores
    comparisons: Scores
    regions: pd.DataFrame
    markov: Scores
    locus: pd.DataFrame
    locus_genes: pd.DataFrame
    repeats: Scores
    benchmarks: pd.DataFrame
    leakage: pd.DataFrame = field(default_factory=pd.DataFrame)
    homology: pd.DataFrame = field(default_factory=pd.DataFrame)
    table5: pd.DataFrame = field(default_factory=pd.DataFrame)
    label_parts: tuple[str, ...] = ()
    label_files: list[dict[str, Any]] = field(default_factory=list)
    task_tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    evaluation: Evaluation | None = None

    @property
    def models(self) -> list[str]:
        """Names of the models and routers with compression results, in file order.

        A model under another bound than its own is not one of them: see :meth:`causal`.
        """
        return [name for name in self.compression.models if not name.endswith(_CAUSAL)]

    @cached_property
    def region_classes(self) -> RegionClasses:
        """The region classes of the corpus; the seven alone where it names no others."""
        return RegionClasses.from_json(self.manifest.get("classes") or [])

    @cached_property
    def strand(self) -> str:
        """``both`` (the mean of the strands) where every model has it, else ``+``."""
        frame = self.compression.frame
        both = set(frame.loc[frame["strand"] == "both", "model"])
        return "both" if both == set(self.models) else "+"

    @cached_property
    def subset(self) -> str:
        """The windows that the page is about: those with few N, where they are told apart."""
        names = self.compression.frame["subset"].dropna().unique()
        return next((name for name in names if name.startswith("n_le_")), "all")

    def seeds(self, model: str) -> list[int]:
        """Training seeds of a model, ascending; empty for a router without one."""
        return self.compression.seeds(model)

    def number(self, metric: str, model: str, **where: Any) -> Number | None:
        """One held-out result of a model or router; see :meth:`Scores.find`.

        Perplexity is that of the forward strand, on which the Markov models are scored too.
        """
        strand = "+" if metric in LANGUAGE_METRICS else self.strand
        where = {"subset": self.subset, "strand": strand, **where}
        return self.compression.find(metric, model, **where)

    def causal(self, metric: str, model: str, **where: Any) -> Number | None:
        """The same result of the same weights under the causal bound, where it was computed."""
        return self.number(metric, under_bound(model, "causal"), strand="+", **where)

    def compared(self, metric: str, pair: str, **where: Any) -> Number | None:
        """One paired comparison (``a - b`` or ``a / b``), of promoters unless told otherwise."""
        where = {"subset": self.subset, "region": "promoter", "strand": self.strand, **where}
        return self.comparisons.find(metric, pair, **where)

    def compared_over_seeds(
        self, metric: str, pair: str, **where: Any
    ) -> tuple[Number | None, list[int]]:
        """A paired comparison as the mean over training seeds, and the seeds behind it."""
        where = {"subset": self.subset, "region": "promoter", "strand": self.strand, **where}
        return self.comparisons.over_seeds(metric, pair, **where)

    def blocks(self, region: str = "all", subset: str | None = None) -> int | None:
        """Number of bootstrap blocks that hold bases of a region; None where not written."""
        where: dict[str, Any] = {"subset": subset or self.subset, "region": region}
        for scores in (self.compression, self.comparisons):
            for strand in ("+", "both"):
                if number := scores.find("blocks", CORPUS, strand=strand, **where):
                    return round(number.value)
        return None

    def no_base(self, region: str) -> bool:
        """Whether held-out DNA is known to hold no base of a region class."""
        share = self.number("region_share", self.reference, region=region)
        if share is not None:
            return share.value == 0
        held_out = self.manifest.get("splits", {}).get("test") or {}
        return held_out.get("composition", {}).get(region) == 0

    @cached_property
    def left_out(self) -> int | None:
        """Held-out windows that the page's subset leaves out; None where that is not known."""
        found = [self.number("bpt", self.reference, subset=s) for s in ("all", self.subset)]
        every, kept = (number.n if number else None for number in found)
        return None if every is None or kept is None else every - kept

    @property
    def seed_note(self) -> str:
        """Which training run a figure shows, where there are several; starts with a space."""
        seeds = self.seeds(self.reference)
        return f" Of {len(seeds)} training runs, seed {seeds[0]} is shown." if seeds[1:] else ""

    def markov_ppl(self, order: int, region: str = "all", metric: str = "ppl") -> Number | None:
        """Held-out perplexity (or bits per base) of the Markov model of an order."""
        return self.markov.find(metric, markov_name(order), subset=self.subset, region=region)


def _curve(path: Path) -> Curve:
    """A training log; lines are JSON, a half-written last line is ignored."""
    model, _, seed = path.parent.name.rpartition(".seed")
    steps, valid = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record.get("valid"), dict):
            valid.append({"step": record["step"], **record["valid"]})
        if "lm_loss" in record:
            steps.append(record)
    config_file = path.parent / "config.json"
    return Curve(
        model,
        int(seed),
        pd.DataFrame(steps).drop_duplicates("step", keep="last") if steps else pd.DataFrame(),
        pd.DataFrame(valid).drop_duplicates("step", keep="last") if valid else pd.DataFrame(),
        read_json(config_file) if config_file.is_file() else {},
    )


def _belongs(stage: str, runs: set[str], reference: str) -> bool:
    """Whether a benchmark file is of this run; folders keep files of runs made before.

    A stage named after a model and seed must be among the runs. Routers carry the seed of the
    reference whose token counts they copy, and the untrained model has a seed of its own.
    """
    name = stage.rpartition("/")[2]
    model, dot, seed = name.rpartition(".seed")
    if not dot or model == "untrained":
        return stage != "report"  # timed only when it is over, so what is there is older
    return name in runs or ("/routers/" in stage and f"{reference}.seed{seed}" in runs)


def _benchmarks(folder: Path, runs: set[str], reference: str) -> pd.DataFrame:
    """Seconds and peak memory of every stage of the run, from Snakemake's benchmark files."""
    rows = []
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).with_suffix("").as_posix()
        frame = pd.read_csv(path, sep="\t", na_values=["-"])
        timed = {"s", "max_rss"} <= set(frame.columns) and len(frame) > 0
        if timed and _belongs(stage, runs, reference):
            finished = path.stat().st_mtime
            rows.append((stage, frame["s"].mean(), frame["max_rss"].max(), finished))
    frame = pd.DataFrame(rows, columns=["stage", "seconds", "max_rss_mb", "finished"])
    return frame.sort_values("finished", kind="stable").drop(columns="finished")


def _evaluated(scores: Scores) -> set[str]:
    """``model.seed<n>`` of everything with compression results."""
    return {f"{model}.seed{seed}" for model in scores.models for seed in scores.seeds(model)}


def _only_corpus(folder: Path) -> Path:
    """Manifest of the one corpus under a folder."""
    found = sorted((folder / "corpus").glob("*/manifest.json"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise GenezipError(f"{folder} holds several corpora ({names}); name one with --corpus")
    return found[0] if found else folder / "corpus" / "*" / "manifest.json"


def load(
    folder: Path,
    settings: Report,
    scale: str,
    source: Path | None = None,
    evaluation: Evaluation | None = None,
    runs: list[str] | None = None,
    corpus: Path | None = None,
    tables: list[str] | None = None,
    labels: list[str] | None = None,
    label_files: Path | None = None,
) -> Results:
    """Read the result files under ``folder``.

    Parameters
    ----------
    folder : Path
        The ``results`` folder of a run.
    settings : Report
        Names of the reference model and its control.
    scale : str
        full, demo or test.
    source : Path, optional
        ``source.json`` of the run, for the list of data files.
    evaluation : Evaluation, optional
        Settings of the evaluation, to say how the intervals were made.
    runs : list of str, optional
        ``model.seed<n>`` of the runs that the page is about; other training logs and times in
        the folder are of earlier runs and left out. Without it, those with results count.
    corpus : Path, optional
        Manifest of the corpus whose held-out windows were measured; needed where the folder
        holds several.
    tables : list of str, optional
        Tables of DNALongBench tasks that the page shows, by file name without ending.
    labels : list of str, optional
        Parts of ``labels/`` that the page shows.
    label_files : Path, optional
        ``labels.json`` of the run, for the list of data files.

    Raises
    ------
    GenezipError
        If the manifest, the compression results or the comparisons are missing, a file is
        damaged, or the results do not know the reference or the control.
    """
    manifest = corpus or _only_corpus(folder)
    compress = folder / "compress"
    compression = Scores(DNA_SCORES.read(compress / "compression.tsv"))
    known = set(runs) if runs else _evaluated(compression)
    logs = sorted((folder / "pretrain").glob("*/curve.jsonl"))
    results = Results(
        folder=folder,
        scale=scale,
        reference=settings.reference,
        control=settings.control,
        manifest=read_json(manifest),
        leakage=read_table(manifest.with_name("leakage.tsv"), LEAKAGE_COLUMNS),
        homology=read_table(manifest.with_name("homology.tsv"), HOMOLOGY_COLUMNS),
        table5=read_table(folder / "tables" / "table5_corpora.tsv", TABLE5_COLUMNS),
        label_parts=tuple(labels or ()),
        label_files=read_json(label_files)["files"] if label_files else [],
        task_tables={
            name: COMPARED_SCORES.read(folder / "tables" / f"{name}.tsv") for name in tables or ()
        },
        source=read_json(source) if source else {},
        compression=compression,
        comparisons=Scores(DNA_SCORES.read(compress / "comparisons.tsv")),
        regions=read_table(folder / "regions" / "gene7.summary.tsv", ("split", "class", "bp")),
        markov=Scores(read_scores(compress / "markov.tsv", DNA_SCORES)),
        locus=read_table(compress / "locus.tsv", LOCUS_COLUMNS),
        locus_genes=read_table(compress / "locus_genes.tsv", GENE_COLUMNS),
        repeats=Scores(read_scores(folder / "repeats" / "repeats.tsv", DNA_SCORES)),
        benchmarks=_benchmarks(folder / "benchmarks", known, settings.reference),
        evaluation=evaluation,
        curves=[_curve(path) for path in logs if path.parent.name in known],
    )
    for name in (results.reference, results.control):
        if name not in results.models:
            raise GenezipError(
                f"{compress / 'compression.tsv'} holds no results of {name}; evaluate it or "
                "set report.reference and report.control to models that were"
            )
    return results
