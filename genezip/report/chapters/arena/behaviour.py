"""How tokens behave, how ids are used, and what a system costs."""

from genezip.artifacts.scores import Metric
from genezip.report.chapter import Cell, Table
from genezip.report.chapters.genes import alignment
from genezip.report.results import Results
from genezip.report.scores import Number
from genezip.report.words import fixed, measured, plain

DASH = "–"
KINDS = ("start", "donor", "acceptor", "cpg_island")
"""Kinds of sites that are shown, if they were measured."""


def _percent(value: float) -> str:
    return f"{fixed(100 * value, 1)} %"


def boundaries(results: Results, names: list[str]) -> Table | None:
    """Boundaries at sites beside decoys, on the other strand, and after one changed base."""
    at = {(str(row["model"]), str(row["subset"])): row for row in alignment.rows_of(results)}
    kinds = [kind for kind in KINDS if any(subset == kind for _, subset in at)]
    rows: list[list[Cell]] = []
    for name in names:
        own = [at.get((name, kind)) for kind in kinds]
        sites = [None if row is None else alignment.beyond_decoys(row) for row in own]
        stable = [
            results.stability.find(metric, name, subset=subset)
            for metric, subset in (
                (Metric.BOTH_STRANDS, "reverse_complement"),
                (Metric.CLOSE_STRANDS, "reverse_complement"),
                (Metric.MOVED_SHARE, "substitution"),
                (Metric.CHANGED_CHUNKS, "substitution"),
            )
        ]
        if any(sites) or any(stable):
            cells = [*(measured(one, fixed) for one in sites)]
            rows.append([name, *cells, *(measured(one, _percent) for one in stable)])
    head = [
        "system", *(f"{alignment.KINDS[kind]} − decoys" for kind in kinds), "on both strands",
        "within 4 bp", "changed by one base", "chunks within 1 kb that change",
    ]  # fmt: skip
    note = (
        "Enrichment of boundaries within 2 bases of a site minus that at positions with the same "
        "dinucleotide elsewhere. Share of the boundaries that the reverse complement has at the "
        "same base, or within 4 bp; share of the substitutions that move any boundary."
    )
    numeric = tuple(range(1, len(head)))
    return Table(head, rows, numeric, "How the boundaries behave", note) if rows else None


def ids(results: Results, names: list[str]) -> Table | None:
    """Entropy and use of token ids."""
    scores = results.arena.token_ids
    rows: list[list[Cell]] = []
    for name in names:
        size = scores.over_seeds(Metric.VOCABULARY, name)[0]
        if size is None:
            continue
        unused = scores.over_seeds(Metric.UNUSED_IDS, name)[0]
        numbers = [
            scores.over_seeds(metric, name)[0]
            for metric in (Metric.TOKEN_ENTROPY, Metric.TOKEN_BITS)
        ]
        cells = [measured(one, lambda value: fixed(value, 3)) for one in numbers]
        rows.append([name, f"{size.value:,.0f}", measured(unused, _percent), *cells])
    head = ["system", "ids", "never used", "entropy (bits per token)", "bits per base"]
    note = (
        "Bits per base of a code that knows how often each id occurs, and nothing of its context."
    )
    return Table(head, rows, (1, 2, 3, 4), "Use of token ids", note) if rows else None


def cost(results: Results, names: list[str]) -> Table | None:
    """Training DNA, parameters, operations, speed and memory."""
    scores = results.arena.cost

    def of(name: str, metric: str) -> Number | None:
        return scores.over_seeds(metric, name)[0]

    rows: list[list[Cell]] = []
    for name in names:
        speed = of(name, Metric.BASES_PER_SECOND)
        if speed is None:
            continue
        memory = of(name, Metric.PEAK_BYTES)
        rows.append(
            [
                name,
                results.arena.trained_on(name) or DASH,
                _show(of(name, Metric.TRAINING_BASES), 1e6),
                _show(of(name, Metric.TRAINING_OPERATIONS), 1e12),
                _show(of(name, Metric.OPERATIONS), 1e3),
                _show(of(name, Metric.PARAMETERS), 1e3),
                _show(speed, 1e3),
                _show(memory, 1e6),
            ]
        )
    head = [
        "system", "trained on", "Mb read", "10¹² operations", "10³ operations per base",
        "10³ parameters", "kb per second", "MB at 128 kb",
    ]  # fmt: skip
    note = (
        "Networks named -flops were trained with about as many operations as the reference, all "
        "others on as many bases. Time and memory of one pass over 131,072 bp with one thread, up "
        "to the vectors of tokens where there are any; memory on top of a pass over 1,024 bp."
    )
    return Table(head, rows, (2, 3, 4, 5, 6, 7), "What a system costs", note) if rows else None


def _show(number: Number | None, unit: float) -> str:
    return DASH if number is None else plain(number.value / unit)
