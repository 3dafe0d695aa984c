"""Published numbers and comparisons beside ours, each with its test and verdict.

A published number is a cell of a table in :mod:`genezip.artifacts.published`; which cell of which
result file stands beside it is told by the section ``tables`` of the configuration
(:mod:`genezip.config.tables`). A number is reproduced if it lies within the tolerance, which is
asked at full scale only, unless the number must hold at every scale. A comparison is reproduced if
the whole interval of our difference lies on its side; it is asked at every scale.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from genezip.artifacts.files import write_text
from genezip.artifacts.published import published_table
from genezip.artifacts.tables import read_tsv, write_tsv
from genezip.config import Measured, Order, PaperTable
from genezip.errors import GenezipError

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
NOT_TESTABLE = "not testable at this scale"
NUMBER, ORDER = "number", "comparison"
NOT_RECOVERED = "the published number was not recovered"
OTHER_QUANTITY = "ours is another quantity, for comparison alone"

COLUMNS = (
    "table",
    "kind",  # number or comparison
    "row",  # of the published table; the sentence of a comparison
    "column",
    "paper",  # published number, or difference of two; empty where it was not recovered
    "model",  # ours in this row
    "measured",
    "ci_low",  # 95 % interval; of several seeds from the lowest to the highest end
    "ci_high",
    "n",
    "seeds",  # training runs behind the number
    "difference",  # measured minus paper, at full scale or where every scale must agree
    "test",  # as code: what must be true for the verdict `reproduced`
    "verdict",
    "reason",  # why there is no number of ours, or no test
    "scale",
    "file",  # result file of our number
    "note",
)
"""Columns of a table of published numbers beside ours."""
_TEXT = {"table", "kind", "row", "column", "model", "test", "verdict", "reason", "scale", "file"}
_TODO = "restore the published table"


@dataclass(frozen=True)
class Reading:
    """One number of ours, with its interval, count and training seeds where there are any."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Run:
    """What a run has: its result files, and the ``model.seed<n>`` names of its models.

    ``files`` maps the path of a result file, as in the configuration, to where it is.
    """

    files: Mapping[str, Path]
    runs: Sequence[str]
    reference: str
    control: str
    scale: str
    models: dict[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[str, list[int]] = {}
        for run in self.runs:
            name, _, seed = run.rpartition(".seed")
            found.setdefault(name, []).append(int(seed))
        object.__setattr__(self, "models", found)

    def first(self, names: Iterable[str]) -> str | None:
        """The first of some models that the run has."""
        return next((name for name in names if name in self.models), None)


class _Absent(Exception):
    """Why there is no number of ours."""


def compare(name: str, table: PaperTable, run: Run) -> pd.DataFrame:
    """All published numbers and comparisons of a table beside ours, with :data:`COLUMNS`.

    A row or column that the published table does not have is refused.
    """
    published = _published(name, table)
    rows = [
        _number(name, table, run, row, column, text)
        for row, cells in published.items()
        for column, text in cells.items()
    ]
    rows += [_order(name, order, run, published) for order in table.orders]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _published(name: str, table: PaperTable) -> dict[str, dict[str, str]]:
    """Row -> column -> text of the published number, empty where it is not known."""
    if table.published is None:
        return {}
    path = published_table(table.published)
    if path is None:
        raise GenezipError(
            f"tables.{name}.published names {table.published!r}, which is no published table of "
            "the package; leave it out, or name one of genezip/artifacts/paper"
        )
    frame = read_tsv(path, table.row, None, _TODO, _TODO, separator=",").fillna("")
    names = frame[table.row].agg(", ".join, axis=1)
    known = {*table.columns, *table.unlike, *(c for cells in table.cells.values() for c in cells)}
    for kind, wanted, there in (
        ("row", [*table.rows, *table.cells], set(names)),
        ("column", known, set(frame.columns)),
    ):
        for one in wanted:
            if one not in there:
                raise GenezipError(
                    f"tables.{name} names the {kind} {one!r}, which {path.name} does not have; "
                    f"use one of {', '.join(sorted(there))}"
                )
    columns = [one for one in frame.columns if one in known]
    return {
        row: {column: str(cells[column]) for column in columns}
        for row, (_, cells) in zip(names, frame.iterrows(), strict=True)
        if row in table.rows or not table.only_rows
    }


UNITS = {"M": 6, "B": 9}
"""Letters behind a published number, such as 285M, and their powers of ten."""


def _parts(text: str) -> tuple[str, int] | None:
    """Digits and power of ten of a published number; None of a text that is none.

    A remark may stand behind a number with a unit: ``110.69M (120M in the text)``.
    """
    if with_unit := re.match(r"(\d+(?:\.\d+)?)([MB])(?:\s|$)", text):
        return with_unit[1], UNITS[with_unit[2]]
    try:
        float(text)
    except ValueError:
        return None
    return text, 0


def published_number(text: str) -> float | None:
    """The number that a published text states; None where it states none."""
    parts = _parts(text)
    if parts is None:
        return None
    digits, power = parts
    return float(f"{digits}e{power}" if power else digits)


def _digits(text: str) -> int:
    """Decimal place of the last digit of a published number; negative left of the point."""
    parts = _parts(text)
    if parts is None or "e" in parts[0].lower():
        return 12
    return len(parts[0].partition(".")[2]) - parts[1]


def number_test(measured: Measured, text: str) -> str:
    """The test of a number as code over ``measured`` and ``paper``."""
    if measured.tolerance is None:
        return f"round(measured, {_digits(text)}) == paper"
    return f"abs(measured - paper) <= {measured.tolerance:g} * abs(paper)"


def passes(measured: Measured, text: str, value: float) -> bool:
    """Whether a number passes the test of :func:`number_test`."""
    paper = published_number(text)
    assert paper is not None
    if measured.tolerance is None:
        return round(value, _digits(text)) == paper
    return abs(value - paper) <= measured.tolerance * abs(paper)


def _number(
    name: str, table: PaperTable, run: Run, row: str, column: str, text: str
) -> dict[str, Any]:
    """The row of one published number."""
    paper = published_number(text)
    found = {"table": name, "kind": NUMBER, "row": row, "column": column, "paper": paper}
    found |= {"verdict": NOT_TESTABLE, "scale": run.scale, "note": ""}
    where = table.cell(row, column)
    try:
        if where is None:
            other = "this workflow has no such number" if row in table.rows else table.other_rows
            raise _Absent(table.unlike.get(column, other))
        found |= {"file": where.file, "note": where.note, "test": number_test(where, text)}
        names = _names(table, row, run)
        found["model"] = names.get("model", "")
        reading = read(where, names, run)
    except _Absent as absent:
        return found | {"reason": str(absent)}
    found |= _cells(reading)
    comparable = where.any_scale or run.scale == "full"
    if paper is None:
        unknown = f"no single number was published: {text}" if text else NOT_RECOVERED
        return found | {"reason": unknown, "test": ""}
    if not table.verdicts:
        return found | {"reason": OTHER_QUANTITY, "test": ""}
    if not comparable:
        return found | {"reason": f"a run at scale {run.scale} is another model on other DNA"}
    verdict = REPRODUCED if passes(where, text, reading.value) else NOT_REPRODUCED
    return found | {"difference": reading.value - paper, "verdict": verdict}


def _order(
    name: str, order: Order, run: Run, published: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """The row of one comparison."""
    limit, sign = (order.above, ">") if order.above is not None else (order.below, "<")
    assert limit is not None
    paper = None
    for row, column in order.published:
        if column not in published.get(row, {}):
            raise GenezipError(
                f"tables.{name} compares {row}, {column}, which its published table does not "
                "have; name a row and a column of it"
            )
    values = [published_number(published[row][column]) for row, column in order.published]
    if len(values) == 2 and values[0] is not None and values[1] is not None:
        paper = values[0] - values[1]
    where = order.measured
    found: dict[str, Any] = {
        "table": name, "kind": ORDER, "row": order.text, "column": "", "paper": paper,
        "verdict": NOT_TESTABLE, "scale": run.scale, "file": where.file, "note": where.note,
        "test": f"{'ci_low' if sign == '>' else 'ci_high'} {sign} {limit:g}",
    }  # fmt: skip
    try:
        names = {}
        for key, models in order.names.items():
            names[key] = _model(models, run)
        reading = read(where, names, run)
        found |= {"model": run.reference, **_cells(reading)}
        if reading.low is None or reading.high is None:
            raise _Absent("our number has no interval")
    except _Absent as absent:
        return found | {"reason": str(absent)}
    low, high = reading.low, reading.high
    holds = low > limit if sign == ">" else high < limit
    if holds:
        return found | {"verdict": REPRODUCED}
    reverse = high < limit if sign == ">" else low > limit
    reason = "the opposite holds" if reverse else f"the interval holds {limit:g}"
    return found | {"verdict": NOT_REPRODUCED, "reason": reason}


def _cells(reading: Reading) -> dict[str, Any]:
    return {
        "measured": reading.value,
        "ci_low": reading.low,
        "ci_high": reading.high,
        "n": reading.n,
        "seeds": len(reading.seeds) or None,
    }


def _names(table: PaperTable, row: str, run: Run) -> dict[str, str]:
    """Names for braces in a row; refused with the reason where the run lacks its model."""
    if row not in table.rows:
        raise _Absent(table.other_rows)
    return {
        key: _model(value, run) if isinstance(value, list) else value
        for key, value in table.rows[row].items()
    }


def _model(names: Sequence[str], run: Run) -> str:
    found = run.first(names)
    if found is None and set(names) <= {"cnn"}:
        return names[0]  # a baseline of the tasks, which is no model of the configuration
    if found is None:
        raise _Absent(f"no model of this run: {' or '.join(names)}")
    return found


def read(measured: Measured, names: Mapping[str, str], run: Run) -> Reading:
    """Our number of a run; of several seeds the mean."""
    known = {"reference": run.reference, "control": run.control, **names}
    path = str(measured.file)
    if path.endswith(".json"):
        found = _from_json(measured, known, run)
    else:
        found = _from_table(measured, known, run)
    if measured.factor != 1:
        scaled = (
            None if one is None else one * measured.factor
            for one in (found.value, found.low, found.high)
        )
        value, low, high = scaled
        assert value is not None
        found = Reading(value, low, high, found.n, found.seeds)
    return found


def _named(text: str, names: Mapping[str, str]) -> str:
    """A text with the names in its braces filled in."""
    try:
        return text.format_map(names)
    except (KeyError, IndexError, ValueError):
        raise GenezipError(
            f"tables has {text!r}, with a name in braces that is not known there; use one of "
            f"{', '.join(names)}, or name it in `rows` or `names`"
        ) from None


def _paths(path: str, model: str, run: Run) -> list[tuple[int | None, Path]]:
    """Seed and place of the files that a path stands for."""
    if "{run}" not in path:
        wanted: list[tuple[int | None, str]] = [(None, path)]
    else:
        seeds = run.models.get(model, [])
        wanted = [(seed, path.replace("{run}", f"{model}.seed{seed}")) for seed in seeds]
    there = [(seed, run.files[one]) for seed, one in wanted if one in run.files]
    if not there:
        raise _Absent(f"{path} is not part of this run")
    return there


def _from_json(measured: Measured, names: Mapping[str, str], run: Run) -> Reading:
    """The number at a path of keys in a JSON file, or in that of every run of a model."""
    # a name in braces is one key, even with a dot in it
    keys = [_named(key, names) for key in measured.value.split(".")]
    values, seeds = [], []
    for seed, path in _paths(str(measured.file), names.get("model", ""), run):
        value: Any = _json(path)
        for key in keys:
            value = _at(value, key)
        if not isinstance(value, int | float):
            raise _Absent(f"{'.'.join(keys)} is not in {path.name}")
        values.append(float(value))
        seeds += [] if seed is None else [seed]
    return Reading(fmean(values), seeds=tuple(seeds))


def _at(value: Any, key: str) -> Any:
    """The item of an object by its key, of a list by its place or by its ``name``."""
    if isinstance(value, dict):
        return value.get(key)
    if isinstance(value, list):
        if key.isdecimal():
            return value[int(key)] if int(key) < len(value) else None
        return next((one for one in value if one.get("name") == key), None)
    return None


@cache
def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GenezipError(f"{path} is not readable JSON ({error}); write it again") from None


@cache
def _table(path: Path) -> pd.DataFrame:
    return read_tsv(path, (), None).fillna("")


def _from_table(measured: Measured, names: Mapping[str, str], run: Run) -> Reading:
    """The number in the one row (of each seed) of a TSV file that has the texts of ``where``."""
    where = {column: _named(text, names) for column, text in measured.where.items()}
    parts = []
    for _, path in _paths(str(measured.file), names.get("model", ""), run):
        frame = _table(path)
        if lacking := ({*where, measured.value} - set(frame.columns)):
            raise GenezipError(
                f"{path} has no column {min(lacking)}, which tables asks for; use one of "
                f"{', '.join(frame.columns)}"
            )
        for column, text in where.items():
            frame = frame[frame[column] == text]
        parts.append(frame[frame[measured.value] != ""])
    rows = pd.concat(parts)
    if rows.empty:
        raise _Absent("no such row: " + ", ".join(f"{k} {v}" for k, v in where.items()))
    seeds = rows["seed"] if "seed" in rows else pd.Series([""] * len(rows), index=rows.index)
    if seeds.duplicated().any():
        raise GenezipError(
            f"{measured.file} has several rows with {where} and one seed, so it is unknown which "
            "of them is meant; name more columns in `where`"
        )
    known = tuple(int(one) for one in seeds if one != "")
    if len(rows) > 1 and (seeds == "").any():  # that of the mean of all seeds
        rows = rows[seeds == ""]

    def numbers(column: str) -> list[float]:
        cells: Any = rows.get(column, [])
        return [float(one) for one in cells if one != ""]

    lows, highs, counts = numbers("ci_low"), numbers("ci_high"), numbers("n")
    whole = len(lows) == len(highs) == len(rows)
    return Reading(
        fmean(numbers(measured.value)),
        min(lows) if whole else None,
        max(highs) if whole else None,
        int(counts[0]) if counts else None,
        known,
    )


def read_claims(path: Path) -> pd.DataFrame:
    """A table that :func:`write` wrote."""
    return read_tsv(path, COLUMNS, _TEXT | {"note"})


def write(table: PaperTable, rows: pd.DataFrame, out: Path) -> None:
    """Write a table as TSV, and as Markdown beside it."""
    write_text(out.with_suffix(".md"), markdown(table, rows))
    write_tsv(out, rows)


def _shown(value: Any, digits: int = 4) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 10**digits else f"{float(value):.{digits}g}"


def _measured(row: Any) -> str:
    """Our number with its interval, or a dash."""
    if pd.isna(row.measured):
        return "–"
    if pd.isna(row.ci_low) or pd.isna(row.ci_high):
        return _shown(row.measured)
    return f"{_shown(row.measured)} ({_shown(row.ci_low)} to {_shown(row.ci_high)})"


def markdown(table: PaperTable, rows: pd.DataFrame) -> str:
    """The table as Markdown: a grid of ``paper / measured``, comparisons, and what is missing."""
    lines = [f"# {table.title}", ""]
    lines += [f"{table.note}", ""] if table.note else []
    numbers, orders = (rows[rows["kind"] == kind] for kind in (NUMBER, ORDER))
    if len(numbers):
        columns = list(dict.fromkeys(numbers["column"]))
        head = ["paper / measured", *columns]
        lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        cells = {(one.row, one.column): one for one in numbers.itertuples()}
        for row in dict.fromkeys(numbers["row"]):
            line = [row]
            for column in columns:
                one = cells[row, column]
                paper = _shown(one.paper, 6) or "not recovered"
                line.append(f"{paper} / {_measured(one)}")
            lines.append("| " + " | ".join(line) + " |")
        counts = numbers["n"].dropna()
        seeds = numbers["seeds"].dropna()
        scale = ", ".join(dict.fromkeys(numbers["scale"]))
        about = [f"Scale {scale}"]
        about += [f"n = {_range(counts)}"] if len(counts) else []
        about += [f"training seeds: {_range(seeds)}"] if len(seeds) else []
        lines += ["", "; ".join(about) + ". Brackets are 95 % intervals."]
        reasons = numbers.dropna(subset=["reason"]) if "reason" in numbers else numbers.iloc[:0]
        grouped: dict[str, list[str]] = {}
        for reason, row in zip(reasons["reason"], reasons["row"], strict=True):
            grouped.setdefault(str(reason), []).append(str(row))
        for reason, named in grouped.items():
            who = ", ".join(dict.fromkeys(named))
            lines += ["", f"No verdict for {who}: {reason}."]
    if len(orders):
        lines += ["", "| comparison | paper | measured | verdict |", "|" + " --- |" * 4]
        made: Any
        for made in orders.itertuples():
            why = "" if pd.isna(made.reason) else f" ({made.reason})"
            paper = _shown(made.paper) or "direction only"
            lines.append(f"| {made.row} | {paper} | {_measured(made)} | {made.verdict}{why} |")
    return "\n".join(lines) + "\n"


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
