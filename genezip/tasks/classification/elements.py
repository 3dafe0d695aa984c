"""Promoter, enhancer or open chromatin: a linear probe on a frozen model's mean vectors.

The published lengths nearly give the classes away. So models and baselines of composition all read
a window of one length around the middle of the element, alone and on both strands; a model's
features are its mean vector over the bases of the window and both strands. One baseline knows the
length and nothing else; it is shown, and no model is compared with it.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode
from genezip.artifacts.scores import Row
from genezip.artifacts.tables import read_tsv
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.metrics.bootstrap import ratio, scarcer
from genezip.metrics.ranking import macro_auroc
from genezip.models.base import Compressor, vector_width
from genezip.tasks.base import Found, Job, Layout, Method, Note, NotMeasured, Predictions, Task
from genezip.tasks.classification.baselines import (
    LENGTH,
    PRIOR,
    boosted_trees,
    class_shares,
    composition_features,
)
from genezip.tasks.classification.probe import BATCH, linear_probe, mean_vectors, unlearnable
from genezip.tasks.classification.splits import Fold, balanced_folds, folds_of, loci
from genezip.tasks.deposits import FETCH, TaskFiles
from genezip.tasks.examples import MANIFEST, Prepared, preparing
from genezip.tasks.features import FeatureStore, Reading, StorePlan
from genezip.tasks.label_files import CLASSES, COLUMNS, SPLITS, measurable
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import Examples, Sheet, compared, ranked_support

logger = logging.getLogger(__name__)

UNIT = "loci"
METRICS = ("auroc_macro", "accuracy")
TOKENS = "tokens.npy"
UNSEEN = "no model sees the length, so none is compared with it"


@dataclass(frozen=True)
class Windows:
    """Windows around the elements of a prepared folder.

    Attributes
    ----------
    prepared : Prepared
        ``facts["left_out"]`` says how many elements have no window.
    table : DataFrame of :func:`windows`
    tokens : uint8 array, shape (n, window), token ids
    """

    prepared: Prepared
    table: pd.DataFrame
    tokens: np.ndarray


class Elements(Task[Windows]):
    """Regulatory elements of Ensembl, in the split of Genomic Benchmarks and by chromosome."""

    name = "elements"
    settings = config.Labels
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = Layout("array", (len(CLASSES),), "<f8", "<f8", "one number for every class")
    own_subset = "ensembl"

    def prepare(
        self,
        files: TaskFiles,
        genome: Path,
        subset: str,
        settings: config.Labels,
        seed: int,
        manifest: Path,
    ) -> Prepared:
        """As of :class:`Task`."""
        assembly = measurable(self, files, genome, subset).assembly()
        published = files.one("elements.tsv.gz")
        known = read_elements(published, settings.locus_bp)
        table, ids = windows(known, assembly, settings.element_bp, settings.folds)
        left_out = (
            f"{len(known) - len(table):,} of {len(known):,} elements left out: their window of "
            f"{settings.element_bp:,} bp is not inside a piece"
        )
        logger.info(f"{self.name}, {left_out}")
        classes, units = table["class"].to_numpy(), table["locus"].to_numpy()
        for rule, folds in rules(table).items():
            if reason := unlearnable(classes, units, folds, "element", UNIT):
                raise NotMeasured(f"{reason} (split {rule}, {len(table):,} elements)")
        inputs = {"elements": published, "genome": genome}
        with preparing(manifest, self.name, subset, inputs, (TOKENS,)) as draft:
            draft.write_examples(table)
            np.save(draft.folder / TOKENS, np.stack(ids))
            draft.facts = {"left_out": left_out}
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Windows:
        """As of :class:`Task`; the genome is not read."""
        prepared = Prepared.load(manifest, self.name)
        return Windows(prepared, prepared.table(), np.load(prepared.folder / TOKENS))

    def features(
        self, compressor: Compressor, examples: Windows, input: Input, settings: Any
    ) -> Reading:
        """As of :class:`Task`: the mean vector of every window, in double precision."""
        if input != "full":
            raise GenezipError(f"{self.name} reads whole windows; use the input full")
        plan = StorePlan(
            task=self.name,
            subset=examples.prepared.subset,
            input=input,
            layer="states",
            model=compressor.facts,
            prepared=examples.prepared.folder / MANIFEST,
            examples=examples.table["example"].to_numpy(),
            inner=(),
            blocks={"mean": vector_width(compressor)},
            dtype="<f8",
        )

        def compute(rows: range) -> tuple[np.ndarray, int]:
            here = examples.tokens[rows.start : rows.stop]
            return mean_vectors(compressor, list(here)), 2 * here.size

        return Reading(plan, compute, BATCH)

    def fit(self, features: FeatureStore, job: Job[Windows]) -> Iterator[Found]:
        """As of :class:`Task`."""
        x, table = features.block("mean"), job.examples.table
        for rule, folds in rules(table).items():
            yield from _predicted(table, rule, folds, job.method.model, x, job.seed)

    def baselines(self, job: Job[Windows], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Class shares, the length alone, and composition without the length."""
        table, tokens = job.examples.table, job.examples.tokens
        features = {PRIOR: np.zeros((len(table), 0)), LENGTH: lengths(table)}
        features |= composition_features(list(tokens))
        notes = {PRIOR: job.examples.prepared.facts["left_out"], LENGTH: UNSEEN}
        for rule, folds in rules(table).items():
            for model, x in features.items():
                yield from _predicted(table, rule, folds, model, x, job.seed)
                for metric in METRICS if model in notes else ():
                    yield Note(metric, notes[model], rule, value_stands=True, model=model)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        rows: list[Row] = []
        for part in compared(files):
            shown = frozenset([LENGTH])
            rows += part.rows(_score, UNIT, (bootstrap, seed), control, shown=shown)
        return rows


def rules(table: pd.DataFrame) -> dict[str, list[Fold]]:
    """Folds by chromosome, and the split that the elements were published with (its fold is -1)."""
    split = table["split"].to_numpy()
    own = Fold(-1, np.flatnonzero(split == "train"), np.flatnonzero(split == "test"))
    return {"chromosome": folds_of(table["fold"].to_numpy()), "paper": [own]}


def _predicted(
    table: pd.DataFrame, rule: str, folds: list[Fold], model: str, x: np.ndarray, seed: int
) -> Iterator[Predictions]:
    """Class probabilities of the test rows of every fold."""
    truth, units = table["class"].to_numpy(), table["locus"].to_numpy()
    for fold in folds:
        yield Predictions(
            "test",
            example=table["example"].to_numpy()[fold.test],
            group=units[fold.test],
            target=np.eye(len(CLASSES))[truth[fold.test]],
            prediction=_learn(model, x, truth, units, fold, seed),
            rule=rule,
            fold=fold.number,
            model=model,
        )
    tested = sum(len(fold.test) for fold in folds)
    logger.info(f"elements, {model}: split {rule}, {tested:,} tested")


def _learn(
    model: str, x: np.ndarray, truth: np.ndarray, units: np.ndarray, fold: Fold, seed: int
) -> np.ndarray:
    """Class probabilities of the test rows of a fold, (n, classes)."""
    if model == PRIOR:
        return class_shares(truth, fold, len(CLASSES))
    if model == LENGTH:
        return boosted_trees(x, truth, fold, len(CLASSES), seed)
    return linear_probe(x, truth, units, fold, len(CLASSES))


def _score(sheet: Sheet, method: Method, elements: Examples) -> None:
    """Macro AUROC (one class against the rest, within folds) and accuracy."""
    truth, found = np.stack(elements.target).argmax(1), np.stack(elements.prediction)
    boot, n = sheet.bootstrap, len(truth)
    ranked = boot.of_weights(lambda weights: macro_auroc(truth, found, weights, elements.fold))
    held = reduce(
        scarcer, [ranked_support(boot, truth == place) for place in range(found.shape[1])]
    )
    sheet.add(method, "auroc_macro", ranked, n, support=held)
    right = boot.sums({"right": found.argmax(1) == truth, "n": np.ones(n)})
    sheet.add(method, "accuracy", ratio(right["right"], right["n"]), n)


def lengths(table: pd.DataFrame) -> np.ndarray:
    """Length of the published interval (bp); float64, (n, 1)."""
    return (table["end"] - table["start"]).to_numpy(dtype=np.float64)[:, None]


def read_elements(path: Path, locus_bp: int) -> pd.DataFrame:
    """Read the elements (Ensembl regulatory build, in the split of Genomic Benchmarks).

    Parameters
    ----------
    path : TSV with the columns chrom, start, end (0-based, half-open), label, split, sequence
    locus_bp : length of a locus (bp)

    Returns
    -------
    DataFrame
        By chromosome and start: chrom, start, end, split (train or test), sequence, ``class``
        int64 (place in :data:`CLASSES`), ``locus`` str (chromosome and number of the block that
        holds the start).

    Raises
    ------
    GenezipError
        If columns are missing, a label or split is unknown, an interval is empty, or a sequence
        has another length than its interval.
    """
    table = read_tsv(path, COLUMNS, ("chrom", "sequence"), *FETCH)
    for name, known in (("label", CLASSES), ("split", SPLITS)):
        odd = set(table[name]) - set(known)
        if odd:
            raise GenezipError(
                f"{path} has the {name} {min(map(str, odd))!r}; use {', '.join(known)}"
            )
    empty = table["sequence"].isna() | (table["end"] <= table["start"])
    if empty.any():
        row = table[empty].iloc[0]
        raise GenezipError(
            f"line {int(np.argmax(empty.to_numpy())) + 2} of {path} has no base "
            f"({row['chrom']}:{row['start']}-{row['end']}); fetch the labels again"
        )
    wrong = table["sequence"].str.len() != table["end"] - table["start"]
    if wrong.any():
        row = table[wrong].iloc[0]
        raise GenezipError(
            f"{path}: the sequence of {row['chrom']}:{row['start']}-{row['end']} has "
            f"{len(row['sequence'])} bases; fetch the labels again"
        )
    table = table.sort_values(["chrom", "start", "end", "label"], ignore_index=True)
    table["class"] = table["label"].map({name: place for place, name in enumerate(CLASSES)})
    table["locus"] = loci(table, locus_bp)
    return table


def windows(
    table: pd.DataFrame, assembly: Assembly, window_bp: int, folds: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Cut a window of one length around the middle of each element, so that no length is seen.

    Parameters
    ----------
    table : of :func:`read_elements`
    assembly : genome of the same build
    window_bp : length of every window (bp)
    folds : number of chromosome folds

    Returns
    -------
    DataFrame
        The elements whose window lies in a segment of the genome, with ``example`` (row number)
        and ``fold`` (no chromosome in two): both follow from the elements that are measured,
        whatever else a table lists.
    list of uint8 arrays, shape (window_bp,)
        Their token ids.

    Raises
    ------
    GenezipError
        If the genome has other bases than an element: it is of another build.
    """
    first = (table["start"] + table["end"]).to_numpy() // 2 - window_bp // 2
    chrom, start, end = (table[name].to_numpy() for name in ("chrom", "start", "end"))
    found: dict[int, np.ndarray] = {}
    for segment in assembly.segments:
        inside = (first >= segment.start) & (first + window_bp <= segment.end)
        rows = np.flatnonzero((chrom == segment.chrom) & inside)
        for row in rows:
            low, high = max(start[row], segment.start), min(end[row], segment.end)
            text = table["sequence"].iloc[row][low - start[row] : high - start[row]]
            own = encode(text, f"the element {chrom[row]}:{start[row]}-{end[row]}")
            if not np.array_equal(encode(assembly.sequence(segment, low, high), segment.name), own):
                raise GenezipError(
                    f"the element {chrom[row]}:{start[row]}-{end[row]} has other bases than the "
                    f"segment {segment.name}; labels and genome must be of one build"
                )
            at = int(first[row])
            found[int(row)] = encode(assembly.sequence(segment, at, at + window_bp), segment.name)
    kept = sorted(found)
    measured = table.iloc[kept].reset_index(drop=True)
    measured.insert(0, "example", np.arange(len(measured)))
    measured["fold"] = measured["chrom"].map(balanced_folds(measured["chrom"], folds))
    return measured, [found[row] for row in kept]
