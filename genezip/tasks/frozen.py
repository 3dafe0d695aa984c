"""Predictions of heads on cached features (mode ``frozen``)."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip.config.benchmarks import Activity, ContactMaps, Pairs, Task
from genezip.errors import GenezipError
from genezip.tasks.base import Arm, run_identity
from genezip.tasks.examples import Prepared
from genezip.tasks.features import FEATURES, FeatureStore
from genezip.tasks.pairs.probe import predict_pairs
from genezip.tasks.predictions import PredictionWriter
from genezip.tasks.windows.activity_head import predict_activity
from genezip.tasks.windows.cell_line import cell_line
from genezip.tasks.windows.contact_head import predict_contacts
from genezip.tasks.windows.examples import WindowExamples
from genezip.training.checkpoint import discard


def predict_frozen(
    task: str,
    prepared_manifest: Path,
    genome: Path,
    store_manifest: Path,
    arm: Arm,
    official: str,
    settings: Task,
    seed: int,
    out: Path,
    work_folder: Path,
) -> None:
    """Learn a head on cached features and write its predictions of validation and test examples.

    Parameters
    ----------
    task : cmp, eqtl, etgp or rsap
    prepared_manifest : ``manifest.json`` of the prepared data
    genome : FASTA of the deposit
    store_manifest : ``manifest.json`` of the features
    arm : ``input`` authors, full or contrast (which reads features of the input full)
    official : name of the subset in the deposit
    seed : of a head's initial weights, its dropout and the order of examples; probes of pairs
        draw nothing
    out : prediction file, written atomically
    work_folder : checkpoint of a head; an interrupted call goes on from there, and it is
        removed at the end

    Raises
    ------
    GenezipError
        If the task has no cached features, data, features and arm do not belong together, and
        whatever training raises.
    """
    if task not in ("cmp", "eqtl", "etgp", "rsap"):
        raise GenezipError(f"{task} has no cached features; use the mode head_only")
    prepared = Prepared.load(prepared_manifest, task)
    store = FeatureStore.load(store_manifest, prepared_manifest)
    table = prepared.table()
    _refuse_other(store, table, arm)
    held = prepared.facts["species"] if task == "rsap" else prepared.subset
    if task != "cmp" and held != official:
        raise GenezipError(
            f"{prepared_manifest} holds the subset {held} of {task}, not {official}; prepare that "
            "one"
        )
    if isinstance(settings, Pairs):
        with PredictionWriter(out, arm, "scalar") as writer:
            predict_pairs(store, table, arm.input, settings, writer)
        return
    windows = WindowExamples.load(prepared_manifest, genome)
    features = {entry["path"]: entry["sha256"] for entry in store.facts["files"]}
    identity = {**run_identity(arm, prepared_manifest), "features": features[FEATURES]}
    if isinstance(settings, ContactMaps):
        track = cell_line(prepared, official)
        predict_contacts(
            store.array, windows, track, arm, settings, seed, identity, out, work_folder
        )
    else:
        assert isinstance(settings, Activity)
        predict_activity(store.array, windows, arm, settings, seed, identity, out, work_folder)
    discard(work_folder)


def _refuse_other(store: FeatureStore, table: pd.DataFrame, arm: Arm) -> None:
    """Refuse features of another task, input, model, training seed or order of examples."""
    model = store.facts["model"]
    wanted: dict[str, tuple[Any, Any]] = {
        "task": (store.facts["task"], arm.task),
        "input": (store.facts["input"], "full" if arm.input == "contrast" else arm.input),
        "model": (model.get("name"), arm.model),
    }
    if model.get("seed") is not None:  # comparators have none; there the arm's is the head's
        wanted["training seed"] = (model["seed"], arm.seed)
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
