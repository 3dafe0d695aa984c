"""Contact maps (task ``cmp``): the windows of Akita with five maps each.

Records: Fudenberg et al. 2020 (Nature Methods 17:1111) and deposit doi:10.7910/DVN/AZM25S. A map
is the upper triangle of 448 x 448 bins from the second diagonal on, row by row: the order of
``numpy.triu_indices(448, 2)``.

Scores are five correlations per map and their mean over maps, with intervals by locus. Maps
without a finite score are skipped and counted in the note. ``valid100`` is the first 100 validation
maps, which the paper's table shows (GeneZip, arXiv 2602.17739, release 56ab596).
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from genezip import config
from genezip.artifacts.scores import MEAN, Row
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.metrics.bootstrap import BlockBootstrap, ratio
from genezip.metrics.contacts import (
    METRICS,
    OFFSET,
    contact_scores,
    has_signal,
    is_triangle,
    n_entries,
)
from genezip.tasks.base import Columns, Found, Job, Layout, Method, Published, Subsets
from genezip.tasks.deposits import Deposit, TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.features import FeatureStore
from genezip.tasks.predictions import ArrayRow, PredictionFile, gathered
from genezip.tasks.scores import estimated, joined, row
from genezip.tasks.windows.contact_baselines import predict_maps
from genezip.tasks.windows.examples import (
    CMP_BP,
    CMP_FULL,
    CMP_RELEASE,
    UNIT,
    Bins,
    WindowExamples,
    read_rows,
)
from genezip.tasks.windows.records import StoredWindows, find_shards, prepare_windows
from genezip.tasks.windows.task import Windows

TRACKS = ("HFF", "H1hESC", "GM12878", "IMR90", "HCT116")
"""Cell lines in the order of the last axis of a stored target."""
N_VALUES = n_entries(CMP_FULL.count)
assert N_VALUES == 99_681
FIRST_MAPS = 100
"""Validation maps that the release scores while training and reports, the first ones."""
FIRST_SPLIT = f"valid{FIRST_MAPS}"

_FOLDER = "contact_map_prediction"
_PUBLISHED = ("scc", "corr")  # metrics of the paper's table


class MapLayout(Layout):
    """Layout of one axis with the upper triangle of a map."""

    def fits(self, shape: Sequence[int]) -> bool:
        """As of :class:`Layout`; the size must be that of a triangle."""
        return super().fits(shape) and (shape[0] == -1 or is_triangle(shape[0]))


class CMP(Windows):
    """The task of contact maps of one cell line."""

    name = "cmp"
    settings = config.ContactMaps
    metrics = dict.fromkeys(METRICS, UNIT)
    layout = MapLayout(
        "array",
        (-1,),
        prediction="<f4",
        target="<f2",
        holds="one axis with the upper triangle of a map",
    )
    deposit = Deposit("doi:10.7910/DVN/AZM25S", lambda path: path.name == "sequences.bed")
    one_folder = True
    bins: ClassVar[dict[Input, Bins]] = {"authors": CMP_RELEASE, "full": CMP_FULL}
    bed = "/sequences.bed"
    reason = "contact map window"

    @staticmethod
    def _columns(subsets: Subsets) -> Columns:
        named = {name: short for short, name in subsets.items()} | {"Avg": MEAN}
        pairs = [(name, short, metric) for name, short in named.items() for metric in _PUBLISHED]
        return {f"{name}_{metric}": (short, metric) for name, short, metric in pairs}

    published = Published(_columns, mode="frozen", split=FIRST_SPLIT)

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`."""
        return prepare_contact_maps(files, genome, manifest)

    def fit(self, features: FeatureStore, job: Job[WindowExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.windows.heads import predict_contacts

        track = cell_line(job.examples.prepared, job.official)
        return predict_contacts(features.array, track, job)

    def train_cnn(self, job: Job[WindowExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.windows.cnn import ContactMapsCNN, train_cnn

        return train_cnn(ContactMapsCNN(job))

    def baselines(self, job: Job[WindowExamples], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`Task`."""
        return predict_maps(job.examples, cell_line(job.examples.prepared, job.official))

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        return map_rows(files, bootstrap, seed)


def prepare_contact_maps(
    files: TaskFiles, genome: ReferenceGenome | Path, manifest: str | Path
) -> Prepared:
    """Convert the shards into one folder for all subsets (cell lines).

    ``targets.SPLIT.npy``: float16, shape (n, 5, 99_681), logarithm of observed over expected
    contacts, rows in the order of the split's rows. ``examples.parquet``: example, split, chrom,
    start, end (window of 1,048,576 bp, hg38), locus.

    Parameters
    ----------
    files : list of ``.../contact_map_prediction/targets/SPLIT-NUMBER.tfr`` and ``sequences.bed``
    genome : ReferenceGenome, or path of a FASTA of hg38
    manifest : ``FOLDER/manifest.json``
    """
    if not isinstance(genome, ReferenceGenome):
        genome = ReferenceGenome(genome)
    bed = files.one("/sequences.bed")
    layout = StoredWindows(
        task="cmp",
        window_bp=CMP_BP,
        widened_bp=0,
        tracks=list(TRACKS),
        stored=(N_VALUES, len(TRACKS)),
        transposed=True,
        advice=(
            "the FASTA that Akita's records were cut from is hg38.ml.fa, which the deposit of rsap "
            "holds; name it in benchmarks.cmp.genome"
        ),
        facts={"bins": asdict(CMP_FULL), "first_diagonal": OFFSET},
    )
    rows = read_rows(bed, layout.window_bp, genome)
    shards = find_shards(files, _FOLDER)
    inputs = {"listing": files.listing, "sequences.bed": bed, "fasta": Path(genome.path)}
    return prepare_windows(layout, rows, shards, genome, manifest, inputs)


def cell_line(prepared: Prepared, official: str) -> int:
    """Index of a cell line among the maps of prepared data."""
    tracks = list(prepared.facts["tracks"])
    if official not in tracks:
        raise GenezipError(
            f"{prepared.folder} has no maps of {official}, only of {', '.join(tracks)}; name one "
            "of those in benchmarks.cmp.subsets"
        )
    return tracks.index(official)


@dataclass
class _Maps:
    """Scores of the maps of one method, split scheme and split of a file."""

    path: Path
    examples: list[int] = field(default_factory=list)
    loci: list[str] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    flat: list[bool] = field(default_factory=list)  # whether the target is constant

    def add(self, each: ArrayRow) -> None:
        if not is_triangle(each.target.size):
            raise GenezipError(
                f"{self.path} holds {each.target.size:,} values for {each.split} example "
                f"{each.example}, which is no upper triangle of a map; predict again"
            )
        self.examples.append(each.example)
        self.loci.append(each.group)
        self.scores.append(contact_scores(each.prediction, each.target))
        self.flat.append(not has_signal(each.target))


def map_rows(files: Sequence[PredictionFile], bootstrap: int, seed: int) -> list[Row]:
    """Rows of every method, split scheme and split of files of one subset."""

    def finish(method: Method, rule: str, split: str, maps: _Maps) -> list[Row]:
        order = np.argsort(maps.examples, kind="stable")
        rows = _means(method, rule, split, maps, order, bootstrap, seed)
        if split == "valid":
            rows += _means(method, rule, FIRST_SPLIT, maps, order[:FIRST_MAPS], bootstrap, seed)
        return rows

    return [each for file in files for each in gathered(file, partial(_Maps, file.path), finish)]


def _means(
    method: Method,
    rule: str,
    split: str,
    maps: _Maps,
    chosen: np.ndarray,
    bootstrap: int,
    seed: int,
) -> list[Row]:
    loci, flat = np.array(maps.loci)[chosen], np.array(maps.flat)[chosen]
    rows = []
    for metric in METRICS:
        values = np.array([maps.scores[index][metric] for index in chosen])
        finite = np.isfinite(values)
        note = skipped(len(chosen), int(finite.sum()), int((flat & ~finite).sum()))
        cells: Row = {"unit": UNIT, "units": 0, "note": ""}
        if finite.any():
            boot = BlockBootstrap(loci[finite], bootstrap, seed)
            sums = boot.sums({"score": values[finite], "maps": np.ones(int(finite.sum()))})
            cells = estimated(boot, ratio(sums["score"], sums["maps"]), UNIT, "correlation")
        cells["note"] = joined(note, cells["note"])
        rows.append(
            row(method, rule=rule, split=split, metric=metric, n=int(finite.sum()), **cells)
        )
    return rows


def skipped(maps: int, scored: int, flat: int) -> str:
    """Number of maps without a score, with reasons; empty where all have one.

    ``flat`` of them have a constant target (a missing chromosome).
    """
    if scored == maps:
        return ""
    reasons = []
    if flat:
        reasons.append(f"{flat} with a constant target")
    if maps - scored - flat:
        reasons.append(f"{maps - scored - flat} with a prediction without variance")
    return f"{maps - scored} of {maps} maps have no score: {', '.join(reasons)}"
