"""The chapter on essential genes: knock-outs by stop codons, over and by organism."""

from dataclasses import dataclass
from itertools import zip_longest

import pandas as pd

from genezip.artifacts.published import PUBLISHED_GENES, REPLICATED_GENES
from genezip.artifacts.scores import (
    AGAINST_BASELINE,
    ALL_BASELINES,
    COMBINED,
    KNOCK_OUT,
    ORGANISM_SEEN,
    SHARE_ABOVE_ZERO,
    STATUS_NAMES,
    WILD_TYPE,
)
from genezip.report.baselines import (
    Measure,
    PartRows,
    absences,
    few,
    grid,
    method,
    value_of,
    verdict,
)
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.chapters.tasks.zero_shot import (
    absent_parts,
    beside,
    drawing,
    drawn_methods,
    facts,
    inexact_tables,
    method_rows,
    models_of,
    numeric,
    only_inexact,
    part_of,
    published,
    replicated,
    task_frame,
    title_of,
    titles_of,
)
from genezip.report.drawing import Drawing
from genezip.report.results import Results
from genezip.report.words import capital, fixed, listed, signed

TASK = "essentiality"
AUROC = Measure("auroc", "AUROC", KNOCK_OUT)
TOGETHER = Measure(COMBINED, "AUROC", KNOCK_OUT)
WILD = Measure("auroc", "AUROC", WILD_TYPE)
ABOVE = Measure(SHARE_ABOVE_ZERO, "share above zero", KNOCK_OUT)
SCREENS = {
    "DEG1001": "single-gene inactivations of B. subtilis (DEG1001)",
    "DEG1006": "a transposon screen of M. genitalium (DEG1006)",
    "DEG1010": "a transposon screen of M. tuberculosis (DEG1010)",
    "DEG1019": "the Keio deletions of E. coli (DEG1019)",
}
"""Experiment in the Database of Essential Genes -> what its labels are from."""


@dataclass(frozen=True)
class Group:
    """The organisms that models were trained on, or the held-out ones."""

    status: str  # a key of STATUS_NAMES
    mean: PartRows  # macro mean over the organisms
    pooled: PartRows  # all genes together
    organisms: list[PartRows]


def _groups(frame: pd.DataFrame) -> list[Group]:
    """Groups with any organism, the held-out one first."""
    seen = facts(frame, ORGANISM_SEEN)
    groups = []
    for status, end in reversed(STATUS_NAMES.items()):
        names = [name for name, is_seen in seen.items() if is_seen == (end == "seen")]
        if not names:
            continue
        what = "organisms trained on" if end == "seen" else "held-out organisms"
        over = f"macro mean of {titles_of(names)}" if names[1:] else f"{title_of(names[0])} alone"
        groups.append(
            Group(
                status,
                part_of(frame, f"mean_{end}", f"{what} ({over})", AUROC),
                part_of(frame, f"pooled_{end}", f"{what}, genes pooled", AUROC),
                [part_of(frame, name, title_of(name), AUROC) for name in names],
            )
        )
    return groups


def section(results: Results) -> Section | None:
    """The chapter on essential genes; None where a run has no such results."""
    frame = task_frame(results, TASK)
    if frame is None:
        return None
    groups = _groups(frame)
    missing = absent_parts(frame, AUROC, "the task of essential genes")
    if not groups:
        return Section(absences(missing), illustrated=False)
    first = " ".join(f"{verdict(results, group.mean)}." for group in groups)
    reasons = absences([*(group.mean for group in groups), *missing])
    text = [
        first + only_inexact(results, groups[0].mean),
        "Nothing is trained for this task. A gene is knocked out by stop codons in place of 15 "
        "bases near its start; its score is the log-likelihood that the window of DNA around it "
        "loses by that. AUROC is the chance that an essential gene has a higher score than another "
        "gene: 0.5 is none at all. The headline is the macro mean over organisms, for those that "
        "the models were trained on and for held-out ones apart. Over pooled genes a score "
        "that only tells organisms apart moves away from 0.5 too.",
        *filter(None, [_gain(results, groups), _signs(results, groups)]),
        _labels(results),
        "The published values of dnaHNet are of 62 other organisms with windows of 8,192 bp, and "
        "those of the replication of 53; none is comparable with ours.",
        *reasons,
    ]
    return Section(text, _gene_tables(results, groups))


GAINS = {
    "above": "adds to all baselines together",
    "below": "makes all baselines together worse",
    "around": "is not shown to add to all baselines together",
    "unknown": "has no interval against all baselines together",
}


def _gain(results: Results, groups: list[Group]) -> str:
    """Sentences on what the reference adds to all baselines; empty without it."""
    texts = []
    for group in groups:
        row = group.mean.row(results.reference, TOGETHER, AGAINST_BASELINE)
        number = group.mean.number(results.reference, TOGETHER, AGAINST_BASELINE)
        if row is None or number is None:
            continue
        side = "has too few blocks to tell" if few(row) else GAINS[number.side()]
        where = capital(group.mean.part.short)
        shown = signed(number, brackets=False)
        texts.append(f"{where}: {results.reference} {side} (AUROC {shown}).")
    if not texts:
        return ""
    lead = (
        "A logistic regression of all baselines, with and without the score of a model, predicts "
        "genes of blocks of the genome that it was not fitted on."
    )
    return " ".join([lead, *texts])


def _signs(results: Results, groups: list[Group]) -> str:
    """Sentence on the share of genes whose knock-out lowers the likelihood."""
    shares = []
    for group in groups:
        for part in group.organisms:
            if number := part.number(results.reference, ABOVE):
                shares.append(f"{fixed(100 * number.value, 1)} % in {part.part.title}")
    if not shares:
        return ""
    return (
        f"The share of genes that lose likelihood by the knock-out ({results.reference}) is "
        f"{listed(shares)}."
    )


def _labels(results: Results) -> str:
    """Sentences on where the labels are from."""
    paths = [str(item["path"]) for item in results.label_files if item.get("part") == TASK]
    screens = [words for name, words in SCREENS.items() if any(name in path for path in paths)]
    known = [path for path in paths if not any(name in path for name in SCREENS)]
    named = [*screens, *known]
    text = f"Labels are from {listed(named)}. " if named else ""
    return (
        f"{text}Transposon screens call long genes essential more easily, so the length of a gene "
        "alone is a baseline."
    )


def _gene_tables(results: Results, groups: list[Group]) -> list[Table]:
    means = [part for group in groups for part in (group.mean, group.pooled)]
    heads = [
        f"{group.status}, {what}" for group in groups for what in ("macro mean", "pooled genes")
    ]
    known = published(PUBLISHED_GENES, "62 organisms")
    known |= replicated(REPLICATED_GENES, "53 organisms")
    over = Table(
        ["method", *heads, "published, other organisms"],
        beside(method_rows(results, means), known, len(heads)),
        numeric([*heads, ""]),
        "AUROC (95 % interval) over organisms",
        "Published values (paper) are those of the longest training of each model, by training "
        "FLOPs, in arXiv 2602.10603v3, where macro or pooled is not stated, and those of a "
        "third-party replication without any model.",
    )
    pairs = [(group.status, part) for group in groups for part in group.organisms]
    organisms = [part for _, part in pairs]
    names = [f"{part.part.title} ({status})" for status, part in pairs]
    each = Table(
        ["method", *names],
        method_rows(results, organisms),
        numeric(names),
        "AUROC (95 % interval) of each organism",
        f"Genes (essential ones): {'; '.join(filter(None, map(_count, organisms)))}. The result "
        "file also has the average precision and what was left out.",
    )
    gains = [
        row
        for status, part in [
            *((group.status, group.mean) for group in groups),
            *pairs,
        ]
        for row in _gain_rows(results, status, part)
    ]
    tables = [over, each]
    if gains:
        head = ["genes of", "trained on", "model", "all baselines", "with the model", "gain"]
        head += ["scores above zero", "wild type alone"]
        title = "AUROC (95 % interval) with all baselines together, out of fold"
        note = (
            "Scores above zero: share of genes that lose likelihood by the knock-out. Wild type "
            "alone: AUROC of minus the log-likelihood of the window without any knock-out."
        )
        tables.append(Table(head, gains, tuple(range(3, 8)), title, note))
    return tables + inexact_tables(results, [*means, *organisms], [*heads, *names], AUROC)


def _count(part: PartRows) -> str:
    """Number of genes of an organism."""
    rows = part.frame[part.frame["metric"] == AUROC.metric].dropna(subset=["n"])
    if rows.empty:
        return ""
    return f"{part.part.title} {int(rows['n'].max()):,} ({int(rows['positives'].max()):,})"


def _shown(part: PartRows) -> str:
    """Name of an organism as it is, or of a mean without its organisms."""
    mean = part.part.id.removeprefix("mean_") in STATUS_NAMES.values()
    return capital(part.part.short) if mean else part.part.title


def _gain_rows(results: Results, status: str, part: PartRows) -> list[list[Cell]]:
    """Rows of the models with a combined score."""
    rows: list[list[Cell]] = []
    for model in models_of([part]):
        row = part.row(model, TOGETHER)
        if row is None:
            continue
        share = part.number(model, ABOVE)
        gain = part.number(model, TOGETHER, AGAINST_BASELINE)
        rows.append(
            [
                _shown(part),
                "yes" if STATUS_NAMES[status] == "seen" else "no",
                method(results, row).removeprefix("model: "),
                value_of(part, ALL_BASELINES, TOGETHER),
                value_of(part, model, TOGETHER),
                signed(gain).replace("95 % interval ", "") if gain else "–",
                f"{fixed(100 * share.value, 1)} %" if share else "–",
                value_of(part, model, WILD),
            ]
        )
    return rows


def essentiality(results: Results) -> Drawing | None:
    """Figure of AUROC: held-out organisms on the left, those trained on on the right."""
    frame = task_frame(results, TASK)
    groups = [] if frame is None else _groups(frame)
    columns = [[group.mean, *group.organisms] for group in groups]
    parts = [part for column in columns for part in column]
    names = drawn_methods(parts)
    if not names:
        return None
    placed = [part for line in zip_longest(*columns) for part in line]
    status = {part.part.id: group.status for group in groups for part in group.organisms}

    def title(part: PartRows) -> str:
        own = part.part.title
        return f"{own} ({status[part.part.id]})" if part.part.id in status else capital(own)

    figure, data = grid(results, placed, names, title, 0.5)
    return drawing(
        results,
        TASK,
        "Essential genes by knock-out, against baselines without a model",
        "AUROC of essential genes; the grey line is chance.",
        figure,
        data,
        "blocks of the genome",
    )


CHAPTER = Chapter(TASK, "On essential genes", section, {TASK: essentiality})
