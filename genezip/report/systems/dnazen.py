"""Claims about networks on words and phrases of DNA.

They are those of the DNAZEN paper (arXiv 2505.02206) that one run can test: G-grams that are no
chance finds, networks that predict words better than counts do, G-grams and the masking of whole
G-grams that help, and more so where a sequence has more of them. Each has the floor or the control
that it lacks there, and is checked with the score tables alone.
"""

from genezip.artifacts.scores import AGAINST_CONTROL, WORD_FLOORS, Metric, difference_of
from genezip.report.chapters.prediction import words
from genezip.report.chapters.tasks import labelled
from genezip.report.claims import Claim
from genezip.report.results import Results
from genezip.report.scores import Number, records
from genezip.report.words import fixed, listed, measured

ORIGIN = (
    "The claims are those of the DNAZEN paper (arXiv 2505.02206) that one run can test, each "
    "beside the floor or the control that it lacks there. Fine-tuning on the 28 sets of GUE is no "
    "part of this run."
)
NOTE = "Differences are paired over the same windows or test sequences."
MOST_FALSE = 0.1
"""Largest share of G-grams that may be found by chance."""


WHAT = (
    "DNAZEN reads DNA as words and as G-grams, phrases of words that occur together more often "
    "than by chance, and guesses words that were hidden from it."
)


def applies(results: Results) -> bool:
    """Whether the reference is a network on words."""
    return results.reference in words.networks(results)


def evaluate(results: Results) -> list[Claim]:
    """The claims, in order, with one number per seed of the reference."""
    name, seeds = results.reference, results.words.seeds(results.reference)
    claims = [_chance(results)]
    for floor in WORD_FLOORS:
        text = (
            f"{name} needs fewer bits per masked word than a model that knows {words.FLOORS[floor]}"
        )
        claims.append(_difference(results, text, difference_of(name, floor), seeds))
    pair = difference_of(name, results.control)
    text = f"G-grams help: {name} needs fewer bits per masked word than {results.control}"
    claims.append(_difference(results, text, pair, seeds))
    for part in labelled.read_sets(results):
        if part.absent is None and not labelled.solved(results, part):
            headline = part.part.measures[0]
            own = part.seeds(name)
            numbers = [part.number(name, headline, AGAINST_CONTROL, seed) for seed in own]
            claims.append(
                Claim(
                    f"A probe on frozen vectors of {name} tells the classes of {part.part.id} "
                    f"better than one on those of {results.control}",
                    numbers,
                    [0 if seed is None else seed for seed in own],
                    0.0,
                    None,
                    "paired difference of MCC above 0",
                    lambda value: fixed(value, 3),
                    by_interval=True,
                )
            )
    claims.append(_density(results))
    return claims


def plain(results: Results) -> str:
    """Whether G-grams and the network itself help, in words."""
    name, seeds = results.reference, results.words.seeds(results.reference)

    def holds(other: str) -> bool:
        return _difference(results, "", difference_of(name, other), seeds).holds

    first = "Phrases help it" if holds(results.control) else "Phrases are not shown to help it"
    second = "better than" if holds(WORD_FLOORS[-1]) else "not shown to be better than"
    return (
        f"{first} predict hidden words; its predictions are {second} those from the two neighbours "
        "of a word alone."
    )


def finding(results: Results) -> str:
    """Bits per masked word beside the floors, by seed."""
    name, scores = results.reference, results.words

    def bits(model: str) -> str:
        found = [scores.find(Metric.WORD_BITS, model, seed=seed) for seed in scores.seeds(model)]
        found = found or [scores.find(Metric.WORD_BITS, model)]
        return listed([measured(one, lambda value: fixed(value, 2)) for one in found])

    return (
        f"{name} predicts masked words of held-out DNA with {bits(name)} bits per word, without "
        f"G-grams {results.control} with {bits(results.control)}; a model that counts single words "
        f"has {bits(WORD_FLOORS[0])}, one that knows a neighbour {bits(WORD_FLOORS[1])}, and both "
        f"neighbours {bits(WORD_FLOORS[2])}."
    )


def _difference(results: Results, text: str, pair: str, seeds: list[int]) -> Claim:
    metric = Metric.WORD_BITS_DIFFERENCE
    return Claim(
        text,
        [results.words.find(metric, pair, seed=seed) for seed in seeds],
        seeds,
        None,
        0.0,
        "paired difference below 0",
        lambda value: fixed(value, 3),
        by_interval=True,
    )


def _chance(results: Results) -> Claim:
    """The share of G-grams that the same mining finds by chance."""
    own = [row for row in records(results.vocabulary) if row["model"] == results.reference]
    curves = [one for one in results.word_curves if one.model == results.reference]
    mining = (curves[0].training.get("mining") or {}) if curves else {}
    rows = [row for row in own if row["threshold"] == mining.get("threshold")]
    return Claim(
        f"The G-grams of {results.reference} are no chance finds: the same mining of permuted "
        f"words finds less than {MOST_FALSE:.0%} as many",
        [Number(float(row["false_share"]), n=int(row["ggrams"])) for row in rows] or [None],
        results.words.seeds(results.reference)[:1],
        None,
        MOST_FALSE,
        f"below {MOST_FALSE:g}",
        lambda value: fixed(value, 3),
    )


def _density(results: Results) -> Claim:
    """The rank correlation of gain and G-grams per sequence over the labelled sets."""
    found = words.spearman(words.gains(results))
    number = None if found is None else Number(found[0], n=found[1])
    sets = "" if found is None else f" ({found[1]} sets, no interval)"
    return Claim(
        f"The gain by G-grams grows with their number in a sequence{sets}",
        [number],
        results.words.seeds(results.reference)[:1],
        0.0,
        None,
        "rank correlation above 0",
    )
