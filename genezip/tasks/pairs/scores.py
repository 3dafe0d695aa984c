"""Scores of eqtl and etgp: AUROC and average precision, with intervals by gene.

Pairs of one gene share its windows, so whole genes are resampled. Under the split schemes ``gene``
and ``chromosome`` every pair is a test pair once, of the model of its fold, and only pairs of one
fold are compared. Differences are paired by the gene left out: ``auroc_gain`` is AUROC minus that
of the masked-variant score, ``auroc_minus_distance`` is AUROC minus that of the untrained baseline
``distance`` on the same pairs.

Enhancers near a gene's start act on it more often than others, so distance alone ranks their pairs
well. ``auroc_distance_matched`` removes distance from models and baselines alike: a positive is
compared only with negatives of its fold whose distance is the same to within a tenth of a power of
ten (a factor of 1.26; :func:`distance_strata`). Pairs of a stratum without both are dropped, and
genes that have no other pair are not resampled. The value for ``distance`` itself is the effect of
distance that remains within strata; ``auroc_distance_matched_minus_distance`` is the difference
from it. CRISPRi pairs have the same two metrics (:func:`matched_rows`).
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from genezip.artifacts.scores import Row
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.ranking import METRICS, auprc, auprc_sorted, auroc
from genezip.tasks.base import Method
from genezip.tasks.predictions import METHOD_COLUMNS, PredictionFile, method_of
from genezip.tasks.scores import Compared, estimated, fact_rows, joined, ranked_support, row

Metric = Callable[..., np.ndarray]

UNIT = "genes"
MATCHED = "auroc_distance_matched"
STEPS = 10  # strata of distance for every power of ten
STRATUM = "stratum of distance"
_PLAIN: dict[str, Metric] = dict(zip(METRICS, (auroc, auprc, auprc_sorted), strict=True))
_WORDS = {"auroc": "AUROC", "auprc": "AUPRC", "auprc_sorted": "AUPRC"}


def pair_rows(
    files: Sequence[PredictionFile], bootstrap: int, seed: int, matched: bool = False
) -> list[Row]:
    """Rows of every method, split scheme and split, of facts, then of distance-matched pairs.

    The seed is the same for every method, so that differences are paired; ``matched`` is whether
    there are rows with pairs matched in distance.
    """
    frames = [file.frame() for file in files]
    # columns of a file without rows have no dtype and would change the others'
    table = pd.concat([f for f in frames if len(f)] or frames[:1], ignore_index=True)
    table = table.sort_values("example", kind="stable")  # ties keep the order of the deposit
    distance = table[(table["model"] == "distance") & (table["mode"] == "baseline")]
    found: list[Row] = []
    without_distance: list[Row] = []
    for cells, own in table.groupby(METHOD_COLUMNS, dropna=False, sort=False):
        method = method_of(cells)
        for (rule, split), part in own.groupby(["rule", "split"], sort=False):
            assert isinstance(rule, str) and isinstance(split, str)
            reference = distance[(distance["rule"] == rule) & (distance["split"] == split)]
            scored = _Scored(method, rule, split, part, (bootstrap, seed))
            found += scored.plain(_missing(part, reference))
            found += scored.masked_variant()
            if method.model != "distance":
                found += scored.against(reference)
            if matched:
                without_distance += scored.matched(reference)
    return found + fact_rows(files) + without_distance


def distance_strata(distance: np.ndarray, folds: np.ndarray | None = None) -> np.ndarray:
    """Stratum of every pair: its fold, and its distance in steps of a tenth of a power of ten.

    The distance, bp (n,), is not negative, and 0 counts as 1; without folds there is one. Numbers
    are int64 (n,), from 0 on.
    """
    step = np.floor(np.log10(np.maximum(distance, 1)) * STEPS).astype(np.int64)
    fold = np.zeros_like(step) if folds is None else folds
    return np.unique(np.stack([fold, step]), axis=1, return_inverse=True)[1].reshape(-1)


def with_both(labels: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Whether the stratum of each pair has both a positive (1) and a negative; bool, shape (n,)."""
    positives = np.bincount(strata, np.asarray(labels) == 1)
    return np.asarray(((positives > 0) & (positives < np.bincount(strata)))[strata])


def fewer(pairs: int, of: int) -> str:
    """Note that a metric covers only some pairs; empty where it covers all."""
    return "" if pairs == of else f"on {pairs} of {of} pairs"


class _Scored:
    """The pairs of one method, split scheme and split."""

    def __init__(
        self, method: Method, rule: str, split: str, pairs: pd.DataFrame, draws: tuple[int, int]
    ) -> None:
        self.method, self.rule, self.split, self.pairs = method, rule, split, pairs
        self._draws = draws

    def plain(self, missing: str) -> list[Row]:
        """AUROC and both conventions of AUPRC."""
        columns = {name: ("prediction", metric) for name, metric in _PLAIN.items()}
        return self._rows(self.pairs, columns, {name: (name,) for name in _PLAIN}, missing)

    def masked_variant(self) -> list[Row]:
        """AUROC of the masked-variant score, and the gain over it; no rows without that score."""
        pairs = self.pairs[self.pairs["hidden"].notna()]
        if pairs.empty:
            return []
        columns = {"real": ("prediction", auroc), "hidden": ("hidden", auroc)}
        results = {"auroc_hidden": ("hidden",), "auroc_gain": ("real", "hidden")}
        return self._rows(pairs, columns, results, fewer(len(pairs), len(self.pairs)))

    def against(self, distance: pd.DataFrame) -> list[Row]:
        """AUROC minus that of the distance baseline; no rows without that baseline."""
        pairs = self._beside(distance)
        if pairs.empty:
            return []
        columns = {"real": ("prediction", auroc), "distance": ("distance", auroc)}
        results = {"auroc_minus_distance": ("real", "distance")}
        return self._rows(pairs, columns, results, fewer(len(pairs), len(self.pairs)))

    def matched(self, distance: pd.DataFrame) -> list[Row]:
        """AUROC among pairs of equal distance; no rows without the distance baseline."""
        pairs = self._beside(distance)
        if pairs.empty:
            return []
        strata = distance_strata(-pairs["distance"].to_numpy(), pairs["fold"].to_numpy())
        kept = with_both(pairs["target"].to_numpy(), strata)
        if kept.any():  # without any, the note counts all pairs
            pairs, strata = pairs[kept], strata[kept]
        columns = {"real": ("prediction", auroc), "distance": ("distance", auroc)}
        results: dict[str, tuple[str, ...]] = {MATCHED: ("real",)}
        if self.method.model != "distance":
            results[f"{MATCHED}_minus_distance"] = ("real", "distance")
        note = fewer(len(pairs), len(self.pairs))
        return self._rows(pairs, columns, results, note, strata)

    def _beside(self, distance: pd.DataFrame) -> pd.DataFrame:
        """The pairs with the score of the baseline ``distance``, which is minus their distance."""
        scores = distance[["example", "prediction"]].rename(columns={"prediction": "distance"})
        return self.pairs.merge(scores, on="example")

    def _rows(
        self,
        pairs: pd.DataFrame,
        columns: Mapping[str, tuple[str, Metric]],
        results: Mapping[str, tuple[str, ...]],
        note: str,
        strata: np.ndarray | None = None,
    ) -> list[Row]:
        """Rows of metrics, each one column or the difference of two, within strata (folds)."""
        labels = pairs["target"].to_numpy()
        within = "fold" if strata is None else STRATUM
        strata = pairs["fold"].to_numpy() if strata is None else strata
        counts = {"n": len(pairs), "positives": int((labels == 1).sum())}
        common = {"rule": self.rule, "split": self.split, **counts}
        reason = undefined_reason(labels, strata, f"{self.split} pairs", within)
        if reason:
            units = {"unit": UNIT, "units": pairs["group"].nunique()}
            return [
                row(
                    self.method,
                    metric=name,
                    note=joined(f"{reason}: {_WORDS.get(name, 'AUROC')} is undefined", note),
                    **common,
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
            found.append(row(self.method, metric=name, **common, **cells))
        return found


def matched_rows(part: Compared, draws: tuple[int, int]) -> list[Row]:
    """Scores of pairs matched in distance, of every method that predicted the same pairs.

    Without the baseline ``distance`` there are no rows. ``draws`` is the number of resamples of
    genes, and their seed.
    """
    distance = part.of("distance")
    rows: list[Row] = []
    for method, pairs in part.methods.items():
        if pairs is not None and distance is not None:
            scored = _Scored(method, part.rule, part.split, pd.DataFrame(vars(pairs)), draws)
            rows += scored.matched(pd.DataFrame(vars(distance)))
    return rows


def undefined_reason(
    labels: np.ndarray, strata: np.ndarray, pairs: str, within: str = "fold"
) -> str:
    """Reason why ranking scores are undefined; empty where they are defined.

    Pairs are compared within ``strata``, (n,), folds or other groups; ``pairs`` and ``within`` are
    words for the pairs and for a stratum.
    """
    positive = np.asarray(labels) == 1
    if positive.all() or not positive.any():
        only = "positives" if positive.any() else "negatives"
        return f"only {only} among {len(positive)} {pairs}"
    both = set(strata[positive]) & set(strata[~positive])
    return "" if both else f"no {within} has both positives and negatives"


def _missing(pairs: pd.DataFrame, reference: pd.DataFrame) -> str:
    """Note on pairs that the distance baseline covers and this method does not."""
    lost = reference[~reference["example"].isin(pairs["example"])]
    if lost.empty:
        return ""
    folds = sorted({int(fold) for fold in lost["fold"] if fold >= 0})
    where = f" (folds {', '.join(map(str, folds))})" if folds else ""
    return f"{len(lost)} of {len(reference)} pairs have no prediction{where}"
