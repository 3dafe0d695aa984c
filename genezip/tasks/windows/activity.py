"""Regulatory activity (task ``rsap``): binned tracks of the Basenji2 windows.

Records: Kelley 2020 (PLoS Computational Biology 16:e1008050) and deposit doi:10.7910/DVN/MNUEZR.
A record holds the 131,072 bp of its interval and 896 bins of 128 bp, 8,192 bp cropped on each
side. Inputs are 196,608 bp: the interval and 32,768 bp on both sides (Avsec et al. 2021).

Scores are three Pearson correlations, with intervals by locus, from sums per locus and track.
Where the sums of a method exceed ``LOCI_BYTES``, as with thousands of tracks, they are added up
over loci, and ``pcc_flat`` and ``pcc_track`` have no interval. They are dropped after the method's
last row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from genezip import config
from genezip.artifacts.manifest import Kind
from genezip.artifacts.scores import Row
from genezip.config.tasks import Input
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, ratio
from genezip.metrics.correlation import (
    ACTIVITY_METRICS,
    defined_sum,
    pearson,
    pooled_pcc,
    track_pcc,
    track_sums,
)
from genezip.tasks.base import Found, Job, Layout, Method, Predictions
from genezip.tasks.deposits import Deposit, TaskFiles
from genezip.tasks.examples import Prepared, rows_by_split
from genezip.tasks.features import FeatureStore
from genezip.tasks.predictions import ArrayRow, PredictionFile, gathered
from genezip.tasks.scores import estimated, joined, row
from genezip.tasks.windows.examples import (
    RSAP_BINS,
    RSAP_STORED_BP,
    RSAP_WIDENED,
    UNIT,
    Bins,
    WindowExamples,
    predictions_at,
    read_rows,
)
from genezip.tasks.windows.records import StoredWindows, find_shards, prepare_windows
from genezip.tasks.windows.task import Windows

LOCI_BYTES = 1 << 30
_TRACKS_AT_ONCE = 256  # 25 MB of sums for 2,000 loci
_NO_MEMORY = "no interval: sums of every locus would not fit in memory"
_UNDEFINED = "labels or predictions have no variance, so Pearson's r is undefined"
_FIXED = {
    "seq_length": RSAP_STORED_BP,
    "target_length": RSAP_BINS.count,
    "pool_width": RSAP_BINS.width_bp,
    "crop_bp": RSAP_BINS.first_bp - RSAP_WIDENED,
}
_STATISTICS = Kind(
    "statistics file of a Basenji2 deposit",
    None,
    "fetch it first",
    "fetch it again",
    keys=("num_targets", *_FIXED),
)


def _is_list_of_windows(path: PurePosixPath) -> bool:
    return path.name == "sequences.bed" and "mouse" not in path.parts


class RSAP(Windows):
    """The task of all activity tracks of one species."""

    name = "rsap"
    settings = config.Activity
    metrics = dict.fromkeys(ACTIVITY_METRICS, UNIT)
    layout = Layout("array", (-1, -1), holds="an axis of bins and one of tracks")
    deposit = Deposit("doi:10.7910/DVN/MNUEZR", _is_list_of_windows, listed=True)
    fasta = ("human/seqs/hg38.ml.fa", "human/seqs/hg38.ml.fa.gz")
    bins: ClassVar[dict[Input, Bins]] = {"authors": RSAP_BINS, "full": RSAP_BINS}
    bed = "human/sequences.bed"
    widened_bp = RSAP_WIDENED
    scored_apart = config.Activity.SCORED_APART
    store_dtype = "<f2"  # 105 GB for a model of 1,536 channels, in place of 210
    reason = f"regulatory activity interval widened by {RSAP_WIDENED}"

    def prepare(
        self, files: TaskFiles, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        """As of :class:`Task`; the subset is a species."""
        return prepare_activity(files, subset, genome, manifest)

    def fit(self, features: FeatureStore, job: Job[WindowExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.windows.heads import predict_activity

        return predict_activity(features.array, job)

    def train_cnn(self, job: Job[WindowExamples]) -> Iterator[Found]:
        """As of :class:`Task`."""
        from genezip.tasks.windows.cnn import TracksCNN, train_cnn

        return train_cnn(TracksCNN(job))

    def baselines(self, job: Job[WindowExamples], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`Task`."""
        return predict_means(job.examples)

    def scores(
        self, files: Sequence[PredictionFile], bootstrap: int, seed: int, control: str | None
    ) -> list[Row]:
        """As of :class:`Task`."""
        return activity_rows(files, bootstrap, seed)


def prepare_activity(
    files: TaskFiles, species: str, genome: ReferenceGenome | Path, manifest: str | Path
) -> Prepared:
    """Convert the shards of a species.

    ``targets.SPLIT.npy``: float16, shape (n, 896, tracks), rows in the order of the split's rows.
    ``examples.parquet``: example, split, chrom, start, end (input of 196,608 bp, which may reach
    beyond the chromosome), locus.

    Parameters
    ----------
    files : list of ``.../SPECIES/sequences.bed``, ``statistics.json`` and
        ``targets/SPLIT-NUMBER.tfr``
    species : folder of the deposit (``human``)
    genome : ReferenceGenome, or path of the deposit's own FASTA, unpacked
    manifest : ``FOLDER/manifest.json``
    """
    if not isinstance(genome, ReferenceGenome):
        genome = ReferenceGenome(genome)
    known = sorted({path.parent.name for path in files.paths if path.name == "sequences.bed"})
    if known and species not in known:
        raise GenezipError(
            f"{files.listing} has no species {species!r}; name a species with --subset (it has "
            f"{', '.join(known)})"
        )
    bed = files.one(f"/{species}/sequences.bed")
    about = files.one(f"/{species}/statistics.json")
    statistics = _statistics(about)
    rows = read_rows(bed, RSAP_STORED_BP, genome)
    _compare_counts(about, statistics, bed, rows)
    layout = StoredWindows(
        task="rsap",
        window_bp=RSAP_STORED_BP,
        widened_bp=RSAP_WIDENED,
        tracks=[str(number) for number in range(statistics["num_targets"])],
        stored=(RSAP_BINS.count, statistics["num_targets"]),
        transposed=False,
        advice="give the deposit's own FASTA (.ml.fa), unpacked",
        facts={"species": species, "bins": asdict(RSAP_BINS)},
    )
    shards = find_shards(files, species)
    inputs = {
        "listing": files.listing,
        "sequences.bed": bed,
        "statistics.json": about,
        "fasta": Path(genome.path),
    }
    return prepare_windows(layout, rows, shards, genome, manifest, inputs)


def _statistics(path: Path) -> dict[str, int]:
    """The numbers of ``statistics.json``; another geometry than :data:`_FIXED` is refused."""
    raw = _STATISTICS.read(path)
    try:
        found = {key: int(raw[key]) for key in _STATISTICS.keys}
        found |= {key: int(raw[key]) for key in map(_count_key, SPLITS) if key in raw}
    except (ValueError, TypeError, OverflowError) as error:
        raise _STATISTICS.unreadable(path, error) from None
    for key, value in _FIXED.items():
        if found[key] != value:
            raise GenezipError(
                f"{path} has {key} {found[key]:,}, this genezip reads {value:,}; "
                "fetch the deposit doi:10.7910/DVN/MNUEZR"
            )
    if found["num_targets"] < 1:
        raise GenezipError(f"{path} has num_targets {found['num_targets']}; fetch it again")
    return found


def _compare_counts(about: Path, statistics: dict[str, int], bed: Path, rows: pd.DataFrame) -> None:
    for split in SPLITS:
        stated = statistics.get(_count_key(split))
        count = int((rows["split"] == split).sum())
        if stated is not None and stated != count:
            raise GenezipError(
                f"{about} states {stated:,} {split} windows, {bed} has {count:,}; fetch both again"
            )


def _count_key(split: str) -> str:
    return f"{split}_seqs"


def mean_target(targets: np.ndarray) -> np.ndarray:
    """Mean over sequences of every bin and track, from one sequence at a time; NaN is ignored.

    Targets are floats (n, bins, tracks); the mean is float64 (bins, tracks), 0 where nothing is
    finite.
    """
    total, count = np.zeros(targets.shape[1:]), np.zeros(targets.shape[1:])
    for target in progress(targets, "training sequences", unit="sequence"):
        finite = np.isfinite(target)
        total += np.where(finite, target, 0)
        count += finite
    return total / np.maximum(count, 1)


def predict_means(windows: WindowExamples) -> Iterator[Predictions]:
    """Predictions of ``track_mean`` and ``bin_mean``, training means, on the test sequences.

    Validation is not predicted: no choice needs it, and a row of 5,313 tracks takes 19 MB.
    """
    by_bin = mean_target(windows.targets("train"))
    by_track = np.broadcast_to(by_bin.mean(axis=0), by_bin.shape)
    targets, rows = windows.targets("test"), rows_by_split(windows.table)["test"]
    for model, found in (("track_mean", by_track), ("bin_mean", by_bin)):
        for number, position in enumerate(rows):
            target = np.asarray(targets[number])
            yield predictions_at(windows.table, np.array([position]), [target], [found], model)


class _Loci:
    """Sums of one method, split scheme and split."""

    def __init__(self) -> None:
        self.sequences: list[tuple[str, float]] = []  # locus, r of the sequence
        self.by_locus: dict[str, np.ndarray] = {}
        self.merged = False

    def add(self, each: ArrayRow) -> None:
        locus, sums = each.group, track_sums(each.prediction, each.target)
        self.sequences.append((locus, float(pooled_pcc(sums))))
        key = "" if self.merged else locus
        if key in self.by_locus:
            self.by_locus[key] += sums
        else:
            self.by_locus[key] = sums
        if not self.merged and len(self.by_locus) * sums.nbytes > LOCI_BYTES:
            total = np.add.reduce(list(self.by_locus.values()))
            self.merged, self.by_locus = True, {"": total}


def activity_rows(files: Sequence[PredictionFile], bootstrap: int, seed: int) -> list[Row]:
    """Rows of every method, split scheme and split of files of one subset."""

    def finish(method: Method, rule: str, split: str, loci: _Loci) -> list[Row]:
        common = {"rule": rule, "split": split}
        mean = _sequences(loci, bootstrap, seed)
        rows = [row(method, metric="pcc_sequence", **common, **mean)]
        for metric, cells in _pooled(loci, bootstrap, seed).items():
            rows.append(row(method, metric=metric, n=len(loci.sequences), **common, **cells))
        return rows

    return [each for file in files for each in gathered(file, _Loci, finish)]


def _sequences(loci: _Loci, bootstrap: int, seed: int) -> Row:
    """Cells of the mean r over sequences that have one."""
    scored = [(locus, r) for locus, r in loci.sequences if np.isfinite(r)]
    lost = len(loci.sequences) - len(scored)
    note = f"{lost} of {len(loci.sequences)} sequences have no r" if lost else ""
    if not scored:
        return {"n": 0, "unit": UNIT, "units": 0, "note": _UNDEFINED}
    boot = BlockBootstrap(np.array([locus for locus, _ in scored], dtype=str), bootstrap, seed)
    sums = boot.sums({"r": np.array([r for _, r in scored]), "one": np.ones(len(scored))})
    cells = estimated(boot, ratio(sums["r"], sums["one"]), UNIT, "correlation")
    return cells | {"n": len(scored), "note": joined(note, cells["note"])}


def _pooled(loci: _Loci, bootstrap: int, seed: int) -> dict[str, Row]:
    """Cells of ``pcc_flat`` and ``pcc_track`` from the sums of loci."""
    sums = np.stack(list(loci.by_locus.values()))
    total = sums.sum(axis=0)
    lost = int(np.isnan(pearson(total)).sum())
    note = f"{lost} of {len(total)} tracks have no r" if lost else ""
    units = len({locus for locus, _ in loci.sequences})
    found: dict[str, Row] = {}
    for metric, value in (("pcc_flat", pooled_pcc(total)), ("pcc_track", track_pcc(total))):
        if np.isnan(value):
            cells: Row = {"note": _UNDEFINED}
        elif loci.merged:
            cells = {"value": float(value), "note": _NO_MEMORY}
        else:
            boot = BlockBootstrap(np.array(list(loci.by_locus), dtype=str), bootstrap, seed)
            found_values = _flat(boot, sums) if metric == "pcc_flat" else _tracks(boot, sums)
            cells = estimated(boot, found_values, UNIT, "correlation")
        if metric == "pcc_track" and "value" in cells:
            cells["note"] = joined(note, cells["note"])
        found[metric] = cells | {"unit": UNIT, "units": units}
    return found


def _flat(boot: BlockBootstrap, sums: np.ndarray) -> np.ndarray:
    return pearson(boot.sums({"sums": sums.sum(axis=1)})["sums"])


def _tracks(boot: BlockBootstrap, sums: np.ndarray) -> np.ndarray:
    """:func:`track_pcc` with and without each locus, in batches of tracks."""
    total = count = np.zeros(boot.n_blocks + 1)
    for low in range(0, sums.shape[1], _TRACKS_AT_ONCE):
        part = boot.sums({"sums": sums[:, low : low + _TRACKS_AT_ONCE]})["sums"]
        r, defined = defined_sum(pearson(part))
        total, count = total + r, count + defined
    return ratio(total, count)
