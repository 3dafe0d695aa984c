"""The chapter on words and phrases: masked words beside floors, and the G-grams themselves."""

import numpy as np
import pandas as pd

from genezip.artifacts.published import gue_sets
from genezip.artifacts.scores import (
    AGAINST_CONTROL,
    GGRAMS_PER_SEQUENCE,
    WORD_FLOORS,
    Metric,
    difference_of,
)
from genezip.report import style
from genezip.report.baselines import Measure, PartRows
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.chapters.tasks import labelled
from genezip.report.drawing import Drawing, new_figure, record
from genezip.report.results import Results
from genezip.report.scores import Number, records
from genezip.report.words import fixed, listed, measured, plain

FLOORS = {
    WORD_FLOORS[0]: "how often each word is",
    WORD_FLOORS[1]: "one neighbour",
    WORD_FLOORS[2]: "the neighbours on both sides",
}
MOUSE = (
    "The mouse sets of GUE are left out: their negatives are shuffles of positives with equal "
    "dinucleotide counts, so a rule without any model solves them (`genezip tasks audit` says so)."
)


def networks(results: Results) -> list[str]:
    """Networks whose prediction of masked words was measured, in file order."""
    frame = results.words.frame
    known = frame[(frame["metric"] == Metric.WORD_BITS) & frame["seed"].notna()]
    return list(dict.fromkeys(known["model"]))


def section(results: Results) -> Section | None:
    """The chapter; None where no masked words were predicted."""
    names = networks(results)
    if not names:
        return None
    text = [
        "Words are tokens of a vocabulary, G-grams phrases of 2 to 5 of them, mined by the mutual "
        "information of neighbours in training DNA. Of held-out windows 15 % of the words are "
        "chosen one by one, and the number is bits per word at a mask. All networks predict the "
        "same words, whatever was masked in their training, and are given the G-grams that no "
        "chosen word touches. Bits per word are compared within one vocabulary alone.",
        _floors(results, names),
        _false(results),
        _repeats(results),
        _density(results),
        MOUSE,
    ]
    found = (
        _table(results, names), _vocabulary(results), _frequent(results), _published(results),
    )  # fmt: skip
    return Section([one for one in text if one], [table for table in found if table])


def _floors(results: Results, names: list[str]) -> str:
    """Sentence on the networks that have fewer bits than each floor."""
    parts = []
    for floor, words in FLOORS.items():
        below = [
            name
            for name in names
            if all(
                number is not None and number.side() == "below"
                for seed in results.words.seeds(name)
                for number in [
                    results.words.find(
                        Metric.WORD_BITS_DIFFERENCE, difference_of(name, floor), seed=seed
                    )
                ]
            )
        ]
        which = listed(below) if below else "no network"
        parts.append(f"{which} below the model that knows {words}")
    return f"With its whole interval and in every seed, {'; '.join(parts)}."


def _false(results: Results) -> str:
    """Sentence on the G-grams at the threshold of each model that are found by chance."""
    parts = []
    for row in records(results.vocabulary):
        if row["threshold"] == _threshold(results, str(row["model"])):
            parts.append(
                f"at threshold {row['threshold']:g} {row['ggrams']:,} G-grams are found, "
                f"{row['by_chance']:,} where the words of each block are permuted "
                f"({row['false_share']:.1%}, an estimate of the false discoveries)"
            )
    return f"{listed(parts)[:1].upper()}{listed(parts)[1:]}." if parts else ""


def _threshold(results: Results, model: str) -> float | None:
    """Threshold with which the G-grams of a model were mined."""
    for curve in results.word_curves:
        if curve.model == model:
            return (curve.training.get("mining") or {}).get("threshold")
    return None


def _repeats(results: Results) -> str:
    """Sentence on the share of the G-grams in repeats."""
    for row in records(results.vocabulary):
        known = not any(pd.isna(row[f"repeat_share{end}"]) for end in ("", "_3", "_all"))
        if known and row["threshold"] == _threshold(results, str(row["model"])):
            return (
                f"Of the bases in G-grams {row['repeat_share']:.0%} lie in repeats, of those in "
                f"G-grams of three words or more {row['repeat_share_3']:.0%}, of all bases "
                f"{row['repeat_share_all']:.0%}."
            )
    return ""


def _table(results: Results, names: list[str]) -> Table:
    """Table of networks and floors: bits, accuracy, differences, G-grams."""
    scores = results.words
    rows: list[list[Cell]] = []

    def show(metric: str, model: str, seed: int | None, decimals: int) -> str:
        number = scores.find(metric, model, seed=seed)
        return measured(number, lambda value: fixed(value, decimals))

    for name in names:
        for seed in scores.seeds(name):
            pairs = (difference_of(name, WORD_FLOORS[1]), difference_of(name, results.control))
            rows.append(
                [
                    name,
                    str(seed),
                    show(Metric.WORD_BITS, name, seed, 3),
                    show(Metric.WORD_ACCURACY, name, seed, 4),
                    *(show(Metric.WORD_BITS_DIFFERENCE, pair, seed, 3) for pair in pairs),
                    show(Metric.GGRAMS_PER_BLOCK, name, seed, 1),
                    show(Metric.VISIBLE_GGRAMS, name, seed, 2),
                    show(Metric.CUT_BLOCKS, name, seed, 3),
                ]
            )
    for floor, words in FLOORS.items():
        if scores.find(Metric.WORD_BITS, floor):
            bits, right = (Metric.WORD_BITS, 3), (Metric.WORD_ACCURACY, 4)
            shown = [show(metric, floor, None, decimals) for metric, decimals in (bits, right)]
            rows.append([f"floor: {words}", "–", *shown, *["–"] * 5])
    head = ["model", "seed", "bits per masked word", "accuracy", "minus one neighbour"]
    head += [f"minus {results.control}", "G-grams of a block", "visible", "blocks with too many"]
    note = (
        "95 % intervals (bootstrap over blocks of neighbouring windows); those of differences are "
        "paired. G-grams of a block are all places where one matches; visible is the share of them "
        "that no chosen word touches, which at use is all; blocks with too many have more than a "
        "network is given."
    )
    return Table(head, rows, tuple(range(1, len(head))), "Masked words of held-out DNA", note)


def _vocabulary(results: Results) -> Table | None:
    """Table of G-grams by threshold."""
    rows: list[list[Cell]] = []
    for row in records(results.vocabulary):
        shares = [row[name] for name in ("false_share", "covered_share")]
        shares += [row[f"repeat_share{end}"] for end in ("", "_3", "_all")]
        rows.append(
            [
                str(row["model"]), f"{row['threshold']:g}", f"{row['ggrams']:,}",
                f"{row['by_chance']:,}", *("–" if pd.isna(v) else f"{v:.1%}" for v in shares),
            ]
        )  # fmt: skip
    if not rows:
        return None
    head = ["model", "threshold", "G-grams", "by chance", "by chance / found", "words covered"]
    head += ["bases in repeats", "of G-grams of 3 or more", "of all DNA"]
    note = (
        "By chance: the same mining where the words of each block are permuted. The paper of "
        "DNAZEN has threshold 2, its last public code 5. A model may keep fewer G-grams than are "
        "found."
    )
    return Table(head, rows, tuple(range(1, len(head))), "G-grams of training DNA", note)


def _frequent(results: Results) -> Table | None:
    """Table of the most frequent G-grams and what they are."""
    rows: list[list[Cell]] = []
    labels = results.region_classes.labels
    for row in records(results.frequent_ggrams):
        repeat = "–"
        if isinstance(row["repeat"], str):
            repeat = f"{row['repeat']} ({row['repeat_share']:.0%})"
        region = f"{labels[row['region']]} ({row['region_enrichment']:.1f})"
        pmi = "–" if pd.isna(row["pmi"]) else fixed(row["pmi"], 1)
        dna = {"code": str(row["dna"])}
        rows.append(
            [str(row["model"]), dna, str(row["tokens"]), f"{row['count']:,}", pmi, repeat, region]
        )
    if not rows:
        return None
    head = ["model", "DNA", "words", "places", "least PMI", "repeats (share)"]
    head += ["region (enrichment)"]
    note = (
        "Repeats: the class that most of its bases lie in, where repeats are annotated. Region: "
        "the class in which its share of bases is largest beside that of all training DNA."
    )
    return Table(head, rows, (2, 3, 4), "The most frequent G-grams", note)


def gains(results: Results) -> list[dict[str, object]]:
    """Gain on each labelled set by G-grams: MCC of the reference minus that of the control.

    Rows have set, seed, G-grams per sequence (``ggrams``) and the gain with its interval; sets that
    a trivial baseline solves are left out.
    """
    found = []
    for part in labelled.read_sets(results):
        if part.absent is not None or labelled.solved(results, part):
            continue
        headline = part.part.measures[0]
        for seed in part.seeds(results.reference):
            gain = part.number(results.reference, headline, AGAINST_CONTROL, seed)
            density = _ggrams(results, part, headline, seed)
            if gain and density:
                cells = {"set": part.part.id, "seed": seed, "ggrams": density.value}
                found.append(record(gain, **cells))
    return found


def _ggrams(results: Results, part: PartRows, headline: Measure, seed: int | None) -> Number | None:
    measure = Measure(GGRAMS_PER_SEQUENCE, "", headline.rule)
    return part.number(results.reference, measure, "", seed)


def spearman(rows: list[dict[str, object]]) -> tuple[float, int] | None:
    """Rank correlation of G-grams per sequence and mean gain over sets, and their number.

    None for fewer than 3 sets or without any spread.
    """
    frame = pd.DataFrame(rows)
    if frame.empty:
        return None
    means = frame.groupby("set")[["ggrams", "value"]].mean()
    if len(means) < 3 or (means.nunique() < 2).any():
        return None
    ranks = means.rank()
    return float(np.corrcoef(ranks["ggrams"], ranks["value"])[0, 1]), len(means)


def _density(results: Results) -> str:
    """Sentence on the gain by G-grams against their number in a sequence."""
    rows = gains(results)
    if not rows:
        return ""
    found = spearman(rows)
    if found is None:
        return (
            "Whether the gain grows with the G-grams of a sequence was not measured: it needs 3 "
            "sets."
        )
    rho, n = found
    return (
        f"Over {n} labelled sets the gain in MCC by G-grams ({results.reference} minus "
        f"{results.control}, frozen probes) and the G-grams of a sequence have the rank "
        f"correlation {fixed(rho, 2)}. {n} sets show no more than a direction."
    )


def _published(results: Results) -> Table | None:
    """Table of the published scores on GUE beside ours; None where no set of GUE was measured."""
    parts = {part.part.id: part for part in labelled.read_sets(results) if part.absent is None}
    rows: list[list[Cell]] = []
    for one in records(gue_sets()):
        part = parts.get(str(one["set"]))
        own: list[Cell] = []
        for name in (results.reference, results.control):
            number = None if part is None else part.number(name, part.part.measures[0])
            own.append(measured(number, lambda value: fixed(value, 3)))
        theirs = [one[key] for key in ("dnabert2", "further", "rerun")]
        shown = ["–" if pd.isna(value) else f"{value:.3f}" for value in theirs]
        rows.append(
            [str(one["set"]), str(one["metric"]), *own, *shown, "–", f"{one['test_rows']:,}"]
        )
    if not parts.keys() & {str(one["set"]) for one in records(gue_sets())}:
        return None
    head = ["set", "metric", f"measured: {results.reference}, probe"]
    head += [f"measured: {results.control}, probe", "paper: DNABERT-2"]
    head += ["paper: DNABERT-2, further trained on GUE", "authors of DNAZEN: DNABERT-2 again"]
    head += ["paper: DNAZEN", "test rows"]
    note = (
        "Ours are frozen probes on small models, the published values of fine-tuned ones of 117 M "
        "parameters, so the columns do not compare models. DNAZEN's own values of each set were "
        "published in no form that could be recovered. Sets without ours were not measured; the "
        "mouse sets because a rule solves them."
    )
    return Table(head, rows, tuple(range(2, len(head))), "Published scores on GUE", note)


def ggrams(results: Results) -> Drawing | None:
    """Figure of G-grams found and found by chance, by threshold."""
    frame = results.vocabulary
    if frame.empty:
        return None
    figure = new_figure(2.6)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.09, right=0.75, bottom=0.2, top=0.86)
    looks = style.looks(results, list(dict.fromkeys(frame["model"])))
    for name, look in looks.items():
        own = frame[frame["model"] == name].sort_values("threshold")
        axes.plot(
            own["threshold"], own["ggrams"], marker="o", color=look.colour, label=f"{name}, found"
        )
        axes.plot(
            own["threshold"], own["by_chance"].clip(lower=0.8), marker="s", linestyle="--",
            color=look.colour, markerfacecolor="white", label=f"{name}, by chance",
        )  # fmt: skip
    axes.set_yscale("log")
    axes.set_xlabel("threshold of the mutual information (PMI)")
    axes.set_ylabel("G-grams")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    axes.set_title("G-grams of training DNA by threshold")
    return Drawing(
        "ggrams",
        "G-grams by threshold, and by chance",
        "Squares: the same mining where the words of each block are permuted (0 is drawn at the "
        "lower edge).",
        figure,
        frame,
    )


def words(results: Results) -> Drawing | None:
    """Figure of the gain by G-grams on each labelled set against the G-grams of a sequence."""
    rows = gains(results)
    if not rows:
        return None
    figure = new_figure(2.8)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.09, right=0.75, bottom=0.19, top=0.86)
    look = style.looks(results, [results.reference])[results.reference]
    named: dict[object, float] = {}
    for row in rows:
        gain = Number(row["value"], row["ci_low"], row["ci_high"])  # type: ignore[arg-type]
        at = float(row["ggrams"])  # type: ignore[arg-type]
        style.dot(axes, gain.value, at, look, gain.low, gain.high, vertical=True)
        named.setdefault(row["set"], at)
    axes.axhline(0, color=style.SOFT, linewidth=0.7)
    for name, at in named.items():
        axes.annotate(str(name), (at, axes.get_ylim()[1]), fontsize=7, rotation=30, va="bottom")
    axes.set_xlabel("G-grams of a sequence (mean of the test rows)")
    axes.set_ylabel("gain in MCC")
    axes.set_title("Gain by G-grams", pad=26)
    found = spearman(rows)
    rank = f"Rank correlation over {found[1]} sets: {plain(found[0], 2)}. " if found else ""
    return Drawing(
        "words",
        "Gain by G-grams against the G-grams of a sequence",
        f"{rank}The gain is MCC of a frozen probe on {results.reference} minus that on "
        f"{results.control}, paired; a dot is a set and a training seed, lines are 95 % intervals.",
        figure,
        pd.DataFrame(rows),
    )


CHAPTER = Chapter("words", "Words and phrases", section, {"ggrams": ggrams, "words": words})
