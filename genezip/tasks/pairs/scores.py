"""Scores of eqtl and etgp: AUROC and average precision, with intervals by gene.

Pairs of one gene share its windows, so whole genes are resampled. Under the rules ``gene`` and
``chromosome`` every pair is tested once, by the model of its fold, and only pairs of one fold
are compared. Differences are taken without the same gene each time: ``auroc_gain`` is AUROC
minus AUROC with the variant or element hidden, ``auroc_minus_distance`` is AUROC minus that of
the untrained baseline ``distance`` on the same pairs.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from genezip.artifacts.scores import Row
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.ranking import METRICS, auprc, auprc_sorted, auroc
from genezip.tasks.base import Method
from genezip.tasks.predictions import METHOD_COLUMNS, PredictionFile, method_of
from genezip.tasks.scores import estimated, fact_rows, joined, ranked_support, row

Metric = Callable[..., np.ndarray]

UNIT = "genes"
_PLAIN: dict[str, Metric] = dict(zip(METRICS, (auroc, auprc, auprc_sorted), strict=True))
_WORDS = {"auroc": "AUROC", "auprc": "AUPRC", "auprc_sorted": "AUPRC"}


def pair_rows(files: Sequence[PredictionFile], bootstrap: int, seed: int) -> list[Row]:
    """Rows of every method, rule and split, then the facts of the files.

    Parameters
    ----------
    files : of one task and subset
    bootstrap : number of resamples
    seed : of the resamples; the same for every method, which makes differences paired
    """
    frames = [file.frame() for file in files]
    # a file without rows has columns without a dtype, which would change those of the others
    table = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    table = table.sort_values("example", kind="stable")  # ties keep the order of the deposit
    distance = table[(table["model"] == "distance") & (table["mode"] == "baseline")]
    found: list[Row] = []
    for cells, own in table.groupby(METHOD_COLUMNS, dropna=False, sort=False):
        method = method_of(cells)
        for (rule, split), part in own.groupby(["rule", "split"], sort=False):
            assert isinstance(rule, str) and isinstance(split, str)
            reference = distance[(distance["rule"] == rule) & (distance["split"] == split)]
            scored = _Scored(method, rule, split, part, bootstrap, seed)
            found += scored.plain(_missing(part, reference))
            found += scored.hidden()
            if method.model != "distance":
                found += scored.against(reference)
    return found + fact_rows(files)


class _Scored:
    """The pairs of one method, rule and split."""

    def __init__(
        self, method: Method, rule: str, split: str, pairs: pd.DataFrame, bootstrap: int, seed: int
    ) -> None:
        self.method, self.rule, self.split, self.pairs = method, rule, split, pairs
        self._draws = (bootstrap, seed)

    def plain(self, missing: str) -> list[Row]:
        """AUROC and both conventions of AUPRC."""
        columns = {name: ("prediction", metric) for name, metric in _PLAIN.items()}
        return self._rows(self.pairs, columns, {name: (name,) for name in _PLAIN}, missing)

    def hidden(self) -> list[Row]:
        """AUROC with the variant hidden, and what the variant adds; nothing where unknown."""
        pairs = self.pairs[self.pairs["hidden"].notna()]
        if pairs.empty:
            return []
        columns = {"real": ("prediction", auroc), "hidden": ("hidden", auroc)}
        results = {"auroc_hidden": ("hidden",), "auroc_gain": ("real", "hidden")}
        return self._rows(pairs, columns, results, self._fewer(pairs))

    def against(self, distance: pd.DataFrame) -> list[Row]:
        """AUROC minus that of the distance baseline; nothing where it was not predicted."""
        scores = distance[["example", "prediction"]].rename(columns={"prediction": "distance"})
        pairs = self.pairs.merge(scores, on="example")
        if pairs.empty:
            return []
        columns = {"real": ("prediction", auroc), "distance": ("distance", auroc)}
        results = {"auroc_minus_distance": ("real", "distance")}
        return self._rows(pairs, columns, results, self._fewer(pairs))

    def _fewer(self, pairs: pd.DataFrame) -> str:
        all_pairs = len(self.pairs)
        return "" if len(pairs) == all_pairs else f"on {len(pairs)} of {all_pairs} pairs"

    def _rows(
        self,
        pairs: pd.DataFrame,
        columns: Mapping[str, tuple[str, Metric]],
        results: Mapping[str, tuple[str, ...]],
        note: str,
    ) -> list[Row]:
        """Rows of metrics, each one column or the difference of two."""
        labels, strata = pairs["target"].to_numpy(), pairs["fold"].to_numpy()
        counts = {"n": len(pairs), "positives": int((labels == 1).sum())}
        place = {"rule": self.rule, "split": self.split, **counts}
        reason = undefined_reason(labels, strata, self.split)
        if reason:
            units = {"unit": UNIT, "units": pairs["group"].nunique()}
            return [
                row(
                    self.method,
                    metric=name,
                    note=joined(f"{reason}: {_WORDS.get(name, 'AUROC')} is undefined", note),
                    **place,
                    **units,
                )
                for name in results
            ]
        boot = BlockBootstrap(pairs["group"].to_numpy(dtype=str), *self._draws)

        def statistic(weights: np.ndarray) -> np.ndarray:
            each = [
                metric(labels, pairs[name].to_numpy(), weights, strata)
                for name, metric in columns.values()
            ]
            return np.stack(each, axis=1)

        each_way = dict(zip(columns, boot.of_weights(statistic).T, strict=True))
        support = ranked_support(boot, labels)
        found = []
        for name, (first, *second) in results.items():
            values = each_way[first] - (each_way[second[0]] if second else 0)
            cells = estimated(boot, values, UNIT, "difference" if second else "share", support)
            cells["note"] = joined(cells["note"], note)
            found.append(row(self.method, metric=name, **place, **cells))
        return found


def undefined_reason(labels: np.ndarray, strata: np.ndarray, split: str) -> str:
    """Why ranking scores are undefined; empty where they are defined.

    Parameters
    ----------
    labels : array, shape (n,), 1 or 0
    strata : array, shape (n,), folds
    split : name of the split, for the sentence
    """
    positive = np.asarray(labels) == 1
    if positive.all() or not positive.any():
        only = "positives" if positive.any() else "negatives"
        return f"only {only} among {len(positive)} {split} pairs"
    both = set(strata[positive]) & set(strata[~positive])
    return "" if both else "no fold has both positives and negatives"


def _missing(pairs: pd.DataFrame, reference: pd.DataFrame) -> str:
    """What the distance baseline covers and this method does not."""
    lost = reference[~reference["example"].isin(pairs["example"])]
    if lost.empty:
        return ""
    folds = sorted({int(fold) for fold in lost["fold"] if fold >= 0})
    where = f" (folds {', '.join(map(str, folds))})" if folds else ""
    return f"{len(lost)} of {len(reference)} pairs have no prediction{where}"
