"""The chapter on the arena: ways of cutting DNA, ranked by what their places are worth."""

import pandas as pd

from genezip.artifacts.scores import FIXED_STRIDE, RANDOM_CHUNKS, Metric, difference_of
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, listed, measured, plain

GROUP = "promoter"


def ranked(results: Results) -> list[str]:
    """Systems from the first rank to the last."""
    frame = results.arena.frame
    own = frame[frame["metric"] == Metric.RANK].sort_values("value", kind="stable")
    return [str(name) for name in own["model"]]


def number(results: Results, metric: str, model: str, region: str = GROUP) -> Number | None:
    """A number of the mean over seeds, or of the only seed."""
    (subset,) = results.arena.frame["subset"].unique()
    return results.arena.over_seeds(metric, model, subset=subset, region=region)[0]


def section(results: Results) -> Section | None:
    """Text with the verdict, and all systems in one table; None where there was no arena."""
    names = ranked(results)
    if not names:
        return None
    text = [
        "Systems keep very different numbers of tokens, so none is compared with another one "
        "directly. Each stands beside controls with its own number of tokens in every window: "
        "chunks of equal length, and chunks that begin at random bases. The difference of its "
        "promoter enrichment from that of equal chunks is what the places of its tokens are "
        "worth, and it is ranked; windows that get more tokens do not count.",
        _verdict(results, names),
    ]
    return Section(text, [_table(results, names)])


def _verdict(results: Results, names: list[str]) -> str:
    """Which systems beat chunks of equal length, and which is first."""
    sides: dict[str, list[str]] = {}
    for name in names:
        found = number(results, *_from(name, FIXED_STRIDE))
        sides.setdefault(found.side() if found else "unknown", []).append(name)
    parts = [
        f"{listed(sides[side])} {one if len(sides[side]) == 1 else several} equal chunks"
        for side, one, several in _WORDS
        if side in sides
    ]
    ties = _ties(results, names[0])
    tie = f", tied with {ties}" if ties else ""
    return f"{'; '.join(parts)}. The first rank has {names[0]}{tie}."


_WORDS = (
    (
        "above",
        "has more of its tokens in promoters than",
        "have more of their tokens in promoters than",
    ),
    ("below", "has fewer there than", "have fewer there than"),
    ("around", "cannot be told from", "cannot be told from"),
    (
        "unknown",
        "has too little DNA to be compared with",
        "have too little DNA to be compared with",
    ),
)
"""Side of the interval, and what is said of one system and of several."""


def _from(name: str, control: str) -> tuple[str, str]:
    return Metric.ENRICHMENT_DIFFERENCE, difference_of(name, control)


def _ties(results: Results, name: str) -> str:
    frame = results.arena.frame
    notes = frame.loc[(frame["metric"] == Metric.RANK) & (frame["model"] == name), "note"]
    text = notes.iloc[0] if len(notes) else None
    return "" if text is None or pd.isna(text) else str(text).removeprefix("tied with ")


def _table(results: Results, names: list[str]) -> Table:
    rows: list[list[Cell]] = []
    for name in names:
        rank = number(results, Metric.RANK, name)
        rows.append(
            [
                _rank(rank),
                name,
                measured(number(results, Metric.BPT, name, "all"), plain),
                measured(number(results, Metric.CHUNK_CV, name, "all"), _two),
                measured(number(results, Metric.ENRICHMENT, name), _two),
                measured(number(results, *_from(name, FIXED_STRIDE)), _two),
                measured(number(results, *_from(name, RANDOM_CHUNKS)), _two),
                _ties(results, name) or "\u2013",
            ]
        )
    head = [
        "rank", "system", "bp per token", "spread", "promoter enrichment", "minus equal chunks",
        "minus random chunks", "tied with",
    ]  # fmt: skip
    note = (
        "Rank, and the range of ranks among the systems it is tied with: those of which the "
        "interval of the difference contains zero. Spread: standard deviation of the lengths of "
        "chunks over their mean. Means over seeds."
    )
    return Table(head, rows, (2, 3, 4, 5, 6), "Systems beside controls with as many tokens", note)


def _rank(found: Number | None) -> str:
    if found is None:
        return "\u2013"
    if found.low is None or found.high is None or found.low == found.high:
        return f"{found.value:.0f}"
    return f"{found.value:.0f} ({found.low:.0f} to {found.high:.0f})"


def _two(value: float) -> str:
    return fixed(value, 2)


CHAPTER = Chapter("arena", "Ways of cutting DNA", section)
