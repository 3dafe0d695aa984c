"""What the page says, section by section: words and tables made from the results."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from genezip.report import claims, style
from genezip.report.results import Results
from genezip.report.scores import fixed, measured, plain, records
from genezip.taxonomy import CLASSES, GROUPS, LABELS

Cell = str | dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table of the page; ``numeric`` lists the right-aligned columns."""

    head: list[str]
    rows: list[list[Cell]]
    numeric: tuple[int, ...] = ()
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, figures (by name), tables and terms."""

    id: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: tuple[str, ...] = ()
    tables: list[Table] = field(default_factory=list)
    terms: list[tuple[str, str]] = field(default_factory=list)
    dense: bool = False


def _four(value: float) -> str:
    return plain(value, 4)


def claims_section(results: Results) -> Section:
    """The claims, each with its number, threshold and verdict."""
    rows: list[list[Cell]] = []
    found = claims.evaluate(results)
    for claim in found:
        values = [measured(number, claim.show) for number in claim.measured]
        if len(claim.seeds) > 1:
            values = [f"seed {s}: {v}" for s, v in zip(claim.seeds, values, strict=False)]
        kind = "holds" if claim.holds else "fails" if claim.known else "open"
        verdict = {"verdict": kind, "text": claim.verdict, "note": claim.note}
        rows.append([claim.text, "; ".join(values), claim.threshold, verdict])
    held = sum(claim.holds for claim in found)
    return Section(
        "claims",
        "What was claimed, and what holds",
        [f"{held} of {len(found)} claims hold in this run. They were fixed before the run."],
        tables=[Table(["claim", "measured (95 % interval)", "threshold", "verdict"], rows)],
    )


def corpus_section(results: Results) -> Section:
    """Region composition, and what the homology filter dropped."""
    dropped = results.manifest.get("dropped") or {}
    text = [
        "The model was trained, validated and tested on different DNA. Settings were chosen on "
        "validation DNA; held-out DNA was looked at only to make this page."
    ]
    if dropped.get("k") and dropped.get("windows") is not None:
        text.append(
            f"{dropped['windows']} of {dropped['of']} held-out windows were left out because more "
            f"than {100 * dropped['threshold']:g} % of their {dropped['k']}"
            "\N{NON-BREAKING HYPHEN}mers also occur in training DNA (recent "
            "duplications), which would flatter the model."
        )
    return Section("corpus", "The DNA", text, ("corpus",))


def training_section(results: Results) -> Section:
    """Curves."""
    steps = [int(c.steps["step"].max()) for c in results.curves if not c.steps.empty]
    text = []
    if steps:
        text.append(
            f"{len(steps)} training runs of {max(steps):,} steps. {results.reference} is asked "
            "for another number of bases per token in every region; the control "
            f"{results.control} sees the same DNA and is asked for one number everywhere. The "
            "regions enter only this loss: no model ever sees an annotation as input."
        )
    return Section("training", "Training", text, ("curves", "steering"))


def perplexity_section(results: Results) -> Section:
    """Perplexity beside the share of windows where a bound bit, with Markov baselines."""
    rows: list[list[Cell]] = []
    looks = style.model_styles(results.models, results.reference, results.control)
    for name, look in looks.items():
        ppl = results.number("ppl", name)
        if ppl is None:
            continue
        bits = results.number("bits_per_base", name)
        share = results.number("bound_bit_share", name)
        percent = "–" if share is None else f"{plain(100 * share.value)} %"
        rows.append([look.label, measured(ppl, _four), measured(bits, _four), percent])
    for order in claims.telling_orders(results):
        ppl = results.markov_ppl(order)
        bits = results.markov_ppl(order, metric="bits_per_base")
        rows.append([f"Markov, order {order}", measured(ppl, _four), measured(bits, _four), "–"])
    head = ["model", "perplexity (95 % interval)", "bits per base", "windows where a bound bit"]
    tables = [Table(head, rows, (1, 2, 3), "All bases of held-out DNA")] if rows else []
    text = [
        "Compression is only worth something if the tokens still carry the sequence, so each "
        "model also guesses every next base. A small model trained for minutes is not expected "
        "to beat long Markov models here."
    ]
    return Section("perplexity", "Does it still know the sequence?", text, ("perplexity",), tables)


def tokens_section(results: Results) -> Section:
    """Bases per token, enrichment, GC thirds."""
    total = results.number("bpt", results.reference)
    text = []
    if total:
        text.append(
            f"{results.reference} makes one token of every {plain(total.value)} bases on "
            "average. What matters is where the tokens are."
        )
    return Section("tokens", "Where the tokens go", text, ("bpt", "enrichment", "gc_thirds"))


def locus_section(results: Results) -> Section:
    """One locus."""
    text = [
        "Unless one was named in the settings, this is the held-out stretch with most promoter "
        "bases, chosen by annotation alone and not by how the models look there."
    ]
    return Section("locus", "One place in the genome", text, ("locus",))


def repeats_section(results: Results) -> Section:
    """Repeats."""
    text = [
        "Repeats are copies, often old and decayed. No target mentions them; whatever the model "
        "does there it does on its own."
    ]
    return Section("repeats", "Repeats", text, ("repeats",))


def numbers_section(results: Results) -> Section:
    """All headline metrics of every model, with and without N-rich windows, per strand."""
    metrics = ("bpt", "expected_bpt", "bpt_ratio", "micro_err")
    head = ["model", "seed", "windows", "strand", "bases per token", "expected", "ratio"]
    head += ["MicroErr", "promoter enr.", "genic enr.", "intergenic enr."]
    rows: list[list[Cell]] = []
    frame = results.compression.frame
    keys = frame[frame["split"] == "test"][["model", "seed", "subset", "strand"]].drop_duplicates()
    for key in records(keys):
        model, subset = key["model"], key["subset"]
        seed = None if pd.isna(key["seed"]) else int(key["seed"])
        where: dict[str, Any] = {"subset": subset, "strand": key["strand"]}
        if seed is not None:
            where["seed"] = seed
        found = [results.number(metric, model, **where) for metric in metrics]
        found += [results.number("enrichment", model, region=g, **where) for g in GROUPS]
        label = style.model_styles([model], results.reference, results.control)[model].label
        cells = [plain(number.value) if number else "–" for number in found[:2]]
        cells += [fixed(number.value) if number else "–" for number in found[2:]]
        few_n = subset.removeprefix("n_le_").removesuffix("pct")
        windows = "all" if subset == "all" else f"N ≤ {few_n} %"
        rows.append([label, "–" if seed is None else str(seed), windows, key["strand"], *cells])
    note = (
        "Windows with many N (assembly gaps) sit on the floor of tokens per window and dominate "
        "plain means, so everything is given twice. The figures use the forward strand, on which "
        "every router and baseline was run, and "
        f"{'windows with few N' if results.subset != 'all' else 'all windows'}; rows with strand "
        "“both” are the mean of the forward strand and the reverse complement."
    )
    tables = [Table(head, rows, tuple(range(4, len(head))), note=note)]
    return Section("numbers", "Numbers in full", tables=tables)


def glossary_section() -> Section:
    """Definitions, in plain words, with the paper's equation numbers."""
    order = " > ".join(LABELS[name] for name in CLASSES)
    terms = [
        ("token, chunk, boundary",
         "The model cuts DNA into chunks of varying length and keeps one vector, the token, for "
         "each. A cut is made where the boundary probability exceeds one half."),
        ("bases per token (BPT)",
         "Number of bases divided by number of tokens (Eq. 12). Within a region: its bases over "
         "its tokens, where a chunk shares its one token evenly among its bases (Eq. 15)."),
        ("expected BPT, ratio",
         "What the targets of the regions imply for the DNA at hand: bases over the sum of bases "
         "per target (Eq. 13). The ratio is realised over expected (Eq. 14)."),
        ("MicroErr",
         "Mean over bases of |ln(realised / target)| of the region's BPT (Eq. 16); e to its "
         "power is the typical factor by which a region misses its target."),
        ("enrichment",
         "A group's share of the tokens over its share of the bases (Eq. 17), pooled over "
         "windows. Genic means CDS, UTR and non-coding exon; intergenic includes introns."),
        ("perplexity, bits per base",
         "e to the mean negative log likelihood (in nats) of each base given those before it, "
         "over A, C, G and T (Eq. 18); bits per base is its logarithm to base 2."),
        ("F and G",
         "Share of positions of a region whose boundary probability exceeds one half, and their "
         "mean boundary probability. The region-aware ratio loss moves G until F is on target "
         "(Eq. 7 to 9)."),
        ("bound",
         "Floor or ceiling on the tokens of a window. Where the router stays outside, the best "
         "or worst positions of the whole window are switched on or off (Eq. 10, 11)."),
        ("regions",
         f"Every base has one class, the first that applies of {order}. Near intergenic means "
         "within a set distance of a transcription start."),
        ("GC/CpG router",
         "Spends the same number of tokens per window as the model it is compared with, and "
         "places them by GC content and CpG ratio in a sliding window alone."),
        ("95 % interval",
         "Percentile bootstrap over blocks of neighbouring windows, because neighbours are not "
         "independent; paired comparisons use the same blocks for both. It covers the choice of "
         "DNA, not the spread between training runs."),
    ]  # fmt: skip
    return Section("glossary", "What the words mean", terms=terms)
