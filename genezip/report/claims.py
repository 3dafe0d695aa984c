"""What the run was meant to show, held against what it shows.

Each claim is judged from the result files, for every training seed, and holds only if it
holds for all of them. Where the thresholds come from is said on the page (:func:`origin`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from genezip.artifacts.scores import markov_name
from genezip.report.results import Results
from genezip.report.scores import Number, decimals_of, fixed, measured, plain, seeds_named

MIN_ENRICHMENT = 1.8
MIN_RATIO_TO_CONTROL = 1.4
BPT_RATIO_RANGE = (0.6, 1.5)
MARKOV_ORDER = 4
REAL_SOURCES = ("mirror", "download")  # the DNA on which the prototype had been measured


@dataclass(frozen=True)
class Claim:
    """One claim and its verdict.

    Attributes
    ----------
    text : what is claimed, a sentence
    measured : one number per seed; None where it was not computed
    seeds : the seeds, in the same order
    low, high : the claim holds when low < value < high (None: no limit on that side)
    threshold : the limits in words
    show : how its numbers are written
    window_mean : the same as a mean over windows, per seed; empty where there is none
    detail : what is said beside the number, per seed; empty where there is nothing
    """

    text: str
    measured: list[Number | None]
    seeds: list[int]
    low: float | None
    high: float | None
    threshold: str
    show: Callable[[float], str] = fixed
    window_mean: list[Number | None] = field(default_factory=list)
    detail: list[str] = field(default_factory=list)

    def _inside(self, value: float) -> bool:
        above = self.low is None or value > self.low
        return above and (self.high is None or value < self.high)

    def _unsure(self, number: Number) -> bool:
        """Whether an end of the interval would get another verdict than the value itself."""
        verdict = self._inside(number.value)
        ends = (number.low, number.high)
        return any(self._inside(end) != verdict for end in ends if end is not None)

    def written(self, number: Number | None) -> str:
        """A number with its interval, so that nothing looks like a limit by rounding."""
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
        return self.known and all(self._inside(m.value) for m in self.measured if m)

    @property
    def verdict(self) -> str:
        """``holds``, ``does not hold`` or ``not computed``."""
        if not self.known:
            return "not computed"
        return "holds" if self.holds else "does not hold"

    @property
    def note(self) -> str:
        """For how many seeds it holds, and for which the interval leaves the verdict open."""
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


def _four(value: float) -> str:
    return plain(value, 4)


def _small(value: float) -> str:
    return fixed(value, 4)


def evaluate(results: Results) -> list[Claim]:
    """The claims of the page, in order, judged from the numbers."""
    seeds = results.seeds(results.reference)
    return [
        _enrichment(results, seeds),
        _ratio(results, seeds),
        _budget(results, seeds),
        _perplexity(results, seeds),
    ]


def _enrichment(results: Results, seeds: list[int]) -> Claim:
    reference = results.reference
    return Claim(
        f"{reference} gives promoters more than {MIN_ENRICHMENT} times their share of tokens",
        [results.number("enrichment", reference, region="promoter", seed=s) for s in seeds],
        seeds,
        MIN_ENRICHMENT,
        None,
        f"more than {MIN_ENRICHMENT}",
        window_mean=[
            results.number("enrichment_window_mean", reference, region="promoter", seed=s)
            for s in seeds
        ],
    )


def _ratio(results: Results, seeds: list[int]) -> Claim:
    reference, control = results.reference, results.control
    means: list[Number | None] = []
    for seed in seeds:
        ours, theirs = (
            results.number("enrichment_window_mean", name, region="promoter", seed=seed)
            for name in (reference, control)
        )
        defined = ours and theirs and theirs.value
        means.append(Number(ours.value / theirs.value) if defined and ours and theirs else None)
    pair = f"{reference} / {control}"
    return Claim(
        f"Promoter enrichment is more than {MIN_RATIO_TO_CONTROL} times that of {control}",
        [results.compared("enrichment_ratio", pair, seed=seed) for seed in seeds],
        seeds,
        MIN_RATIO_TO_CONTROL,
        None,
        f"more than {MIN_RATIO_TO_CONTROL}",
        window_mean=means,
    )


def _budget(results: Results, seeds: list[int]) -> Claim:
    reference = results.reference
    low, high = BPT_RATIO_RANGE
    return Claim(
        f"{reference} spends about as many tokens as it was asked to: realised bases per token "
        f"are between {low} and {high} times the number that its targets imply",
        [results.number("bpt_ratio", reference, seed=seed) for seed in seeds],
        seeds,
        low,
        high,
        f"between {low} and {high}",
        window_mean=[
            results.number("bpt_ratio_window_mean", reference, seed=seed) for seed in seeds
        ],
    )


def _perplexity(results: Results, seeds: list[int]) -> Claim:
    """Judged by the paired difference to the Markov model, where it was computed."""
    reference = results.reference
    model = f"a Markov model of order {MARKOV_ORDER}"
    text = (
        f"{reference} guesses the next base better (lower perplexity) than {model} fitted to the "
        "same training DNA"
    )
    own = [results.number("ppl", reference, seed=seed) for seed in seeds]
    markov = results.markov_ppl(MARKOV_ORDER)
    if markov is None:
        return Claim(text, [None], seeds, None, None, f"{model} was not fitted")
    pair = f"{reference} - {markov_name(MARKOV_ORDER)}"
    paired = [
        results.compared("ppl_difference", pair, region="all", strand="+", seed=seed)
        for seed in seeds
    ]
    if not paired or any(number is None for number in paired):
        return Claim(text, own, seeds, None, markov.value, f"below {_four(markov.value)}", _four)
    detail = [
        f"perplexity {_four(number.value)} against {_four(markov.value)}, difference"
        if number
        else "difference"
        for number in own
    ]
    return Claim(text, paired, seeds, None, 0.0, "paired difference below 0", _small, detail=detail)


def origin(results: Results) -> str:
    """Where the thresholds (and the recipe of the demo) come from: not from outside this DNA."""
    if results.scale == "demo" and results.manifest.get("source") in REAL_SOURCES:
        return (
            "The recipe of the demo (model size, alpha, sampling anchored on genes, F taken before "
            "projection) and the thresholds of these claims come from a prototype that had been "
            "measured on these same held-out chromosomes, so they are no independent test. What "
            "was changed since then was chosen on validation DNA."
        )
    return "The thresholds are those of the demo on human DNA; they were not set for this run."


def telling_orders(results: Results) -> list[int]:
    """Markov orders worth naming: 0, that of the claim, the best, the highest."""
    known = markov_by_order(results)
    if not known:
        return []
    best = min(known, key=known.__getitem__)
    return sorted({0, MARKOV_ORDER, best, max(known)} & known.keys())


def markov_by_order(results: Results) -> dict[int, float]:
    """Held-out perplexity of every Markov model."""
    orders = [int(name[6:]) for name in set(results.markov.models) if name[6:].isdigit()]
    return {order: number.value for order in orders if (number := results.markov_ppl(order))}


def held_sentence(results: Results) -> str:
    """How many claims hold, and for how many training seeds that was asked."""
    found = evaluate(results)
    seeds = results.seeds(results.reference)
    held = sum(claim.holds for claim in found)
    if len(seeds) < 2:
        each = f"each was asked of one training run ({seeds_named(seeds)})" if seeds else ""
        each = each or "no training seed is recorded"
    else:
        each = f"a claim holds only if it holds for each of the {len(seeds)} training seeds"
    return f"{held} of {len(found)} claims hold in this run; {each}."
