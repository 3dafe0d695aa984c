"""The task classification: sequence in, class out, on any labelled set.

A method is a probe on the mean vector of a sequence, a network that learns with a head on it, or a
one-hot CNN. Every table begins with rows zero (``rows_zero``), baselines of composition follow, and
all of them go through the split schemes of ``splits``. To add a set of sequences as a task of its
own, derive from :class:`LabelledSequences` and write :meth:`LabelledSequences.read`.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode
from genezip.artifacts.scores import BASELINE, ROWS_ZERO, Row
from genezip.config import Section
from genezip.config.tasks import Input, Mode
from genezip.errors import GenezipError
from genezip.metrics.bootstrap import BlockBootstrap, scarcer
from genezip.metrics.classification import METRICS, with_and_without
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import (
    Fact,
    Found,
    Job,
    Layout,
    Note,
    NotMeasured,
    Predictions,
    Subsets,
    Task,
)
from genezip.tasks.classification.baselines import (
    PRIOR,
    class_shares,
    composition_features,
)
from genezip.tasks.classification.probe import linear_probe, mean_vectors
from genezip.tasks.classification.rows_zero import RowZero, rows_zero, solved
from genezip.tasks.classification.sets import read_benchmark
from genezip.tasks.classification.splits import Fold, resampling_units, split_folds
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import MANIFEST, Prepared, preparing
from genezip.tasks.features import FeatureStore, Reading, StorePlan
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import Sheet, fact_rows, ranked_support

logger = logging.getLogger(__name__)

UNIT = "groups"
ROWS_PER_PART = 2_048
FLOOR = 1  # of KEPT_BY; whatever is above the router is a bound

Learn = Callable[[Fold], np.ndarray]
"""Class probabilities of the test rows of a fold, (n, classes)."""


@dataclass(frozen=True)
class Labelled:
    """A prepared set.

    Attributes
    ----------
    prepared : Prepared
    table : DataFrame of :mod:`genezip.tasks.classification.sets`, with ``unit``
    ids : uint8 token ids of every sequence
    folds : split scheme -> its folds
    """

    prepared: Prepared
    table: pd.DataFrame
    ids: list[np.ndarray]
    folds: dict[str, list[Fold]]

    @property
    def truth(self) -> np.ndarray:
        """Class of every sequence, int64 (n,)."""
        return self.table["class"].to_numpy(dtype=np.int64)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.prepared.facts["classes"])

    @property
    def units(self) -> np.ndarray:
        """What is resampled: rows of one unit are not independent; str (n,)."""
        return self.table["unit"].to_numpy(dtype=str)


class LabelledSequences(Task[Labelled]):
    """A class for every sequence. A task of its own has a ``name`` and writes :meth:`read`."""

    settings: type[Section] = config.Classification
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("array", (-1,), "<f8", "<f8", "one axis of classes")
    modes: frozenset[Mode] = frozenset({"frozen", "head_only", "release", "lora", "full"})
    streams = False
    reads_genome = False

    def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
        """The labelled set of a subset.

        Parameters
        ----------
        files : list of the files at hand; ``files.paths`` are there
        subset : name of the set; ``all`` of a task that has one

        Returns
        -------
        DataFrame of :func:`genezip.tasks.classification.sets.labelled`, or of a reader there

        Raises
        ------
        NotMeasured
            If the files at hand do not hold it.
        """
        raise NotImplementedError

    def subsets(self, settings: Any) -> Subsets:
        """One set, unless a task says otherwise."""
        return {self.own_subset: self.own_subset}

    def prepare(
        self,
        files: TaskFiles,
        genome: Path,
        subset: str,
        settings: Any,
        seed: int,
        manifest: Path,
    ) -> Prepared:
        """Read a set and deal it to the folds of every split scheme of the section."""
        table = self.read(files, genome, subset, settings)
        ids = [encode(text) for text in table["sequence"]]
        table["unit"] = resampling_units(table, ids)
        notes = {}
        for scheme in settings.schemes:
            folds, notes[scheme] = split_folds(table, ids, scheme, settings.folds)
            table[f"fold_{scheme}"] = _numbers(folds, len(table))
            logger.info(f"{self.name} {subset}: split {scheme}: {notes[scheme]}")
        names = table.drop_duplicates("class").sort_values("class")["label"]
        inputs = {path.name: path for path in (files.listing, *files.paths)}
        with preparing(manifest, self.name, subset, inputs) as draft:
            draft.write_examples(table)
            draft.facts = {
                "classes": names.astype(str).tolist(),
                "schemes": notes,
                "units": int(table["unit"].nunique()),
            }
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Labelled:
        """As of :class:`Task`; sequences are in the prepared folder, so no genome is read."""
        prepared = Prepared.load(manifest, self.name)
        table = prepared.table()
        ids = [encode(text) for text in table["sequence"]]
        folds = {
            scheme: _folds(table[f"fold_{scheme}"].to_numpy(), table["split"].to_numpy())
            for scheme in prepared.facts["schemes"]
        }
        return Labelled(prepared, table, ids, folds)

    def features(
        self, compressor: Compressor, examples: Labelled, input: Input, settings: Any
    ) -> Reading:
        """Mean vectors over bases and strands; of tested rows also tokens and what forced them."""
        if input != "full":
            raise GenezipError(f"{self.name} has no features of the input {input}; use full")
        tested = np.zeros(len(examples.ids), dtype=bool)
        for fold in (fold for folds in examples.folds.values() for fold in folds):
            tested[fold.test] = True

        def compute(rows: range) -> tuple[np.ndarray, int]:
            ids = [examples.ids[row] for row in rows]
            found = np.zeros((len(ids), vector_width(compressor) + 2))
            found[:, :-2] = mean_vectors(compressor, ids)
            counted = [place for place, row in enumerate(rows) if tested[row]]
            for place, one in zip(
                counted, compressor.encode([ids[place] for place in counted]), strict=True
            ):
                forced = bool(one.bound_active.any())
                if one.kept_by is not None:
                    forced = bool((one.kept_by >= FLOOR).any())
                found[place, -2:] = len(one.token_starts), forced
            return found, 2 * sum(map(len, ids))

        plan = StorePlan(
            task=self.name,
            subset=examples.prepared.subset,
            input=input,
            layer="states",
            model=compressor.facts,
            prepared=examples.prepared.folder / MANIFEST,
            examples=examples.table["example"].to_numpy(dtype=np.int64),
            inner=(),
            blocks={"mean": vector_width(compressor), "tokens": 1, "forced": 1},
            dtype="<f8",
        )
        return Reading(plan, compute, ROWS_PER_PART)

    def fit(self, features: FeatureStore, job: Job[Labelled]) -> Iterator[Found]:
        """Logistic regression on the mean vectors; bases per token and forced share beside it."""
        examples = job.examples
        x = features.block("mean")
        yield from self._learned(examples, self._probe(examples, x))
        tokens, forced = (features.block(name)[:, 0] for name in ("tokens", "forced"))
        lengths = np.array([len(one) for one in examples.ids])
        for scheme, folds in examples.folds.items():
            rows = np.concatenate([fold.test for fold in folds])
            bpt = float(lengths[rows].sum() / tokens[rows].sum())
            yield Fact("bpt", bpt, len(rows), scheme, of_method=True)
            share = float(forced[rows].mean())
            yield Fact("bound_active_share", share, len(rows), scheme, of_method=True)

    def tune(self, network: Any, job: Job[Labelled]) -> Iterator[Found]:
        """Learn with the network in the graph, and predict the test rows of the official split."""
        from genezip.tasks.classification.network import tune

        return self._predicted(job.examples, tune(network, job))

    def train_cnn(self, job: Job[Labelled]) -> Iterator[Found]:
        """Train the one-hot CNN, and predict the test rows of the official split."""
        from genezip.tasks.classification.network import train_cnn

        return self._predicted(job.examples, train_cnn(job))

    def baselines(self, job: Job[Labelled], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Rows zero, then class shares and composition."""
        examples = job.examples
        for scheme, folds in examples.folds.items():
            for fold in folds:
                found = rows_zero(examples.ids, examples.truth, fold, examples.classes)
                for one in found:
                    yield _of_row_zero(examples, scheme, fold, one)
                    if len(folds) == 1:
                        for metric in self.metrics:
                            yield Note(metric, one.note, scheme, "test", True, one.name)
        shares = self._learned(
            examples, lambda fold: class_shares(examples.truth, fold, examples.classes), PRIOR
        )
        yield from shares
        for name, x in composition_features(examples.ids).items():
            yield from self._learned(examples, self._probe(examples, x), name)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """Accuracy, MCC and macro F1 of every method, and paired differences of the models.

        A set that a row zero solves says so in each of its rows.
        """
        rows: list[Row] = []
        for (subset, scheme), methods in _by_set(files).items():
            truth, group = next(iter(methods.values()))[1:]
            classes = next(iter(methods.values()))[0].shape[1]
            draws = BlockBootstrap(group, bootstrap, seed)
            sheet = Sheet(draws, UNIT, scheme, "test")
            support = reduce(scarcer, [ranked_support(draws, truth == c) for c in range(classes)])
            positives = int((truth == 1).sum()) if classes == 2 else None
            marks = []
            for method, (found, own, _) in methods.items():
                if not np.array_equal(own, truth):
                    raise GenezipError(
                        f"{method.label} has other test rows of {subset} than the others; predict "
                        "again from the same prepared data"
                    )
                predicted = found.argmax(axis=1)
                for metric, (_, scale) in METRICS.items():
                    values = with_and_without(draws, metric, truth, predicted, classes)
                    sheet.add(
                        method,
                        metric,
                        values,
                        len(truth),
                        positives,
                        scale=scale,
                        support=support,
                    )
                if method.mode == BASELINE and (mark := _solved(method.model, found, truth)):
                    marks.append(mark)
            own_rows = sheet.rows(control)
            for mark in dict.fromkeys(marks):
                for each in own_rows:
                    each["note"] = "; ".join(filter(None, (mark, each["note"])))
            rows += own_rows
        return rows + fact_rows(files)

    def _probe(self, examples: Labelled, x: np.ndarray) -> Learn:
        truth, units, classes = examples.truth, examples.units, examples.classes
        return lambda fold: linear_probe(x, truth, units, fold, classes)

    def _learned(
        self, examples: Labelled, learn: Learn, model: str | None = None
    ) -> Iterator[Predictions]:
        """Predictions of every scheme; what learns from equal rows learns once."""
        known: dict[bytes, dict[int, np.ndarray]] = {}
        every = [fold for folds in examples.folds.values() for fold in folds]
        for scheme, folds in examples.folds.items():
            for fold in folds:
                key = fold.train.tobytes()
                if key not in known:
                    same = [other.test for other in every if other.train.tobytes() == key]
                    rows = np.unique(np.concatenate(same))
                    found = learn(replace(fold, test=rows))
                    known[key] = dict(zip(rows.tolist(), found, strict=True))
                found = np.stack([known[key][row] for row in fold.test.tolist()])
                yield _predictions(examples, scheme, fold, found, model)

    def _predicted(self, examples: Labelled, found: np.ndarray) -> Iterator[Predictions]:
        """Predictions under the schemes that train on the official split."""
        for scheme in ("official", "unseen"):
            for fold in examples.folds.get(scheme, ()):
                yield _predictions(examples, scheme, fold, found[fold.test])


class Classification(LabelledSequences):
    """Labelled sets of GUE (Zhou et al. 2023, arXiv 2306.15006)."""

    name = "classification"

    def subsets(self, settings: Any) -> Subsets:
        """The sets of the section."""
        chosen: Subsets = settings.subsets
        return chosen

    def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
        """The files ``SUBSET.train.csv``, ``.dev.csv`` and ``.test.csv``, or the same in gzip."""
        endings = (f"{subset}.train.csv", f"{subset}.train.csv.gz")
        reason = files.facts.get("reasons", {}).get(self.name)
        if reason and not any(str(path).endswith(endings) for path in files.paths):
            raise NotMeasured(reason)
        return read_benchmark(files.one(*endings).parent, subset)


def _numbers(folds: list[Fold], n: int) -> np.ndarray:
    """Fold of every row; of a split as published -1 for what is tested, -2 for the rest."""
    found = np.full(n, -2, dtype=np.int64)
    for fold in folds:
        found[fold.test] = fold.number
    return found


def _folds(number: np.ndarray, split: np.ndarray) -> list[Fold]:
    """Folds of what :func:`_numbers` stored."""
    if (number < 0).all():
        train, valid = (np.flatnonzero(split == name) for name in ("train", "valid"))
        return [Fold(-1, train, np.flatnonzero(number == -1), valid)]
    return [
        Fold(int(one), np.flatnonzero(number != one), np.flatnonzero(number == one))
        for one in np.unique(number)
    ]


def _predictions(
    examples: Labelled, scheme: str, fold: Fold, found: np.ndarray, model: str | None = None
) -> Predictions:
    return Predictions(
        "test",
        example=examples.table["example"].to_numpy()[fold.test],
        group=examples.units[fold.test],
        target=list(np.eye(examples.classes)[examples.truth[fold.test]]),
        prediction=list(found),
        rule=scheme,
        fold=fold.number,
        model=model,
    )


def _of_row_zero(examples: Labelled, scheme: str, fold: Fold, one: RowZero) -> Predictions:
    """The class it gives has probability 1; rows that it does not cover get the class shares."""
    shares = class_shares(examples.truth, Fold(fold.number, fold.seen, fold.test), examples.classes)
    found = np.where(one.covered[:, None], np.eye(examples.classes)[one.predicted], shares)
    return _predictions(examples, scheme, fold, found, one.name)


def _solved(model: str, found: np.ndarray, truth: np.ndarray) -> str | None:
    """Whether a row zero solves the set; other baselines and sets without its rows do not."""
    if model not in ROWS_ZERO:
        return None
    one = RowZero(model, found.argmax(axis=1), found.max(axis=1) == 1, None, "")
    return solved(one, truth, found.shape[1], "mcc")


def _by_set(files: Sequence[PredictionFile]) -> dict[tuple[str, str], dict[Any, Any]]:
    """Predictions, classes and groups of every method by subset and scheme, rows by example."""
    found: dict[tuple[str, str], dict[Any, list[Any]]] = {}
    for file in files:
        for each in file.rows():
            methods = found.setdefault((each.method.subset, each.rule), {})
            methods.setdefault(each.method, []).append(each)
    return {
        place: {
            method: (
                np.stack([row.prediction for row in rows]),
                np.array([int(row.target.argmax()) for row in rows]),
                np.array([row.group for row in rows], dtype=str),
            )
            for method, rows in (
                (method, sorted(rows, key=lambda row: row.example))
                for method, rows in methods.items()
            )
        }
        for place, methods in found.items()
    }
