"""What is behind the tokens: bits per base, recall of copies, frozen probes."""

import pandas as pd

from genezip.artifacts.scores import BASELINE, MIXING, TASK_SCORES, TWO_SIDED, Metric, difference_of
from genezip.report.chapter import Cell, Table
from genezip.report.results import Results, read_scores
from genezip.report.scores import Number, number_of, records
from genezip.report.systems import arena
from genezip.report.systems.arena import PROBE_METRICS, RULES
from genezip.report.words import capital, fixed, measured

DASH = "–"
LENGTH = "length"
"""The baseline of elements that no model is compared with: windows have one length for all."""


def sentences(results: Results) -> list[str]:
    """What places of tokens taught the networks behind them, by kind of claim; and of copies."""
    return [*_lessons(results), *_copies(results)]


def _lessons(results: Results) -> list[str]:
    """The range of the differences in every unit, for every kind of pair."""
    found: dict[str, dict[str, list[tuple[float, str]]]] = {}
    for pair in arena.pairs(results):
        own = found.setdefault(pair.what, {}).setdefault(pair.unit, [])
        own += [(one.value, pair.names) for one in pair.differences]
    told = []
    for name in arena.KINDS.values():
        parts = []
        for unit, values in found.get(name, {}).items():
            if values:
                ends = [f"{_three(value)} ({names})" for value, names in (min(values), max(values))]
                parts.append(f"{unit} {' to '.join(dict.fromkeys(ends))}")
        if parts:
            told.append(f"{capital(name)}, differences: {'; '.join(parts)}.")
    return told


def _copies(results: Results) -> list[str]:
    """How much of a copy networks recall, and the model that looks repeats up."""
    near, far = distances(results)[:1], distances(results)[-1:]
    if not near:
        return []
    bar = [_recalled(results, MIXING, where) for where in (near[0], far[0])]
    best = _best(results, near[0])
    if best is None or bar[0] is None or bar[1] is None:
        return []
    name, number = best
    return [
        f"Of 256 bases that stand {near[0]:,} bp earlier in the same sequence, the network that "
        f"recalls most, {name}, saves {_percent(number.value)} of the bits, and a model that looks "
        f"repeats up {_percent(bar[0].value)} ({_percent(bar[1].value)} at {far[0]:,} bp)."
    ]


def _percent(value: float) -> str:
    return f"{fixed(100 * value, 1)} %"


def _three(value: float) -> str:
    return fixed(value, 3)


def distances(results: Results) -> list[int]:
    """Distances of the copies (bp), ascending."""
    subsets = results.arena.recall.frame["subset"].dropna().unique()
    return sorted(int(str(name).rpartition("_")[2]) for name in subsets)


def _recalled(results: Results, model: str, distance: int) -> Number | None:
    where = {"subset": f"copy_at_{distance}"}
    return results.arena.recall.over_seeds(Metric.COPY_RECALL, model, **where)[0]


def _best(results: Results, distance: int) -> tuple[str, Number] | None:
    found = [
        (name, number)
        for name in results.arena.recall.models
        if name != MIXING and (number := _recalled(results, name, distance))
    ]
    return max(found, key=lambda one: one[1].value, default=None)


def bits(results: Results, names: list[str]) -> Table | None:
    """Exact bits per base and bits per masked base, in columns of their own."""
    exact, masked = results.arena.bits, results.masked
    subset = next(iter(exact.frame["subset"].dropna().unique()), "all")
    rows: list[list[Cell]] = []
    for name in [*names, MIXING, TWO_SIDED]:
        numbers = [
            exact.over_seeds(Metric.BITS_PER_BASE, name, subset=subset)[0],
            exact.over_seeds(Metric.BITS_DIFFERENCE, difference_of(name, MIXING), subset=subset)[0],
            masked.over_seeds(Metric.MASK_BITS, name)[0],
            masked.over_seeds(Metric.MASK_BITS_DIFFERENCE, difference_of(name, TWO_SIDED))[0],
        ]
        if any(numbers):
            rows.append([name, *(measured(one, _three) for one in numbers), _twins(results, name)])
    head = [
        "system", "bits per base", "minus context mixing", "bits per masked base",
        "minus two-sided Markov", "minus its twins",
    ]  # fmt: skip
    note = (
        "Bits per base are those of exact likelihoods; where a bound looked ahead, of the same "
        "weights under the causal bound. Bits per masked base see both sides, so the two columns "
        "cannot be compared. Twins (arena.beside) are the same network on tokens in other places, "
        "or what a system is claimed to beat."
    )
    return Table(head, rows, (1, 2, 3, 4), "Prediction of held-out bases", note) if rows else None


def _twins(results: Results, name: str) -> str:
    parts = []
    for scores, metric in (
        (results.arena.bits, Metric.BITS_DIFFERENCE),
        (results.masked, Metric.MASK_BITS_DIFFERENCE),
    ):
        frame = scores.frame[scores.frame["metric"] == metric]
        for pair in dict.fromkeys(frame["model"]):
            model, _, twin = str(pair).partition(" - ")
            known = twin in results.arena.tokens.models
            if model == name and known:
                row = records(frame[frame["model"] == pair])[0]
                parts.append(f"{twin}: {measured(number_of(row), _three)}")
    return "; ".join(parts) or DASH


def recall(results: Results, names: list[str]) -> Table | None:
    """Share of the bits that a copy saves, by distance, and boundaries found again."""
    every = distances(results)
    rows: list[list[Cell]] = []
    for name in [*names, MIXING]:
        saved = [_recalled(results, name, distance) for distance in every]
        cuts = [
            results.arena.recall.over_seeds(Metric.COPY_CUTS, name, subset=f"copy_at_{distance}")[0]
            for distance in (every[:1] + every[-1:])
        ]
        if any(saved) or any(cuts):
            rows.append([name, *(measured(one, _percent) for one in (*saved, *cuts))])
    head = ["system", *(f"{distance:,} bp" for distance in every)]
    head += [f"same cuts, {distance:,} bp" for distance in (every[:1] + every[-1:])]
    note = (
        "Share of the bits of 256 bases that a copy at this distance saves, against the same bases "
        "without a copy; only exact likelihoods. Same cuts: boundaries that original and copy "
        "share, over those of either."
    )
    numeric = tuple(range(1, len(head)))
    return Table(head, rows, numeric, "Recall of a copy of 256 bases", note) if rows else None


def probes(results: Results, names: list[str]) -> Table | None:
    """Frozen linear probes on every set, beside the best baseline without a model."""
    columns: dict[str, dict[str, Number | None]] = {}
    trivial: dict[str, tuple[str, Number | None]] = {}
    for part in results.label_parts:
        frame = read_scores(results.folder / "labels" / f"{part}.tsv", TASK_SCORES)
        for subset in dict.fromkeys(frame["subset"].dropna()):
            chosen = _chosen(frame[frame["subset"] == subset])
            if chosen is None:
                continue
            own, metric, rule = chosen
            title = f"{subset}: {metric}, {rule}"
            models = own[own["mode"] != BASELINE]
            columns[title] = {str(row["model"]): number_of(row) for row in records(models)}
            fair = (own["mode"] == BASELINE) & (own["model"] != LENGTH)
            best = own[fair].nlargest(1, "value")
            for row in records(best):
                trivial[title] = str(row["model"]), number_of(row)
    if not columns:
        return None
    rows: list[list[Cell]] = [
        [name, *(measured(one.get(name), _three) for one in columns.values())]
        for name in names
        if any(one.get(name) for one in columns.values())
    ]
    if not rows:
        return None
    named = [trivial.get(title, ("", None)) for title in columns]
    rows.append(
        ["best without a model", *(f"{measured(one, _three)}, {name}" for name, one in named)]
    )
    note = (
        "A linear probe on the mean vector of a sequence; for systems without vectors on counts of "
        "their tokens. Intervals are wide, and differences of neighbours mean little: the pairs in "
        "the claims are tested on the same examples."
    )
    numeric = tuple(range(1, len(columns) + 1))
    return Table(["system", *columns], rows, numeric, "Frozen probes", note)


def _chosen(frame: pd.DataFrame) -> tuple[pd.DataFrame, str, str] | None:
    """Rows of the metric and split scheme that is shown, of the first seed of each model."""
    for metric in PROBE_METRICS:
        of = frame[(frame["metric"] == metric) & (frame["split"] == "test")]
        rule = next((rule for rule in RULES if (of["rule"] == rule).any()), None)
        if rule is not None:
            return of[of["rule"] == rule].drop_duplicates("model"), metric, rule
    return None
