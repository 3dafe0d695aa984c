"""The task classification: a class for each sequence of any labelled set.

A method is a probe on the mean vector of a sequence, a network that is fine-tuned with a head, or a
one-hot CNN. Tables begin with ``trivial_baselines`` and baselines of composition; all methods use
the split schemes of ``splits``. To add a set of sequences as another task, derive from
:class:`LabelledSequences` and write :meth:`LabelledSequences.read`.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode
from genezip.artifacts.scores import (
    BASELINE,
    FLOOR_SHARE,
    GGRAMS_PER_SEQUENCE,
    TRIVIAL_BASELINES,
    Row,
)
from genezip.config import Section
from genezip.config.tasks import Input, Mode
from genezip.errors import GenezipError
from genezip.metrics.classification import METRICS, with_and_without
from genezip.models.base import Compressor, vector_width
from genezip.models.compressed import KEPT_BY
from genezip.tasks.base import (
    Fact,
    Found,
    Job,
    Layout,
    Method,
    Note,
    NotMeasured,
    Predictions,
    Subsets,
    Task,
)
from genezip.tasks.classification.baselines import PRIOR, class_shares, composition_features
from genezip.tasks.classification.probe import (
    FindsGGrams,
    linear_probe,
    vectors_and_tokens,
    why_no_probe,
)
from genezip.tasks.classification.splits import (
    ONE_FOLD,
    Fold,
    by_fold,
    fit_of,
    fold_column,
    folds_in,
    mean_of_fits,
    resampling_units,
    split_folds,
)
from genezip.tasks.classification.trivial_baselines import (
    TrivialBaseline,
    note_of,
    solved,
    trivial_baselines,
)
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.features import Extraction, FeatureStore, StorePlan
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import (
    Compared,
    Examples,
    Sheet,
    class_support,
    compared,
    fact_rows,
    joined,
)

logger = logging.getLogger(__name__)

ROWS_PER_PART = 2_048
LEAST_SPREAD = 0.01
"""Least share of variance of a resample: errors alone give nearly all variance of MCC and F1."""
BY_ROUTER = KEPT_BY.index("router")  # the floor makes all other tokens

Fit = Callable[[Fold], np.ndarray]
"""Class probabilities of the test rows of a fold, (n, classes)."""


@dataclass(frozen=True)
class Labelled:
    """A prepared set with its folds."""

    prepared: Prepared
    table: pd.DataFrame  # of :mod:`genezip.tasks.classification.sets`, with ``unit``
    ids: list[np.ndarray]  # uint8 token ids of every sequence
    folds: dict[str, list[Fold]]  # split scheme -> its folds

    @cached_property
    def truth(self) -> np.ndarray:
        """Class of every sequence, int64 (n,)."""
        return self.table["class"].to_numpy(dtype=np.int64)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.prepared.facts["classes"])

    @cached_property
    def units(self) -> np.ndarray:
        """Resampling unit of every sequence, str (n,)."""
        return self.table["unit"].to_numpy(dtype=str)

    @property
    def dropped(self) -> Mapping[str, str]:
        """Split schemes in which no probe can be trained and tested -> reason."""
        found: Mapping[str, str] = self.prepared.facts["dropped"]
        return found


@dataclass(frozen=True)
class Tuned:
    """A network that was fine-tuned once, by its predictions."""

    # number of the part of the training rows that validated; None for the set's validation rows
    number: int | None
    probabilities: np.ndarray  # float64 array, shape (n, classes); 0 for all but test rows
    score: float  # highest MCC of the validation rows, NaN where undefined
    valid: int  # number of validation rows
    settings: Any  # of the training
    tried: int  # number of settings of which these were chosen


class LabelledSequences(Task[Labelled]):
    """A task with a class for every sequence; a subclass has ``name`` and :meth:`read`.

    Attributes
    ----------
    unit : plural of the resampled unit
    counted : word for a sequence, in messages
    classes : labels by number, where they are those of the task and not of the set
    every_scheme : whether a set is measured only where all its split schemes can train a probe
    counts_tokens : whether every model has rows of bases per token and of the floor's share
    shown : names of baselines that no model is compared with
    """

    settings: type[Section] = config.Classification
    unit = "groups"
    metrics = dict.fromkeys(METRICS, unit)
    layout = Layout("array", (-1,), "<f8", "<f8", "one axis of classes")
    modes: frozenset[Mode] = frozenset({"frozen", "head_only", "release", "lora", "full"})
    streams = False
    reads_genome = False
    counted = "row"
    classes: tuple[str, ...] = ()
    every_scheme = False
    counts_tokens = True
    shown: frozenset[str] = frozenset()

    def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
        """The labelled set of a subset.

        Parameters
        ----------
        files : list of the files; all of ``files.paths`` exist
        subset : name of the set; ``all`` of a task that has one

        Returns
        -------
        DataFrame of :func:`genezip.tasks.classification.sets.labelled`, or of its readers; its
        ``attrs`` become facts of the prepared folder.

        Raises
        ------
        NotMeasured
            If the files do not hold the set.
        """
        raise GenezipError(
            f"the task {self.name} has no method read; write one that returns gz.labelled(rows)"
        )

    def inputs(self, files: TaskFiles, genome: Path, subset: str) -> Sequence[Path]:
        """Files of :meth:`read`, whose SHA-256 is recorded: all of the list."""
        return files.paths

    def subsets(self, settings: Any) -> Subsets:
        """The one set of a task without several subsets."""
        return {self.own_subset: self.own_subset}

    def splits(
        self, table: pd.DataFrame, ids: list[np.ndarray], settings: Any
    ) -> dict[str, tuple[list[Fold], str]]:
        """Folds of every split scheme, and a note on their number of test rows."""
        return {
            scheme: split_folds(table, ids, scheme, settings.folds) for scheme in settings.schemes
        }

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """Read a set and divide it by every split scheme.

        A scheme in which no probe can be trained and tested is left out unless it is the last.
        """
        table = self.read(files, genome, subset, settings)
        if not isinstance(table, pd.DataFrame) or "class" not in table:
            raise GenezipError(
                f"read of the task {self.name} gave a {type(table).__name__} without classes; "
                "return what gz.labelled(rows) gives"
            )
        ids = [encode(text) for text in table["sequence"]]
        table["unit"] = resampling_units(table, ids)
        truth, units = table["class"].to_numpy(), table["unit"].to_numpy()
        notes, dropped = {}, {}
        for scheme, (folds, note) in self.splits(table, ids, settings).items():
            if reason := why_no_probe(truth, units, folds, self.counted, self.unit):
                dropped[scheme] = f"{reason} (split {scheme}, {note})"
                logger.warning(f"{self.name} {subset}: {dropped[scheme]}")
                continue
            notes[scheme] = note
            table[f"fold_{scheme}"] = fold_column(folds, len(table))
            logger.info(f"{self.name} {subset}: split {scheme}: {note}")
        if dropped and (self.every_scheme or not notes):
            raise NotMeasured("; ".join(dropped.values()))
        names = table.drop_duplicates("class").sort_values("class")["label"].astype(str).tolist()
        beside = files.listing.parent
        read = self.inputs(files, genome, subset)
        inputs = {os.path.relpath(path, beside): path for path in read}
        with preparing(manifest, self.name, subset, inputs) as draft:
            draft.write_examples(table)
            draft.facts = {
                "classes": list(self.classes) or names,
                "schemes": notes,
                "dropped": dropped,
                "units": int(table["unit"].nunique()),
                **{str(name): fact for name, fact in table.attrs.items()},
            }
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Labelled:
        """As of :class:`Task`; the prepared folder has the sequences, so no genome is read."""
        prepared = Prepared.load(manifest, self.name)
        table = prepared.table()
        ids = [encode(text) for text in table["sequence"]]
        split = table["split"].to_numpy()
        folds = {
            scheme: folds_in(table[f"fold_{scheme}"].to_numpy(), split)
            for scheme in prepared.facts["schemes"]
        }
        return Labelled(prepared, table, ids, folds)

    def features(
        self, compressor: Compressor, examples: Labelled, input: Input, settings: Any
    ) -> Extraction:
        """Mean vectors over bases and, where :meth:`both_strands` says so, strands; float64.

        Test rows also have the number of tokens, and whether the floor made any of them (1 or 0; -1
        where the model does not report why a base is a token); those of a model with G-grams the
        number of their places.
        """
        if input != "full":
            raise GenezipError(
                f"{self.name} has no features of the input {input}; use the input full"
            )
        counted = np.zeros(len(examples.ids), dtype=bool)
        for fold in (fold for folds in examples.folds.values() for fold in folds):
            counted[fold.test] = self.counts_tokens
        both = self.both_strands(settings)
        width = vector_width(compressor)
        blocks = {self._mean_block(both): width}
        if self.counts_tokens:
            blocks |= {"tokens": 1, "forced": 1}
            blocks |= {"ggrams": 1} if isinstance(compressor, FindsGGrams) else {}
        ends = width + 2  # of the columns that every model has

        def compute(rows: range) -> tuple[np.ndarray, int]:
            ids = [examples.ids[row] for row in rows]
            found = np.zeros((len(ids), sum(blocks.values())))
            found[:, :width], encoded = vectors_and_tokens(compressor, ids, both)
            for index in np.flatnonzero(counted[rows.start : rows.stop]):
                one = encoded[index]
                forced = -1 if one.kept_by is None else (one.kept_by != BY_ROUTER).any()
                found[index, width:ends] = len(one.token_starts), forced
                if isinstance(compressor, FindsGGrams):
                    found[index, ends] = len(compressor.matches([ids[index]])[0])
            return found, (2 if both else 1) * sum(map(len, ids))

        plan = StorePlan.of(
            examples.prepared, examples.table, input, compressor.facts, blocks, dtype="<f8"
        )
        return Extraction(plan, compute, ROWS_PER_PART)

    def both_strands(self, settings: Any) -> bool:
        """Whether vectors are means over both strands; so they are unless the section says no."""
        return bool(getattr(settings, "both_strands", True))

    @staticmethod
    def _mean_block(both_strands: bool) -> str:
        """Name of the mean vectors among the features."""
        return "mean" if both_strands else "mean_forward"

    def fit(self, features: FeatureStore, job: Job[Labelled]) -> Iterator[Found]:
        """Logistic regression on mean vectors; facts on bases per token and the floor's share."""
        examples = job.examples
        block = self._mean_block(self.both_strands(job.settings))
        yield from self._fitted(
            examples, self._probe(examples, features.block(block)), job.method.model
        )
        if not self.counts_tokens:
            return
        tokens, forced = (features.block(name)[:, 0] for name in ("tokens", "forced"))
        lengths = np.array([len(one) for one in examples.ids])
        for scheme, folds in examples.folds.items():
            rows = np.concatenate([fold.test for fold in folds])
            bpt = float(lengths[rows].sum() / tokens[rows].sum())
            yield Fact("bpt", bpt, len(rows), scheme, of_method=True)
            if (forced[rows] >= 0).all():
                share = float(forced[rows].mean())
                yield Fact(FLOOR_SHARE, share, len(rows), scheme, of_method=True)
            if "ggrams" in features.blocks:
                mean = float(features.block("ggrams")[rows, 0].mean())
                yield Fact(GGRAMS_PER_SEQUENCE, mean, len(rows), scheme, of_method=True)

    def tune(self, network: Any, job: Job[Labelled]) -> Iterator[Found]:
        """Fine-tune the network, and predict the test rows of the official split (or pool).

        Of several fits, bases per token after fine-tuning are those of the last.
        """
        from genezip.tasks.classification.network import tune
        from genezip.tasks.networks import tuned_with_ratio

        first = next((scheme for scheme in ONE_FOLD if scheme in job.examples.folds), "official")

        def tested() -> Iterator[np.ndarray]:
            for fold in job.examples.folds.get(first, ()):
                yield from (job.examples.ids[row] for row in fold.test)

        def tuned() -> Iterator[Found]:
            return self._tuned(job, lambda fold: tune(network, job, fold))

        return tuned_with_ratio(network, job, tested, tuned, first)

    def train_cnn(self, job: Job[Labelled]) -> Iterator[Found]:
        """Train the one-hot CNN, and predict the test rows of the official split (or pool)."""
        from genezip.tasks.classification.network import train_cnn

        return self._tuned(job, lambda fold: train_cnn(job, fold))

    def baselines(self, job: Job[Labelled], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Predictions of trivial baselines, then of class shares and composition."""
        examples = job.examples
        yield from self._trivial_baselines(examples)
        yield from self._fitted(examples, self._prior(examples), PRIOR)
        for name, x in composition_features(examples.ids).items():
            yield from self._fitted(examples, self._probe(examples, x), name)

    def fill(self, sheet: Sheet, method: Method, examples: Examples) -> None:
        """Add accuracy, MCC and macro F1 of a method to a sheet."""
        truth, predicted = (
            np.stack(values).argmax(axis=1) for values in (examples.target, examples.prediction)
        )
        classes, draws = len(examples.target[0]), sheet.bootstrap
        support = class_support(draws, truth, classes)
        positives = int(truth.sum()) if classes == 2 else None
        for metric, (_, scale) in METRICS.items():
            values = with_and_without(draws, metric, truth, predicted, classes)
            sheet.add(method, metric, values, len(truth), positives, scale=scale, support=support)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """Rows of the metrics of every method, and of paired differences of the models.

        Where a trivial baseline solves a set, the note of each of its rows states this. Several
        fits also have a row of their mean (:func:`mean_of_fits`).
        """
        rows: list[Row] = []
        for part in compared(files):
            _refuse_other_targets(part)
            own = part.rows(
                self.fill,
                self.unit,
                (bootstrap, seed),
                control,
                shown=self.shown,
                least_spread=LEAST_SPREAD,
            )
            marks = [_mark(method, each) for method, each in part.methods.items()]
            mark = joined(*dict.fromkeys(marks))
            rows += [each | {"note": joined(mark, each["note"])} for each in own]
        return rows + mean_of_fits(rows) + fact_rows(files)

    def _probe(self, examples: Labelled, x: np.ndarray) -> Fit:
        truth, units, classes = examples.truth, examples.units, examples.classes
        return lambda fold: linear_probe(x, truth, units, fold, classes)

    def _prior(self, examples: Labelled) -> Fit:
        return lambda fold: class_shares(examples.truth, fold, examples.classes)

    def _fitted(self, examples: Labelled, fit: Fit, model: str) -> Iterator[Found]:
        """Predictions under every split scheme, and notes on the schemes that were left out."""
        for scheme, fold, found, rows in by_fold(examples.folds, fit):
            yield _predictions(examples, scheme, fold, found[rows], model)
        yield from self._left_out(examples, examples.dropped, model)
        logger.info(f"{self.name} {examples.prepared.subset}: {model} predicted")

    def _trivial_baselines(self, examples: Labelled) -> Iterator[Found]:
        """Predictions of trivial baselines: their class, or class shares if not covered."""
        known: dict[tuple[str, str], list[TrivialBaseline]] = {}

        def fit(fold: Fold) -> list[TrivialBaseline]:
            return trivial_baselines(examples.ids, examples.truth, fold, examples.classes)

        for scheme, fold, found, rows in by_fold(examples.folds, fit):
            shares = class_shares(examples.truth, fold, examples.classes)
            for one in (each.of(rows) for each in found):
                known.setdefault((scheme, one.name), []).append(one)
                sure = np.eye(examples.classes)[one.predicted]
                values = np.where(one.covered[:, None], sure, shares)
                yield _predictions(examples, scheme, fold, values, one.name)
        for (scheme, name), folds in known.items():
            for metric in self.metrics:
                yield Note(metric, note_of(folds), scheme, value_stands=True, model=name)
        for name in TRIVIAL_BASELINES:
            yield from self._left_out(examples, examples.dropped, name)

    def _tuned(
        self, job: Job[Labelled], train: Callable[[Fold], Iterable[Tuned]]
    ) -> Iterator[Found]:
        """Predictions under the schemes with one fold, of every fit under a name of its own."""
        examples = job.examples
        known = {**examples.folds, **examples.dropped}
        first = next((scheme for scheme in ONE_FOLD if scheme in known), None)
        if first is None:
            raise GenezipError(
                f"{job.name}: a network is trained on the official split alone; add it to schemes "
                "(of histone marks `pool`)"
            )
        schemes = (first, "unseen")
        for one in train(examples.folds[first][0]) if first in examples.folds else ():
            for scheme in schemes:
                rule = scheme if one.number is None else fit_of(scheme, one.number)
                for fold in examples.folds.get(scheme, ()):
                    found = one.probabilities[fold.test]
                    yield _predictions(examples, rule, fold, found, job.method.model)
            if one.number is not None:
                rule = fit_of(first, one.number)
                score = None if np.isnan(one.score) else one.score
                yield Fact("mcc", score, one.valid, rule, "valid", of_method=True)
            if one.tried > 1 and not one.number:
                for key in ("batch", "learning_rate"):
                    value = float(getattr(one.settings, key))
                    yield Fact(f"grid_{key}", value, one.tried, first, "valid", of_method=True)
        yield from self._left_out(examples, schemes, job.method.model)

    def _left_out(self, examples: Labelled, schemes: Iterable[str], model: str) -> Iterator[Note]:
        """Notes with the reasons why split schemes were left out."""
        for scheme in schemes:
            if scheme in examples.dropped:
                for metric in self.metrics:
                    yield Note(metric, examples.dropped[scheme], scheme, model=model)


def _predictions(
    examples: Labelled, scheme: str, fold: Fold, found: np.ndarray, model: str
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


def _refuse_other_targets(part: Compared) -> None:
    """Refuse methods whose targets differ, as they were prepared from other data."""
    held = [(method, each) for method, each in part.methods.items() if each is not None]
    for method, each in held[1:]:
        if not np.array_equal(np.stack(each.target), np.stack(held[0][1].target)):
            raise GenezipError(
                f"{method.label} has other classes of {part.subset} than {held[0][0].label}; "
                "predict again from the same prepared data"
            )


def _mark(method: Method, examples: Examples | None) -> str:
    """Mark of a trivial baseline that solves the set; empty for other methods."""
    if method.mode != BASELINE or method.model not in TRIVIAL_BASELINES or examples is None:
        return ""
    truth, found = np.stack(examples.target).argmax(axis=1), np.stack(examples.prediction)
    one = TrivialBaseline(method.model, found.argmax(axis=1), found.max(axis=1) == 1, "")
    return solved(one, truth, found.shape[1]) or ""
