"""Prove that a corpus leaks nothing: compare its windows with all DNA that they must not touch.

The windows are read from the shards, not from the plan, so that errors of planning and of writing
are both found.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.tables import read_parquet
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.sampling import by_chrom
from genezip.corpus.shards import SHARD_KIND
from genezip.errors import GenezipError
from genezip.genome.intervals import Covered, wrap
from genezip.genome.names import translate
from genezip.genome.sources.splits import SPLITS

LEAKAGE_COLUMNS = (
    "check",  # exclusions, heldout or validation
    "split",  # split of the checked windows: train or valid
    "against",  # a task, all (every exclusion), test or train
    "windows",
    "touched_windows",  # windows with at least one base in common
    "bp",  # bases of all windows; a base in two windows counts twice
    "touched_bp",  # bases in common
    "verdict",  # ok, leak, or measured (overlap that is allowed as published)
)
_WINDOW_COLUMNS = ["chrom", "start", "end", "split"]


def read_windows(reader: CorpusReader, split: str) -> pd.DataFrame:
    """chrom, start and end of the windows of a split, read from its shards without sequences."""
    frames = [pd.DataFrame({"chrom": [], "start": [], "end": []})]
    for entry in reader.files(split):
        path = reader.path.parent / entry["path"]
        table = read_parquet(path, SHARD_KIND, _WINDOW_COLUMNS)[0].to_pandas()
        if len(table) != entry["rows"] or not table["split"].eq(split).all():
            raise GenezipError(
                f"{path} does not hold {entry['rows']} {split} windows, as the manifest lists; "
                "build the corpus again"
            )
        frames.append(table)
    filled = [frame for frame in frames if len(frame)] or frames[:1]
    found = pd.concat(filled, ignore_index=True)[["chrom", "start", "end"]]
    return found.astype({"start": np.int64, "end": np.int64})


def touched_bases(
    windows: pd.DataFrame, others: pd.DataFrame, circular: Mapping[str, int] | None = None
) -> np.ndarray:
    """Number of bases of each window that the other intervals cover: int64, shape (windows,).

    Both tables have chrom, start, end. On a contig in ``circular`` (contig -> bp) an interval that
    ends beyond it continues at its first base.
    """
    touched = np.zeros(len(windows), dtype=np.int64)
    chroms, intervals = windows["chrom"].to_numpy(), by_chrom(others)
    for chrom, (starts, ends) in by_chrom(windows).items():
        if chrom not in intervals:
            continue
        mine, length = intervals[chrom], (circular or {}).get(chrom)
        if length is None:
            touched[chroms == chrom] = Covered(*mine).within(starts, ends)
            continue
        covered, over = Covered(*wrap(*mine, length)), np.maximum(ends - length, 0)
        found = covered.within(starts, ends - over) + covered.within(np.zeros_like(over), over)
        touched[chroms == chrom] = found
    return touched


def prove(reader: CorpusReader, exclusions: pd.DataFrame) -> tuple[pd.DataFrame, str | None]:
    """Measure all overlaps that the windows of a corpus must not have.

    Parameters
    ----------
    reader : ``settings.validation`` of its manifest decides whether validation and training windows
        may overlap (``paper``) or not (``strict``, ``pieces``)
    exclusions : DataFrame
        chrom, start, end, task, split, reason (:func:`genezip.corpus.exclusions.read_exclusions`).

    Returns
    -------
    table : DataFrame of :data:`LEAKAGE_COLUMNS`
    offender : str or None
        One sentence with the first leaking window and what it overlaps; None without a leak.
    """
    windows = {split: read_windows(reader, split) for split in SPLITS}
    circular = reader.manifest.get("circular", {})
    _check_style(exclusions, windows)
    paper = reader.manifest["settings"].get("validation", "paper") == "paper"
    checks: list[tuple[str, str, str, pd.DataFrame, bool]] = []
    for split in ("train", "valid"):
        for task in [*sorted(exclusions["task"].unique()), "all"]:
            rows_of = exclusions if task == "all" else exclusions[exclusions["task"] == task]
            checks.append(("exclusions", split, task, rows_of, False))
        checks.append(("heldout", split, "test", windows["test"], False))
    checks.append(("validation", "valid", "train", windows["train"], paper))
    rows: list[dict[str, Any]] = []
    offender = None
    for check, split, against, others, allowed in checks:
        mine = windows[split]
        touched = touched_bases(mine, others, circular)
        leaks = bool((touched > 0).any()) and not allowed
        bp = int((mine["end"] - mine["start"]).sum())
        verdict = "leak" if leaks else "measured" if allowed else "ok"
        counts = (len(mine), int((touched > 0).sum()), bp, int(touched.sum()))
        values = (check, split, against, *counts, verdict)
        rows.append(dict(zip(LEAKAGE_COLUMNS, values, strict=True)))
        if leaks and offender is None:
            first = mine.iloc[int(np.flatnonzero(touched)[0])]
            offender = _sentence(split, first, check, others, circular)
    return pd.DataFrame(rows, columns=list(LEAKAGE_COLUMNS)), offender


def _sentence(
    split: str,
    window: pd.Series,
    check: str,
    others: pd.DataFrame,
    circular: Mapping[str, int],
) -> str:
    there = others[others["chrom"] == window["chrom"]]
    touching = np.zeros(len(there), dtype=bool)
    for lap in {0, circular.get(window["chrom"], 0), -circular.get(window["chrom"], 0)}:
        start, end = there["start"].to_numpy() + lap, there["end"].to_numpy() + lap
        touching |= (start < window["end"]) & (end > window["start"])
    hit = there[touching].iloc[0]
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
    """Refuse exclusions on ``1`` for a corpus with ``chr1``, which would never overlap."""
    names = {str(chrom) for table in windows.values() for chrom in table["chrom"].unique()}
    excluded = set(exclusions["chrom"])
    if excluded & names:
        return
    for chrom in sorted(excluded):
        other = translate(chrom, dict.fromkeys(names, 0))
        if other in names:
            raise GenezipError(
                f"the exclusions and the corpus name chromosomes differently ({chrom} and "
                f"{other}); run `genezip leakage exclusions` with the chromosome sizes of the "
                "corpus"
            )
