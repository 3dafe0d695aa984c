"""Claims about a language model of whole genomes, and the sentences of its page.

They are those of the dnaHNet paper (arXiv 2602.10603) that one run can test: tokens of three bases,
then of two of these; the reading frame of genes; better prediction than simpler models; essential
genes and variant effect without training. Each is checked with the score tables alone, and most by
a paired difference or an interval.
"""

import math

from genezip.artifacts.scores import (
    MIXING,
    SEEN,
    TASK_SCORES,
    UNSEEN,
    Metric,
    difference_of,
    markov_name,
)
from genezip.report.chapters.genes import codon_phase
from genezip.report.claims import Claim
from genezip.report.results import Results, read_scores
from genezip.report.scores import Number, number_of, records
from genezip.report.words import fixed, listed

ORIGIN = (
    "The claims are those of the dnaHNet paper (arXiv 2602.10603) that one run can test, each "
    "beside the simple model or baseline that it lacks there; scaling with size and the variant of "
    "2, then 2 bases are no part of this run."
)
NOTE = "Differences are paired over the same windows; p-values have no interval."
WITHIN = 0.1
"""Largest deviation of the positions per token of a stage from its target, as a share."""
ORDER = 5
"""Order of the Markov model that the claims name."""
GROUPS = {SEEN: "organisms trained on", UNSEEN: "organisms never seen"}
_SIDES = {
    "below": "fewer than",
    "above": "more than",
    "around": "not shown to differ from",
    "unknown": "without an interval, so nothing is shown, against",
}


WHAT = (
    "dnaHNet is a language model of bacteria that reads whole genomes base by base and learns "
    "itself where one token ends and the next begins, without a dictionary of words."
)
_PLAIN = {
    "below": "better than",
    "above": "worse than",
    "around": "about as well as",
    "unknown": "in an unknown relation to",
}


def applies(results: Results) -> bool:
    """Whether a run is of whole genomes with genes: its codon phase was measured."""
    return bool(codon_phase.organisms(results))


def evaluate(results: Results) -> list[Claim]:
    """The claims, in order, with their numbers."""
    name = results.reference
    targets = stage_targets(results)
    claims = [_ratio(results, stage, target) for stage, target in enumerate(targets)]
    claims += [_phase(results, split) for split in codon_phase.SPLITS]
    claims += [
        _difference(
            results,
            markov_name(ORDER),
            group,
            f"{name} needs fewer bits per coding base than a Markov model of order {ORDER} fitted "
            f"to the same genomes ({words})",
        )
        for group, words in GROUPS.items()
    ]
    others = {other: other for other in trained(results)}
    others[MIXING] = "context mixing, a model without a network"
    claims += [
        _difference(
            results,
            other,
            group,
            f"{name} needs fewer bits per coding base than {called} ({words})",
        )
        for other, called in others.items()
        for group, words in GROUPS.items()
    ]
    claims += [
        _zero_shot(
            results,
            "essentiality",
            f"mean_{group}",
            "auroc_combined_minus_best_baseline",
            f"The knock-out score of {name} adds to gene length, GC, operon and the other "
            f"baselines in finding essential genes ({words})",
        )
        for group, words in (("seen", "organisms trained on"), ("held_out", "never seen"))
    ]
    claims.append(
        _zero_shot(
            results,
            "variants",
            "mean_in_domain",
            "spearman",
            f"{name} ranks the effects of variants better than chance (mean Spearman over "
            "bacterial proteins)",
        )
    )
    return claims


def trained(results: Results) -> list[str]:
    """The trained models beside the reference."""
    names = dict.fromkeys(curve.model for curve in results.curves)
    return [name for name in names if name != results.reference]


def stage_targets(results: Results) -> list[float]:
    """Target positions per token of each stage of the reference; empty without a single target.

    Stages share the target B in the proportions of ``stage_bpt``: N_s = B ** (log n_s / log n).
    """
    card = next((one.config for one in results.curves if one.model == results.reference), {})
    targets = set((card.get("target_bpt") or {}).values())
    given = (card.get("architecture") or {}).get("stage_bpt") or ()
    if len(targets) != 1 or not given:
        return []
    logs = [math.log(bpt) for bpt in given]
    return [next(iter(targets)) ** (log / sum(logs)) for log in logs]


def plain(results: Results) -> str:
    """Which simple models it predicts genes of unseen organisms better than, in words."""
    compared = (
        (markov_name(ORDER), f"a table of which base follows {ORDER} others"),
        (MIXING, "a compression program that learns as it reads"),
    )
    found = [
        f"{_PLAIN[number.side()]} {called}"
        for other, called in compared
        if (number := _compared(results, other, UNSEEN))
    ]
    if not found:
        return "Its predictions were not compared with those of simpler models."
    return f"In genes of organisms that it has never seen it predicts bases {listed(found)}."


def finding(results: Results) -> str:
    """Bits per coding base against models without a network."""
    name = results.reference
    parts = []
    for group, words in GROUPS.items():
        own = results.compression.find(
            Metric.BITS_PER_BASE, name, subset=group, region="coding", strand="+"
        )
        if own is None:
            continue
        against = []
        for other, called in (
            (markov_name(ORDER), f"a Markov model of order {ORDER}"),
            *((other, other) for other in trained(results)),
            (MIXING, "context mixing"),
        ):
            if number := _compared(results, other, group):
                against.append(f"{_SIDES[number.side()]} {called}")
        if against:
            parts.append(
                f"on held-out coding DNA of {words} it needs {fixed(own.value, 3)} bits per base: "
                + ", ".join(against)
            )
    if not parts:
        return f"The next-base loss of {name} on coding DNA was not compared with other models."
    return f"{name} is a language model of whole genomes; " + "; ".join(parts) + "."


def _ratio(results: Results, stage: int, target: float) -> Claim:
    """The claim on realised positions per token, pooled over the organisms trained on."""
    kept, read = 0.0, 0.0
    for organism, split in codon_phase.organisms(results):
        rates = [
            codon_phase.find(results, Metric.BOUNDARY_RATE, s, organism, split, "all")
            for s in range(stage + 1)
        ]
        if split == "train" and all(rates):
            reach = 1.0
            for rate in rates[:-1]:
                reach *= rate.value if rate else 0.0
            read += reach  # all windows have one length
            kept += reach * (rates[-1].value if rates[-1] else 0.0)
    low, high = target * (1 - WITHIN), target * (1 + WITHIN)
    return Claim(
        f"Stage {stage} of {results.reference} has {target:g} positions per token, pooled over the "
        "annotated organisms trained on",
        [Number(read / kept) if kept else None],
        results.seeds(results.reference)[:1],
        low,
        high,
        f"between {low:g} and {high:g}",
    )


def _phase(results: Results, split: str) -> Claim:
    """The claim on the reading frame: the largest p-value over organisms and metrics."""
    found = [
        codon_phase.p_value(results, metric, 0, organism, own)
        for organism, own in codon_phase.organisms(results)
        if own == split
        for metric in (Metric.PERIOD3_AMPLITUDE, Metric.PHASE_LOCK)
    ]
    worst = max((number.value for number in found if number), default=None)
    known = worst is not None and all(found)
    return Claim(
        f"Tokens of the first stage follow the reading frame of genes in DNA "
        f"{codon_phase.SPLITS[split]}: the largest p-value over organisms",
        [Number(worst) if known and worst is not None else None],
        results.seeds(results.reference)[:1],
        None,
        codon_phase.MAX_P,
        f"below {codon_phase.MAX_P}",
        lambda value: f"{value:.3g}",
    )


def _compared(results: Results, other: str, group: str) -> Number | None:
    return results.comparisons.find(
        Metric.BITS_DIFFERENCE,
        difference_of(results.reference, other),
        subset=group,
        region="coding",
        strand="+",
    )


def _difference(results: Results, other: str, group: str, text: str) -> Claim:
    number = _compared(results, other, group)
    seeds = results.seeds(results.reference)[:1]
    below = "paired difference below 0"
    return Claim(
        text, [number], seeds, None, 0.0, below, lambda value: fixed(value, 4), by_interval=True
    )


def _zero_shot(results: Results, task: str, subset: str, metric: str, text: str) -> Claim:
    """A claim from the table of a zero-shot task."""
    number = None
    if task in results.label_parts:
        frame = read_scores(results.folder / "labels" / f"{task}.tsv", TASK_SCORES)
        own = frame[
            (frame["model"] == results.reference)
            & (frame["subset"] == subset)
            & (frame["metric"] == metric)
            & frame["rule"].isin(["knock_out", "likelihood"])
        ]
        number = number_of(records(own)[0]) if len(own) else None
    seeds = results.seeds(results.reference)[:1]
    return Claim(
        text,
        [number],
        seeds,
        0.0,
        None,
        "above 0",
        lambda value: fixed(value, 3),
        by_interval=True,
    )
