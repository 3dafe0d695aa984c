"""The glossary of the page."""

from genezip.region_classes import GROUPS, RegionClasses
from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.chapters.training import share_f
from genezip.report.results import Results
from genezip.report.scores import FEW, FEW_BLOCKS
from genezip.report.words import listed


def _user_classes_in_groups(region_classes: RegionClasses) -> str:
    """Sentences on groups with classes of the user; start with a space, may be empty."""
    found = {group: style.user_labels(region_classes, group) for group in GROUPS}
    return "".join(
        f" In this run {group} also means {listed(own)}." for group, own in found.items() if own
    )


def _user_classes(region_classes: RegionClasses) -> str:
    """Sentence on the user's classes; starts with a space, may be empty."""
    own = [found.label for found in region_classes.user_classes]
    if not own:
        return ""
    classes = "are classes" if len(own) > 1 else "is a class"
    return f" {listed(own)} {classes} of the user, from BED files."


def section(results: Results) -> Section:
    """Definitions with the paper's equation numbers."""
    curve = next((c for c in results.curves if c.model == results.reference), None)
    region_classes = results.region_classes
    order = " > ".join(region_classes.labels[name] for name in region_classes.priority)
    terms = [
        ("token, chunk, boundary",
         "The model cuts DNA into chunks of varying length and keeps one vector, the token, for "
         "each. A cut is made where the boundary probability exceeds one half."),
        ("bases per token (BPT)",
         "Number of bases divided by number of tokens (Eq. 12). Within a region: its bases over "
         "its tokens, where a chunk shares its one token evenly among its bases (Eq. 15)."),
        ("expected BPT, ratio",
         "BPT that the targets of the regions imply for the measured DNA: bases over the sum of "
         "bases per target (Eq. 13). The ratio is realised over expected BPT (Eq. 14)."),
        ("MicroErr",
         "Mean over bases of |ln(realised / target)| of the region's BPT (Eq. 16); its "
         "exponential is the typical factor between a region's BPT and its target."),
        ("enrichment, window mean",
         "A group's share of the tokens over its share of the bases (Eq. 17), pooled over "
         "windows. A window mean is the average over the windows with bases of the group, as in "
         "the paper's Table 6. Genic means CDS, UTR and "
         f"non-coding exon; intergenic includes introns.{_user_classes_in_groups(region_classes)}"),
        ("perplexity, bits per base",
         "e to the mean negative log likelihood (in nats) of each base given those before it, "
         "over A, C, G and T (Eq. 18); bits per base is its logarithm to base 2."),
        ("F and G",
         f"{share_f(curve)}; G is the mean boundary probability. Both are taken per region. "
         "The region-aware ratio (RAR) loss moves G until F is on target (Eq. 7 to 9)."),
        ("bound",
         "Floor or ceiling on the tokens of a window. If the router exceeds a limit, the bound "
         "adds the most probable or removes the least probable positions of the window (Eq. 10, "
         "11)."),
        ("regions",
         f"Every base has one class, the first that applies of {order}. Near intergenic means "
         f"within a set distance of a transcription start.{_user_classes(region_classes)}"),
        ("GC/CpG router",
         "A router with a token rate for each GC content and CpG ratio, learned from the "
         "annotation of training DNA; its window width and sharpness were chosen on validation "
         "DNA. It uses nothing else, and has as many tokens per window as the model it is "
         "compared with."),
        ("95 % interval",
         "Symmetric studentised bootstrap over blocks of neighbouring windows, because neighbours "
         "are not independent; paired comparisons use the same blocks for both. "
         f"{FEW_BLOCKS} blocks suffice for 95 % coverage, unless a few are far from the others "
         "(heavy tails), which makes intervals too narrow; one from fewer blocks is marked "
         f"“{FEW}”. It covers the choice of DNA, not the spread between training runs."),
    ]  # fmt: skip
    return Section(terms=terms)


CHAPTER = Chapter("glossary", "Glossary", section)
