"""CRISPRi enhancer-gene pairs of the ENCODE-rE2G benchmark (Gschwind et al.), ranked by distance.

A model needs element and TSS in one sequence. On a genome of short segments almost no pair has
both, so models have empty cells, whose note gives the number of such pairs. Distance alone ranks
well; ``auroc_distance_matched`` scores distance, like any method, among pairs matched in distance
(:mod:`genezip.tasks.pairs.scores`).
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.artifacts.scores import Row
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.metrics.ranking import auprc, auroc
from genezip.models.base import Compressor
from genezip.tasks.base import ALL, Found, Job, Layout, Method, Note, Predictions, Task
from genezip.tasks.deposits import FETCH, TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.label_files import measurable
from genezip.tasks.pairs.scores import MATCHED, UNIT, matched_rows, undefined_reason
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import Examples, Sheet, compared, ranked_support

logger = logging.getLogger(__name__)

RANKED = {"auroc": auroc, "auprc": auprc}
DISTANCE = "distance"
COLUMNS = (
    "chrom",
    "chromStart",
    "chromEnd",
    "chrTSS",
    "startTSS",
    "endTSS",
    "measuredGeneEnsemblId",
    "measuredGeneSymbol",
    "CellType",
    "Regulated",
)


@dataclass(frozen=True)
class Screens:
    """The pairs of a prepared folder."""

    prepared: Prepared
    table: pd.DataFrame  # of :func:`read_screens`, and ``inside`` of :func:`inside_segments`

    @property
    def no_model(self) -> str:
        """Reason why no model ranks the pairs."""
        held = f"{int(self.table['inside'].sum())} of {len(self.table):,} pairs"
        return f"only {held} have element and TSS in one sequence of this run"


class CRISPRi(Task[Screens]):
    """The task of predicting whether silencing an element changed a gene's expression."""

    name = "enhancer_gene"
    settings = config.Labels
    metrics = dict.fromkeys([*RANKED, MATCHED], UNIT)
    layout = Layout("scalar")
    caches = False

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        source = measurable(self, files, genome, subset)
        screens = {name: files.one(f"screen.{name}.tsv.gz") for name in ("train", "test")}
        pairs = read_screens(**screens)
        inside = inside_segments(pairs, source.assembly())
        with preparing(manifest, self.name, subset, {**screens, "genome": genome}) as draft:
            draft.write_examples(pairs.assign(inside=inside))
        return Prepared.load(manifest, self.name)

    def open(self, manifest: Path, genome: Path) -> Screens:
        """As of :class:`Task`; the genome is not read."""
        prepared = Prepared.load(manifest, self.name)
        return Screens(prepared, prepared.table())

    def fit_uncached(self, compressor: Compressor, job: Job[Screens]) -> Iterator[Found]:
        """Notes with the reason why there is no prediction."""
        reason = job.examples.no_model
        logger.info(f"{self.name}, {compressor.name}: {reason}")
        for metric in self.metrics:
            yield Note(metric, reason)

    def baselines(self, job: Job[Screens], tss: pd.DataFrame | None) -> Iterator[Found]:
        """Predictions by minus the distance and by the positive rate of the training screen."""
        pairs = job.examples.table
        train = (pairs["split"] == "train").to_numpy()
        prior = float(pairs.loc[train, "label"].mean())
        scores = {DISTANCE: -pairs["distance"].to_numpy(dtype=np.float64)}
        scores["class_prior"] = np.full(len(pairs), prior)
        for split, subset, rows in _sets(pairs):
            chosen = pairs[rows]
            for name, values in scores.items():
                yield Predictions(
                    split,
                    example=chosen["example"].to_numpy(),
                    group=chosen["gene"].to_numpy(),
                    target=chosen["label"].to_numpy(),
                    prediction=values[rows],
                    model=name,
                    subset=subset,
                )
        logger.info(f"{self.name}: {len(pairs):,} pairs; {job.examples.no_model}")

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`; rows of pairs matched in distance come last."""
        rows: list[Row] = []
        for part in compared(files):
            rows += matched_rows(part, (bootstrap, seed))
            rows += part.rows(_rank, UNIT, (bootstrap, seed), control)
        return sorted(rows, key=lambda row: str(row["metric"]).startswith(MATCHED))


def _sets(pairs: pd.DataFrame) -> list[tuple[str, str, np.ndarray]]:
    """Held-out pairs together and by cell type, then the training screen."""
    test = (pairs["split"] == "test").to_numpy()
    found = [("test", ALL, test)]
    for name in sorted(pairs.loc[test, "cell_type"].unique()):
        found.append(("test", str(name), test & (pairs["cell_type"] == name).to_numpy()))
    return [*found, ("train", ALL, ~test)]


def _rank(sheet: Sheet, method: Method, pairs: Examples) -> None:
    """Add the ranking scores of a method; ties are counted as scikit-learn does."""
    truth, boot = pairs.target, sheet.bootstrap
    counts, held = (len(truth), int(truth.sum())), ranked_support(boot, truth)
    reason = undefined_reason(truth, np.zeros(len(truth)), "pairs")
    for name, metric in RANKED.items():
        if reason:
            sheet.add(method, name, None, *counts, f"{reason}: {name.upper()} is undefined")
            continue
        values = boot.of_weights(partial(metric, truth, pairs.prediction))
        sheet.add(method, name, values, *counts, support=held)


def read_screens(train: Path, test: Path) -> pd.DataFrame:
    """Pairs of the training screen (K562) and of the held-out screens.

    The columns are ``example`` (row number), ``split`` (train or test), cell_type, gene (Ensembl
    id, or the symbol where there is none), chrom, start, end of the element (0-based, half-open),
    tss (0-based), ``distance`` int64 (bp from the middle of the element to the TSS), ``label``
    int64 (1: the screen found regulation).
    """
    found = [_read(path, split) for path, split in ((train, "train"), (test, "test"))]
    table = pd.concat(found, ignore_index=True)
    table.insert(0, "example", np.arange(len(table)))
    return table


def _read(path: Path, split: str) -> pd.DataFrame:
    raw = read_tsv(path, COLUMNS, None, *FETCH)
    odd = set(raw["Regulated"].dropna()) - {"TRUE", "FALSE"}
    if odd or raw["Regulated"].isna().any():
        raise GenezipError(f"{path}: Regulated must be TRUE or FALSE; fetch the labels again")
    numbers = (_coordinates(path, raw[name]) for name in ("chromStart", "chromEnd", "startTSS"))
    start, end, tss = numbers
    gene = raw["measuredGeneEnsemblId"].fillna(raw["measuredGeneSymbol"])
    _refuse(path, end < start, "an element that ends before it starts")
    _refuse(path, raw["chrom"].isna(), "no chromosome")
    _refuse(path, raw["chrTSS"] != raw["chrom"], "its TSS on another chromosome than its element")
    _refuse(path, gene.isna(), "no gene, neither an Ensembl id nor a symbol")
    _refuse(path, raw["CellType"].isna(), "no cell type")
    return pd.DataFrame(
        {
            "split": split,
            "cell_type": raw["CellType"],
            "gene": gene,
            "chrom": raw["chrom"],
            "start": start,
            "end": end,
            "tss": tss,
            "distance": ((start + end) // 2 - tss).abs(),
            "label": (raw["Regulated"] == "TRUE").astype(np.int64),
        }
    )


def _coordinates(path: Path, column: pd.Series) -> pd.Series:
    """A column of whole numbers from 0 on, as int64."""
    _refuse(path, ~column.str.fullmatch(r"[0-9]{1,18}").eq(True), f"no whole {column.name}")
    return column.astype(np.int64)


def _refuse(path: Path, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        line = int(np.argmax(wrong.to_numpy())) + 2  # the first line is the header
        raise GenezipError(f"line {line} of {path} has {what}; fetch the labels again")


def inside_segments(pairs: pd.DataFrame, assembly: Assembly) -> np.ndarray:
    """Whether element and TSS lie in one segment of the genome; bool, one per pair."""
    found = np.zeros(len(pairs), dtype=bool)
    low = np.minimum(pairs["start"].to_numpy(), pairs["tss"].to_numpy())
    high = np.maximum(pairs["end"].to_numpy(), pairs["tss"].to_numpy() + 1)
    chrom = pairs["chrom"].to_numpy()
    for segment in assembly.segments:
        found |= (chrom == segment.chrom) & (low >= segment.start) & (high <= segment.end)
    return found
