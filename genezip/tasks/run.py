"""The verbs of every task: prepare, features, predict, baselines, score.

This module writes what a task yields and holds what all tasks share: which data, features,
model and method belong together, what an interrupted call may resume from, and file paths.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.scores import TASK_SCORES, Row
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import ALL, CNN, Found, Job, Method, Task, baseline_method, run_identity
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import MANIFEST, Prepared
from genezip.tasks.features import FEATURES, FeatureStore, write_store
from genezip.tasks.predictions import PredictionFile, PredictionWriter, read_predictions
from genezip.tasks.scores import joined, row

logger = logging.getLogger(__name__)


def prepare(
    name: str,
    subset: str | None,
    files: TaskFiles,
    genome: Path,
    manifest: Path,
    settings: Any,
    seed: int,
) -> Prepared:
    """Convert the deposited files of a task.

    ``subset`` is a name in the deposit; ``all``, or any name, where all subsets read one folder;
    None for ``all``, or the only subset.
    """
    task = TASKS[name]
    subset = subset or (ALL if task.one_folder else task.own_subset)
    if task.one_folder:
        known = list(dict.fromkeys([ALL, *settings.subsets, *settings.subsets.values()]))
        if subset not in known:
            raise GenezipError(
                f"{name} has no subset {subset!r}; name one with --subset (it has "
                f"{', '.join(known)})"
            )
    return task.prepare(files, genome, subset, settings, seed, manifest)


def features(
    name: str,
    compressor: Any,
    data: Path,
    genome: Path,
    input: Input,
    settings: Any,
    manifest: Path,
) -> None:
    """Cache the features of prepared examples by a frozen model; an interrupted call resumes.

    The features of a system without vectors are counts of its token ids.
    """
    task = TASKS[name]
    if input not in ("authors", "full"):
        raise GenezipError(f"there are no features of the input {input}; use authors or full")
    compressor = task.as_read(compressor)
    Prepared.load(data, task.name)
    extraction = task.features(compressor, task.open(data, genome), input, settings)
    plan = extraction.plan
    kind = plan.model.get("vectors", plan.layer)
    logger.info(f"{name} {plan.subset}: {kind} of {compressor.name}, input {input}")
    write_store(manifest, extraction)


def predict(
    name: str,
    data: Path,
    genome: Path,
    method: Method,
    official: str,
    settings: Any,
    seed: int,
    out: Path,
    store: Path | None = None,
    model: Path | None = None,
) -> None:
    """Train on a task and write predictions of its validation and test examples.

    Parameters
    ----------
    genome : FASTA (or ``source.json``) that the data were prepared with
    method : its model ``cnn`` is the one-hot CNN; its mode ``frozen`` reads ``store``, or the model
        in the folder ``model`` where a task caches nothing; ``zero_shot`` reads ``store``, too;
        other modes train the model in that folder
    official : name of the subset in the deposit
    seed : of initial weights, dropout, adapters and the order of examples
    out : prediction file, written atomically. Checkpoints lie in a hidden folder beside it, from
        which an interrupted call resumes; they are removed at the end.
    store : ``manifest.json`` of cached features
    """
    from genezip.training.checkpoint import discard

    task = TASKS[name]
    if method.model != CNN:
        task.refuse_mode(method.mode)
    prepared = Prepared.load(data, task.name)
    _check_subset(task, prepared, official)
    job: Job[Any] = Job(
        method,
        official,
        task.open(data, genome),
        settings,
        seed,
        run_identity(method, data),
        out.parent / f".{out.stem}.work",
    )
    if method.model == CNN:
        found = task.train_cnn(job)
    elif method.mode == "frozen" and not task.caches:
        found = _uncached(task, job, model)
    elif method.mode in ("frozen", "zero_shot"):
        found = _frozen(task, job, prepared, data, store)
    else:
        found = _live(task, job, model)
    write_predictions(task, out, method, found)
    discard(job.work)


def _check_subset(task: Task[Any], prepared: Prepared, official: str) -> None:
    held = prepared.facts.get("species", prepared.subset)
    if not task.one_folder and held != official:
        raise GenezipError(
            f"{prepared.folder / MANIFEST} holds the subset {held} of {task.name}, not {official}; "
            "prepare that one"
        )


def _frozen(
    task: Task[Any], job: Job[Any], prepared: Prepared, data: Path, manifest: Path | None
) -> Iterator[Found]:
    if manifest is None:
        raise GenezipError(
            f"the mode {job.method.mode} reads cached features; name them with --features"
        )
    store = FeatureStore.load(manifest, data)
    _refuse_other(store, prepared.table(), job.method)
    return fit_store(task, store, job)


def fit_store(task: Task[Any], store: FeatureStore, job: Job[Any]) -> Iterator[Found]:
    """Predictions from cached features: of a head, whose checkpoints are tied to them, or as is."""
    files = {entry["path"]: entry["sha256"] for entry in store.facts["files"]}
    job = replace(job, identity={**job.identity, "features": files[FEATURES]})
    return task.score_zero_shot(store, job) if task.reads_likelihoods else task.fit(store, job)


def _refuse_other(store: FeatureStore, table: pd.DataFrame, method: Method) -> None:
    """Refuse features of another task, input, model, training seed or order of examples."""
    model = store.facts["model"]
    wanted: dict[str, tuple[Any, Any]] = {
        "task": (store.facts["task"], method.task),
        "input": (store.facts["input"], "full" if method.input == "contrast" else method.input),
        "model": (model.get("name"), method.model),
    }
    if model.get("seed") is not None:  # a comparator has none: the method's seed is the head's
        wanted["training seed"] = (model["seed"], method.seed)
    for key, (held, value) in wanted.items():
        if held != value:
            raise GenezipError(
                f"{store.folder} holds features of the {key} {held}, not {value}; name those"
            )
    if not np.array_equal(store.examples, table["example"].to_numpy()):
        raise GenezipError(
            f"{store.folder} holds features of other examples than the prepared data; compute "
            "the features again"
        )


def _uncached(task: Task[Any], job: Job[Any], model: str | Path | None) -> Iterator[Found]:
    """Predictions of a head on uncached vectors of a frozen model."""
    from genezip.models import load
    from genezip.models.token_counts import with_vectors

    if model is None:
        raise GenezipError(
            f"{task.name} reads vectors of every base, which are not cached; name the model's "
            "folder with --folder"
        )
    return task.fit_uncached(with_vectors(load(model, job.settings.device, streams=True)), job)


def _live(task: Task[Any], job: Job[Any], folder: Path | None) -> Iterator[Found]:
    """Predictions of a network that is fine-tuned as the mode sets it up."""
    from genezip.models.device import choose_device
    from genezip.models.pretrained import WEIGHTS, load_network
    from genezip.training.trainable import set_mode

    if folder is None:
        raise GenezipError(
            f"the mode {job.method.mode} trains a model; name its folder with --folder"
        )
    device = choose_device(job.settings.device)
    network, card = load_network(folder)
    if job.method.input == "full" and network.bound == "sequence":
        network.set_bound("causal", list(card.target_bpt.values()))
        logger.info("input full: the causal bound replaces that of the whole sequence")
    network.to(device)
    set_mode(network, job.method.mode, job.settings, job.seed)
    network.checkpoint_activations(True)
    identity = {**job.identity, "weights": card.training["sha256"][WEIGHTS]}
    return task.tune(network, replace(job, identity=identity))


def write_predictions(task: Task[Any], out: Path, method: Method, found: Iterable[Found]) -> None:
    """Write a prediction file, whole or not at all.

    ``method`` names task and subset alone where each result names its own model (baselines).
    """
    one = method if method.model else None
    with PredictionWriter(out, task.layout, one, (method.task, method.subset)) as writer:
        for each in found:
            writer.add(each, method)


def baselines(
    name: str,
    data: Path,
    genome: Path,
    subset: str,
    official: str,
    settings: Any,
    seed: int,
    out: Path,
    tss: pd.DataFrame | None = None,
) -> None:
    """Write the predictions of a task's baselines, which use no model.

    Parameters
    ----------
    subset, official : short name, as in result paths, and name in the deposit
    seed : of the TSSs drawn for a profile, the only random choice
    tss : annotated TSSs (:func:`annotated_tss`) for profiles
    """
    task = TASKS[name]
    prepared = Prepared.load(data, task.name)
    _check_subset(task, prepared, official)
    method = baseline_method("", task.name, subset)
    job: Job[Any] = Job(method, official, task.open(data, genome), settings, seed)
    write_predictions(task, out, method, task.baselines(job, tss))


def annotated_tss(source: Path, transcripts: str, gene_types: Sequence[str] | None) -> pd.DataFrame:
    """Annotated TSSs of a source of DNA, each once: chrom, position (0-based), strand."""
    from typing import cast

    from genezip.formats.genes.rows import Transcripts
    from genezip.genome.sources.source import Source

    found = Source.load(source).annotations(cast(Transcripts, transcripts), gene_types)
    columns = ["chrom", "position", "strand"]
    tables = [annotation.tss()[columns] for annotation in found.values()]
    return pd.concat(tables, ignore_index=True).drop_duplicates(ignore_index=True)


def score(
    paths: Sequence[str | Path],
    bootstrap: int,
    seed: int,
    scale: str,
    control: str | None = None,
    task: Task[Any] | None = None,
) -> pd.DataFrame:
    """All scores of prediction files of one task and subset, as :data:`TASK_SCORES`.

    A score that is undefined, or does not apply, has an empty value and a note.

    Parameters
    ----------
    bootstrap, seed : number of resamples behind each 95 % interval (genes, loci, blocks); their
        seed
    scale : full, demo or test; goes into every row
    control : model that the others are compared with, where the task has paired differences
    task : of the files; None for that of :data:`~genezip.tasks.REGISTRY`
    """
    files = read_predictions(paths)
    assert files[0].task is not None
    task = task or TASKS[files[0].task[0]]
    names = {method.model for file in files for method in file.methods}
    if control is not None and control not in names:
        logger.warning(f"no model is called {control}, so there are no rows against a control")
    for file in files:
        _check_layout(file, task)
    rows = _noted(task.scores(files, bootstrap, seed, control), files, task)
    return TASK_SCORES.frame({**each, "scale": scale} for each in rows)


def join_scores(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Scores of single prediction files as one table, in the order of ``paths``.

    It equals that of :func:`score` on all files for a task whose ``scored_apart`` is set, which
    compares no method with another one; other tasks are refused.
    """
    tables = [TASK_SCORES.read(path) for path in paths]
    names = {str(name) for table in tables for name in table["task"].unique()}
    joint = [name for name in sorted(names) if name not in TASKS or not TASKS[name].scored_apart]
    if joint:
        raise GenezipError(
            f"scores of {joint[0]} compare methods with each other; score their predictions "
            "together, with --from-predictions"
        )
    return pd.concat(tables, ignore_index=True)


def _check_layout(file: PredictionFile, task: Task[Any]) -> None:
    """Refuse predictions that cannot be of the task; axes of -1 are checked row by row later."""
    layout = task.layout
    if file.kind != layout.kind:
        raise GenezipError(
            f"{file.path} holds predictions of kind {file.kind} for the task {task.name!r}, which "
            f"has {layout.kind}s; predict again"
        )
    if not layout.fits(file.shape):
        raise GenezipError(
            f"{file.path} holds arrays of the shape {file.shape}, but those of {task.name} have "
            f"{layout.holds}; predict again"
        )


_NOTHING = "the file holds no prediction of it, and no reason; predict again"


def _noted(rows: list[Row], files: Sequence[PredictionFile], task: Task[Any]) -> list[Row]:
    """Rows with the notes applied: the cell of a metric that does not apply is emptied.

    Its note holds the reason; rows that already hold it stay. A method with neither rows nor
    notes gets empty cells.
    """
    for file in files:
        methods = {(method.label, method.subset): method for method in file.methods}
        for note in file.notes:
            named = [m for (label, _), m in methods.items() if label == note["arm"]]
            method = methods.get((note["arm"], note.get("subset", "")), named[0])
            reason = note["reason"]
            key = {name: note[name] for name in ("rule", "split", "metric")}
            own = _own(method) | key
            mine = [each for each in rows if own.items() <= each.items()]
            if not mine:
                rows.append(row(method, note=reason, **key))
            for each in mine:
                if reason in str(each["note"]) and (note["value_stands"] or each["value"] is None):
                    continue
                if note["value_stands"]:
                    each["note"] = joined(each["note"], reason)
                else:
                    each.update(value=None, ci_low=None, ci_high=None, note=reason)
        for method in file.methods:
            if not any(_own(method).items() <= each.items() for each in rows):
                rows += [row(method, **cells) for cells in task.undefined_rows(method, _NOTHING)]
    return rows


def _own(method: Method) -> Row:
    """Cells that tell a method's rows from others."""
    return {name: row(method)[name] for name in ("model", "input", "mode", "seed", "subset")}
