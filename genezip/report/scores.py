"""Result rows looked up by what they say, and numbers written for people."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import pandas as pd

from genezip.artifacts.scores import CORPUS
from genezip.errors import GenezipError

FEW = "few blocks"  # in the note of a row whose interval rests on fewer than FEW_BLOCKS
FEW_BLOCKS = 8
KEY = ("model", "metric", "subset", "region", "split", "strand")


@dataclass(frozen=True)
class Number:
    """A measured value with its 95 % interval, where there is one.

    ``few`` says that the interval rests on few blocks (or other units that are resampled),
    ``blocks`` on how many, where that is known.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    unit: str | None = None
    few: bool = False
    blocks: int | None = None

    def side(self, point: float = 0) -> str:
        """Where the interval lies: ``above`` the point, ``below``, ``around``, or ``unknown``.

        An interval that only touches the point holds it; without an interval nothing is known.
        """
        if self.low is None or self.high is None:
            return "unknown"
        if self.low > point:
            return "above"
        return "below" if self.high < point else "around"


@dataclass(frozen=True)
class Scores:
    """The rows of one or several result files."""

    frame: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names of models, in file order; rows about the DNA itself (``corpus``) are none."""
        return [name for name in dict.fromkeys(self.frame["model"]) if name != CORPUS]

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
        key = (model, metric, subset, region, split, strand)
        by_seed = self._rows.get(key, {})
        known = [value for value in by_seed if value is not None]
        return self._single(key, min(known, default=None) if seed is None else seed)

    def over_seeds(
        self,
        metric: str,
        model: str,
        *,
        subset: str = "all",
        region: str = "all",
        split: str = "test",
        strand: str = "+",
    ) -> tuple[Number | None, list[int]]:
        """The mean over training seeds, and the seeds behind it.

        The mean is the row with an empty seed, which is written where there are several seeds.
        Without such a row it is the row of the lowest seed, and that seed alone is returned.
        """
        key = (model, metric, subset, region, split, strand)
        by_seed = self._rows.get(key, {})
        known = sorted(value for value in by_seed if value is not None)
        if len(known) > 1 and None in by_seed and (mean := self._single(key, None)):
            return mean, known
        return self._single(key, known[0] if known else None), known[:1]

    def _single(self, key: tuple[str, ...], seed: int | None) -> Number | None:
        """The row of a seed; None where it is absent or without a value, an error if doubled."""
        rows = self._rows.get(key, {}).get(seed, [])
        if len(rows) > 1:
            model, metric, *where = key
            raise GenezipError(
                f"the result files hold {len(rows)} rows for {metric} of {model} "
                f"({', '.join(where)}); evaluate again"
            )
        if not rows or pd.isna(rows[0]["value"]):
            return None
        row: dict[str, Any] = {k: None if pd.isna(v) else v for k, v in rows[0].items()}
        n = None if row["n"] is None else int(row["n"])
        blocks = row.get("blocks")
        return Number(
            float(row["value"]),
            row["ci_low"],
            row["ci_high"],
            n,
            row["unit"],
            marked_few(row),
            None if blocks is None else int(blocks),
        )


def marked_few(row: Mapping[str, Any]) -> bool:
    """Whether a result row says that its interval rests on few blocks."""
    return FEW in str(row.get("note", ""))


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
    """A value with its interval in brackets, or a dash where there is none.

    An interval that rests on few blocks is marked: ``1.23 (0.50 to 1.90, few blocks)``.
    """
    if number is None:
        return "–"
    if number.low is None or number.high is None:
        return show(number.value)
    mark = f", {FEW}" if number.few else ""
    return f"{show(number.value)} ({show(number.low)} to {show(number.high)}{mark})"


def decimals_of(*values: float | None, least: int = 2) -> int:
    """Decimals with which no value that is not zero is written as zero (six at most)."""
    known = [value for value in values if value]
    return next((d for d in range(least, 6) if all(round(v, d) for v in known)), 6)


def signed(number: Number, brackets: bool = True) -> str:
    """A difference with its sign and its interval, whose ends never look like zero by rounding.

    Without ``brackets``, ``+0.53, 0.23 to 0.78``: for use inside brackets.
    """
    decimals = decimals_of(number.value, number.low, number.high)
    text = measured(number, lambda value: fixed(value, decimals))
    text = text.replace("(", "(95 % interval ")
    if not brackets:
        text = text.replace(" (95 % interval ", ", ").removesuffix(")")
    return f"+{text}" if number.value > 0 else text


def listed(items: list[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def seeds_named(seeds: list[int]) -> str:
    """``seed 0`` or ``seeds 0, 1 and 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}"
