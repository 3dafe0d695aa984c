"""The chapter on labelled sequences: frozen models against trivial baselines and composition."""

from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.published import nucleotide_transformer
from genezip.artifacts.scores import (
    AGAINST_BASELINE,
    AGAINST_CONTROL,
    AGAINST_UNTRAINED,
    BASELINE,
    FLOOR_SHARE,
    LABELS,
    SOLVED,
    TASK_SCORES,
    TRIVIAL_BASELINES,
)
from genezip.report.baselines import (
    Measure,
    Part,
    PartRows,
    absences,
    grid,
    how_to_read,
    label_of,
    method,
    value_of,
    verdict,
)
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.drawing import Drawing
from genezip.report.results import Results
from genezip.report.scores import number_of, records
from genezip.report.words import fixed, listed, measured, plain, signed

TASK = "classification"
METRIC = "mcc"
SPLITS = {
    "official": "official is the published one",
    "pool": "pool has the official test part of the Nucleotide Transformer and is trained on those "
    "rows of GUE's dev and test files that are not in it, as the official training rows are not at "
    "hand and both are one pool of windows",
    "unseen": "unseen leaves out test sequences that share 32 bases with a training or validation "
    "row",
    "chromosome": "chromosome tests on chromosomes not in training",
    "family": "family tests on families of similar sequences not in training",
}


def read_sets(results: Results) -> list[PartRows]:
    """The sets of ``labels/classification.tsv``: trivial baselines, other baselines, models.

    The measures of a set are its MCC under each split scheme, in file order; the first is the
    headline.
    """
    if TASK not in results.label_parts:
        return []
    frame = TASK_SCORES.read(results.folder / "labels" / f"{TASK}.tsv")
    zero, baseline = frame["model"].isin(TRIVIAL_BASELINES), frame["mode"] == BASELINE
    frame = frame.iloc[np.argsort(np.select([zero, baseline], [0, 1], 2), kind="stable")]
    names = frame["subset"].fillna("").astype(str)
    found = []
    for name in dict.fromkeys(names.sort_index()):
        own = frame[names == name]
        held = own[(own["metric"] == METRIC) & (own["split"] == "test")]
        rules = dict.fromkeys(held["rule"].sort_index())
        measures = tuple(
            Measure(METRIC, f"MCC, {rule}" if number else "MCC", rule)
            for number, rule in enumerate(rules)
        )
        missing = own[own["model"] == LABELS]
        absent = None if measures else "the file has no MCC of it"
        if len(missing):
            absent = str(missing["note"].iloc[0])
        title = f"set {name}" if name else "the labelled set"
        part = Part(name, title, "sequences", measures)
        found.append(PartRows(part, own[own["model"] != LABELS], absent))
    return found


def solved(results: Results, part: PartRows) -> list[tuple[str, str, str]]:
    """Trivial baselines that solve a set: their names, the split scheme, and their scores."""
    found = []
    for measure in part.part.measures:
        row = part.row(part.models[0], measure)  # each row of a solved set has the mark
        for mark in str(row["note"]).split("; ") if row else ():
            if mark.startswith(SOLVED):
                name, how = mark.removeprefix(SOLVED).split(": ", 1)
                found.append((label_of(results, name).split(" (")[0], measure.rule, how))
    return found


def _solvers(marks: list[tuple[str, str, str]]) -> str:
    return listed(list(dict.fromkeys(name for name, _, _ in marks)))


def _titled(results: Results, part: PartRows) -> str:
    """Title of a set, with the trivial baselines that solve it."""
    marks = solved(results, part)
    return f"{part.part.id} (solved by {_solvers(marks)})" if marks else part.part.id


def section(results: Results) -> Section | None:
    """The chapter on labelled sequences; None where a run has no such results."""
    parts = read_sets(results)
    if not parts:
        return None
    there = [part for part in parts if part.absent is None]
    sentences = [_sentence(results, part) for part in there]
    text = [*([_opening(there)] if there else []), *sentences, *absences(parts)]
    text += [sentence for part in there if (sentence := _rows_of(part))]
    tables = [_table(results, there)] if there else []
    found = (_differences(results, there), _fits(results), _published(results, there))
    tables += [table for table in found if table is not None]
    return Section(text, tables, illustrated=bool(there))


def _opening(there: list[PartRows]) -> str:
    """Sentences on probe, baselines and split schemes."""
    text = (
        "Short sequences with a class each (sets of GUE, Zhou et al. 2023). A frozen probe is a "
        "logistic regression on the mean vector of a sequence from a frozen model. Trivial "
        "baselines need no model: they predict the class of the training row with most shared "
        "k-mers, that of the training rows with equal dinucleotide counts (or another one, if that "
        "is better), or the most likely class from the base at each position. Other baselines use "
        "class shares and composition. If a trivial baseline solves a set, the labels follow from "
        "how the set was made, and no models are compared on it."
    )
    rules = {measure.rule for part in there for measure in part.part.measures}
    schemes = [words for rule, words in SPLITS.items() if rule in rules]
    return f"{text} Of the splits, {listed(schemes)}." if schemes else text


def _sentence(results: Results, part: PartRows) -> str:
    """Sentence on the reference and the best baseline, or on the baseline that solves the set."""
    if marks := solved(results, part):
        how = "; ".join(f"{name}, {rule}: {how}" for name, rule, how in marks)
        named = f"{part.part.heading} is solved by {_solvers(marks)}"
        return f"{named}, so no models are compared on it ({how})."
    text = verdict(results, part)
    headline = part.part.measures[0]
    if best := part.best(headline, TRIVIAL_BASELINES):
        name, number = label_of(results, best[0]), measured(best[1])
        text += f"; the best trivial baseline, {name}, has {headline.name} {number}"
    return f"{text}."


def _rows_of(part: PartRows) -> str:
    """Sentence on the rows of a set that is trained on other rows than the official ones."""
    for measure in part.part.measures:
        row = part.row("class_prior", measure)
        notes = [] if row is None else str(row["note"]).split("; ")
        if any("official test rows" in note for note in notes):
            return f"{part.part.heading} has {', '.join(note for note in notes if 'rows' in note)}."
    return ""


def _table(results: Results, there: list[PartRows]) -> Table:
    """Table of every method on every set, with bases per token and floor of models."""
    rules = list(dict.fromkeys(m.rule for part in there for m in part.part.measures))
    rows: list[list[Cell]] = []
    for part in there:
        runs = [(model, seed) for model in part.models for seed in part.seeds(model)]
        for model, seed in runs:
            by_rule = {rule: part.row(model, Measure(METRIC, "", rule), "", seed) for rule in rules}
            known = {rule: row for rule, row in by_rule.items() if row is not None}
            if not known:
                continue
            first = next(iter(known.values()))
            bpt, forced = (
                part.number(model, Measure(metric, "", next(iter(known))), "", seed)
                for metric in ("bpt", FLOOR_SHARE)
            )
            rows.append(
                [
                    _titled(results, part),
                    method(results, first),
                    *(value_of(part, model, Measure(METRIC, "", rule), "", seed) for rule in rules),
                    " / ".join(_count(row) for row in by_rule.values()),
                    plain(bpt.value) if bpt else "–",
                    f"{fixed(100 * forced.value, 1)} %" if forced else "–",
                ]
            )
    head = ["set", "method", *(f"MCC, {rule}" for rule in rules)]
    head += ["test rows", "bases per token", "forced"]
    note = (
        f"Numbers of test rows: {' / '.join(rules)}. Bases per token are pooled over the test "
        "rows; forced is the share of them with a token from the floor on tokens instead of the "
        "router. A dash: the set cannot be split in this way. The result file also has accuracy "
        "and macro F1."
    )
    title = "MCC (95 % interval) of models and baselines on labelled sequences"
    return Table(head, rows, tuple(range(2, len(head))), title, note)


AGAINST = {
    AGAINST_CONTROL: "the control, {}",
    AGAINST_UNTRAINED: "the untrained network",
    AGAINST_BASELINE: "the best baseline",
}
"""Suffix of a paired difference -> what a model is compared with."""


def _differences(results: Results, there: list[PartRows]) -> Table | None:
    """Table of the paired differences of every model, seed and split scheme; None without one."""
    rows: list[list[Cell]] = []
    sets = [part for part in there if not solved(results, part)]
    known = {one for part in sets for one in AGAINST if _has(part, one)}
    others = [one for one in AGAINST if one in known]
    for part in sets:
        for measure in part.part.measures:
            for model in part.models:
                for seed in part.seeds(model):
                    numbers = [part.number(model, measure, one, seed) for one in others]
                    if not any(numbers):
                        continue
                    cells = [
                        signed(one, brackets=True).replace("95 % interval ", "") if one else "–"
                        for one in numbers
                    ]
                    shown = label_of(results, model)
                    rows.append(
                        [
                            part.part.id,
                            measure.rule,
                            shown,
                            "–" if seed is None else str(seed),
                            *cells,
                        ]
                    )
    if not rows:
        return None
    heads = [AGAINST[one].format(results.control) for one in others]
    note = (
        "Differences are paired: each resample leaves the same test sequences out of both models "
        "(families of similar ones together), within a seed. Their intervals do not cover the "
        "spread between seeds, so every seed has a row."
    )
    head = ["set", "split", "model", "seed", *heads]
    title = "Differences of MCC (95 % interval) by training seed"
    return Table(head, rows, tuple(range(4, len(head))), title, note)


def _has(part: PartRows, against: str) -> bool:
    return bool((part.frame["metric"] == METRIC + against).any())


def _fits(results: Results) -> Table | None:
    """Table of fine-tuned models: mean of several fits, and each of them; None without any."""
    frame = results.task_tables.get(TASK)
    if frame is None:
        return None
    own = frame[(frame["metric"] == METRIC) & (frame["split"] == "test")]
    rows: list[list[Cell]] = []
    for row in records(own[own["rule"].astype(str).str.endswith("_fits")]):
        scheme = str(row["rule"]).removesuffix("_fits")
        same = own["rule"].astype(str).str.fullmatch(f"{scheme}_fit[0-9]+")
        for name in ("model", "subset", "mode", "seed"):
            same &= own[name].eq(row[name]) | (own[name].isna() & pd.isna(row[name]))
        values = ", ".join(fixed(value, 3) for value in own.loc[same, "value"].dropna())
        seed = "–" if pd.isna(row["seed"]) else str(int(row["seed"]))
        shown = f"{label_of(results, row['model'])}, {row['mode']}"
        mean = measured(number_of(row), lambda value: fixed(value, 3))
        rows.append([str(row["subset"]), scheme, shown, seed, mean, values])
    if not rows:
        return None
    note = (
        "Each fit is validated on another random part of the training rows; all have the same test "
        "rows. So the interval (Student's t over the fits) is about training, not about data."
    )
    head = ["set", "split", "model", "seed", "mean of fits", "fits"]
    title = "Test MCC of fine-tuned models (95 % interval over the fits)"
    return Table(head, rows, (4,), title, note)


def _published(results: Results, there: list[PartRows]) -> Table | None:
    """Table of the published MCC on sets of the Nucleotide Transformer beside ours.

    None without a set of theirs. Sets that were not measured have published values alone.
    """
    ours = {part.part.id.removeprefix("nt_"): part for part in there if _of_nt(part)}
    if not ours:
        return None
    rows: list[list[Cell]] = []
    for one in records(nucleotide_transformer()):
        part = ours.get(str(one["set"]))
        own = [
            "–" if part is None else value_of(part, model, part.part.measures[0])
            for model in (results.reference, results.control)
        ]
        others = [f"{one[key]:.3f} ({one[f'{key}_name']})" for key in ("small", "best")]
        low, high = one["released"] - one["ci95"], one["released"] + one["ci95"]
        released = f"{one['released']:.3f} ({low:.3f} to {high:.3f})"
        rows.append([str(one["set"]), *own, released, f"{one['paper']:.3f}", *others])
    untested = sum(row[0] not in ours for row in rows)
    head = ["set", f"measured: {results.reference}, probe", f"measured: {results.control}, probe"]
    head += ["paper: LDARNet, released weights", "paper: LDARNet", "paper: best other below 300 M"]
    head += ["paper: best other"]
    note = (
        "Ours are frozen probes on small models with other training rows; the published values are "
        "of fine-tuned models, of 110 M parameters for LDARNet, on the official training rows, and "
        "their intervals are over ten fits that share one test part. So the columns do not compare "
        f"models. All values are MCC. {untested} of the {len(rows)} sets were not measured here, "
        "for want of their rows or their time. The released weights were corrected after the paper "
        "and are below it on some sets. Others publish F1 or accuracy of promoters and splice "
        "sites, which are not MCC."
    )
    title = "MCC on the Nucleotide Transformer's sets, measured and published"
    return Table(head, rows, tuple(range(1, len(head))), title, note)


def _of_nt(part: PartRows) -> bool:
    """Whether a set has the official test part of the Nucleotide Transformer."""
    row = part.row("class_prior", part.part.measures[0])
    return row is not None and "official test rows" in str(row["note"])


def _count(row: dict[str, Any] | None) -> str:
    return "–" if row is None or pd.isna(row["n"]) else f"{row['n']:,}"


def classification(results: Results) -> Drawing | None:
    """Figure with a panel per set: MCC of every method, grey if a set is solved."""
    there = [part for part in read_sets(results) if part.absent is None]
    found = {name for part in there for name, _ in part.found(part.part.measures[0])}
    names = list(dict.fromkeys(n for part in there for n in part.models if n in found))
    if not names:
        return None
    figure, data = grid(
        results,
        there,
        names,
        lambda part: _titled(results, part),
        0,
        lambda part: bool(solved(results, part)),
    )
    units = dict.fromkeys(str(unit) for part in there for unit in part.frame["unit"].dropna())
    rules = dict.fromkeys(part.part.measures[0].rule for part in there)
    solved_too = " Grey panels: a trivial baseline solves the set, so no models are compared on it."
    return Drawing(
        TASK,
        "Models against trivial baselines and composition on labelled sequences",
        f"MCC on the test rows of the split {listed(list(rules))}; class shares alone have 0. "
        f"{how_to_read(results, data, 'a probe', listed(list(units)))}"
        f"{solved_too if any(solved(results, part) for part in there) else ''}",
        figure,
        pd.DataFrame(data),
    )


CHAPTER = Chapter("labelled", "On labelled sequences", section, {TASK: classification})
