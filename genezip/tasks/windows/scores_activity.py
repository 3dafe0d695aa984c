"""Scores of rsap: the three Pearson correlations, with intervals by locus.

Sums are kept per locus and track. With thousands of tracks they take memory: above
``LOCI_BYTES`` for a method they are added up, and ``pcc_flat`` and ``pcc_track`` have no
interval. The sums of a method are dropped as soon as its last row was read.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from genezip.artifacts.scores import Row
from genezip.metrics.bootstrap import BlockBootstrap, ratio
from genezip.metrics.correlation import defined_sum, pearson, pooled_pcc, track_pcc, track_sums
from genezip.tasks.base import Method
from genezip.tasks.predictions import METHOD_COLUMNS, PredictionFile, method_of
from genezip.tasks.scores import estimated, joined, row

UNIT = "loci"
LOCI_BYTES = 1 << 30
_TRACKS_AT_ONCE = 256  # their sums without each of 2,000 loci are 25 MB
_Key = tuple[Method, str, str]  # method, rule, split
_NO_MEMORY = "no interval: sums of every locus would not fit in memory"
_UNDEFINED = "labels or predictions have no variance, so Pearson's r is undefined"


class _Loci:
    """Sums of one method, rule and split."""

    def __init__(self) -> None:
        self.sequences: list[tuple[str, float]] = []  # locus, r of the sequence
        self.by_locus: dict[str, np.ndarray] = {}
        self.merged = False

    def add(self, locus: str, sums: np.ndarray) -> None:
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
    """Rows of every method, rule and split.

    Parameters
    ----------
    files : of one task and subset
    bootstrap : number of resamples
    seed : of the resamples
    """
    rows: list[Row] = []
    for file in files:
        found: dict[_Key, _Loci] = defaultdict(_Loci)
        done: dict[_Key, list[Row]] = {}
        keys = file.keys
        left = Counter(
            (method_of(cells), rule, split)
            for *cells, rule, split in keys[[*METHOD_COLUMNS, "rule", "split"]].itertuples(
                index=False
            )
        )
        for each in file.rows():
            key = (each.method, each.rule, each.split)
            found[key].add(each.group, track_sums(each.prediction, each.target))
            left[key] -= 1
            if not left[key]:  # its sums take up to LOCI_BYTES, so they go before the next method's
                done[key] = _finished(key, found.pop(key), bootstrap, seed)
        rows += [each for found_rows in done.values() for each in found_rows]
    return rows


def _finished(key: _Key, loci: _Loci, bootstrap: int, seed: int) -> list[Row]:
    """Rows of one method, rule and split."""
    method, rule, split = key
    common = {"rule": rule, "split": split}
    rows = [row(method, metric="pcc_sequence", **common, **_sequences(loci, bootstrap, seed))]
    for metric, cells in _pooled(loci, bootstrap, seed).items():
        rows.append(row(method, metric=metric, n=len(loci.sequences), **common, **cells))
    return rows


def _sequences(loci: _Loci, bootstrap: int, seed: int) -> Row:
    """Mean over sequences that have an r."""
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
    """Flat and per track, of sums over loci."""
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
    """:func:`track_pcc` with and without each locus, some tracks at a time."""
    total = count = np.zeros(boot.n_blocks + 1)
    for low in range(0, sums.shape[1], _TRACKS_AT_ONCE):
        part = boot.sums({"sums": sums[:, low : low + _TRACKS_AT_ONCE]})["sums"]
        r, defined = defined_sum(pearson(part))
        total, count = total + r, count + defined
    return ratio(total, count)
