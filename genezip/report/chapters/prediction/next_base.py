"""The chapter on the prediction of the next base: perplexity and bits per base."""

from functools import partial
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from genezip.artifacts.scores import (
    MARKOV_OWN,
    MIXING,
    SEEN,
    UNSEEN,
    Metric,
    difference_of,
    markov_name,
    of_stage,
    under_bound,
    with_mixing,
)
from genezip.report import claims, style
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import (
    REGION_IN,
    Drawing,
    interval_words,
    name_rows,
    new_figure,
    note_empty,
    record,
    region_rows,
    rule_rows,
)
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, four, measured, plain, seeds_named, signed


def named_orders(results: Results) -> list[int]:
    """Markov orders of the page: 0, that of the claim, the best on validation, the highest."""
    known = results.markov_by_order
    if not known:
        return []
    shown = {0, claims.MARKOV_ORDER, max(known)}
    if results.best_order is not None:
        shown.add(results.best_order)
    return sorted(shown & known.keys())


def perplexity_section(results: Results) -> Section:
    """Table of perplexity and of the share of windows with an active bound, and Markov models."""
    rows: list[list[Cell]] = []
    for name, look in style.looks(results).items():
        ppl = results.number(Metric.PPL, name)
        if ppl is None:
            continue
        # from exact likelihoods: under the causal bound if the model's own bound looks ahead
        bits = results.number(Metric.BITS_PER_BASE, name) or results.causal(
            Metric.BITS_PER_BASE, name
        )
        share = results.number(Metric.BOUND_SHARE, name)
        percent = "–" if share is None else f"{plain(100 * share.value)} %"
        causal = measured(results.causal(Metric.PPL, name), four)
        rows.append([look.label, measured(ppl, four), measured(bits, four), percent, causal])
    for order in named_orders(results):
        ppl = results.markov_ppl(order)
        bits = results.markov_ppl(order, metric=Metric.BITS_PER_BASE)
        best = " (best on validation DNA)" if order == results.best_order else ""
        cells = [f"Markov, order {order}{best}", measured(ppl, four), measured(bits, four)]
        rows.append([*cells, "–", "–"])
    for label, model in (
        ("context mixing", None),
        (f"{results.reference} and context mixing", results.reference),
    ):
        if (ppl := results.mixing(Metric.PPL, model)) is not None:
            bits = results.mixing(Metric.BITS_PER_BASE, model)
            rows.append([label, measured(ppl, four), measured(bits, four), "–", "–"])
    head = ["model", "perplexity (95 % interval)", "bits per base", "windows with an active bound"]
    head.append("perplexity under the causal bound")
    seeds = results.seeds(results.reference)
    which = f" (models: seed {seeds[0]})" if seeds[1:] else ""
    title = f"All bases of held-out DNA{which}"
    note = (
        "A bound on the tokens of a window ranks the whole window, so where it is active the "
        "prediction of a base may depend on later ones. The causal bound, our addition, does not "
        "look ahead: the last column is the perplexity of the same weights under it, on the "
        "forward strand. Bits per base are from exact likelihoods alone, so where a bound was "
        "active they are those under the causal bound."
    )
    tables = [Table(head, rows, (1, 2, 3, 4), title, note)] if rows else []
    tables += [table for table in (region_table(results), organism_table(results)) if table]
    text = [
        "Compression is useful only if the tokens keep the information of the sequence, so each "
        "model also predicts every next base."
    ]
    if not any(results.number(Metric.PPL, name) for name in results.models):
        text = ["No model of this run predicts the next base; models that count do."]
    elif results.scale in ("demo", "test"):
        text[0] += " A small model trained for minutes is not expected to beat long Markov models."
    text += [
        sentence for sentence in (against_markov(results), against_mixing(results)) if sentence
    ]
    return Section(text, tables)


BLOCKS = (
    (Metric.PPL, "all windows"),
    (Metric.PPL_UNBOUNDED, "windows without an active bound"),
    (Metric.PPL_RELEASE, "weighting of the release"),
)
"""Metric of the rows of :func:`region_table`, and their name."""


def region_table(results: Results) -> Table | None:
    """Table of perplexity by region class, as Table 1 of the paper; None without any."""
    classes = results.region_classes
    regions = [name for name in ("all", *classes.priority) if not results.no_base(name)]
    rows: list[list[Cell]] = []

    def add(label: str, which: str, found: list[Number | None]) -> None:
        if found[0] is not None:
            windows = f"{found[0].n:,}" if found[0].n else "–"
            cells = ["–" if one is None else four(one.value) for one in found]
            rows.append([label, which, windows, *cells])

    for name, look in style.looks(results).items():
        share = results.number(Metric.BOUND_SHARE, name)
        for metric, which in BLOCKS:
            if metric == Metric.PPL_UNBOUNDED and not (share and share.value):
                continue  # the same windows as above
            found = [results.number(metric, name, region=region) for region in regions]
            add(look.label, which, found)
    for order in named_orders(results):
        found = [results.markov_ppl(order, region) for region in regions]
        add(f"Markov, order {order}", BLOCKS[0][1], found)
    found = [results.mixing(Metric.PPL, region=region) for region in regions]
    add("context mixing", BLOCKS[0][1], found)
    if not rows:
        return None
    labels = ["all bases" if name == "all" else classes.labels[name] for name in regions]
    note = (
        "As Table 1 of the paper, on held-out DNA. Rows without the windows in which a bound was "
        "active are given where there are such windows; there the likelihood is exact. The release "
        "gives soft-masked bases a tenth of the weight of others but divides by their number, so "
        "that row is no perplexity and compares with runs of the release alone. Intervals are in "
        "the table of all metrics, compression.tsv."
    )
    head = ["model", "bases", "windows", *labels]
    return Table(head, rows, tuple(range(2, len(head))), "Perplexity by region class", note)


ORGANISMS = {SEEN: "trained on", UNSEEN: "never seen"}
"""Organisms with training DNA, of which other parts are held out, and the others."""


def organism_table(results: Results) -> Table | None:
    """Table of bits per base by group of organisms, coding and non-coding; None without any."""
    models = [(look.label, name) for name, look in style.looks(results).items()]
    orders = [(f"Markov, order {order}", markov_name(order)) for order in named_orders(results)]
    others = [("Markov, of the organism itself", MARKOV_OWN), ("context mixing", MIXING)]
    mixed = [(f"{label} and context mixing", with_mixing(name)) for label, name in models]
    columns = [(group, region) for group in ORGANISMS for region in ("coding", "noncoding")]
    rows: list[list[Cell]] = []
    measured_models = set(results.compression.models)
    for label, name in [*models, *orders, *others, *mixed]:
        found = [
            scores.find(Metric.BITS_PER_BASE, name, subset=group, region=region)
            for group, region in columns
            for scores in [results.compression if name in measured_models else results.markov]
        ]
        if any(found):
            rows.append([label, *(measured(one, four) for one in found)])
    if not rows:
        return None
    words = {"coding": "coding", "noncoding": "non-coding"}
    head = ["model", *(f"{words[region]}, {ORGANISMS[group]}" for group, region in columns)]
    note = (
        "Held-out parts of organisms trained on, and organisms never seen. The Markov model of the "
        "organism itself is fitted on other DNA of the same organism, which no other model has."
    )
    title = "Bits per base by organism (95 % interval)"
    return Table(head, rows, (1, 2, 3, 4), title, note)


def against_markov(results: Results) -> str | None:
    """Sentence on perplexity against the Markov model that is best on validation DNA."""
    markov = results.markov_by_order
    seeds = results.seeds(results.reference)
    own = results.by_seed(Metric.PPL, results.reference)
    if not markov or not any(own):
        return None
    order, which = results.best_order, "that is best on validation DNA"
    if order is None:  # without validation windows none is chosen, above all not on held-out DNA
        order, which = claims.MARKOV_ORDER, "of the claim"
    if order not in markov:
        return None
    name = f"the Markov model {which} (order {order}, perplexity {four(markov[order])})"
    mine = ", ".join(four(number.value) for number in own if number)
    runs = f" ({seeds_named(seeds)})" if len(seeds) > 1 else ""
    pair = difference_of(results.reference, markov_name(order))
    difference, behind = results.compared_over_seeds(
        Metric.PPL_DIFFERENCE, pair, region="all", strand="+"
    )
    if difference is None:
        lower = sum(number.value < markov[order] for number in own if number)
        relation = "below" if lower == len(own) else "above" if not lower else "on both sides of"
        return (
            f"The perplexity of {results.reference}, {mine}{runs}, is {relation} that of {name}; "
            "a paired difference was not computed."
        )
    verdict = {
        "below": f"{results.reference} predicts better",
        "above": f"{results.reference} predicts worse",
        "around": "the two are not shown to differ",
        "unknown": "there is no interval, so nothing is shown",
    }[difference.side()]
    mean = f", mean of {seeds_named(behind)}" if len(behind) > 1 else ""
    return (
        f"Against {name}, {results.reference} has perplexity {mine}{runs}, a paired difference of "
        f"{signed(difference)}{mean}: {verdict}."
    )


def against_mixing(results: Results) -> str | None:
    """Sentence on the mixing model, and on what the reference adds to it."""
    alone = results.mixing(Metric.BITS_PER_BASE)
    if alone is None:
        return None
    text = (
        "The context-mixing model is the strongest baseline: contexts of 1 to 16 bases on both "
        "strands and repeats of what it has read, with counts and weights that adapt inside each "
        f"held-out window. It has {measured(alone, four)} bits per base"
    )
    exact = results.reference, under_bound(results.reference, "causal")
    for name in exact:
        pair = difference_of(name, MIXING)
        found = [
            results.compared_over_seeds(Metric.BITS_DIFFERENCE, one, region="all", strand="+")[0]
            for one in (pair, difference_of(with_mixing(name), MIXING))
        ]
        if found[0] is None:
            continue
        text += f"; {results.reference} alone differs from it by {_signed_bits(found[0])}"
        if found[1] is not None:
            text += f", and the mixture of both, weighted base by base, by {_signed_bits(found[1])}"
        return f"{text}. Negative differences are better."
    return f"{text}."


def _signed_bits(number: Number) -> str:
    """A difference of bits per base, which are compared to a few thousandths."""
    return f"{'+' if number.value > 0 else ''}{measured(number, partial(fixed, decimals=4))}"


def _ppl_by_region(axes: Axes, results: Results, orders: list[int]) -> list[dict[str, Any]]:
    """Draw models as dots and Markov models as their order, one row per region."""
    y_of = region_rows(axes, results, Metric.PPL)
    rows = note_empty(axes, results, y_of, Metric.PPL)
    for order in orders:
        for region, y in y_of.items():
            if number := results.markov_ppl(order, region):
                axes.text(
                    number.value, y, str(order), ha="center", va="center", fontsize=7.5,
                    color=style.SOFT, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
                )  # fmt: skip
                axes.plot(number.value, y, alpha=0)  # as text alone does not widen the axis
                rows.append(
                    record(number, model=markov_name(order), region=region, metric=Metric.PPL)
                )
    for offset, (name, look) in zip((0.17, -0.17), style.pair(results).items(), strict=True):
        for region, y in y_of.items():
            if number := results.number(Metric.PPL, name, region=region):
                style.dot(axes, number.value, y + offset, look, number.low, number.high)
                rows.append(record(number, model=name, region=region, metric=Metric.PPL))
    axes.set_xlabel("perplexity (4 = chance; lower is better)")
    axes.set_title("by region")
    return rows


def _ppl_by_order(axes: Axes, results: Results) -> list[dict[str, Any]]:
    """Draw Markov perplexity against order, and the two models as horizontal lines."""
    orders = range(max(named_orders(results), default=-1) + 1)
    found = [(order, number) for order in orders if (number := results.markov_ppl(order))]
    xs, ys = [order for order, _ in found], [number.value for _, number in found]
    axes.plot(xs, ys, color=style.SOFT, zorder=2)
    axes.plot(xs, ys, "o", markersize=3.2, color=style.SOFT)
    looks = style.pair(results)
    ends = {name: number for name in looks if (number := results.number(Metric.PPL, name))}
    highest = max(ends, key=lambda name: ends[name].value)
    for name, number in ends.items():
        look = looks[name]
        axes.axhline(number.value, color=look.colour, linestyle=look.dashes)
        axes.annotate(
            name, (1, number.value), xycoords=("axes fraction", "data"), ha="right",
            va="bottom" if name == highest else "top", xytext=(0, 2 if name == highest else -2),
            textcoords="offset points", fontsize=8, color=look.colour,
        )  # fmt: skip
    if found:
        axes.annotate(
            "Markov models", (xs[0], ys[0]), xytext=(8, 0), textcoords="offset points",
            va="center", fontsize=8, color=style.SOFT,
        )  # fmt: skip
    axes.set_xlabel("order of the Markov model (bases of context)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.set_title("all bases")
    return [record(n, model=markov_name(o), region="all", metric=Metric.PPL) for o, n in found]


def _bound_share(axes: Axes, results: Results) -> list[dict[str, Any]]:
    """Draw the share of windows in which floor or ceiling changed the tokens of a stage."""
    rows: list[dict[str, Any]] = []
    labels: list[str] = []
    shares = []
    for name, look in style.pair(results).items():
        stage = 0
        while number := results.number(of_stage(Metric.BOUND_SHARE, stage), name):
            low, high = (None if v is None else 100 * v for v in (number.low, number.high))
            shares.append((100 * number.value, look, low, high))
            labels.append(f"stage {stage}")
            rows.append(record(number, model=name, region="all", metric=f"bound_bit_stage{stage}"))
            stage += 1
    rule_rows(axes, len(labels))
    name_rows(axes, labels, [look.colour for _, look, _, _ in shares], weight="normal")
    for row, (share, look, low, high) in enumerate(shares):
        style.dot(axes, share, len(labels) - 1 - row, look, low, high)
    axes.set_xlim(-4, 104)
    axes.set_xlabel("windows (%)")
    axes.set_title("bound active")
    return rows


def perplexity(results: Results) -> Drawing | None:
    """Figure of perplexity by region, of Markov models, and of windows with an active bound."""
    if results.number(Metric.PPL, results.reference) is None:
        return None
    shown = named_orders(results)
    figure = new_figure(3.9 + REGION_IN * len(results.region_classes.user_classes))
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.5, 1, 0.62])
    figure.subplots_adjust(left=0.135, right=0.985, bottom=0.125, top=0.84, wspace=0.3)
    rows = _ppl_by_region(left, results, shown)
    rows += [row for row in _ppl_by_order(middle, results) if row not in rows]
    rows += _bound_share(right, results)
    style.key(left, list(style.pair(results).values()), y=1.12)
    numbered = ", ".join(map(str, shown))
    return Drawing(
        "perplexity",
        "Prediction of the next base",
        "Perplexity is the effective number of equally likely next bases: 4 is chance. Left: by "
        f"region; grey numerals mark Markov models of that order ({numbered}), which predict from "
        "the last bases alone. Middle: Markov models of every order, and the two models as "
        "horizontal lines (solid and dashed as in training figures). Right: the share of windows "
        "in which the floor or ceiling on tokens changed the choice of the router; these bounds "
        "rank the whole window, so where they are active, perplexity is not strictly that of a "
        f"left-to-right model. {interval_words(rows)}{results.seed_note}",
        figure,
        pd.DataFrame(rows).drop_duplicates(),
    )


CHAPTER = Chapter("perplexity", "Perplexity", perplexity_section, {"perplexity": perplexity})
