"""What the page says, section by section: words and tables made from the results."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from genezip.artifacts.scores import CORPUS
from genezip.region_classes import GROUPS
from genezip.report import claims, repeat_sets, style, summary, verdicts
from genezip.report.results import Results
from genezip.report.scores import fixed, measured, plain, records

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


def _per_seed(seeds: list[int], values: list[str]) -> str:
    """Values of all seeds in one cell, each named where there are several."""
    if len(seeds) > 1:
        values = [f"seed {seed}: {value}" for seed, value in zip(seeds, values, strict=False)]
    return "; ".join(values)


def _claim_row(claim: claims.Claim) -> list[Cell]:
    values = [claim.written(number) for number in claim.measured]
    if claim.detail:
        values = [f"{text} {v}" for text, v in zip(claim.detail, values, strict=True)]
    means = [claim.written(number) for number in claim.window_mean]
    kind = "holds" if claim.holds else "fails" if claim.known else "open"
    return [
        claim.text,
        _per_seed(claim.seeds, values),
        _per_seed(claim.seeds, means) if any(claim.window_mean) else "–",
        claim.threshold,
        {"verdict": kind, "text": claim.verdict, "note": claim.note},
    ]


def claims_section(results: Results) -> Section:
    """The claims, each with its number, threshold and verdict, and where thresholds come from."""
    rows = [_claim_row(claim) for claim in claims.evaluate(results)]
    note = (
        "Measured numbers are pooled over all windows and decide the verdict. The window mean, "
        "as in the paper's Table 6, averages over the windows that hold the region; for the "
        "second claim it is one window mean over the other, without an interval."
    )
    if counted := summary.blocks_text(results):
        note += f" Behind the intervals are {counted}"
        note += ", few enough that they are rough." if summary.rough(results) else "."
    head = ["claim", "measured (95 % interval)", "window mean", "threshold", "verdict"]
    return Section(
        "claims",
        "What was claimed, and what holds",
        [claims.held_sentence(results), claims.origin(results)],
        tables=[Table(head, rows, note=note)],
    )


def perplexity_section(results: Results) -> Section:
    """Perplexity beside the share of windows where a bound bit, with Markov baselines."""
    rows: list[list[Cell]] = []
    looks = style.model_styles(results.models, results.reference, results.control)
    for name, look in looks.items():
        ppl = results.number("ppl", name)
        if ppl is None:
            continue
        # of exact likelihoods: under the causal bound where the model's own looked ahead
        bits = results.number("bits_per_base", name) or results.causal("bits_per_base", name)
        share = results.number("bound_bit_share", name)
        percent = "–" if share is None else f"{plain(100 * share.value)} %"
        causal = measured(results.causal("ppl", name), _four)
        rows.append([look.label, measured(ppl, _four), measured(bits, _four), percent, causal])
    for order in claims.telling_orders(results):
        ppl = results.markov_ppl(order)
        bits = results.markov_ppl(order, metric="bits_per_base")
        cells = [f"Markov, order {order}", measured(ppl, _four), measured(bits, _four)]
        rows.append([*cells, "–", "–"])
    head = ["model", "perplexity (95 % interval)", "bits per base", "windows where a bound bit"]
    head.append("perplexity under the causal bound")
    seeds = results.seeds(results.reference)
    which = f" (models: seed {seeds[0]})" if seeds[1:] else ""
    title = f"All bases of held-out DNA{which}"
    note = (
        "A bound on the tokens of a window looks at the whole window, so where it bites the "
        "guess of a base may know of later ones. The causal bound, our addition, looks back "
        "only: the last column is the perplexity of the same weights under it, on the forward "
        "strand. Bits per base are of exact likelihoods alone, so where a bound bit they are those "
        "under the causal bound."
    )
    tables = [Table(head, rows, (1, 2, 3, 4), title, note)] if rows else []
    text = [
        "Compression is only worth something if the tokens still carry the sequence, so each "
        "model also guesses every next base."
    ]
    if results.scale in ("demo", "test"):
        text[0] += " A small model trained for minutes is not expected to beat long Markov models."
    if sentence := verdicts.perplexity(results):
        text.append(sentence)
    return Section("perplexity", "Does it still know the sequence?", text, ("perplexity",), tables)


def _own_enrichment(results: Results) -> Table | None:
    """Enrichment of every class of the user, a column per model or router."""
    looks = style.model_styles(results.models, results.reference, results.control)

    def cell(model: str, region: str) -> str:
        seeds = results.seeds(model)
        own: list[int | None] = [*seeds] or [None]
        found = [results.number("enrichment", model, region=region, seed=s) for s in own]
        return _per_seed(seeds, [measured(number) for number in found])

    rows: list[list[Cell]] = [
        [found.label, found.group or "none", *(cell(model, found.name) for model in looks)]
        for found in results.region_classes.user_classes
    ]
    head = ["own class", "counted in the group", *(look.label for look in looks.values())]
    title = "Enrichment of this run's own region classes, each by itself"
    return Table(head, rows, title=title) if rows else None


def tokens_section(results: Results) -> Section:
    """Bases per token, enrichment, GC thirds."""
    total = results.number("bpt", results.reference)
    text = []
    if total:
        text.append(
            f"{results.reference} makes one token of every {plain(total.value)} bases on "
            "average. What matters is where the tokens are."
        )
    text += [
        sentence for sentence in (verdicts.budget(results), verdicts.genic(results)) if sentence
    ]
    table = _own_enrichment(results)
    figures, tables = ("bpt", "enrichment", "gc_thirds"), [table] if table else []
    return Section("tokens", "Where the tokens go", text, figures, tables)


def locus_section(results: Results) -> Section:
    """One locus."""
    text = [
        "Unless one was named in the settings, this is the held-out stretch with most promoter "
        "bases, chosen by annotation alone and not by how the models look there."
    ]
    return Section("locus", "One place in the genome", text, ("locus",))


def _repeat_table(results: Results) -> Table | None:
    """Bases, blocks and ratios of every set with results, of the reference."""
    rows: list[list[Cell]] = []
    seeds = results.seeds(results.reference)
    counted = any(repeat_sets.blocks(results, a) is not None for a in repeat_sets.SETS)
    for repeat in repeat_sets.SETS:
        plain_ratio, adjusted = (
            [repeat_sets.ratio(results, results.reference, metric, repeat, seed=s) for s in seeds]
            for metric in ("bpt_ratio", "bpt_ratio_region_adjusted")
        )
        bases = next((number.n for number in plain_ratio if number), None)
        if bases is None:
            continue
        blocks = repeat_sets.blocks(results, repeat)
        rows.append(
            [
                repeat.name,
                repeat_sets.background(results, repeat),
                f"{bases:,}",
                *([] if not counted else ["–" if blocks is None else f"{blocks:,}"]),
                _per_seed(seeds, [measured(number) for number in plain_ratio]),
                _per_seed(seeds, [measured(number) for number in adjusted]),
            ]
        )
    head = ["repeat", "background", "bases", *(["blocks"] if counted else [])]
    head += ["ratio (95 % interval)", "adjusted for regions"]
    title = f"Bases per token of {results.reference}, repeat over background"
    note = "" if counted else "The number of blocks with each repeat was not counted."
    return Table(head, rows, (2, 3) if counted else (2,), title, note) if rows else None


def repeats_section(results: Results) -> Section:
    """Repeats, with the verdict first."""
    text = [
        "Repeats are copies, often old and decayed. No target mentions them; whatever the model "
        "does there it does on its own.",
        *verdicts.repeats(results),
        *repeat_sets.remarks(results),
    ]
    table = _repeat_table(results)
    return Section("repeats", "Repeats", text, ("repeats",), [table] if table else [])


def numbers_section(results: Results) -> Section:
    """All headline metrics of every model, with and without N-rich windows, per strand."""
    metrics = ("bpt", "expected_bpt", "bpt_ratio", "micro_err")
    head = ["model", "seed", "windows", "strand", "bases per token", "expected", "ratio"]
    head += ["MicroErr", "promoter enr.", "genic enr.", "intergenic enr."]
    rows: list[list[Cell]] = []
    frame = results.compression.frame
    frame = frame[(frame["split"] == "test") & (frame["model"] != CORPUS)]
    if results.left_out == 0:
        frame = frame[frame["subset"] == results.subset]
    keys = frame[["model", "seed", "subset", "strand"]].drop_duplicates()
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
    limit = results.subset.removeprefix("n_le_").removesuffix("pct")
    if results.subset == "all" or results.left_out is None:
        note = "How many windows hold many N (assembly gaps) was not counted."
    elif results.left_out == 0:
        note = (
            f"No held-out window has more than {limit} % N (assembly gaps), so a table without "
            "such windows would be the same; each row is given once."
        )
    else:
        windows = "windows have" if results.left_out > 1 else "window has"
        note = (
            f"{results.left_out:,} held-out {windows} more than {limit} % N (assembly gaps). Such "
            "windows sit on the floor of tokens per window and dominate plain means, so "
            f"everything is given twice, and the figures use windows with N ≤ {limit} %."
        )
    strand = "the mean of both strands" if results.strand == "both" else "the forward strand"
    note += (
        f" The figures use {strand}; rows with strand “both” are the mean of the forward strand "
        "and the reverse complement."
    )
    tables = [Table(head, rows, tuple(range(4, len(head))), note=note)]
    return Section("numbers", "Numbers in full", tables=tables)
