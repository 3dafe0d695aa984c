"""Scores of cmp: five correlations per map, their mean over maps, with intervals by locus.

Maps without a finite score are skipped and counted in the note. ``valid100`` is the first 100
validation maps, which the paper's table shows (GeneZip, arXiv 2602.17739, release 56ab596).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from genezip.artifacts.scores import Row
from genezip.errors import GenezipError
from genezip.metrics.bootstrap import BlockBootstrap, ratio
from genezip.metrics.contacts import METRICS, contact_scores, has_signal, is_triangle
from genezip.tasks.base import Method
from genezip.tasks.predictions import PredictionFile
from genezip.tasks.scores import estimated, joined, row

UNIT = "loci"
FIRST = 100


@dataclass
class _Maps:
    """Scores of the maps of one method, rule and split."""

    examples: list[int] = field(default_factory=list)
    loci: list[str] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)
    flat: list[bool] = field(default_factory=list)  # the target has no two values


def map_rows(files: Sequence[PredictionFile], bootstrap: int, seed: int) -> list[Row]:
    """Rows of every method, rule and split.

    Parameters
    ----------
    files : of one task and subset
    bootstrap : number of resamples
    seed : of the resamples
    """
    found: dict[tuple[Method, str, str], _Maps] = defaultdict(_Maps)
    for file in files:
        for each in file.rows():
            if not is_triangle(each.target.size):
                raise GenezipError(
                    f"{file.path} holds {each.target.size:,} values for {each.split} example "
                    f"{each.example}, which is no upper triangle of a map; predict again"
                )
            maps = found[each.method, each.rule, each.split]
            maps.examples.append(each.example)
            maps.loci.append(each.group)
            maps.scores.append(contact_scores(each.prediction, each.target))
            maps.flat.append(not has_signal(each.target))
    rows: list[Row] = []
    for (method, rule, split), maps in found.items():
        order = np.argsort(maps.examples, kind="stable")
        rows += _means(method, rule, split, maps, order, bootstrap, seed)
        if split == "valid":
            rows += _means(method, rule, f"valid{FIRST}", maps, order[:FIRST], bootstrap, seed)
    return rows


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
    """How many maps have no score, and why; empty where all have one.

    Parameters
    ----------
    maps, scored : number of maps, and of those with a score
    flat : number of maps without a score whose target is constant (a missing chromosome)
    """
    if scored == maps:
        return ""
    reasons = []
    if flat:
        reasons.append(f"{flat} with a constant target")
    if maps - scored - flat:
        reasons.append(f"{maps - scored - flat} with a prediction without variance")
    return f"{maps - scored} of {maps} maps have no score: {', '.join(reasons)}"
