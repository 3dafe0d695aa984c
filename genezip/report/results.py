"""The result files of one run, loaded and checked once for the page and its figures.

Results of other stages are read from files and never recomputed here.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import (
    ALIGNMENT_SCORES,
    COMPARED_SCORES,
    DNA_SCORES,
    PAPER,
    TASK_SCORES,
    Metric,
    ScoreTable,
)
from genezip.artifacts.tables import read_tsv
from genezip.config import Evaluation, Report
from genezip.errors import GenezipError
from genezip.region_classes import RegionClasses
from genezip.report.paper import read_claims
from genezip.report.scores import HeldOut, Scores

LEAKAGE_COLUMNS = ("check", "split", "against", "windows", "bp", "touched_bp", "verdict")
HOMOLOGY_COLUMNS = ("chrom", "counting", "k", "sample", "kmers", "share")
TABLE5_COLUMNS = ("corpus", "split", "region", "pct", "paper_pct", "difference_pct")
LOCUS_COLUMNS = (
    *("locus", "kind", "model", "chrom", "start", "end", "region"),
    *("boundary_prob", "tokens", "bpt"),
)
PROFILE_COLUMNS = ("model", "subset", "split", "strand", "stage", "site", "offset", "rate")
SITE_PROFILE_COLUMNS = (
    *("model", "seed", "subset", "split", "strand", "set"),
    *("offset", "mean", "sem", "n"),
)
MATCHED_COLUMNS = (
    *("model", "seed", "router", "guide", "windows", "bp"),
    *("bpt", "flops_per_bp", "parameters", "tokens_off", "flops_off"),
)
VOCABULARY_COLUMNS = (
    *("model", "threshold", "min_count", "ggrams", "by_chance", "false_share"),
    *("covered_share", "repeat_share", "repeat_share_3", "repeat_share_all", "words"),
)
FREQUENT_COLUMNS = (
    *("model", "dna", "tokens", "count", "pmi", "repeat", "repeat_share"),
    *("region", "region_share", "region_enrichment"),
)
LATENCY_COLUMNS = (
    *("model", "role", "input", "length_bp", "median_ms", "peak_mb"),
    *("device", "threads", "dtype", "torch", "rule", "note"),
)
GENE_COLUMNS = ("locus", "chrom", "start", "end", "feature", "strand", "gene_name", "transcript_id")

WINDOW_COLUMNS = ("model", "seed", "strand", "bpt", "n_fraction")

_TEXT = ("locus", "split", "region", "strand", "model", "chrom", "gene_name")
_ANY = Kind("JSON object", None, "run the stage that writes it first", "write it again")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of any kind."""
    value = _ANY.read_json(path)
    if not isinstance(value, dict):
        raise _ANY.foreign(path)
    return value


def read_table(path: Path, columns: Collection[str]) -> pd.DataFrame:
    """An optional TSV with at least these columns; an absent file gives an empty frame."""
    return read_tsv(path, columns, _TEXT) if path.is_file() else pd.DataFrame(columns=[*columns])


def read_scores(path: Path, kind: ScoreTable) -> pd.DataFrame:
    """An optional score file; an absent file gives an empty frame."""
    return kind.read(path) if path.is_file() else kind.frame()


@dataclass(frozen=True)
class Curve:
    """Training log of one model and seed: one row per step, one per validation."""

    model: str
    seed: int
    steps: pd.DataFrame
    valid: pd.DataFrame
    config: dict[str, Any]

    @property
    def training(self) -> dict[str, Any]:
        """Training facts of the model's card; may be empty."""
        return self.config.get("training") or {}

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of training; may be empty."""
        return self.training.get("settings") or {}

    @property
    def on_words(self) -> bool:
        """Whether the training is that of a network on words, without a ratio loss."""
        return self.config.get("compressor") == "dnazen"

    @cached_property
    def region_classes(self) -> RegionClasses:
        """Region classes of the training."""
        return RegionClasses.from_json(self.training.get("classes") or [])


def _no_scores() -> Scores:
    return Scores(DNA_SCORES.frame())


@dataclass(frozen=True)
class Arena:
    """The tables of the arena; empty where a run has none.

    ``tokens`` and ``bits`` are of the genome of the run, ``elsewhere`` has those of others by name.
    ``probes`` are score rows of tasks with the column ``twin``.
    """

    tokens: Scores = field(default_factory=_no_scores)
    bits: Scores = field(default_factory=_no_scores)
    recall: Scores = field(default_factory=_no_scores)
    token_ids: Scores = field(default_factory=_no_scores)
    cost: Scores = field(default_factory=_no_scores)
    probes: pd.DataFrame = field(default_factory=lambda: TASK_SCORES.frame().assign(twin=""))
    elsewhere: dict[str, tuple[Scores, Scores]] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether more than the places of tokens was measured."""
        return bool(len(self.cost.frame))

    def trained_on(self, model: str) -> str | None:
        """The DNA that a system was trained on; None where nothing tells."""
        frame = self.cost.frame
        notes = frame.loc[
            (frame["model"] == model) & (frame["metric"] == Metric.TRAINED_ON), "note"
        ]
        return str(notes.iloc[0]) if len(notes) else None


@dataclass(frozen=True, kw_only=True)
class Results(HeldOut):
    """All content of the page; parts that were not computed are empty frames."""

    folder: Path
    scale: str
    manifest: dict[str, Any]
    source: dict[str, Any]
    regions: pd.DataFrame
    locus: pd.DataFrame
    locus_genes: pd.DataFrame
    repeats: Scores
    benchmarks: pd.DataFrame
    codon_phase: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))
    codon_profile: pd.DataFrame = field(default_factory=pd.DataFrame)
    masked: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))
    matched: pd.DataFrame = field(default_factory=pd.DataFrame)
    words: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))
    vocabulary: pd.DataFrame = field(default_factory=pd.DataFrame)
    frequent_ggrams: pd.DataFrame = field(default_factory=pd.DataFrame)
    scaling: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))
    arena: Arena = field(default_factory=Arena)
    alignment: pd.DataFrame = field(default_factory=ALIGNMENT_SCORES.frame)
    alignment_profile: pd.DataFrame = field(default_factory=pd.DataFrame)
    leakage: pd.DataFrame = field(default_factory=pd.DataFrame)
    homology: pd.DataFrame = field(default_factory=pd.DataFrame)
    table5: pd.DataFrame = field(default_factory=pd.DataFrame)
    label_parts: tuple[str, ...] = ()
    label_files: list[dict[str, Any]] = field(default_factory=list)
    task_tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    word_curves: list[Curve] = field(default_factory=list)
    windows: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*WINDOW_COLUMNS]))
    claims: pd.DataFrame = field(default_factory=pd.DataFrame)
    repeat_kinds: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))
    bounds: tuple[str, ...] = ()
    latency: pd.DataFrame = field(default_factory=pd.DataFrame)
    stability: Scores = field(default_factory=lambda: Scores(DNA_SCORES.frame()))

    def split(self, name: str) -> dict[str, Any]:
        """Facts of a split in the corpus manifest; empty where there is none."""
        return self.manifest.get("splits", {}).get(name) or {}

    def no_base(self, region: str) -> bool:
        """Whether held-out DNA has no base of a class, by the scores or else by the corpus."""
        if self.number(Metric.REGION_SHARE, self.reference, region=region):
            return super().no_base(region)
        return self.split("test").get("composition", {}).get(region) == 0


def _curve(path: Path) -> Curve:
    """Read a training log of JSON lines; an incomplete last line is ignored."""
    model, _, seed = path.parent.name.rpartition(".seed")
    steps, valid = [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record.get("valid"), dict):
            valid.append({"step": record["step"], **record["valid"]})
        if "valid" not in record:
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
    """Whether a benchmark file is of this run, as folders keep files of earlier runs.

    A stage named after a model and seed must be among the runs. A router has the seed of the
    reference whose token counts it copies, and the untrained model has its own seed.
    """
    name = stage.rpartition("/")[2].removesuffix(".untrained")
    model, dot, seed = name.rpartition(".seed")
    if not dot or model == "untrained":
        return stage != "report"  # which has not finished yet
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


def _only_corpus(folder: Path) -> Path:
    """Manifest of the one corpus under a folder."""
    found = sorted((folder / "corpus").glob("*/manifest.json"))
    if len(found) > 1:
        names = ", ".join(path.parent.name for path in found)
        raise GenezipError(f"{folder} holds several corpora ({names}); name one with --corpus")
    return found[0] if found else folder / "corpus" / "*" / "manifest.json"


def _scores_of(folder: Path, names: Collection[str]) -> pd.DataFrame:
    """The rows of those score files that exist, together."""
    files = [path for name in names if (path := folder / f"{name}.tsv").is_file()]
    frames = [DNA_SCORES.read(path) for path in files]
    return pd.concat(frames, ignore_index=True) if frames else DNA_SCORES.frame()


def _masked(folder: Path, runs: set[str]) -> Scores:
    """Prediction of masked bases by the runs, then by models that count."""
    return Scores(_scores_of(folder, [*sorted(runs), "markov"]))


def _matched(path: Path, runs: set[str]) -> pd.DataFrame:
    """Guided arms of the runs and their guides, in file order."""
    found = read_table(path, MATCHED_COLUMNS)
    return found[(found["model"] + ".seed" + found["seed"].astype(str)).isin(runs)]


def _words(folder: Path, runs: set[str]) -> Scores:
    """Prediction of masked words by the runs, then by models that count."""
    floors = sorted(path.stem for path in (folder / "floors").glob("*.tsv"))
    return Scores(_scores_of(folder, [*sorted(runs), *(f"floors/{name}" for name in floors)]))


def _of_models(folder: Path, kind: str, runs: set[str], columns: Collection[str]) -> pd.DataFrame:
    """Tables ``MODEL.kind.tsv`` of the models of the runs, together."""
    names = dict.fromkeys(run.rpartition(".seed")[0] for run in sorted(runs))
    files = [path for name in names if (path := folder / f"{name}.{kind}.tsv").is_file()]
    found = [read_table(path, columns) for path in files]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*columns])


def _codon_phase(folder: Path, runs: set[str]) -> Scores:
    """Codon phase of the runs; the published rows, which each file has, are kept once."""
    frame = _scores_of(folder, sorted(runs))
    paper = frame["source"] == PAPER
    return Scores(pd.concat([frame[~paper], frame[paper].drop_duplicates()], ignore_index=True))


def _profiles(folder: Path, runs: set[str], columns: Collection[str]) -> pd.DataFrame:
    """Profiles of the runs: boundary rates around start and stop codons, or around sites."""
    files = [folder / f"{run}.profile.tsv" for run in sorted(runs)]
    found = [read_table(path, columns) for path in files if path.is_file()]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*columns])


def _alignment(folder: Path, runs: set[str]) -> pd.DataFrame:
    """Boundaries of the runs at sites of genes."""
    files = [path for run in sorted(runs) if (path := folder / f"{run}.tsv").is_file()]
    found = [ALIGNMENT_SCORES.read(path) for path in files]
    return pd.concat(found, ignore_index=True) if found else ALIGNMENT_SCORES.frame()


def _arena(folder: Path, runs: set[str]) -> Arena:
    """The tables of the arena, of the runs; probes and other genomes are those that lie there."""

    def one(path: Path) -> Scores:
        return Scores(read_scores(path, DNA_SCORES))

    def each(name: str, *more: str) -> Scores:
        return Scores(_scores_of(folder / name, [*sorted(runs), *more]))

    probes = []
    for path in sorted((folder / "probes").glob("*.tsv")):
        twin = path.stem.partition(".")[2]
        probes.append(TASK_SCORES.read(path).assign(twin=twin))
    others = sorted((folder / "elsewhere").glob("*/tokens.tsv"))
    return Arena(
        tokens=one(folder / "tokens.tsv"),
        bits=one(folder / "bits.tsv"),
        recall=each("recall", "mixing"),
        token_ids=each("token_ids"),
        cost=each("cost"),
        probes=pd.concat(probes, ignore_index=True)
        if probes
        else TASK_SCORES.frame().assign(twin=""),
        elsewhere={
            path.parent.name: (one(path), one(path.with_name("bits.tsv"))) for path in others
        },
    )


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
    claims: Path | None = None,
) -> Results:
    """Read the result files under ``folder``.

    Parameters
    ----------
    folder : the ``results`` folder of a run
    settings : names of the reference model and its control
    scale : full, demo or test
    source : ``source.json`` of the run, for the list of data files
    evaluation : settings of the evaluation, for the text on intervals
    runs : ``model.seed<n>`` of the runs on the page; training logs and times of other (earlier)
        runs are omitted. None takes all runs with results.
    corpus : manifest of the corpus whose held-out windows were measured; needed where the folder
        holds several
    tables : tables of DNALongBench tasks that the page shows, by file name without ending
    labels : parts of ``labels/`` that the page shows
    label_files : ``labels.json`` of the run, for the list of data files
    claims : published numbers beside those of the run
    """
    manifest_file = corpus or _only_corpus(folder)
    manifest = read_json(manifest_file)
    compress = folder / "compress"
    compression = Scores(DNA_SCORES.read(compress / "compression.tsv"))
    evaluated = {f"{name}.seed{s}" for name in compression.models for s in compression.seeds(name)}
    known = set(runs) if runs else evaluated
    logs = sorted((folder / "pretrain").glob("*/curve.jsonl"))
    trainings = [_curve(path) for path in logs if path.parent.name in known]
    words = folder / "words"
    results = Results(
        folder=folder,
        scale=scale,
        reference=settings.reference,
        control=settings.control,
        manifest=manifest,
        region_classes=RegionClasses.from_json(manifest.get("classes") or []),
        leakage=read_table(manifest_file.with_name("leakage.tsv"), LEAKAGE_COLUMNS),
        homology=read_table(manifest_file.with_name("homology.tsv"), HOMOLOGY_COLUMNS),
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
        codon_phase=_codon_phase(folder / "codon_phase", known),
        codon_profile=_profiles(folder / "codon_phase", known, PROFILE_COLUMNS),
        alignment=_alignment(folder / "alignment", known),
        alignment_profile=_profiles(folder / "alignment", known, SITE_PROFILE_COLUMNS),
        masked=_masked(folder / "masked", known),
        matched=_matched(folder / "matched" / f"{manifest_file.parent.name}.tsv", known),
        words=_words(words, known),
        vocabulary=_of_models(words, "vocabulary", known, VOCABULARY_COLUMNS),
        frequent_ggrams=_of_models(words, "frequent", known, FREQUENT_COLUMNS),
        scaling=Scores(read_scores(compress / "scaling.tsv", DNA_SCORES)),
        arena=_arena(folder / "arena", known),
        benchmarks=_benchmarks(folder / "benchmarks", known, settings.reference),
        evaluation=evaluation,
        curves=[one for one in trainings if not one.on_words],
        word_curves=[one for one in trainings if one.on_words],
        repeat_kinds=Scores(read_scores(folder / "repeats" / "kinds.tsv", DNA_SCORES)),
        bounds=tuple(settings.bounds),
        latency=read_table(folder / "latency" / "latency.tsv", LATENCY_COLUMNS),
        stability=Scores(_scores_of(folder / "stability", sorted(known))),
        windows=read_table(compress / "windows.tsv", WINDOW_COLUMNS),
        claims=read_claims(claims) if claims else pd.DataFrame(),
    )
    for name in (results.reference, results.control):
        if name not in results.models:
            raise GenezipError(
                f"{compress / 'compression.tsv'} holds no results of {name}; evaluate it or "
                "set report.reference and report.control to models that were"
            )
    return results
