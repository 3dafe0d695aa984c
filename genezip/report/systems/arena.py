"""Claims about all systems of an arena: what the places of tokens are worth, by kind of claim.

They are those of the papers that one run can test: learned boundaries beat fixed ones (LDARNet,
dnaHNet), region budgets help (GeneZip), and words of byte-pair encoding lose to 6-mers (as reported
of a large model on k-mers). Every one is a paired difference from a twin that the configuration
names (`arena.beside`), and holds only with its whole interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from genezip.artifacts.scores import AGAINST_CONTROL, MIXING, Metric, difference_of
from genezip.report import claims
from genezip.report.claims import Claim
from genezip.report.results import Results
from genezip.report.scores import Number, number_of, records
from genezip.report.words import fixed, listed

ORIGIN = (
    "Learned against fixed boundaries is a claim of the papers of LDARNet (arXiv 2606.04552) and "
    "dnaHNet (arXiv 2602.10603), region budgets one of GeneZip (arXiv 2602.17739); that words of "
    "byte-pair encoding lose to 6-mers is reported of a large model on k-mers. All networks here "
    "are tiny."
)
NOTE = (
    "Differences are paired over the same windows, or the same examples of probes; that of several "
    "sets is the smallest, and its set is named. Intervals are over DNA, within trainings: a "
    "verdict from one training seed says nothing about another training of the same networks."
)
WHAT = (
    "Ways of cutting DNA into tokens, from rulers to trained networks, are compared here on the "
    "same bases, each beside one that has as many tokens in places that know nothing."
)
PROBE_METRICS = ("mcc", "auroc_macro")
"""Metrics of probes, the first that a set has."""
RULES = ("unseen", "chromosome", "pool", "official", "paper")
"""Split schemes of probes, the one that leaks least first."""
LEARNED, FIXED, FLAT, WORDS, LETTERS = "learned", "fixed", "flat", "words", "k-mers"
KINDS = {
    (LEARNED, FIXED): "learned places against fixed ones",
    (LEARNED, LEARNED): "region budgets",
    (LEARNED, FLAT): "tokens against a flat network",
    (WORDS, WORDS): "phrases of words",
    (LETTERS, WORDS): "6-mers against byte-pair encoding",
}
"""Kinds of a system and of its twin -> what is claimed."""


def applies(results: Results) -> bool:
    """Whether a run compared systems in every way."""
    return results.arena.is_whole


def kind(results: Results, name: str) -> str:
    """How a system puts its tokens: learned, fixed, flat, words or k-mers."""
    for curve in (*results.curves, *results.word_curves):
        if curve.model == name:
            if curve.on_words:
                return WORDS
            shape = curve.config.get("architecture", {})
            routers = shape.get("router") or []
            if not shape.get("encoder_layers"):
                return FLAT
            return LEARNED if not routers or "learned" in routers else FIXED
    return LETTERS if name.startswith("fixed") else WORDS


def what(results: Results, model: str, twin: str) -> str:
    """What a pair of systems tests, in words."""
    pair = kind(results, model), kind(results, twin)
    return KINDS.get(pair, f"{model} against {twin}")


@dataclass(frozen=True)
class Pair:
    """A system beside its twin: what the two test, in which unit, the differences, and the claim.

    ``differences`` are by seed, or by set of the probes.
    """

    what: str
    names: str
    unit: str
    differences: tuple[Number, ...]
    claim: Claim


def evaluate(results: Results) -> list[Claim]:
    """The claims of the reference, then those of all pairs, with their numbers."""
    return [*claims.evaluate(results), *(pair.claim for pair in pairs(results))]


def pairs(results: Results) -> Iterator[Pair]:
    """All pairs: in bits, in bits of masked bases, in probes."""
    for scores, metric, unit in (
        (results.arena.bits, Metric.BITS_DIFFERENCE, "bits per base"),
        (results.masked, Metric.MASK_BITS_DIFFERENCE, "bits per masked base"),
    ):
        frame = scores.frame
        for name in dict.fromkeys(frame.loc[frame["metric"] == metric, "model"]):
            model, _, twin = str(name).partition(" - ")
            if twin != MIXING and kind_known(results, twin):
                claim = _fewer(results, model, twin, metric, unit)
                found = tuple(one for one in claim.measured if one)
                yield Pair(what(results, model, twin), str(name), unit, found, claim)
    for model, twin in dict.fromkeys(_probed(results)):
        found = tuple(differences(results, model, twin).values())
        names = difference_of(model, twin)
        claim = _probe(results, model, twin)
        yield Pair(what(results, model, twin), names, "probes", found, claim)


def kind_known(results: Results, name: str) -> bool:
    """Whether a name is that of a system of the run, not of a model that counts."""
    return name in results.arena.tokens.models


def _fewer(results: Results, model: str, twin: str, metric: str, unit: str) -> Claim:
    scores = results.arena.bits if metric == Metric.BITS_DIFFERENCE else results.masked
    pair = difference_of(model, twin)
    (subset, *_) = scores.frame.loc[scores.frame["model"] == pair, "subset"].unique()
    seeds = scores.seeds(pair)
    return Claim(
        f"{model} needs fewer {unit} than {twin} ({what(results, model, twin)})",
        [scores.find(metric, pair, seed=seed, subset=str(subset)) for seed in seeds],
        seeds,
        None,
        0.0,
        "paired difference below 0",
        lambda value: fixed(value, 4),
        by_interval=True,
    )


def _probed(results: Results) -> Iterator[tuple[str, str]]:
    for row in records(results.arena.probes):
        if str(row["metric"]).endswith(AGAINST_CONTROL):
            yield str(row["model"]), str(row["twin"])


def differences(results: Results, model: str, twin: str) -> dict[str, Number]:
    """Paired difference of the probes of a model from those of its twin, by set."""
    frame = results.arena.probes
    own = frame[(frame["model"] == model) & (frame["twin"] == twin)]
    found: dict[str, Number] = {}
    for task, subset in dict.fromkeys(zip(own["task"], own["subset"], strict=True)):
        rows = own[(own["task"] == task) & (own["subset"] == subset)]
        for metric in PROBE_METRICS:
            of = rows[rows["metric"] == f"{metric}{AGAINST_CONTROL}"]
            rule = next((rule for rule in RULES if (of["rule"] == rule).any()), None)
            chosen = [number_of(row) for row in records(of[of["rule"] == rule])]
            if chosen and chosen[0]:
                found[f"{task}: {subset}"] = chosen[0]
                break
    return found


def _probe(results: Results, model: str, twin: str) -> Claim:
    by_set = differences(results, model, twin)
    worst = min(by_set, key=lambda name: by_set[name].value, default=None)
    return Claim(
        f"Frozen probes on {model} beat those on {twin} on every set "
        f"({what(results, model, twin)})",
        [None if worst is None else by_set[worst]],
        [0],
        0.0,
        None,
        "smallest paired difference above 0",
        lambda value: fixed(value, 3),
        detail=[worst or ""],
        by_interval=True,
    )


def plain(results: Results) -> str:
    """What places of tokens buy at this size, and what they do not, in words."""
    by_kind: dict[str, list[Claim]] = {}
    for pair in pairs(results):
        by_kind.setdefault(pair.what, []).append(pair.claim)
    parts = []
    for name in KINDS.values():
        if found := by_kind.get(name):
            held = sum(claim.holds for claim in found)
            parts.append(f"{held} of {len(found)} for {name}")
    return f"Claims that hold: {listed(parts)}." if parts else "No pair of systems was compared."


def finding(results: Results) -> str:
    """The exact networks beside the model that counts."""
    frame = results.arena.bits.frame
    bar = frame[(frame["model"] == MIXING) & (frame["metric"] == Metric.BITS_PER_BASE)]
    own = frame[(frame["metric"] == Metric.BITS_PER_BASE) & (frame["model"] != MIXING)]
    if not len(bar) or not len(own):
        return "No system has an exact likelihood to compare with a model that counts."
    best = min(records(own), key=lambda row: float(row["value"]))
    return (
        f"The system with fewest bits per base of held-out DNA is {best['model']} with "
        f"{fixed(float(best['value']), 3)}; context mixing, which has no network, needs "
        f"{fixed(bar['value'].iloc[0], 3)}."
    )
