"""The arena: every way of cutting DNA beside trivial ones that have as many tokens.

Systems keep between 4 and 180 bp per token, so no number of tokens is common to all. Each stands
beside two controls with its own number of tokens in every window: chunks of equal length, and
chunks that begin at random bases (the mean of several draws). The ranked number is the paired
difference of its promoter enrichment from the first: what its places are worth, apart from how many
tokens it has and in which windows.

Ranks are those of the means over seeds. Two systems are a tie if the bootstrap interval of their
difference contains zero; the range of a rank has the places that a system can take among those it
is tied with.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genezip.artifacts.scores import (
    ARENA,
    FIXED_STRIDE,
    RANDOM_CHUNKS,
    Metric,
    Row,
    difference_of,
)
from genezip.errors import GenezipError
from genezip.evaluation.comparisons import enrichment_by_block
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.windows import Subset, WindowFacts, WindowSums, collect
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, Scale, ratio
from genezip.metrics.compression import stride_starts
from genezip.region_classes import GROUPS

DRAWS = 5
"""Random controls of a system."""
RANKED = "promoter"
_GROUPS = tuple(GROUPS)


@dataclass(frozen=True)
class Entry:
    """One run of a system: sums of its windows, and those of its controls, by their names."""

    sums: WindowSums
    controls: dict[str, WindowSums]
    chunks: np.ndarray  # float64 (n, 3): number, sum and sum of squares of chunk lengths (bp)


def random_starts(length: int, tokens: int, rng: np.random.Generator) -> np.ndarray:
    """First bases of ``tokens`` chunks that begin at random bases, int32; the first is 0."""
    others = rng.choice(length - 1, tokens - 1, replace=False, shuffle=False) + 1
    return np.sort(np.append(0, others)).astype(np.int32)


def enter(file: CompressedFile, facts: WindowFacts, seed: int) -> Entry:
    """Read a window table, strand '+', and cut its windows in the ways of the controls.

    The table is read once for each way, so that memory does not grow with its windows.
    """

    def cut(starts: Starts) -> WindowSums:
        return collect(_Cut(file.name, file.seed, None, file.info, file.path, starts), facts)

    def random(draw: int) -> Starts:
        def starts(one: CompressedWindow, tokens: int) -> np.ndarray:
            number = facts.index.get((one.chrom, one.start, one.end), 0)
            return random_starts(one.length, tokens, np.random.default_rng([seed + draw, number]))

        return starts

    own = cut(lambda one, _: one.token_starts)
    controls = {
        FIXED_STRIDE: cut(lambda one, tokens: stride_starts(one.length, tokens)),
        RANDOM_CHUNKS: _mean([cut(random(draw)) for draw in range(DRAWS)]),
    }
    chunks = np.zeros((len(facts.index), 3))
    for one in file.windows("+"):
        if one.split == facts.split:
            shown = int(np.searchsorted(one.token_starts, one.end - one.start))
            lengths = one.chunk_bp[:shown].astype(np.float64)
            number = facts.index[one.chrom, one.start, one.end]
            chunks[number] = len(lengths), lengths.sum(), (lengths**2).sum()
    return Entry(own, controls, chunks)


Starts = Callable[[CompressedWindow, int], np.ndarray]
"""First bases of so many chunks of a window."""


@dataclass(frozen=True)
class _Cut(CompressedFile):
    """A window table, strand '+', with other starts and as many tokens; without likelihoods."""

    starts: Starts

    def windows(
        self, strand: str | None = None, within: Collection[tuple[str, int, int]] | None = None
    ) -> Iterator[CompressedWindow]:
        """The windows, cut anew."""
        for one in super().windows("+", within):
            starts = self.starts(one, len(one.token_starts))
            yield replace(one, token_starts=starts, boundary_prob=None, nll=None)


def _mean(found: Sequence[WindowSums]) -> WindowSums:
    """Sums of which every column is the mean over draws."""
    columns = {
        name: np.mean([one.by_strand["+"][name] for one in found], axis=0)
        for name in found[0].by_strand["+"]
    }
    return replace(found[0], by_strand={"+": columns})


def _enrichment(
    sums: WindowSums, subset: Subset, facts: WindowFacts
) -> tuple[np.ndarray, np.ndarray]:
    columns = sums.columns("+", subset.chosen, subset.strict)
    return enrichment_by_block(columns, subset, facts.region_classes)


def _tokens(entry: Entry, subset: Subset, classes: Sequence[str]) -> Found:
    """Bases per token, of all bases and by class, and how much the lengths of chunks vary."""
    columns = entry.sums.columns("+", subset.chosen, subset.strict)
    by_class = {name: columns[name].sum(axis=1) for name in ("bp", "tokens")}
    bp, tokens = (
        np.concatenate([one.sum(axis=1, keepdims=True), one], axis=1) for one in by_class.values()
    )
    count, total, squares = entry.chunks[subset.chosen].T
    sums = subset.bootstrap.sums(
        {"bp": bp, "tokens": tokens, "count": count, "total": total, "squares": squares}
    )
    mean = ratio(sums["total"], sums["count"])
    spread = np.sqrt(np.maximum(ratio(sums["squares"], sums["count"]) - mean**2, 0)) / mean
    n = np.array(int(subset.chosen.sum()))
    bpt = ratio(sums["bp"], sums["tokens"])
    support = subset.bootstrap.support(bp)
    return {
        Metric.BPT: (("all", *classes), subset.bootstrap.summarise(bpt, support, "ratio"), n),
        Metric.CHUNK_CV: (("all",), subset.bootstrap.summarise(spread[:, None], None, "ratio"), n),
    }


def arena_rows(entries: Sequence[Entry], facts: WindowFacts, scale: str, source: str) -> list[Row]:
    """Score rows of all systems: tokens, enrichment, differences from the controls, and ranks.

    Windows are those with few N. Every run has rows with its seed; several of one system also have
    rows of their mean, with an empty seed, as in ``comparisons.tsv``. Ranks have an empty seed.
    """
    subset = facts.subsets[1]
    bootstrap = subset.bootstrap
    common = {"task": ARENA, "subset": subset.name, "split": facts.split, "strand": "+"}
    common |= {"scale": scale, "source": source}
    n = np.array(int(subset.chosen.sum()))
    rows: list[Row] = []
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        runs = by_name.setdefault(entry.sums.name, [])
        if entry.sums.seed in [one.sums.seed for one in runs]:
            raise GenezipError(
                f"{entry.sums.name}, seed {entry.sums.seed}, is given twice; name each of its "
                "files once"
            )
        runs.append(entry)
    ranked: dict[str, np.ndarray] = {}
    for name, runs in progress(by_name.items(), "the arena", unit="system"):
        _, support = _enrichment(runs[0].sums, subset, facts)
        own = [_enrichment(one.sums, subset, facts)[0] for one in runs]
        from_control = {
            control: [
                values - _enrichment(one.controls[control], subset, facts)[0]
                for one, values in zip(runs, own, strict=True)
            ]
            for control in (FIXED_STRIDE, RANDOM_CHUNKS)
        }

        def found(values: np.ndarray, metric: str, support: np.ndarray = support) -> Found:
            kind: Scale = "ratio" if metric == Metric.ENRICHMENT else "difference"
            return {metric: (_GROUPS, bootstrap.summarise(values, support, kind), n)}

        for number, run in enumerate(runs):
            cells = {**common, "seed": run.sums.seed}
            rows += expand(_tokens(run, subset, facts.region_classes.names), model=name, **cells)
            rows += expand(found(own[number], Metric.ENRICHMENT), model=name, **cells)
            for control, values in from_control.items():
                pair = difference_of(name, control)
                one = found(values[number], Metric.ENRICHMENT_DIFFERENCE)
                rows += expand(one, model=pair, **cells)
        mean = {control: np.mean(values, axis=0) for control, values in from_control.items()}
        if len(runs) > 1:
            cells = {**common, "seed": None}
            averaged = found(np.mean(own, axis=0), Metric.ENRICHMENT)
            rows += expand(averaged, model=name, **cells)
            for control, values in mean.items():
                pair = difference_of(name, control)
                rows += expand(found(values, Metric.ENRICHMENT_DIFFERENCE), model=pair, **cells)
        ranked[name] = mean[FIXED_STRIDE][:, _GROUPS.index(RANKED)]
    return [*rows, *rank_rows(ranked, bootstrap, n, **common)]


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each of the last axis, 1 for the largest; equal ones share the best of theirs."""
    return (values[..., None, :] > values[..., :, None]).sum(-1) + 1


def rank_rows(
    values: dict[str, np.ndarray], bootstrap: BlockBootstrap, n: np.ndarray, **cells: str
) -> list[Row]:
    """A row of every system with its rank, the range of it, and the systems it is tied with.

    ``values`` are those with and without each block, (1 + B,), of each system; one that is
    undefined is not ranked.
    """
    known = {name: one for name, one in values.items() if np.isfinite(one).all()}
    if not known:
        raise GenezipError(
            f"no system has a promoter enrichment in the {int(n)} windows with few N; give a "
            "corpus whose held-out windows have promoters"
        )
    stacked = np.stack(list(known.values()), axis=1)
    place = ranks(stacked[0])
    pairs = bootstrap.summarise(stacked[:, :, None] - stacked[:, None, :])
    tie = (pairs.low <= 0) & (pairs.high >= 0)
    low, high = 1 + (pairs.high < 0).sum(axis=1), len(known) - (pairs.low > 0).sum(axis=1)
    rows = []
    for number, name in enumerate(known):
        value, least, most = (np.array([float(one[number])]) for one in (place, low, high))
        estimate = Estimate(value, least, most, np.array([bootstrap.n_blocks]))
        tied = [other for k, other in enumerate(known) if k != number and tie[number, k]]
        (row,) = expand({Metric.RANK: ((RANKED,), estimate, n)}, model=name, seed=None, **cells)
        rows.append({**row, "note": f"tied with {', '.join(tied)}" if tied else None})
    return rows
