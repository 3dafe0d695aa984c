"""Ways of cutting DNA, ranked by what the places of their tokens are worth."""

import pandas as pd

from genezip.artifacts.scores import FIXED_STRIDE, MIXING, RANDOM_CHUNKS, Metric, difference_of
from genezip.report.chapter import Cell, Table
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, listed, measured, plain

GROUP = "promoter"
MOST_NAMED = 3
"""Systems that are named in a cell; of more the number is told."""


def ranked(results: Results) -> list[str]:
    """Systems from the first rank to the last."""
    frame = results.arena.tokens.frame
    own = frame[frame["metric"] == Metric.RANK].sort_values("value", kind="stable")
    return [str(name) for name in own["model"]]


def number(results: Results, metric: str, model: str, region: str = GROUP) -> Number | None:
    """A number of the mean over seeds, or of the only seed."""
    (subset,) = results.arena.tokens.frame["subset"].unique()
    return results.arena.tokens.over_seeds(metric, model, subset=subset, region=region)[0]


def verdict(results: Results, names: list[str]) -> str:
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
    tied = _tied(results, names[0])
    tie = "" if tied == "\u2013" else f", tied with {tied}"
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
    frame = results.arena.tokens.frame
    notes = frame.loc[(frame["metric"] == Metric.RANK) & (frame["model"] == name), "note"]
    text = notes.iloc[0] if len(notes) else None
    return "" if text is None or pd.isna(text) else str(text).removeprefix("tied with ")


def _tied(results: Results, name: str) -> str:
    """The systems that one is tied with, or how many there are."""
    ties = _ties(results, name)
    count = len(ties.split(", ")) if ties else 0
    return ties if 0 < count <= MOST_NAMED else f"{count} systems" if count else "\u2013"


def table(results: Results, names: list[str]) -> Table:
    """Every system with its tokens, its enrichment, and what it has on its controls."""
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
                _tied(results, name),
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


def by_class(results: Results, names: list[str]) -> Table | None:
    """Bases per token of every region class."""
    labels = results.region_classes.labels
    classes = [name for name in labels if not results.no_base(name)]
    rows: list[list[Cell]] = []
    for name in names:
        found = [number(results, Metric.BPT, name, region) for region in classes]
        rows.append([name, *("\u2013" if one is None else plain(one.value) for one in found)])
    head = ["system", *(labels[name] for name in classes)]
    note = "Bases per token; their intervals, wide for classes of few bases, are in tokens.tsv."
    return Table(head, rows, tuple(range(1, len(head))), "Bases per token by region", note)


def elsewhere(results: Results, genome: str) -> Table | None:
    """The same systems on another genome, by rank there."""
    places, bits = results.arena.elsewhere[genome]
    frame = places.frame
    own = frame[frame["metric"] == Metric.RANK].sort_values("value", kind="stable")
    subset = next(iter(frame["subset"].dropna().unique()), "all")
    rows: list[list[Cell]] = []
    for name in own["model"]:
        pair = difference_of(name, MIXING)
        numbers = [
            (places.over_seeds(Metric.RANK, name, subset=subset, region=GROUP)[0], _whole),
            (places.over_seeds(Metric.BPT, name, subset=subset)[0], plain),
            (places.over_seeds(*_from(name, FIXED_STRIDE), subset=subset, region=GROUP)[0], _two),
            (places.over_seeds(*_from(name, RANDOM_CHUNKS), subset=subset, region=GROUP)[0], _two),
            (bits.over_seeds(Metric.BITS_PER_BASE, name, subset=subset)[0], _three),
            (bits.over_seeds(Metric.BITS_DIFFERENCE, pair, subset=subset)[0], _three),
        ]
        first, *others = numbers
        cells = [measured(one, show) for one, show in others]
        rows.append([_rank(first[0]), str(name), *cells])
    bar = bits.over_seeds(Metric.BITS_PER_BASE, MIXING, subset=subset)[0]
    head = [
        "rank", "system", "bp per token", "enrichment minus equal chunks", "minus random chunks",
        "bits per base", "minus context mixing",
    ]  # fmt: skip
    note = (
        "Nothing was trained on this genome, unless the table of costs says so. Context mixing, "
        f"trained on the DNA of the run, needs {measured(bar, _three)} bits per base here."
    )
    return Table(head, rows, (2, 3, 4, 5, 6), f"Elsewhere: {genome}", note) if rows else None


def _whole(value: float) -> str:
    return fixed(value, 0)


def _three(value: float) -> str:
    return fixed(value, 3)
