"""Tidy result rows looked up by what they say, and numbers written for people."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import pandas as pd

from genezip.errors import GenezipError

KEY = ("model", "metric", "subset", "region", "split", "strand")


@dataclass(frozen=True)
class Number:
    """A measured value with its 95 % interval, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Scores:
    """The rows of one or several result files."""

    frame: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names of models, in file order."""
        return list(dict.fromkeys(self.frame["model"]))

    @cached_property
    def _rows(self) -> dict[tuple[str, ...], dict[int | None, list[dict[str, Any]]]]:
        """Key -> seed -> rows; a plain dictionary, because a page asks hundreds of times."""
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
        self,
        metric: str,
        model: str,
        *,
        subset: str = "all",
        region: str = "all",
        split: str = "test",
        strand: str = "+",
        seed: int | None = None,
    ) -> Number | None:
        """The single row that matches; None where there is none, or its value is missing.

        Without ``seed`` the lowest one counts (or the row without a seed, if there is no other).

        Raises
        ------
        GenezipError
            If several rows match: result files that say two things are wrong.
        """
        by_seed = self._rows.get((model, metric, subset, region, split, strand), {})
        known = [value for value in by_seed if value is not None]
        rows = by_seed.get(min(known, default=None) if seed is None else seed, [])
        if len(rows) > 1:
            raise GenezipError(
                f"the result files hold {len(rows)} rows for {metric} of {model} "
                f"({subset}, {region}, {split}, {strand}); evaluate again"
            )
        if not rows or pd.isna(rows[0]["value"]):
            return None
        row: dict[str, Any] = {k: None if pd.isna(v) else v for k, v in rows[0].items()}
        n = None if row["n"] is None else int(row["n"])
        return Number(float(row["value"]), row["ci_low"], row["ci_high"], n, row["unit"])


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain dictionaries."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def plain(value: float, digits: int = 3) -> str:
    """A number for people: three significant digits, thousands separated, a true minus."""
    if not math.isfinite(value):
        return "not defined"
    if value == 0:
        return "0"
    return fixed(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))


def fixed(value: float, decimals: int = 2) -> str:
    """A number for people with so many decimals; enrichments and their differences have two."""
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def measured(number: Number | None, show: Callable[[float], str] = fixed) -> str:
    """A value with its interval in brackets, or a dash where there is none."""
    if number is None:
        return "–"
    if number.low is None or number.high is None:
        return show(number.value)
    return f"{show(number.value)} ({show(number.low)} to {show(number.high)})"
