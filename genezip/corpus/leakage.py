"""Proof that a corpus leaks nothing: its written windows against everything they must not touch.

The shards themselves are read, not the plan they were made from, so that errors of planning and
of writing are found alike.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.genome.assembly import SPLITS
from genezip.genome.covered import Covered
from genezip.genome.names import match_intervals

COLUMNS = (
    "check",  # exclusions, heldout or validation
    "split",  # whose windows are looked at: train or valid
    "against",  # a task, all (every exclusion), test or train
    "windows",
    "touched_windows",  # windows with at least one base in common
    "bp",  # of all windows; a base in two windows counts twice
    "touched_bp",  # those of them that are in common
    "verdict",  # ok, leak, or measured (as published: allowed and counted)
)
_WINDOW_COLUMNS = ["chrom", "start", "end", "split"]


def read_windows(reader: CorpusReader, split: str) -> pd.DataFrame:
    """Read the intervals of the windows of a split from its shards, without their sequences.

    Returns
    -------
    DataFrame
        chrom, start, end.

    Raises
    ------
    GenezipError
        If a shard is missing, broken, holds other rows than the manifest says, or windows of
        another split.
    """
    frames = [pd.DataFrame({"chrom": [], "start": [], "end": []})]
    for entry in reader.files(split):
        path = reader.path.parent / entry["path"]
        try:
            table = pq.read_table(path, columns=_WINDOW_COLUMNS, partitioning=None).to_pandas()
        except FileNotFoundError:
            raise GenezipError(f"{path} is missing; build the corpus again") from None
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            raise GenezipError(
                f"{path} is not a readable Parquet file ({reason}); build the corpus again"
            ) from None
        if len(table) != entry["rows"] or not table["split"].eq(split).all():
            raise GenezipError(
                f"{path} does not hold {entry['rows']} {split} windows, as the manifest says; "
                "build the corpus again"
            )
        frames.append(table)
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    found = pd.concat(filled, ignore_index=True)[["chrom", "start", "end"]]
    return found.astype({"start": np.int64, "end": np.int64})


def touched_bases(windows: pd.DataFrame, others: pd.DataFrame) -> np.ndarray:
    """Bases of each window that any of the other intervals covers.

    Parameters
    ----------
    windows, others : DataFrame with chrom, start, end

    Returns
    -------
    int64 array, shape (len(windows),)
    """
    touched = np.zeros(len(windows), dtype=np.int64)
    chroms, by_chrom = windows["chrom"].to_numpy(), dict(list(others.groupby("chrom")))
    for chrom in pd.unique(chroms):
        if chrom in by_chrom:
            other = by_chrom[chrom]
            cover = Covered(other["start"].to_numpy(np.int64), other["end"].to_numpy(np.int64))
            own = np.flatnonzero(chroms == chrom)
            rows = windows.iloc[own]
            touched[own] = cover.within(
                rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64)
            )
    return touched


def prove(reader: CorpusReader, exclusions: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """Measure every overlap of windows that a corpus must not have.

    Parameters
    ----------
    reader : CorpusReader
        ``settings.validation`` of its manifest says whether validation and training windows
        may overlap (``paper``) or not (``strict``, ``pieces``).
    exclusions : DataFrame
        chrom, start, end, task, split, reason (:func:`genezip.corpus.exclusions.read_exclusions`).

    Returns
    -------
    table : DataFrame of :data:`COLUMNS`
    offender : str or None
        The first window that leaks and what it touches, as one sentence; None without a leak.

    Raises
    ------
    GenezipError
        If a shard cannot be read, or the exclusions name chromosomes in another style.
    """
    windows = {split: read_windows(reader, split) for split in SPLITS}
    _check_style(exclusions, windows)
    paper = reader.manifest["settings"].get("validation", "paper") == "paper"
    checks: list[tuple[str, str, str, pd.DataFrame, bool]] = []
    for split in ("train", "valid"):
        for task in [*sorted(exclusions["task"].unique()), "all"]:
            own = exclusions if task == "all" else exclusions[exclusions["task"] == task]
            checks.append(("exclusions", split, task, own, False))
        checks.append(("heldout", split, "test", windows["test"], False))
    checks.append(("validation", "valid", "train", windows["train"], paper))
    rows: list[dict[str, Any]] = []
    offender = None
    for check, split, against, others, allowed in checks:
        mine = windows[split]
        touched = touched_bases(mine, others)
        leaks = bool((touched > 0).any()) and not allowed
        bp = int((mine["end"] - mine["start"]).sum())
        verdict = "leak" if leaks else "measured" if allowed else "ok"
        counts = (len(mine), int((touched > 0).sum()), bp, int(touched.sum()))
        values = (check, split, against, *counts, verdict)
        rows.append(dict(zip(COLUMNS, values, strict=True)))
        if leaks and offender is None:
            first = mine.iloc[int(np.flatnonzero(touched)[0])]
            offender = _sentence(split, first, check, others)
    return pd.DataFrame(rows, columns=list(COLUMNS)), offender


def _sentence(split: str, window: pd.Series, check: str, others: pd.DataFrame) -> str:
    hit = others[
        (others["chrom"] == window["chrom"])
        & (others["start"] < window["end"])
        & (others["end"] > window["start"])
    ].iloc[0]
    where = f"{hit['chrom']}:{hit['start']}-{hit['end']}"
    what = {
        "exclusions": lambda: f"{where}, excluded by {hit['task']} ({hit['reason']})",
        "heldout": lambda: f"the held-out window {where}",
        "validation": lambda: f"the training window {where}",
    }[check]()
    kind = {"train": "training", "valid": "validation"}[split]
    return (
        f"the {kind} window {window['chrom']}:{window['start']}-{window['end']} overlaps {what}; "
        "build the corpus again with these exclusions"
    )


def _check_style(exclusions: pd.DataFrame, windows: Mapping[str, pd.DataFrame]) -> None:
    """Refuse exclusions named ``1`` for a corpus with ``chr1``: nothing would ever overlap."""
    names = {str(chrom) for table in windows.values() for chrom in table["chrom"].unique()}
    said: list[str] = []
    if exclusions.empty or set(exclusions["chrom"]) & names:
        return
    try:
        match_intervals("the exclusions", exclusions, dict.fromkeys(names, 1 << 62), said.append)
    except GenezipError:
        return  # chromosomes that the corpus has no window on
    raise GenezipError(
        f"the exclusions and the corpus name chromosomes differently ({said[0]}); run "
        "`genezip leakage exclusions` with the chromosome sizes of the corpus"
    )
