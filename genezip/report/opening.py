"""The opening of the page: what this is, what was run, and the main finding, in plain words.

Three sentences without a statistic; their verdicts come from the same intervals as the
paragraphs below the table of claims, which have the numbers.
"""

from genezip.artifacts.scores import GC_ROUTER, Metric, difference_of
from genezip.report.chapters import claims
from genezip.report.results import Results
from genezip.report.scores import HeldOut, Number

WHAT = (
    "GeneZip is a small neural network that cuts DNA into pieces of varying length, one token "
    "each, so that a language model spends its effort on promoters and genes and less on the rest."
)
"""First sentence of a run of GeneZip; other systems have their own."""


def opening(results: Results) -> list[str]:
    """The three sentences."""
    other = claims.other_system(results)
    if other:
        return [other.WHAT, run_sentence(results), other.plain(results)]
    return [WHAT, run_sentence(results), plain(results)]


def run_sentence(results: Results) -> str:
    """What was trained, and on how much unseen DNA it is measured."""
    described = results.source.get("description") or results.manifest.get("description")
    bases = results.split("test").get("bp")
    measured = f"{bases / 1e6:,.1f} million bases" if bases else "DNA"
    where = f" ({described.rstrip('.')})" if described else ""
    sentence = (
        f"Here {results.reference} was trained, and what it does is measured on {measured} that no "
        f"model was trained on, unless a line says otherwise{where}"
    )
    if results.scale != "full":
        sentence += "; at this size it shows whether the method works, not how well it could"
    return f"{sentence}."


def plain(scores: HeldOut) -> str:
    """Whether region targets took effect, and whether more than base composition was learned."""
    target, _ = scores.compared_over_seeds(
        Metric.ENRICHMENT_DIFFERENCE, difference_of(scores.reference, scores.control)
    )
    rule, _ = scores.compared_over_seeds(
        Metric.ENRICHMENT_DIFFERENCE, difference_of(scores.reference, GC_ROUTER)
    )
    if target is None and all(map(scores.no_base, scores.region_classes.groups["promoter"])):
        return "This DNA has no promoter, so it is unknown whether the network learned to find any."
    enriched = scores.by_seed(Metric.ENRICHMENT, scores.reference, region="promoter")
    denser = enriched and all(one is not None and one.side(1) == "above" for one in enriched)
    than = "the rest of the DNA" if denser else "its control"
    first = {
        "above": f"It learned to cut promoters more finely than {than}",
        "below": "It cuts promoters less finely than its control",
        "around": "It is not shown to cut promoters more finely than its control",
        "unknown": "Whether it cuts promoters more finely than its control is unknown",
    }[_side(target)]
    second = {
        "above": ", and better than a rule that only counts G, C and CpG, so it knows more of a "
        "promoter than its composition"
        if _side(target) == "above"
        else "; it does cut them more finely than a rule that only counts G, C and CpG",
        "below": "; but a rule that only counts G, C and CpG does so better, so nothing beyond the "
        "composition of promoters is shown to be learned",
        "around": "; but not better than a rule that only counts G, C and CpG, so nothing beyond "
        "the composition of promoters is shown to be learned",
        "unknown": "; whether it knows more of a promoter than its composition was not measured",
    }[_side(rule)]
    return f"{first}{second}."


def _side(number: Number | None) -> str:
    return "unknown" if number is None else number.side()
