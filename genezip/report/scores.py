"""Look-up of rows of the score tables, and of the results on held-out DNA."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import pandas as pd

from genezip.artifacts.scores import (
    CORPUS,
    MARKOV,
    MIXING,
    Metric,
    markov_name,
    markov_order,
    under_bound,
    with_mixing,
)
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.region_classes import GENE7, RegionClasses

FEW = "few blocks"  # in the note of a row whose interval rests on fewer than FEW_BLOCKS
FEW_BLOCKS = 8
_CAUSAL = under_bound("", "causal")  # end of the name of a model run under that bound
KEY = ("model", "metric", "subset", "region", "split", "strand")


@dataclass(frozen=True)
class Number:
    """A measured value with its 95 % interval, where there is one.

    ``blocks`` is the number of blocks (or other resampled units) of the interval, where known;
    ``few`` marks that there are few.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str | None = None
    few: bool = False
    blocks: int | None = None

    def side(self, point: float = 0) -> str:
        """Side of the interval: ``above`` the point, ``below``, ``around``, or ``unknown``.

        An interval that touches the point is around it; without an interval the side is unknown.
        """
        if self.low is None or self.high is None:
            return "unknown"
        if self.low > point:
            return "above"
        return "below" if self.high < point else "around"


def key_of(
    metric: str,
    model: str,
    *,
    subset: str = "all",
    region: str = "all",
    split: str = "test",
    strand: str = "+",
) -> tuple[str, ...]:
    """The cells that identify a row, in the order of :data:`KEY`, without its seed."""
    return model, metric, subset, region, split, strand


@dataclass(frozen=True)
class Scores:
    """The rows of one or more result files."""

    frame: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names of models, in file order, without ``corpus`` (rows about the DNA itself)."""
        return [name for name in dict.fromkeys(self.frame["model"]) if name != CORPUS]

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], dict[int | None, list[dict[str, Any]]]]:
        """Key -> seed -> rows; a dictionary for speed, as a page has hundreds of look-ups."""
        found: dict[tuple[str, ...], dict[int | None, list[dict[str, Any]]]] = {}
        for row in records(self.frame):
            key = tuple(str(row[name]) for name in KEY)
            seed = None if pd.isna(row["seed"]) else int(row["seed"])
            found.setdefault(key, {}).setdefault(seed, []).append(row)
        return found

    def seeds(self, model: str) -> list[int]:
        """Training seeds of a model, ascending; empty where rows have none."""
        rows = self.frame.loc[self.frame["model"] == model, "seed"].dropna()
        return sorted({int(seed) for seed in rows})

    def find(
        self, metric: str, model: str, *, seed: int | None = None, **where: str
    ) -> Number | None:
        """The number of the single matching row; None without a row or a value.

        ``where`` are cells of :func:`key_of`. Without ``seed`` the lowest one is used, or the row
        without a seed where there is no other. Several matching rows are an error.
        """
        key = key_of(metric, model, **where)
        by_seed = self._rows.get(key, {})
        known = [value for value in by_seed if value is not None]
        return self._single(key, min(known, default=None) if seed is None else seed)

    def over_seeds(self, metric: str, model: str, **where: str) -> tuple[Number | None, list[int]]:
        """The mean over training seeds, and these seeds.

        The mean is the row with an empty seed, which exists where there are several seeds.
        Without such a row the row of the lowest seed is returned with that seed alone.
        """
        key = key_of(metric, model, **where)
        by_seed = self._rows.get(key, {})
        known = sorted(value for value in by_seed if value is not None)
        if len(known) > 1 and None in by_seed and (mean := self._single(key, None)):
            return mean, known
        return self._single(key, known[0] if known else None), known[:1]

    def _single(self, key: tuple[str, ...], seed: int | None) -> Number | None:
        """The number of the row of a seed; None without a row or a value."""
        rows = self._rows.get(key, {}).get(seed, [])
        if len(rows) > 1:
            model, metric, *where = key
            raise GenezipError(
                f"the result files hold {len(rows)} rows for {metric} of {model} "
                f"({', '.join(where)}), where one is expected; delete the file that was written by "
                "hand or twice, and run its rule again"
            )
        return number_of(rows[0]) if rows else None


def number_of(row: Mapping[str, Any]) -> Number | None:
    """The number of a row of any score file; None without a value."""
    known: dict[str, Any] = {name: None if pd.isna(cell) else cell for name, cell in row.items()}
    if known["value"] is None:
        return None
    n, blocks = (None if known.get(k) is None else int(known[k]) for k in ("n", "blocks"))
    low, high = known["ci_low"], known["ci_high"]
    return Number(float(known["value"]), low, high, n, known.get("unit"), marked_few(row), blocks)


def marked_few(row: Mapping[str, Any]) -> bool:
    """Whether the note of a result row marks its interval as resting on few blocks."""
    return FEW in str(row.get("note", ""))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain dictionaries."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


NEXT_BASE_LOSSES = (
    *(Metric.PPL, Metric.BITS_PER_BASE),
    *(Metric.PPL_UNBOUNDED, Metric.BITS_UNBOUNDED, Metric.PPL_RELEASE),
)
"""Metrics that only the forward strand has."""


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The score tables of held-out DNA, the only input of claims and summary."""

    reference: str  # the model of the page
    control: str  # the model that it is compared with
    compression: Scores  # scores of every model and router
    comparisons: Scores  # paired differences and ratios of two models or routers
    markov: Scores  # scores of the Markov models
    region_classes: RegionClasses = GENE7
    evaluation: Evaluation | None = None  # settings of the intervals

    @property
    def models(self) -> list[str]:
        """Names of the models and routers with compression results, in file order.

        Models under another bound than their own are left out (:meth:`causal`), and so are mixtures
        with the mixing model.
        """
        others = (_CAUSAL, with_mixing(""))
        return [name for name in self.compression.models if not name.endswith(others)]

    @cached_property
    def strand(self) -> str:
        """``both`` (the mean of the strands) where every model has it, else ``+``."""
        frame = self.compression.frame
        both = set(frame.loc[frame["strand"] == "both", "model"])
        return "both" if both == set(self.models) else "+"

    @cached_property
    def subset(self) -> str:
        """Subset of windows on the page: those with few N, where this subset exists."""
        names = self.compression.frame["subset"].dropna().unique()
        return next((name for name in names if name.startswith("n_le_")), "all")

    def seeds(self, model: str) -> list[int]:
        """Training seeds of a model, ascending; empty for a router without one."""
        return self.compression.seeds(model)

    def number(self, metric: str, model: str, **where: Any) -> Number | None:
        """One held-out result of a model or router; see :meth:`Scores.find`.

        Perplexity is that of the forward strand, on which the Markov models are scored too.
        """
        strand = "+" if metric in NEXT_BASE_LOSSES else self.strand
        where = {"subset": self.subset, "strand": strand, **where}
        return self.compression.find(metric, model, **where)

    def by_seed(self, metric: str, model: str, **where: Any) -> list[Number | None]:
        """:meth:`number` for every training seed of a model, ascending."""
        return [self.number(metric, model, seed=seed, **where) for seed in self.seeds(model)]

    def causal(self, metric: str, model: str, **where: Any) -> Number | None:
        """:meth:`number` of the same weights under the causal bound, where it was computed."""
        return self.number(metric, under_bound(model, "causal"), strand="+", **where)

    def compared(self, metric: str, pair: str, **where: Any) -> Number | None:
        """One paired comparison (``a - b`` or ``a / b``), by default of promoters."""
        return self.comparisons.find(metric, pair, **self._promoters(where))

    def compared_over_seeds(
        self, metric: str, pair: str, **where: Any
    ) -> tuple[Number | None, list[int]]:
        """The mean of a paired comparison over training seeds, and these seeds."""
        return self.comparisons.over_seeds(metric, pair, **self._promoters(where))

    def _promoters(self, where: dict[str, Any]) -> dict[str, Any]:
        return {"subset": self.subset, "region": "promoter", "strand": self.strand, **where}

    def blocks(self, region: str = "all", subset: str | None = None) -> int | None:
        """Number of bootstrap blocks with bases of a region; None where not recorded."""
        where: dict[str, Any] = {"subset": subset or self.subset, "region": region}
        for scores in (self.compression, self.comparisons):
            for strand in ("+", "both"):
                if number := scores.find(Metric.BLOCKS, CORPUS, strand=strand, **where):
                    return round(number.value)
        return None

    def no_base(self, region: str) -> bool:
        """Whether held-out DNA is known to have no base of a region class."""
        share = self.number(Metric.REGION_SHARE, self.reference, region=region)
        return share is not None and share.value == 0

    @cached_property
    def left_out(self) -> int | None:
        """Number of held-out windows outside the page's subset; None where unknown."""
        found = [self.number(Metric.BPT, self.reference, subset=s) for s in ("all", self.subset)]
        every, kept = (number.n if number else None for number in found)
        return None if every is None or kept is None else every - kept

    @property
    def seed_note(self) -> str:
        """Note on the training run of a figure, where there are several; starts with a space."""
        seeds = self.seeds(self.reference)
        return f" Of {len(seeds)} training runs, seed {seeds[0]} is shown." if seeds[1:] else ""

    def markov_ppl(
        self, order: int, region: str = "all", metric: str = Metric.PPL
    ) -> Number | None:
        """Held-out perplexity (or bits per base) of the Markov model of an order."""
        return self.markov.find(metric, markov_name(order), subset=self.subset, region=region)

    @property
    def best_order(self) -> int | None:
        """The Markov order that is best on validation DNA; None where none was chosen."""
        number = self.markov.find(Metric.BEST_ORDER, MARKOV, subset="all", region="all")
        return None if number is None else round(number.value)

    def mixing(self, metric: str, model: str | None = None, region: str = "all") -> Number | None:
        """A next-base loss of the mixing model, or of its mixture with an exact model."""
        if model is None:
            return self.markov.find(metric, MIXING, subset=self.subset, region=region)
        for name in (model, under_bound(model, "causal")):
            if number := self.number(metric, with_mixing(name), region=region):
                return number
        return None

    @cached_property
    def markov_by_order(self) -> dict[int, float]:
        """Held-out perplexity of every Markov model, by order."""
        orders = sorted(k for name in self.markov.models if (k := markov_order(name)) is not None)
        return {order: number.value for order in orders if (number := self.markov_ppl(order))}
