"""Claims about a masked language model of both directions.

They are those of the LDARNet paper (arXiv 2606.04552) that one run can test: tokens of four bases,
prediction of masked bases, learned tokens against as many others at equal cost, tokens at sites of
genes, and vectors that know more than those of an untrained network. Each has the simple model or
the control that it lacks there, and is checked with the score tables alone.
"""

from genezip.artifacts.scores import (
    AGAINST_CONTROL,
    AGAINST_UNTRAINED,
    EQUAL,
    TASK_SCORES,
    TWO_SIDED,
    Metric,
    difference_of,
)
from genezip.report.chapters.genes import alignment
from genezip.report.chapters.prediction import masked
from genezip.report.claims import Claim
from genezip.report.results import Results, read_scores
from genezip.report.scores import Number, number_of, records
from genezip.report.words import fixed, listed, measured

ORIGIN = (
    "The claims are those of the LDARNet paper (arXiv 2606.04552) that one run can test, each "
    "beside the simple model or the control that it lacks there. Fine-tuning on the 18 sets of the "
    "Nucleotide Transformer is not part of this run; config/ldarnet-sets.yaml does it on five of "
    "them."
)
NOTE = "Differences are paired over the same windows, sites or test sequences."
WITHIN = 0.15
"""Largest deviation of the bases per token from the target, as a share."""
LEAST_BITS = 0.01
"""Bits per masked base that the network has to gain on a two-sided Markov model."""
MARKOV = {
    TWO_SIDED: "the two-sided Markov model given the same masks",
    EQUAL: "the two-sided Markov model that learns, like it, from masked bases alone",
}
PROBES = {"elements": ("auroc_macro", "promoters, enhancers and other elements")}
MARKS = "classification"


WHAT = (
    "LDARNet reads DNA from both sides, guesses bases that were hidden from it, and learns itself "
    "where one token ends and the next begins."
)


def applies(results: Results) -> bool:
    """Whether the reference predicts masked bases."""
    return results.reference in masked.networks(results)


def evaluate(results: Results) -> list[Claim]:
    """The claims, in order, with one number per seed of the reference."""
    name = results.reference
    controls = [other for other in masked.networks(results) if other != name]
    claims = [_ratio(results), *(_bits(results, other) for other in MARKOV)]
    claims += [_against(results, other) for other in controls]
    claims += [_aligned(results, kind) for kind in alignment.KINDS if _rows(results, kind)]
    claims += _probes(results)
    return claims


def plain(results: Results) -> str:
    """Whether learned tokens and the network itself help, in words."""
    others = [name for name in masked.networks(results) if name != results.reference]
    held = [_against(results, other).holds for other in others]
    shown = (
        "predict hidden bases better"
        if held and all(held)
        else ("are not shown to predict hidden bases better")
    )
    first = f"Tokens where it puts them {shown} than as many tokens put elsewhere"
    found = [
        _find(results, Metric.MASK_BITS_DIFFERENCE, difference_of(results.reference, TWO_SIDED), s)
        for s in results.masked.seeds(results.reference)
    ]
    sides = {number.side() for number in found if number}
    second = {
        frozenset({"below"}): "; the network predicts them better than counts of their neighbours "
        "do",
        frozenset({"above"}): ", and counts of their neighbours alone predict them better than the "
        "network",
    }.get(
        frozenset(sides), "; it is not shown to predict them better than counts of their neighbours"
    )
    return f"{first}{second}."


def finding(results: Results) -> str:
    """Bits per masked base beside the Markov model, by seed."""
    name = results.reference
    seeds = results.masked.seeds(name)
    own = [_find(results, Metric.MASK_BITS, name, seed) for seed in seeds]
    counted = [results.masked.find(Metric.MASK_BITS, other) for other in MARKOV]
    shown = listed([measured(one, lambda v: fixed(v, 3)) for one in own if one]) if any(own) else ""
    every, equal = (measured(one, lambda v: fixed(v, 3)) for one in counted)
    return (
        f"{name} predicts masked bases of held-out DNA with {shown or 'no measured number of'} "
        f"bits per base, a two-sided Markov model given the same masks with {every}, and with "
        f"{equal} where it learns, as the network does, from masked bases alone."
    )


def _find(results: Results, metric: str, model: str, seed: int | None) -> Number | None:
    return results.masked.find(metric, model, seed=seed)


def _ratio(results: Results) -> Claim:
    """Bases per token without masks, against the one target of the card."""
    name, seeds = results.reference, results.masked.seeds(results.reference)
    card = next((one.config for one in results.curves if one.model == name), {})
    targets = set((card.get("target_bpt") or {}).values())
    target = targets.pop() if len(targets) == 1 else 0.0
    low, high = target * (1 - WITHIN), target * (1 + WITHIN)
    return Claim(
        f"{name} has {target:g} bases per token on held-out DNA, which no mask hides",
        [_find(results, Metric.BPT, name, seed) for seed in seeds] if target else [],
        seeds,
        low,
        high,
        f"between {low:.3g} and {high:.3g}",
    )


def _bits(results: Results, other: str) -> Claim:
    name, seeds = results.reference, results.masked.seeds(results.reference)
    pair = difference_of(name, other)
    return Claim(
        f"{name} needs at least {LEAST_BITS} bits per masked base less than {MARKOV[other]}",
        [_find(results, Metric.MASK_BITS_DIFFERENCE, pair, seed) for seed in seeds],
        seeds,
        None,
        -LEAST_BITS,
        f"paired difference below −{LEAST_BITS}",
        lambda value: fixed(value, 4),
    )


def _against(results: Results, other: str) -> Claim:
    """Learned tokens against as many others of one control."""
    name, seeds = results.reference, results.masked.seeds(results.reference)
    pair = difference_of(name, other)
    return Claim(
        f"{name} needs fewer bits per masked base than {other}, which has as many tokens placed "
        "otherwise and costs as much",
        [_find(results, Metric.MASK_BITS_DIFFERENCE, pair, seed) for seed in seeds],
        seeds,
        None,
        0.0,
        "paired difference below 0",
        lambda value: fixed(value, 4),
        by_interval=True,
    )


def _rows(results: Results, kind: str) -> list[dict]:
    """Rows of the reference at sites of a kind, read along their strand, by seed."""
    rows = [row for row in alignment.rows_of(results) if row["subset"] == kind]
    return [row for row in rows if row["model"] == results.reference]


def _aligned(results: Results, kind: str) -> Claim:
    """Enrichment at sites minus that at decoys with the same dinucleotide."""
    rows = _rows(results, kind)
    numbers = [alignment.beyond_decoys(row) for row in rows]
    return Claim(
        f"Tokens of {results.reference} begin at a {alignment.KINDS[kind]} more often than at the "
        "same dinucleotide elsewhere",
        numbers,
        [int(row["seed"]) for row in rows],
        0.0,
        None,
        "difference of the enrichments above 0",
        lambda value: fixed(value, 3),
        by_interval=True,
    )


def _probes(results: Results) -> list[Claim]:
    """Frozen probes of the reference against the untrained network and against the control."""
    claims = []
    for part, (metric, words) in PROBES.items():
        if part in results.label_parts:
            claims.append(_probe(results, part, metric, AGAINST_UNTRAINED, "ensembl", words))
    if MARKS in results.label_parts:
        frame = read_scores(results.folder / "labels" / f"{MARKS}.tsv", TASK_SCORES)
        for subset in dict.fromkeys(frame["subset"].dropna()):
            if str(subset).startswith("nt_"):
                mark = f"histone mark {str(subset).removeprefix('nt_')} of yeast"
                for ending in (AGAINST_UNTRAINED, AGAINST_CONTROL):
                    claims.append(_probe(results, MARKS, "mcc", ending, str(subset), mark))
    return claims


def _probe(results: Results, part: str, metric: str, ending: str, subset: str, words: str) -> Claim:
    """A paired difference of probes on one set, split by chromosome."""
    frame = read_scores(results.folder / "labels" / f"{part}.tsv", TASK_SCORES)
    own = frame[
        (frame["model"] == results.reference)
        & (frame["subset"] == subset)
        & (frame["rule"] == "chromosome")
        & (frame["metric"] == f"{metric}{ending}")
    ]
    rows = records(own)
    other = results.control if ending == AGAINST_CONTROL else "the untrained network"
    return Claim(
        f"A linear probe on frozen vectors of {results.reference} tells {words} better than one on "
        f"those of {other}",
        [number_of(row) for row in rows] or [None],
        [int(row["seed"]) for row in rows] or results.seeds(results.reference)[:1],
        0.0,
        None,
        "paired difference above 0",
        lambda value: fixed(value, 3),
        by_interval=True,
    )
