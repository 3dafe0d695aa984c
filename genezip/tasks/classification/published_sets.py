"""The task of published labelled sets: those of GUE, and histone marks of yeast.

A set of GUE (Zhou et al. 2023, arXiv 2306.15006) has a file for each split. A set ``nt_MARK`` is a
histone mark of the Nucleotide Transformer (Dalla-Torre et al. 2023, doi 10.1101/2023.01.11.523679;
windows of 500 bp, Pokholok et al. 2005) with its official test part. Its training file is too large
for the places that hold the test part, and GUE divides the same pool of windows in another way. So
a set is trained on the rows of GUE's dev and test files that are not in the test part (split scheme
``pool``), unless the official training file is there too (``official``). With the genome of the
windows, they are also divided by chromosome.
"""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode, is_base
from genezip.artifacts.published import nucleotide_transformer
from genezip.artifacts.scores import Row
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.genome.kmers import occurrences
from genezip.tasks.base import Found, Job, Note, NotMeasured, Published, Subsets
from genezip.tasks.classification.baselines import PRIOR
from genezip.tasks.classification.sets import (
    labelled,
    read_headed,
    read_sequences,
    require_disjoint,
    require_whole_labels,
    split_files,
)
from genezip.tasks.classification.similarity import families, stretches
from genezip.tasks.classification.splits import Fold, split_folds
from genezip.tasks.classification.task import Labelled, LabelledSequences
from genezip.tasks.deposits import TaskFiles

logger = logging.getLogger(__name__)

NT = "nt_"
"""Prefix of the names of the sets of the Nucleotide Transformer."""
POOL = "EMP_"
"""Prefix of the names of the same marks in GUE."""
YEAST = "yeast_S288C.GCA_000146045.2_R64.genomic.fna"
"""Name of the genome of the histone marks, without ``.gz``."""
MIDDLE_BP = 250  # a probe's coordinate is about the middle of its window
DRIFT_BP = 1_000  # largest distance from it, as coordinates are of an older release of the genome
UNPLACED = ""  # chromosome of a window without a single place


def published_rows() -> list[Row]:
    """Published MCC on all sets of the Nucleotide Transformer, also on those without ours."""
    rows: list[Row] = []
    for one in nucleotide_transformer().to_dict("records"):
        cells = {"subset": one["set"], "metric": "mcc", "n": one["test_rows"]}
        released = {
            "ci_low": one["released"] - one["ci95"],
            "ci_high": one["released"] + one["ci95"],
        }
        released["note"] = "mean of ten fits; its interval is over fits that share one test part"
        for model, value, more in (
            ("LDARNet, released weights", one["released"], released),
            ("LDARNet, paper", one["paper"], {}),
            (f"{one['small_name']}, best other below 300 M parameters", one["small"], {}),
            (f"{one['best_name']}, best other of any size", one["best"], {}),
        ):
            rows.append(cells | {"model": model, "value": value} | more)
    return rows


class Classification(LabelledSequences):
    """Labelled sets of GUE, and histone marks of the Nucleotide Transformer."""

    name = "classification"
    published = Published(rows=published_rows)

    def subsets(self, settings: Any) -> Subsets:
        """The sets of the configuration section."""
        chosen: Subsets = settings.subsets
        return chosen

    def inputs(self, files: TaskFiles, genome: Path, subset: str) -> Sequence[Path]:
        """The listed files of a set, plain or in gzip.

        These are ``SUBSET.train.csv``, ``.dev.csv`` and ``.test.csv``. Those of ``nt_MARK`` are
        ``nt_MARK.test.fna``, then ``nt_MARK.train.fna`` or else ``EMP_MARK.dev.csv`` and
        ``EMP_MARK.test.csv``, and the genome of yeast if it is listed.
        """
        if subset.startswith(NT):
            mark = subset.removeprefix(NT)
            test = _required(files, f"{subset}.test.fna", self.name)
            rows = _listed(files, f"{subset}.train.fna") or [
                *_required(files, f"{POOL}{mark}.dev.csv", self.name),
                *_required(files, f"{POOL}{mark}.test.csv", self.name),
            ]
            return [*test, *rows, *_listed(files, YEAST)]
        found = split_files(files.paths, subset)
        for split in ("train", "test"):
            if split not in found:
                _required(files, f"{subset}.{split}.csv", self.name)
        return list(found.values())

    def read(
        self, files: TaskFiles, genome: Path, subset: str, settings: config.Classification
    ) -> pd.DataFrame:
        """The rows of :meth:`inputs`, with at most ``train_rows`` training rows."""
        paths = self.inputs(files, genome, subset)
        if subset.startswith(NT):
            placed = "chromosome" in settings.schemes  # the only split that needs places
            table = read_histones(paths if placed else _without_genome(paths), subset)
        else:
            table = read_sequences(paths)
            if "valid" not in set(table["split"]):
                logger.info(f"{self.name} {subset}: {files.listing} lists no {subset}.dev.csv")
        require_whole_labels(table, subset)
        return _capped(table, settings.train_rows, settings.seed)

    def splits(
        self, table: pd.DataFrame, ids: list[np.ndarray], settings: config.Classification
    ) -> dict[str, tuple[list[Fold], str]]:
        """Folds of the split schemes that the set has; at least one."""
        lacking = "pool" if table.attrs.get("trained_on", "official") == "official" else "official"
        left_out = {lacking} | ({"chromosome"} if "chrom" not in table else set())
        schemes = [scheme for scheme in settings.schemes if scheme not in left_out]
        if not schemes:
            given = ", ".join(settings.schemes)
            raise GenezipError(
                f"the set has none of the split schemes {given}; name others in schemes"
            )
        return {scheme: split_folds(table, ids, scheme, settings.folds) for scheme in schemes}

    def baselines(self, job: Job[Labelled], tss: pd.DataFrame | None) -> Iterator[Found]:
        """As of :class:`LabelledSequences`; class shares note what rows there are."""
        yield from super().baselines(job, tss)
        facts = job.examples.prepared.facts
        for scheme in job.examples.folds:
            words = [facts[name] for name in ("rows", "capped") if name in facts]
            if scheme == "chromosome":
                words.append(facts["schemes"][scheme])
            for text in words:
                for metric in self.metrics:
                    yield Note(metric, text, scheme, value_stands=True, model=PRIOR)


def read_histones(paths: Sequence[Path], name: str) -> pd.DataFrame:
    """A histone mark: its official test part, and training rows that are not in it.

    Parameters
    ----------
    paths : of :meth:`Classification.inputs`: FASTA of the test part, then FASTA or tables of
        training rows, and FASTA of the genome or none
    name : of the set, for messages

    Returns
    -------
    DataFrame of :func:`genezip.tasks.classification.sets.labelled`, each sequence once; with a
    genome with chrom, start and end (0-based, half-open; empty and -1 for a window without a single
    place on the plus strand). ``group`` is the family of alike sequences. Its attribute
    ``trained_on`` is ``official`` or ``pool``, and the attribute ``rows`` counts them in words.
    """
    test_file, *sources = _without_genome(paths)
    genome = next((path for path in paths if path not in (test_file, *sources)), None)
    headed = {path: _is_headed(path) for path in sources}
    rows = [row | {"split": "test"} for row in read_headed(test_file)]
    for path in (path for path in sources if headed[path]):
        rows += [row | {"split": "train"} for row in read_headed(path)]
    found = [row | {"sequence": row["sequence"].upper()} for row in rows]
    official = any(headed.values())
    words = f"{sum(row['split'] == 'test' for row in rows):,} official test rows"
    if not official:
        pool = read_sequences(sources)[["sequence", "label"]].drop_duplicates("sequence")
        of = " and ".join(map(str, sources))
        other = pool[~pool["sequence"].isin({row["sequence"] for row in found})]
        found += [
            {"split": "train", "sequence": sequence, "label": label, "file": of, "line": 0}
            for sequence, label in other.itertuples(index=False)
        ]
        words += (
            f"; trained on {len(other):,} rows of GUE's dev and test files, without the "
            f"{len(pool) - len(other):,} that are in the test part"
        )
    table = labelled(found)
    require_disjoint(table, name)
    ids = [encode(text) for text in table["sequence"]]
    if genome is not None:
        places = place(ids, genome, [row.get("probe") and row["coordinate"] for row in found])
        table = pd.concat([table, places], axis=1)
        lost = int((table["chrom"] == UNPLACED).sum())
        words += f"; {lost:,} of {len(table):,} rows have no single place in the genome"
    table["group"] = families(stretches(ids)).astype(str)
    table.attrs |= {"trained_on": "official" if official else "pool", "rows": words}
    logger.info(f"{name}: {words}")
    return table


def _without_genome(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if path.name.removesuffix(".gz") != YEAST]


def place(
    ids: Sequence[np.ndarray], genome: Path, coordinates: Sequence[int | None]
) -> pd.DataFrame:
    """The place of each sequence in a genome, on the plus strand.

    Of several places that one is taken whose middle is nearest to the coordinate, within 1,000 bp;
    without a coordinate a sequence with several places has none.

    Parameters
    ----------
    ids : uint8 arrays of token ids
    genome : FASTA
    coordinates : position beside the middle, or None, for each sequence

    Returns
    -------
    DataFrame with chrom (empty where there is no place), start and end (-1 there), strand
    """
    known = [row for row, one in enumerate(ids) if len(one) and is_base(one).all()]
    found: list[list[tuple[str, int]]] = [[] for _ in ids]
    for name, sequence in read_records(genome):
        hits = occurrences([ids[row] for row in known], encode(sequence, name))
        for row, starts in zip(known, hits, strict=True):
            found[row] += [(name, start) for start in starts]
    rows = []
    for one, places, at in zip(ids, found, coordinates, strict=True):
        if len(places) > 1 and at is not None:
            away = [abs(start + MIDDLE_BP - at) for _, start in places]
            nearest = places[int(np.argmin(away))]
            places = [nearest] if min(away) <= DRIFT_BP else []
        chrom, start = places[0] if len(places) == 1 else (UNPLACED, -1)
        rows.append((chrom, start, start + len(one) if chrom else -1, "+"))
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "strand"])


def test_sequences(listing: Path, settings: config.Classification) -> list[np.ndarray]:
    """Test rows of the sets of a configuration section, uint8 token ids: what no model may see.

    ``listing`` is ``labels.json`` of ``genezip labels fetch``. Sets that it lacks are passed over.
    """
    task, found = Classification(), []
    files = TaskFiles.load(listing, "run `genezip labels fetch` first")
    for name in settings.subsets.values():
        try:
            table = task.read(files, Path(), name, settings)
        except NotMeasured as error:
            logger.warning(f"{task.name} {name}: {error}")
            continue
        found += [encode(text) for text in table.loc[table["split"] == "test", "sequence"]]
    return found


def _capped(table: pd.DataFrame, most: int | None, seed: int) -> pd.DataFrame:
    """The table with at most ``most`` training rows, drawn at random; other rows stay."""
    train = np.flatnonzero(table["split"] == "train")
    if most is None or len(train) <= most:
        return table
    kept = np.random.default_rng(seed).choice(train, most, replace=False)
    rows = np.sort(np.concatenate([np.flatnonzero(table["split"] != "train"), kept]))
    found = table.iloc[rows].reset_index(drop=True)
    found["example"] = np.arange(len(found))
    found.attrs = {**table.attrs, "capped": f"a random {most:,} of {len(train):,} training rows"}
    absent = sorted(set(table["label"]) - set(found.loc[found["split"] == "train", "label"]))
    if absent:
        raise GenezipError(
            f"no training row of the class {absent[0]!r} is among {most} drawn at random; raise "
            "train_rows"
        )
    return found


def _is_headed(path: Path) -> bool:
    """Whether a file is a FASTA by its name."""
    return path.name.removesuffix(".gz").endswith(".fna")


def _listed(files: TaskFiles, name: str) -> list[Path]:
    """The listed file of a name, plain or in gzip; an empty list without one."""
    return [path for path in files.paths if path.name.removesuffix(".gz") == name][:1]


def _required(files: TaskFiles, name: str, task: str) -> list[Path]:
    """The listed file of a name; the reason of the list, or an error, without one."""
    if found := _listed(files, name):
        return found
    if reason := files.facts.get("reasons", {}).get(task):
        raise NotMeasured(reason)
    raise GenezipError(
        f"{files.listing} lists no file {name} (or {Path(name).suffix}.gz); name a set that it "
        "has, or fetch the files again"
    )
