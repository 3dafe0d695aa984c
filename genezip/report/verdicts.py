"""One sentence per section that says what is shown and what is not, made from the numbers."""

from collections.abc import Callable

from genezip.artifacts.scores import markov_name
from genezip.report import claims
from genezip.report.region_style import own_labels
from genezip.report.repeat_sets import HELD_OUT, RepeatSet, ratio, shown_side
from genezip.report.results import Results
from genezip.report.scores import (
    Number,
    decimals_of,
    fixed,
    listed,
    measured,
    plain,
    seeds_named,
    signed,
)

MAX_MISS = 1.5  # factor by which a region may miss its target before it is named
NO_BASE = "no such base in held-out DNA"
REPEAT_WORDS = {
    "above": "fewer tokens than the background",
    "below": "more tokens than the background",
    "around": "not shown to differ from the background",
    "unknown": "without an interval, so nothing is shown",
}


def judged(
    seeds: list[int],
    numbers: list[Number | None],
    words: dict[str, str],
    side: Callable[[int, Number], str],
) -> str:
    """Verdicts with their numbers; seeds with the same verdict share it.

    Parameters
    ----------
    seeds, numbers : one number per training seed
    words : what each side of :meth:`Number.side` means here
    side : seed and number -> side
    """
    groups: dict[str, list[tuple[int, Number]]] = {}
    for seed, number in zip(seeds, numbers, strict=True):
        if number:
            groups.setdefault(words[side(seed, number)], []).append((seed, number))
    if not groups:
        return "not computed"
    parts = []
    for phrase, members in groups.items():
        named = [(f"seed {seed}: " if len(seeds) > 1 else "") + _from_one(n) for seed, n in members]
        parts.append(f"{listed(named)}, {phrase}")
    return "; ".join(parts)


def _from_one(number: Number) -> str:
    """A ratio whose interval ends never look like 1 by rounding."""
    apart = [end - 1 for end in (number.low, number.high) if end is not None]
    decimals = decimals_of(*apart)
    return measured(number, lambda value: fixed(value, decimals))


def genic(results: Results) -> str | None:
    """Enrichment of genic DNA against an even cut."""
    seeds = results.seeds(results.reference)
    found = [results.number("enrichment", results.reference, region="genic", seed=s) for s in seeds]
    if not any(found):
        return None
    words = {
        "above": "more tokens than an even cut",
        "below": "fewer tokens than an even cut",
        "around": "not shown to differ from an even cut",
        "unknown": "without an interval, so nothing is shown",
    }
    verdict = judged(seeds, found, words, lambda _, number: number.side(1))
    genes = listed(["CDS", "UTR", "non-coding exons", *own_labels(results.region_classes, "genic")])
    return (
        f"Genic enrichment ({genes}; 1 is their share of the bases) of "
        f"{results.reference}: {verdict}."
    )


def budget(results: Results) -> str | None:
    """Bases per token got over asked, by region, and which regions miss by how much."""
    factors: dict[str, list[float]] = {}
    for region in results.region_classes.priority:
        for seed in results.seeds(results.reference):
            where = {"region": region, "seed": seed}
            got = results.number("bpt", results.reference, **where)
            asked = results.number("target_bpt", results.reference, **where)
            if got and asked:
                factors.setdefault(region, []).append(got.value / asked.value)
    if not factors:
        return None
    labels = results.region_classes.labels
    each = [f"{labels[r]} {_range(values)}" for r, values in factors.items()]
    missed = [
        labels[r]
        for r, values in factors.items()
        if any(f > MAX_MISS or f < 1 / MAX_MISS for f in values)
    ]
    several = len(results.seeds(results.reference)) > 1
    text = (
        f"Bases per token that {results.reference} got over those it was asked for, by region "
        f"(above 1: cut more coarsely than asked{'; range over seeds' if several else ''}): "
        f"{', '.join(each)}. "
    )
    if missed:
        runs = " in at least one training run" if several else ""
        verb = "miss their targets" if len(missed) > 1 else "misses its target"
        text += f"{_capital(listed(missed))} {verb} by more than a factor of {MAX_MISS}{runs}."
    else:
        text += f"No region misses its target by more than a factor of {MAX_MISS}."
    empty = [
        labels[region] for region in results.region_classes.priority if results.no_base(region)
    ]
    return text + (f" {_capital(listed(empty))}: {NO_BASE}." if empty else "")


def _range(values: list[float]) -> str:
    low, high = fixed(min(values)), fixed(max(values))
    return low if low == high else f"{low} to {high}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def perplexity(results: Results) -> str | None:
    """Perplexity against the best Markov model."""
    markov = claims.markov_by_order(results)
    seeds = results.seeds(results.reference)
    own = [results.number("ppl", results.reference, seed=seed) for seed in seeds]
    if not markov or not any(own):
        return None
    order = min(markov, key=markov.__getitem__)
    name = (
        f"the best Markov model on this DNA (order {order}, perplexity {plain(markov[order], 4)})"
    )
    mine = ", ".join(plain(number.value, 4) for number in own if number)
    runs = f" ({seeds_named(seeds)})" if len(seeds) > 1 else ""
    difference, behind = results.compared_over_seeds(
        "ppl_difference", f"{results.reference} - {markov_name(order)}", region="all", strand="+"
    )
    if difference is None:
        lower = sum(number.value < markov[order] for number in own if number)
        relation = "below" if lower == len(own) else "above" if not lower else "on both sides of"
        return (
            f"The perplexity of {results.reference}, {mine}{runs}, is {relation} that of {name}; "
            "a paired difference was not computed."
        )
    verdict = {
        "below": f"{results.reference} guesses better",
        "above": f"{results.reference} guesses worse",
        "around": "the two are not shown to differ",
        "unknown": "there is no interval, so nothing is shown",
    }[difference.side()]
    mean = f", mean of {seeds_named(behind)}" if len(behind) > 1 else ""
    return (
        f"Against {name}, {results.reference} has perplexity {mine}{runs}, a paired difference of "
        f"{signed(difference)}{mean}: {verdict}."
    )


def repeats(results: Results) -> list[str]:
    """Held-out repeats, plain and adjusted, and how that compares with the published direction."""
    seeds = results.seeds(results.reference)
    lines, sides = [], []
    for repeat in HELD_OUT:
        parts = []
        for metric, label in (
            ("bpt_ratio", "plain ratio"),
            ("bpt_ratio_region_adjusted", "ratio adjusted for regions"),
        ):
            numbers = [ratio(results, results.reference, metric, repeat, seed=s) for s in seeds]
            if not any(numbers):
                continue

            def side(seed: int, number: Number, metric: str = metric, a: RepeatSet = repeat) -> str:
                return shown_side(results, metric, a, seed, number)

            parts.append(f"{label} {judged(seeds, numbers, REPEAT_WORDS, side)}")
            sides += [side(s, n) for s, n in zip(seeds, numbers, strict=True) if n]
        if parts:
            lines.append(f"{_capital(repeat.label)} repeats of held-out DNA: {'; '.join(parts)}.")
    if not lines:
        return []
    counts = [sides.count(name) for name in ("above", "below")]
    rest = len(sides) - sum(counts)
    first = (
        "The published direction is fewer tokens in repeats. Of "
        f"{len(sides)} comparisons of {results.reference} on held-out DNA, {counts[0]} show it, "
        f"{counts[1]} show the opposite, and {rest} show no difference. Something counts as shown "
        "where the interval leaves out 1 and the value lies outside the range of random shifts."
    )
    return [first, " ".join(lines)]
