"""All verbs of a task with a small deposit in one call, for one or more frozen models.

A call without a table of scores writes the predictions of its models alone. Models that are
measured so, side by side, are scored together by a later call that reads their files.

Finished parts lie in a hidden folder beside the predictions, from which an interrupted call
resumes. The folder is removed at the end.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import pandas as pd

from genezip.artifacts.files import sha256_file, sha256_json
from genezip.artifacts.scores import BASELINE, LABELS, TASK_SCORES
from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.base import Compressor
from genezip.tasks.base import (
    ALL,
    Found,
    Job,
    Method,
    NotMeasured,
    Task,
    baseline_method,
    run_identity,
)
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import MANIFEST
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.predictions import PredictionFile, join_predictions
from genezip.tasks.run import fit_store, score, write_predictions
from genezip.tasks.scores import row
from genezip.training.checkpoint import discard

logger = logging.getLogger(__name__)

NO_RESULT = {"device", "bootstrap", "arms", "subsets", "tasks"}
"""Keys of a section that cannot change the predictions of a subset."""


@dataclass(frozen=True)
class _Subset:
    """A prepared subset and the folder of its parts."""

    job: Job[Any]
    folder: Path

    @property
    def data(self) -> Path:
        """Manifest of the prepared data."""
        return self.folder / "data" / MANIFEST


def measure(
    task: Task[Any],
    files: TaskFiles,
    source: Path | None,
    models: Sequence[str | Path],
    control: str | None,
    settings: Any,
    scale: str,
    out: Path | None,
    predictions: Path,
    untrained: Sequence[str | Path] = (),
    measured: Sequence[Path] = (),
) -> None:
    """Prepare, predict and score a task.

    Data at hand that cannot be measured are no error: the score table has a row with the reason.

    Parameters
    ----------
    files : the deposited files
    source : genome of the run, ``source.json`` or a FASTA; None where the task reads no genome
    models : sources as of :func:`genezip.models.load`: folders, or names with settings
    control : name of the model that the others are compared with, or None
    settings : the task's section, which has ``bootstrap``, ``seed`` and ``device``
    scale : full, demo or test
    out : TSV of scores; None to write the predictions of the models and nothing else
    predictions : Parquet of predictions, of all subsets
    untrained : model folders whose networks are also measured before their first training step
    measured : predictions that calls with the same files and settings made without ``out``; they
        are scored with those of this call
    """
    if not {"bootstrap", "seed"} <= set(type(settings).model_fields):
        raise GenezipError(
            f"{task.name} is not measured in one call; use prepare, features, predict, baselines "
            "and `genezip evaluate --from-predictions`"
        )
    if task.reads_genome and source is None:
        raise GenezipError(f"{task.name} reads a genome; name its source.json with --source")
    for path in files.paths:
        if not path.is_file():
            raise GenezipError(
                f"{path}, listed in {files.listing}, does not exist; correct the list"
            )
    if out is None and not (models or untrained):
        raise GenezipError(
            "without --out the predictions of models are written; name one with --model"
        )
    earlier = [_earlier(task, path) for path in measured]
    for folder in {path.parent for path in (out, predictions) if path is not None}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GenezipError(
                f"cannot make the folder {folder}: {error.strerror}; name another"
            ) from None
    opened = _opened([*models, *untrained], len(models), task, settings.device)
    _refuse_twice(earlier, opened)
    try:
        subsets = task.subsets(settings)
        work = predictions.parent / f".{predictions.stem}.work"
        sets, reasons = _prepared(task, files, source or Path(), settings, work)
        parts = [[] if out is None else [_baselines(task, one, source)] for one in sets]
        for compressor in opened:
            for one, found in zip(sets, parts, strict=True):
                found.append(_model(task, one, compressor))
        own = [part for found in parts for part in found]
        of = (task.name, ALL if len(subsets) > 1 else next(iter(subsets)))
        join_predictions([*own, *measured], predictions, task.layout, of)
        if out is not None:
            tables = []
            if sets:
                draws = (settings.bootstrap, settings.seed)
                tables.append(score([predictions], *draws, scale, control, task))
            for subset, reason in reasons.items():
                method = Method(task.name, subset if len(subsets) > 1 else "", LABELS, None, "", "")
                absent = row(method, metric="available", value=0, note=reason, scale=scale)
                tables.append(TASK_SCORES.frame([absent]))
            TASK_SCORES.write(out, pd.concat(tables) if len(tables) > 1 else tables[0])
        rmtree(work, ignore_errors=True)
    except KeyboardInterrupt:
        logger.info("stopped; the same command resumes after the finished parts")
        raise


def _earlier(task: Task[Any], path: Path) -> PredictionFile:
    """Predictions of an earlier call; those of another task, or of baselines, are refused."""
    file = PredictionFile.open(path)
    if file.task is None or file.task[0] != task.name:
        held = "no task" if file.task is None else f"the task {file.task[0]}"
        raise GenezipError(f"{path} holds predictions of {held}, not of {task.name}; name another")
    if any(method.mode == BASELINE for method in file.methods):
        raise GenezipError(
            f"{path} holds baselines, which this call makes itself; name a file of a call "
            "without --out"
        )
    return file


def _refuse_twice(earlier: Sequence[PredictionFile], opened: Sequence[Compressor]) -> None:
    """Refuse a model with a seed that is named twice, by its file or its folder."""
    seen: dict[tuple[str, Any], str] = {}
    named = [(each.name, each.metadata.get("seed"), "--model") for each in opened]
    for file in earlier:
        models = dict.fromkeys((method.model, method.seed) for method in file.methods)
        named += [(*one, str(file.path)) for one in models]
    for name, seed, where in named:
        if (name, seed) in seen:
            raise GenezipError(
                f"{name} is in {seen[name, seed]} and in {where}; name only one of them"
            )
        seen[name, seed] = where


def _prepared(
    task: Task[Any], files: TaskFiles, genome: Path, settings: Any, work: Path
) -> tuple[list[_Subset], dict[str, str]]:
    """The prepared subsets, and the reasons why others cannot be measured."""
    sets: list[_Subset] = []
    reasons: dict[str, str] = {}
    for subset, official in task.subsets(settings).items():
        data = work / subset / "data" / MANIFEST
        try:
            task.prepare(files, genome, official, settings, settings.seed, data)
        except NotMeasured as error:
            reasons[subset] = str(error)
            logger.warning(f"{task.name} not measured: {error}")
            continue
        method = baseline_method("", task.name, subset)
        job: Job[Any] = Job(method, official, task.open(data, genome), settings, settings.seed)
        sets.append(_Subset(job, work / subset))
    return sets, reasons


def _opened(
    models: Sequence[str | Path], trained: int, task: Task[Any], device: str
) -> list[Compressor]:
    """The models in their order, untrained from the number ``trained`` on.

    Two of one name and seed are refused before any is measured.
    """
    seen: dict[tuple[str, Any], str | Path] = {}
    more: list[dict[str, Any]] = [
        {} if number < trained else {"untrained": True} for number in range(len(models))
    ]
    opened = [
        task.as_read(load(model, device, streams=task.streams, **own))
        for model, own in zip(models, more, strict=True)
    ]
    for model, compressor in zip(models, opened, strict=True):
        name = compressor.name, compressor.metadata.get("seed")
        if name in seen:
            raise GenezipError(
                f"{seen[name]} and {model} are both called {name[0]}; name only one of them"
            )
        seen[name] = model
    return opened


def _baselines(task: Task[Any], one: _Subset, source: Path | None) -> Path:
    def found() -> Iterable[Found]:
        tss = None if source is None else task.annotated_tss(source)
        return task.baselines(one.job, tss)

    return _part(task, one, one.job.method, {}, found)


def _model(task: Task[Any], one: _Subset, compressor: Compressor) -> Path:
    """Predictions of one frozen model; an untrained system has no seed."""
    method = replace(
        one.job.method,
        model=compressor.name,
        seed=compressor.metadata.get("seed"),
        input="full",
        mode="zero_shot" if task.reads_likelihoods else "frozen",
    )
    facts = dict(compressor.facts)
    identity = {**run_identity(method, one.data), "facts": facts}
    job = replace(one.job, method=method, identity=identity, work=one.folder / "fit")
    store = one.folder / "features" / method.label / MANIFEST

    def found() -> Iterable[Found]:
        if not task.caches:
            return task.fit_uncached(compressor, job)
        write_store(store, task.features(compressor, job.examples, "full", job.settings))
        return fit_store(task, FeatureStore.load(store, one.data), job)

    part = _part(task, one, method, facts, found)
    discard(job.work)
    rmtree(store.parent, ignore_errors=True)
    return part


def _part(
    task: Task[Any],
    one: _Subset,
    method: Method,
    facts: dict[str, Any],
    found: Callable[[], Iterable[Found]],
) -> Path:
    """Prediction file of one method on one subset; a finished one of an earlier call is kept."""
    settings = one.job.settings.model_dump(mode="json", exclude=NO_RESULT)
    identity = {"data": sha256_file(one.data), "model": facts, "settings": settings}
    name = method.label if method.model else "baselines"
    path = one.folder / f"{name}.{sha256_json(identity)[:16]}.parquet"
    if path.is_file():
        logger.info(f"{task.name} {method.subset}: {name} was finished by an earlier call")
    else:
        write_predictions(task, path, method, found())
    return path
