"""Promoter, enhancer or open chromatin: a linear probe on a frozen model's mean vectors.

The published lengths nearly determine the classes. So models and baselines of composition all read
a window of one length around the middle of the element; a model's features are its mean vector over
the bases of the window and both strands, or the plus strand as ``labels.both_strands`` says. One
baseline uses the length alone; it is shown, but no model is compared with it.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import decode, encode
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.metrics.bootstrap import ratio
from genezip.metrics.ranking import macro_auroc
from genezip.tasks.base import Found, Job, Layout, Method, Note, Task
from genezip.tasks.classification.baselines import (
    LENGTH,
    PRIOR,
    boosted_trees,
    composition_features,
)
from genezip.tasks.classification.splits import (
    PUBLISHED,
    UNTESTED,
    Fold,
    balanced_folds,
    folds_in,
    folds_of,
    loci,
)
from genezip.tasks.classification.task import Labelled, LabelledSequences
from genezip.tasks.deposits import FETCH, TaskFiles
from genezip.tasks.label_files import CLASSES, COLUMNS, SPLITS, measurable
from genezip.tasks.scores import Examples, Sheet, class_support

logger = logging.getLogger(__name__)

METRICS = ("auroc_macro", "accuracy")
UNSEEN = "no model sees the length, so none is compared with it"


class Elements(LabelledSequences):
    """The task of Ensembl's regulatory elements, in their published split and by chromosome."""

    name = "elements"
    settings = config.Labels
    unit, counted = "loci", "element"
    metrics = dict.fromkeys(METRICS, unit)
    layout = Layout("array", (len(CLASSES),), "<f8", "<f8", "one number for every class")
    modes = frozenset({"frozen"})
    streams = True
    reads_genome = True
    own_subset = "ensembl"
    classes = CLASSES
    every_scheme = True
    counts_tokens = False
    shown = frozenset({LENGTH})
    train_cnn = Task.train_cnn

    def inputs(self, files: TaskFiles, genome: Path, subset: str) -> Sequence[Path]:
        """The table of elements and the genome."""
        return files.one("elements.tsv.gz"), genome

    def read(
        self, files: TaskFiles, genome: Path, subset: str, settings: config.Labels
    ) -> pd.DataFrame:
        """Windows around the elements; ``group`` is the locus."""
        assembly = measurable(self, files, genome, subset).assembly()
        known = read_elements(files.one("elements.tsv.gz"), settings.locus_bp)
        table, ids = windows(known, assembly, settings.element_bp, settings.folds)
        table = table.rename(columns={"locus": "group"})
        table["sequence"] = [decode(one).decode() for one in ids]
        table.attrs["left_out"] = (
            f"{len(known) - len(table):,} of {len(known):,} elements left out: their window of "
            f"{settings.element_bp:,} bp is not inside a piece"
        )
        logger.info(f"{self.name}, {table.attrs['left_out']}")
        return table

    def splits(
        self, table: pd.DataFrame, ids: list[np.ndarray], settings: config.Labels
    ) -> dict[str, tuple[list[Fold], str]]:
        """Folds by chromosome, and the published split of the elements."""
        note, split = f"{len(table):,} elements", table["split"].to_numpy()
        published = np.where(split == "test", PUBLISHED, UNTESTED)
        return {
            "chromosome": (folds_of(table["fold"].to_numpy()), note),
            "paper": (folds_in(published, split), note),
        }

    def baselines(self, job: Job[Labelled], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Predictions of class shares, of the length, and of composition without the length."""
        examples = job.examples
        truth, classes, x = examples.truth, examples.classes, lengths(examples.table)
        yield from self._fitted(examples, self._prior(examples), PRIOR)
        yield from self._fitted(
            examples, lambda fold: boosted_trees(x, truth, fold, classes, job.seed), LENGTH
        )
        for name, shares in composition_features(examples.ids).items():
            yield from self._fitted(examples, self._probe(examples, shares), name)
        for model, note in ((PRIOR, examples.prepared.facts["left_out"]), (LENGTH, UNSEEN)):
            for rule in examples.folds:
                for metric in METRICS:
                    yield Note(metric, note, rule, value_stands=True, model=model)

    def fill(self, sheet: Sheet, method: Method, examples: Examples) -> None:
        """Add macro AUROC (one class against the rest, within folds) and accuracy of a method."""
        truth, found = np.stack(examples.target).argmax(1), np.stack(examples.prediction)
        boot, n = sheet.bootstrap, len(truth)
        ranked = boot.of_weights(lambda weights: macro_auroc(truth, found, weights, examples.fold))
        support = class_support(boot, truth, found.shape[1])
        sheet.add(method, "auroc_macro", ranked, n, support=support)
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
    DataFrame by chromosome and start: the columns, ``class`` int64 (index in :data:`CLASSES`), and
    ``locus`` str (chromosome and number of the block with the start)
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
    table["class"] = table["label"].map({name: number for number, name in enumerate(CLASSES)})
    table["locus"] = loci(table, locus_bp)
    return table


def windows(
    table: pd.DataFrame, assembly: Assembly, window_bp: int, folds: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Windows of one length around the middle of each element, whose bases must be the genome's.

    Parameters
    ----------
    table : of :func:`read_elements`
    assembly : genome of the same build
    window_bp : length of every window (bp)
    folds : number of chromosome folds

    Returns
    -------
    DataFrame of the elements whose window lies in a segment of the genome, with ``example`` (row
    number) and ``fold`` (no chromosome in two), both numbered over these elements alone; and the
    token ids of their windows, uint8 arrays (window_bp,)
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
