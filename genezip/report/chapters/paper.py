"""The chapter on the paper: its comparisons and numbers beside ours, each with a verdict."""

from typing import Any

from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.paper import NOT_REPRODUCED, NUMBER, ORDER, OTHER_QUANTITY, REPRODUCED
from genezip.report.results import Results
from genezip.report.scores import Number, records
from genezip.report.words import decimals_of, fixed, measured, plain

KINDS = {REPRODUCED: "holds", NOT_REPRODUCED: "fails"}
"""Verdict -> how it is drawn; others are open."""
FILE = "tables/claims.tsv"


def section(results: Results) -> Section | None:
    """Comparisons in words with both numbers; counts of the published numbers by table."""
    claims = results.claims
    if claims.empty:
        return None
    numbers, orders = (claims[claims["kind"] == kind] for kind in (NUMBER, ORDER))
    tested = numbers[numbers["reason"] != OTHER_QUANTITY]
    counts = [sum(orders["verdict"] == verdict) for verdict in KINDS]
    compared = (
        f"The paper compares things, and gives numbers. Of its {len(orders)} comparisons that this "
        f"workflow can make, {_are(counts[0])} reproduced here and {_are(counts[1])} not; the "
        "others need a model or data that this run does not have."
    )
    text = [compared if len(orders) else "", _numbers_sentence(results, tested)]
    tables = [_orders(orders)] if len(orders) else []
    tables += [_numbers(numbers)] if len(numbers) else []
    return Section([sentence for sentence in text if sentence], tables)


def _numbers_sentence(results: Results, numbers: Any) -> str:
    """Sentence on how many published numbers could be tested."""
    if numbers.empty:
        return ""
    held, failed = (int((numbers["verdict"] == verdict).sum()) for verdict in KINDS)
    known = int(numbers["paper"].notna().sum())
    text = (
        f"Of {known} published numbers, {_are(held)} reproduced and {_are(failed)} not. The rest "
        "cannot be tested here: "
    )
    if results.scale != "full":
        text += "a small model on little DNA has other numbers than the paper's. "
    else:
        text += "their models or data are no part of this run. "
    return text + f"Every number with its test and the file of ours: {FILE}."


def _in_words(test: str) -> str:
    """The test of a comparison, which is one end of an interval against a limit."""
    _, sign, limit = test.split()
    return f"interval {'above' if sign == '>' else 'below'} {limit}"


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def _orders(orders: Any) -> Table:
    rows: list[list[Cell]] = []
    for row in records(orders):
        number = None
        if row["measured"] == row["measured"]:
            low, high = (None if v != v else v for v in (row["ci_low"], row["ci_high"]))
            number = Number(row["measured"], low, high)
        decimals = decimals_of(*((number.value, number.low, number.high) if number else ()))
        paper = "direction only" if row["paper"] != row["paper"] else plain(row["paper"])
        reason = "" if row["reason"] != row["reason"] else str(row["reason"])
        verdict = {"verdict": KINDS.get(row["verdict"], "open"), "text": row["verdict"]}
        rows.append(
            [
                row["row"],
                paper,
                measured(number, lambda value, d=decimals: fixed(value, d)),  # type: ignore[misc]
                _in_words(str(row["test"])),
                {**verdict, "note": reason},
            ]
        )
    head = ["comparison", "paper", "measured (95 % interval)", "reproduced if", "verdict"]
    note = (
        "Numbers are differences of the two sides, in repeats ratios. The paper has one training "
        "run of each model and no intervals."
    )
    return Table(head, rows, title="Comparisons", note=note)


def _numbers(numbers: Any) -> Table:
    rows: list[list[Cell]] = []
    for name, group in numbers.groupby("table", sort=False):
        held, failed = (int((group["verdict"] == verdict).sum()) for verdict in KINDS)
        measured_here = int(group["measured"].notna().sum())
        counts = [int(group["paper"].notna().sum()), measured_here, held, failed]
        rows.append([{"file": f"tables/paper/{name}.md"}, *(f"{count:,}" for count in counts)])
    head = ["table", "published", "with ours beside", "reproduced", "not reproduced"]
    return Table(head, rows, (1, 2, 3, 4), "Numbers, by table")


CHAPTER = Chapter("paper", "The paper beside this run", section)
