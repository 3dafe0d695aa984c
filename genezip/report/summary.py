"""The sentences below the table of claims: the model against a router of base composition alone.

They use the score tables alone. Every verdict comes from an interval: better only where the
interval is above zero, worse only where it is below, otherwise nothing is shown.
"""

from genezip.artifacts.scores import (
    CORPUS,
    GC_ROUTER,
    GC_TERTILE_MEAN,
    GC_TERTILES,
    Metric,
    difference_of,
)
from genezip.report.scores import FEW, FEW_BLOCKS, HeldOut, Number
from genezip.report.words import fixed, seeds_named, signed

BY_THIRD = {
    "above": "better",
    "around": "no difference shown",
    "below": "worse",
    "unknown": "no interval, so nothing is shown",
}


def _pair(scores: HeldOut) -> str:
    return difference_of(scores.reference, GC_ROUTER)


def _verdict(number: Number, reference: str) -> str:
    return {
        "above": f"so {reference} does better",
        "below": "so the composition router does better",
        "around": "so the two are not shown to differ",
        "unknown": "without an interval, so nothing is shown",
    }[number.side()]


def _level(scores: HeldOut, model: str, seeds: list[int]) -> float | None:
    """Mean promoter enrichment over the compared seeds."""
    own: list[int | None] = [*seeds] if scores.seeds(model) else [None] * len(seeds)
    found = [scores.number(Metric.ENRICHMENT, model, region="promoter", seed=s) for s in own]
    values = [number.value for number in found if number]
    return sum(values) / len(values) if values and len(values) == len(seeds) else None


def _levels(scores: HeldOut, seeds: list[int]) -> str:
    ours, theirs = (_level(scores, name, seeds) for name in (scores.reference, GC_ROUTER))
    if ours is None or theirs is None:
        return ""
    return f" (promoter enrichment {fixed(ours)} against {fixed(theirs)})"


def finding(scores: HeldOut) -> str:
    """First sentence of the page: reference against the GC/CpG router at equal token count."""
    reference = scores.reference
    overall, seeds = scores.compared_over_seeds(Metric.ENRICHMENT_DIFFERENCE, _pair(scores))
    if overall is None and all(map(scores.no_base, scores.region_classes.groups["promoter"])):
        return (
            "Held-out DNA of this run has no promoter base, so it is unknown whether "
            f"{reference} finds promoters better than base composition alone does."
        )
    if overall is None:
        return (
            f"This run did not compare {reference} with a router that uses only GC and CpG "
            "content, so it is unknown whether the model has learned more than base composition."
        )
    runs = "mean of training " if len(seeds) > 1 else "training "
    who = f"{reference} ({runs}{seeds_named(seeds)})" if seeds else reference
    first = (
        f"On held-out DNA, with equally many tokens in every window, {who} is compared with a "
        f"router that uses only GC and CpG content{_levels(scores, seeds)}: the paired difference "
        f"in promoter enrichment is {signed(overall)}, {_verdict(overall, reference)}"
    )
    inside, _ = scores.compared_over_seeds(
        Metric.ENRICHMENT_DIFFERENCE, _pair(scores), subset=GC_TERTILE_MEAN
    )
    if inside is None:
        return f"{first}; the difference within DNA of similar GC content was not computed."
    return (
        f"{first}; within thirds of GC content it is {signed(inside)} on average, "
        f"{_verdict(inside, reference)}."
    )


def third_sentence(scores: HeldOut) -> str | None:
    """Sentence on verdict and paired difference of each GC tertile, lowest first."""
    found = [
        scores.compared_over_seeds(Metric.ENRICHMENT_DIFFERENCE, _pair(scores), subset=name)[0]
        for name in GC_TERTILES
    ]
    if any(number is None for number in found):
        return None
    low, middle, high = (
        f"{BY_THIRD[number.side()]} ({signed(number, brackets=False)})"
        for number in found
        if number
    )
    edge = scores.comparisons.find(Metric.GC_UPPER_EDGE, CORPUS, subset=GC_TERTILES[1])
    above = f"above {100 * edge.value:.0f} % GC" if edge else "above its GC edge"
    return (
        f"{scores.reference} against that router, by third of GC content: lowest, {low}; middle, "
        f"{middle}; highest, {high}. The highest third has no upper edge ({above}), so "
        "composition still varies inside it."
    )


def seed_sentence(scores: HeldOut) -> str:
    """Sentence on the paired difference of every training run, or on there being only one."""
    seeds = scores.seeds(scores.reference)
    if len(seeds) < 2:
        return (
            "Each model was trained once, so how much the numbers vary between training runs is "
            "not known."
        )
    found = {s: scores.compared(Metric.ENRICHMENT_DIFFERENCE, _pair(scores), seed=s) for s in seeds}
    parts = [
        f"seed {seed}: {signed(number, brackets=False)}" for seed, number in found.items() if number
    ]
    missing = [seed for seed, number in found.items() if number is None]
    if not parts:
        return "No training run was compared with the composition router."
    text = f"The paired difference in each training run is {'; '.join(parts)}."
    if missing:
        verb = "were" if len(missing) > 1 else "was"
        text += f" {seeds_named(missing).capitalize()} {verb} not compared with the router."
    levels = []
    for name in (scores.reference, scores.control):
        values = scores.by_seed(Metric.ENRICHMENT, name, region="promoter")
        levels.append(f"{', '.join(fixed(v.value) for v in values if v)} for {name}")
    return (
        f"{text} Promoter enrichment itself, seed by seed: {'; '.join(levels)}. Intervals cover "
        "the choice of DNA, not the spread between training runs."
    )


def blocks_text(scores: HeldOut) -> str | None:
    """Number of blocks of the intervals, as ``16 blocks of 131 kb, 14 with promoter bases``."""
    total, promoter = scores.blocks(), scores.blocks("promoter")
    if total is None:
        return None
    size = f" of {scores.evaluation.block_bp / 1000:.0f} kb" if scores.evaluation else ""
    some = f", {promoter} with promoter bases" if promoter is not None else ""
    return f"{total} blocks{size}{some}"


def rough(scores: HeldOut) -> bool:
    """Whether the intervals are rough, as they rest on few blocks."""
    counts = [scores.blocks(region) for region in ("all", "promoter")]
    return any(count is not None and count < FEW_BLOCKS for count in counts)


def interval_sentence(scores: HeldOut) -> str:
    """Sentence on the method of the intervals and their number of blocks."""
    how = scores.evaluation
    counted = blocks_text(scores)
    blocks = f"blocks of {how.block_bp:,} bp" if how else "blocks of neighbouring windows"
    resamples = f" ({how.bootstrap:,} resamples)" if how else ""
    text = (
        f"Intervals come from a bootstrap over {counted or blocks}{resamples}, because "
        "neighbouring windows are not independent; both routers are measured on the same "
        "resampled blocks."
    )
    if rough(scores):
        text += (
            f" Intervals over fewer than {FEW_BLOCKS} blocks are marked “{FEW}”: they are rough."
        )
    return text
