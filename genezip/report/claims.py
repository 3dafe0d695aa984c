"""What the run was meant to show, held against what it shows.

Thresholds are the project's own aims for a small model on held-out DNA; each claim is
judged from the result files, for every training seed, and the page prints all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass

from genezip.report.results import Results
from genezip.report.scores import Number, fixed, measured, plain

MIN_ENRICHMENT = 1.8
MIN_RATIO_TO_CONTROL = 1.4
BPT_RATIO_RANGE = (0.6, 1.5)
MARKOV_ORDER = 4
GC_ROUTER = "gc_cpg"
TERTILES = ("gc_tertile_1", "gc_tertile_2", "gc_tertile_3")


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict.

    Attributes
    ----------
    text : what is claimed, in words
    measured : one number per seed; None where it was not computed
    seeds : the seeds, in the same order
    low, high : the claim holds when low < value < high (None: no limit on that side)
    threshold : the limits in words
    show : how its numbers are written
    """

    text: str
    measured: list[Number | None]
    seeds: list[int]
    low: float | None
    high: float | None
    threshold: str
    show: Callable[[float], str] = fixed

    def _inside(self, value: float) -> bool:
        above = self.low is None or value > self.low
        return above and (self.high is None or value < self.high)

    @property
    def known(self) -> bool:
        """Whether every seed has a number."""
        return bool(self.measured) and all(number is not None for number in self.measured)

    @property
    def holds(self) -> bool:
        """Whether the claim holds for every seed."""
        return self.known and all(self._inside(m.value) for m in self.measured if m)

    @property
    def verdict(self) -> str:
        """``holds``, ``does not hold`` or ``not computed``."""
        if not self.known:
            return "not computed"
        return "holds" if self.holds else "does not hold"

    @property
    def note(self) -> str:
        """What the intervals add to the verdict, or nothing."""
        ends = [end for m in self.measured if m for end in (m.low, m.high) if end is not None]
        unsure = any(self._inside(end) != self.holds for end in ends)
        return "the interval crosses the threshold" if self.known and unsure else ""


def _four(value: float) -> str:
    return plain(value, 4)


def evaluate(results: Results) -> list[Claim]:
    """The claims of the page, in order, judged from the numbers."""
    reference, control = results.reference, results.control
    seeds = results.seeds(reference)
    low, high = BPT_RATIO_RANGE
    enrichment = [
        results.number("enrichment", reference, region="promoter", seed=seed) for seed in seeds
    ]
    ratio = [
        results.compared("enrichment_ratio", f"{reference} / {control}", seed=seed)
        for seed in seeds
    ]
    budget = [results.number("bpt_ratio", reference, seed=seed) for seed in seeds]
    perplexity = [results.number("ppl", reference, seed=seed) for seed in seeds]
    markov = results.markov_ppl(MARKOV_ORDER)
    order = f"a Markov model of order {MARKOV_ORDER}"
    return [
        Claim(
            f"{reference} gives promoters more than {MIN_ENRICHMENT} times their share of tokens",
            enrichment,
            seeds,
            MIN_ENRICHMENT,
            None,
            f"more than {MIN_ENRICHMENT}",
        ),
        Claim(
            f"Promoter enrichment is more than {MIN_RATIO_TO_CONTROL} times that of {control}",
            ratio,
            seeds,
            MIN_RATIO_TO_CONTROL,
            None,
            f"more than {MIN_RATIO_TO_CONTROL}",
        ),
        Claim(
            "Realised bases per token over the number asked for",
            budget,
            seeds,
            low,
            high,
            f"between {low} and {high}",
        ),
        Claim(
            f"Perplexity is below that of {order} of the same training DNA",
            perplexity if markov else [None],
            seeds,
            None,
            markov.value if markov else None,
            f"below {_four(markov.value)}" if markov else f"{order} was not fitted",
            _four,
        ),
    ]


def _meaning(number: Number, better: str, worse: str) -> str:
    if number.low is None or number.high is None:
        return "without an interval, so nothing is shown"
    if number.low > 0:
        return better
    if number.high < 0:
        return worse
    return "an interval that includes zero, so no difference is shown"


def signed(number: Number, interval: str = "95 % interval ") -> str:
    """A difference with its sign and its interval."""
    text = measured(number).replace("(", f"({interval}")
    return f"+{text}" if number.value > 0 else text


def telling_orders(results: Results) -> list[int]:
    """Markov orders worth naming: 0, that of the claim, the best, the highest."""
    orders = [int(name[6:]) for name in set(results.markov.models) if name[6:].isdigit()]
    known = {order: number.value for order in orders if (number := results.markov_ppl(order))}
    if not known:
        return []
    return sorted({0, MARKOV_ORDER, min(known, key=known.__getitem__), max(known)} & known.keys())


def finding(results: Results) -> str:
    """First sentence of the page: reference against the GC/CpG router at equal token count."""
    reference = results.reference
    pair = f"{reference} - {GC_ROUTER}"
    overall = results.compared("enrichment_difference", pair)
    inside = results.compared("enrichment_difference", pair, subset="gc_tertile_mean")
    ours = results.number("enrichment", reference, region="promoter")
    theirs = results.number("enrichment", GC_ROUTER, region="promoter")
    if overall is None or ours is None or theirs is None:
        return (
            f"This run did not compare {reference} with a router that sees only GC and CpG "
            "content, so it cannot say whether the model has learned more than base composition."
        )
    first = (
        f"On held-out DNA, with the same number of tokens, {reference} gives promoters "
        f"{fixed(ours.value)} times their share of the tokens and a router that sees only GC "
        f"and CpG content {fixed(theirs.value)} times, a paired difference of {signed(overall)}: "
    )
    first += _meaning(
        overall,
        "the model favours promoters more than base composition alone does",
        "base composition alone favours promoters more than the model does",
    )
    if inside is None:
        return first + "; the difference within DNA of similar GC content was not computed."
    second = _meaning(
        inside,
        "so GC content alone does not explain it",
        "so among DNA of similar GC content the model does worse",
    )
    return (
        f"{first}; within thirds of similar GC content it is {signed(inside)} on average, {second}."
    )


def tertile_sentence(results: Results) -> str | None:
    """The paired difference within each GC tertile, lowest first."""
    pair = f"{results.reference} - {GC_ROUTER}"
    found = [results.compared("enrichment_difference", pair, subset=name) for name in TERTILES]
    if any(number is None for number in found):
        return None
    low, middle, high = (signed(number, "") for number in found if number)
    return (
        f"The paired difference within each third is {low} where GC content is lowest, {middle} "
        f"in the middle, and {high} where it is highest."
    )


def interval_sentence(results: Results) -> str:
    """How the intervals were made."""
    how = results.evaluation
    blocks = f"blocks of {how.block_bp:,} bp" if how else "blocks of neighbouring windows"
    resamples = f", {how.bootstrap:,} resamples" if how else ""
    return (
        f"Intervals come from a bootstrap over {blocks}{resamples}, because neighbouring windows "
        "are not independent; both routers are measured on the same resampled blocks."
    )


def seed_sentence(results: Results) -> str | None:
    """Promoter enrichment of every seed, where there are several."""
    seeds = results.seeds(results.reference)
    if len(seeds) < 2:
        return (
            "Each model was trained once, so how much the numbers vary between training runs is "
            "not known from this page."
        )
    parts = []
    for name in (results.reference, results.control):
        found = [
            results.number("enrichment", name, region="promoter", seed=seed)
            for seed in results.seeds(name)
        ]
        values = ", ".join(fixed(number.value) for number in found if number)
        parts.append(f"{values} for {name}")
    return f"Promoter enrichment of the training runs (one seed each): {'; '.join(parts)}."
