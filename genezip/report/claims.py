"""Claims about a run and their verdicts.

Each claim is checked with the score tables alone, for every training seed, and holds only if it
holds for all of them. The chapter ``claims`` shows them with the origin of the thresholds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from genezip.artifacts.scores import WINDOW_MEAN, Metric, difference_of, markov_name, ratio_of
from genezip.report.scores import HeldOut, Number
from genezip.report.words import decimals_of, fixed, four, measured, seeds_named

MIN_ENRICHMENT = 1.8
MIN_RATIO_TO_CONTROL = 1.4
BPT_RATIO_RANGE = (0.6, 1.5)
MARKOV_ORDER = 4


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict."""

    text: str
    measured: list[Number | None]  # one number per seed; None where it was not computed
    seeds: list[int]
    # the claim holds when low < value < high (None: no limit on that side)
    low: float | None
    high: float | None
    threshold: str  # the limits in words
    show: Callable[[float], str] = fixed  # formats its numbers
    # the numbers as means over windows, per seed; empty where there are none
    window_mean: list[Number | None] = field(default_factory=list)
    # text before the number, per seed; may be empty
    detail: list[str] = field(default_factory=list)
    by_interval: bool = False  # whether it holds only if the whole interval is inside the limits

    def _inside(self, value: float) -> bool:
        above = self.low is None or value > self.low
        return above and (self.high is None or value < self.high)

    def _unsure(self, number: Number) -> bool:
        """Whether an end of the interval has another verdict than the value."""
        verdict = self._inside(number.value)
        ends = (number.low, number.high)
        return any(self._inside(end) != verdict for end in ends if end is not None)

    def written(self, number: Number | None) -> str:
        """A number with its interval, without rounding to a limit."""
        if number is None or self.show is not fixed:
            return measured(number, self.show)
        values = [v for v in (number.value, number.low, number.high) if v is not None]
        limits = [limit for limit in (self.low, self.high) if limit is not None]
        decimals = decimals_of(*(value - limit for value in values for limit in limits))
        return measured(number, lambda value: fixed(value, decimals))

    @property
    def known(self) -> bool:
        """Whether every seed has a number."""
        return bool(self.measured) and all(number is not None for number in self.measured)

    @property
    def holds(self) -> bool:
        """Whether the claim holds for every seed."""
        shown = self.known and all(self._inside(m.value) for m in self.measured if m)
        return shown and not (self.by_interval and self._open)

    @property
    def _open(self) -> bool:
        """Whether an interval crosses a limit."""
        return any(self._unsure(m) for m in self.measured if m)

    @property
    def verdict(self) -> str:
        """``holds``, ``does not hold``, ``not shown`` (by interval) or ``not computed``."""
        if not self.known:
            return "not computed"
        if self.by_interval and self._open:
            return "not shown"
        return "holds" if self.holds else "does not hold"

    @property
    def note(self) -> str:
        """Number of seeds for which the claim holds, and seeds whose interval leaves it open."""
        if not self.known:
            return ""
        per_seed = [(s, m) for s, m in zip(self.seeds, self.measured, strict=False) if m]
        unsure = [seed for seed, number in per_seed if self._unsure(number)]
        bare = [s for s, number in per_seed if number.low is None or number.high is None]
        count = sum(self._inside(number.value) for _, number in per_seed)
        if len(self.seeds) < 2:
            parts = ["one training seed"]
            parts += ["the interval crosses the threshold"] if unsure else []
            parts += ["no interval"] if bare else []
        else:
            parts = [f"holds for {count} of {len(self.seeds)} seeds"]
            if unsure:
                cross = "intervals of {} cross" if len(unsure) > 1 else "interval of {} crosses"
                parts.append(f"the {cross} the threshold".format(seeds_named(unsure)))
            parts += [f"no interval for {seeds_named(bare)}"] if bare else []
        means = [mean for mean in self.window_mean if mean]
        by_window = sum(self._inside(mean.value) for mean in means)
        if len(means) == len(self.seeds) and by_window != count:
            parts.append(f"by window mean it holds for {by_window} of {len(means)}")
        return "; ".join(parts)


def evaluate(scores: HeldOut) -> list[Claim]:
    """The claims of the page, in order, with their numbers."""
    seeds = scores.seeds(scores.reference)
    return [claim(scores, seeds) for claim in (_enrichment, _ratio, _budget, _perplexity)]


def _enrichment(scores: HeldOut, seeds: list[int]) -> Claim:
    reference = scores.reference
    return Claim(
        f"{reference} gives promoters more than {MIN_ENRICHMENT} times their share of tokens",
        scores.by_seed(Metric.ENRICHMENT, reference, region="promoter"),
        seeds,
        MIN_ENRICHMENT,
        None,
        f"more than {MIN_ENRICHMENT}",
        window_mean=scores.by_seed(Metric.ENRICHMENT + WINDOW_MEAN, reference, region="promoter"),
    )


def _ratio(scores: HeldOut, seeds: list[int]) -> Claim:
    reference, control = scores.reference, scores.control
    means: list[Number | None] = []
    for seed in seeds:
        ours, theirs = (
            scores.number(Metric.ENRICHMENT + WINDOW_MEAN, name, region="promoter", seed=seed)
            for name in (reference, control)
        )
        both = ours and theirs and theirs.value
        means.append(Number(ours.value / theirs.value) if both and ours and theirs else None)
    pair = ratio_of(reference, control)
    return Claim(
        f"Promoter enrichment is more than {MIN_RATIO_TO_CONTROL} times that of {control}",
        [scores.compared(Metric.ENRICHMENT_RATIO, pair, seed=seed) for seed in seeds],
        seeds,
        MIN_RATIO_TO_CONTROL,
        None,
        f"more than {MIN_RATIO_TO_CONTROL}",
        window_mean=means,
    )


def _budget(scores: HeldOut, seeds: list[int]) -> Claim:
    reference = scores.reference
    low, high = BPT_RATIO_RANGE
    return Claim(
        f"{reference} keeps to its token budget: realised bases per token are between {low} and "
        f"{high} times the number that its targets imply",
        scores.by_seed(Metric.BPT_RATIO, reference),
        seeds,
        low,
        high,
        f"between {low} and {high}",
        window_mean=scores.by_seed(Metric.BPT_RATIO + WINDOW_MEAN, reference),
    )


def _perplexity(scores: HeldOut, seeds: list[int]) -> Claim:
    """The claim on perplexity, by the paired difference to the Markov model where available."""
    reference = scores.reference
    model = f"a Markov model of order {MARKOV_ORDER}"
    text = (
        f"{reference} predicts the next base better (lower perplexity) than {model} fitted to the "
        "same training DNA"
    )
    own = scores.by_seed(Metric.PPL, reference)
    markov = scores.markov_ppl(MARKOV_ORDER)
    if markov is None:
        return Claim(text, [None], seeds, None, None, f"{model} was not fitted")
    pair = difference_of(reference, markov_name(MARKOV_ORDER))
    paired = [
        scores.compared(Metric.PPL_DIFFERENCE, pair, region="all", strand="+", seed=seed)
        for seed in seeds
    ]
    if not paired or any(number is None for number in paired):
        return Claim(text, own, seeds, None, markov.value, f"below {four(markov.value)}", four)
    detail = [
        f"perplexity {four(number.value)} against {four(markov.value)}, difference"
        if number
        else "difference"
        for number in own
    ]
    below = "paired difference below 0"
    show = partial(fixed, decimals=4)
    return Claim(text, paired, seeds, None, 0.0, below, show, detail=detail)


def verdicts(found: list[Claim]) -> list[str]:
    """A sentence on the claims that do not hold, and one on those that are not shown."""
    sentences = []
    for verdict, words in (("does not hold", "Does not hold"), ("not shown", "Not shown")):
        names = [
            f"{claim.text}: {', '.join(map(claim.written, claim.measured))}"
            for claim in found
            if claim.verdict == verdict
        ]
        if names:
            sentences.append(f"{words}: {'; '.join(names)}.")
    return sentences
