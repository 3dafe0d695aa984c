"""The chapter on claims: each with its number, threshold and verdict."""

from typing import Any

from genezip.report import claims, summary
from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.results import Results
from genezip.report.systems import arena, dnahnet, dnazen, ldarnet
from genezip.report.words import per_seed, seeds_named

OTHER_SYSTEMS = (arena, dnahnet, ldarnet, dnazen)
"""Claims about the other systems, each with sentences of its own."""
REAL_SOURCES = ("mirror", "download")  # the DNA on which the prototype was measured


def other_system(results: Results) -> Any:
    """The module of the claims about the system of a run; None for GeneZip."""
    return next((one for one in OTHER_SYSTEMS if one.applies(results)), None)


def evaluate(results: Results) -> list[claims.Claim]:
    """The claims that a run can test, with their numbers."""
    return (other_system(results) or claims).evaluate(results)


def origin(results: Results) -> str:
    """Sentence on the origin of the thresholds (and of the recipe of the demo)."""
    if other := other_system(results):
        return str(other.ORIGIN)
    if results.scale == "demo" and results.manifest.get("source") in REAL_SOURCES:
        return (
            "The settings of the demo (model size, alpha, sampling around genes, F counted before "
            "the bound) and the thresholds of these claims come from a prototype that was "
            "evaluated on the same held-out chromosomes, so this is not an independent test. "
            "Later changes were chosen on validation DNA."
        )
    return "The thresholds are those of the demo on human DNA; they were not set for this run."


def held_sentence(results: Results) -> str:
    """Sentence on the number of claims that hold, and on the training seeds."""
    found = evaluate(results)
    seeds = results.seeds(results.reference)
    held = sum(claim.holds for claim in found)
    if len(seeds) < 2:
        each = f"each was tested on one training run ({seeds_named(seeds)})" if seeds else ""
        each = each or "no training seed is recorded"
    else:
        each = f"a claim holds only if it holds for each of the {len(seeds)} training seeds"
    return f"{held} of {len(found)} claims hold in this run; {each}."


def _claim_row(claim: claims.Claim) -> list[Cell]:
    values = [claim.written(number) for number in claim.measured]
    if claim.detail:
        values = [f"{text} {v}" for text, v in zip(claim.detail, values, strict=True)]
    means = [claim.written(number) for number in claim.window_mean]
    kind = {"holds": "holds", "does not hold": "fails"}.get(claim.verdict, "open")
    return [
        claim.text,
        per_seed(claim.seeds, values),
        per_seed(claim.seeds, means) if any(claim.window_mean) else "–",
        claim.threshold,
        {"verdict": kind, "text": claim.verdict, "note": claim.note},
    ]


def section(results: Results) -> Section:
    """Table of the claims with number, threshold and verdict; below it the numbers in sentences."""
    rows = [_claim_row(claim) for claim in evaluate(results)]
    note = (
        "Measured numbers are pooled over all windows; verdicts use them. The window mean, as in "
        "the paper's Table 6, averages over the windows with bases of the region; for the second "
        "claim it is the ratio of two window means, without an interval."
    )
    if counted := summary.blocks_text(results):
        note += f" The intervals come from {counted}"
        note += ", few enough that they are rough." if summary.rough(results) else "."
    if other := other_system(results):
        note = other.NOTE
    head = ["claim", "measured (95 % interval)", "window mean", "threshold", "verdict"]
    below = [*details(results), origin(results)]
    return Section([held_sentence(results)], [Table(head, rows, note=note)], below=below)


def details(results: Results) -> list[str]:
    """Sentences with the numbers and intervals behind the opening of the page."""
    if other := other_system(results):
        sentences = [other.finding(results), *claims.verdicts(evaluate(results))]
    else:
        sentences = [
            summary.finding(results),
            summary.third_sentence(results),
            summary.seed_sentence(results),
        ]
    return [text for text in (*sentences, summary.interval_sentence(results)) if text]


CHAPTER = Chapter("claims", "Claims and verdicts", section)
