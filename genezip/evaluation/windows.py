"""Annotation of the held-out windows, and the sums per window from which every metric is computed.

The annotation is the region class, GC tertile and N content of the bases and the bootstrap block of
the window; the sums are taken from a window table.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd

from genezip.alphabet import is_base
from genezip.artifacts.scores import GC_TERTILES, SEEN, UNSEEN, mean_of
from genezip.config import Evaluation
from genezip.corpus.corpus import CorpusReader, Window
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.organisms import Organism, organism_of_contig
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.metrics.gc_content import gc_around
from genezip.region_classes import CLASS_IDS, MOST_CLASSES, RegionClasses

logger = logging.getLogger(__name__)

N_TERTILES = len(GC_TERTILES)
N_STRATA = N_TERTILES + 1  # the last stratum holds N and padding
GC_WIDTH = 1024  # bp
_LEVELS = 1024  # GC content is rounded to 1/1024 before it is ranked

SOFT_MASKED_WEIGHT = 0.1
"""Weight of soft-masked bases in the losses of the authors' release, which divides their sum by the
number of bases; the other bases have weight 1."""

_N_CELLS = N_STRATA * MOST_CLASSES
_DIG = CLASS_IDS["dig"]

Key = tuple[str, int, int]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Subset:
    """A subset of windows with its bootstrap; ``strict`` leaves padding out.

    ``parts``, bool (n chosen, parts), are subsets of it whose statistics are averaged (the macro
    mean over organisms); None pools all windows. Such a mean is given of next-base losses only.
    """

    name: str
    chosen: np.ndarray
    strict: bool
    bootstrap: BlockBootstrap
    parts: np.ndarray | None = None


@dataclass(frozen=True)
class WindowFacts:
    """Annotation of the windows of one split, in corpus order.

    Attributes
    ----------
    table : chrom, start, end, piece (the segment), split, length, n_fraction (no padding), block
    cells : list of uint8 arrays, one per window, shape (length,): GC stratum x 64 + region class of
        every base; stratum 3 is N or padding
    gc_edges : highest GC content of the lower and of the middle tertile
    organisms : organisms of the source, if it has several genomes; next-base losses are then also
        given by organism and for coding and non-coding bases
    soft_masked : of each window whether its bases are soft-masked, packed bits (ceil(length / 8),),
        empty for a window of a segment without soft-masking; None where this was not read
    """

    split: str
    table: pd.DataFrame
    cells: list[np.ndarray]
    index: dict[Key, int]
    gc_edges: tuple[float, float]
    subsets: tuple[Subset, ...]
    region_classes: RegionClasses
    organisms: tuple[Organism, ...] = ()
    soft_masked: list[np.ndarray] | None = None


def subset_name(max_n_fraction: float) -> str:
    """Name of the subset without N-rich windows, such as ``n_le_5pct``."""
    return f"n_le_{100 * max_n_fraction:g}pct"


def block_ids(segment: pd.Series, start: pd.Series, block_bp: int) -> np.ndarray:
    """Bootstrap block of every window: segment, (start - first start in it) // block_bp."""
    offset = (start - start.groupby(segment).transform("min")) // block_bp
    order = segment.map({name: number for number, name in enumerate(segment.unique())})
    return (order * (int(offset.max()) + 1) + offset).to_numpy(dtype=np.int64)


def _gc_levels(ids: np.ndarray) -> np.ndarray:
    """GC content of the 1,024 bp around each base in 1/1024, -1 for N.

    The 1,024 bp are clipped at the ends of the held-out window, as the input of a router is.
    """
    gc = gc_around(ids, GC_WIDTH)
    levels = np.full(len(ids), -1, dtype=np.int16)
    known = is_base(ids)
    levels[known] = np.rint(gc[known] * _LEVELS).astype(np.int16)
    return levels


def spaced_windows(reader: CorpusReader, split: str, most_bp: int) -> Iterator[Window]:
    """Evenly spaced windows of a split, together about ``most_bp`` bases at most."""
    bp = sum(len(window.ids) for window in reader.windows(split))
    return islice(reader.windows(split), 0, None, max(1, -(-bp // most_bp)))


def _describe(window: Window) -> dict[str, Any]:
    real = window.end - window.start
    return {
        "chrom": window.chrom,
        "start": window.start,
        "end": window.end,
        "piece": window.piece,  # the column of the result table
        "split": window.split,
        "length": len(window.ids),
        "n_fraction": float(1 - is_base(window.ids[:real]).mean()),
    }


def read_facts(
    reader: CorpusReader,
    settings: Evaluation,
    split: str = "test",
    organisms: tuple[Organism, ...] = (),
    assembly: Assembly | None = None,
) -> WindowFacts:
    """Annotate the windows of a split in two passes over the corpus: GC ranks, then cells.

    With ``organisms``, those of the source, there is a subset of windows for each of them; with its
    ``assembly`` soft-masked bases are known, which a corpus does not tell from others. Of the
    settings ``max_n_fraction``, ``block_bp``, ``bootstrap`` and ``seed`` are used.
    """
    rows = []
    histogram = np.zeros(_LEVELS + 1, dtype=np.int64)
    for window in reader.windows(split):
        rows.append(_describe(window))
        if rows[-1]["n_fraction"] <= settings.max_n_fraction:
            levels = _gc_levels(window.ids)
            histogram += np.bincount(levels[levels >= 0], minlength=_LEVELS + 1)
    if not rows:
        raise GenezipError(f"the corpus has no window of split {split}; build it with such windows")
    # highest level of the lower and of the middle tertile
    share = np.cumsum(histogram) / max(histogram.sum(), 1)
    edges = np.searchsorted(share, [k / N_TERTILES - 1e-12 for k in (1, 2)])
    cells = []
    for window in reader.windows(split):
        levels = _gc_levels(window.ids)
        stratum = np.searchsorted(edges, levels).astype(np.uint8)
        stratum[levels < 0] = N_TERTILES
        # class and GC stratum of a base share one byte
        cells.append(stratum * np.uint8(MOST_CLASSES) + window.regions.astype(np.uint8))
    table = pd.DataFrame(rows)
    table["block"] = block_ids(table["piece"], table["start"], settings.block_bp)
    keys = zip(table["chrom"], table["start"].tolist(), table["end"].tolist(), strict=True)
    index = {key: number for number, key in enumerate(keys)}
    gc_edges = (float(edges[0] / _LEVELS), float(edges[1] / _LEVELS))
    chosen = (*subsets(table, settings), *organism_subsets(table, settings, organisms))
    classes = reader.region_classes
    masks = None if assembly is None else list(_soft_masks(table, assembly))
    return WindowFacts(split, table, cells, index, gc_edges, chosen, classes, organisms, masks)


def _soft_masks(table: pd.DataFrame, assembly: Assembly) -> Iterator[np.ndarray]:
    """The soft-masked bases of each window as in :class:`WindowFacts`; padding is none."""
    segments = {segment.name: segment for segment in assembly.segments}
    for name, start, end, length in table[["piece", "start", "end", "length"]].itertuples(False):
        segment = segments.get(name)
        if segment is None:
            raise GenezipError(
                f"the source has no segment {name}, of which the corpus has windows; give the "
                "source that the corpus was built from"
            )
        if not segment.soft_masked:
            yield np.empty(0, dtype=np.uint8)
            continue
        lower = np.zeros(length, dtype=bool)
        lower[: end - start] = assembly.lower_case(segment, start, end)
        yield np.packbits(lower)


def subsets(table: pd.DataFrame, settings: Evaluation) -> tuple[Subset, ...]:
    """The two subsets of windows for which every held-out metric is computed."""
    everything = np.ones(len(table), dtype=bool)
    few_n = table["n_fraction"].to_numpy() <= settings.max_n_fraction
    blocks = table["block"].to_numpy()
    found = []
    for name, chosen, strict in (
        ("all", everything, False),
        (subset_name(settings.max_n_fraction), few_n, True),
    ):
        bootstrap = BlockBootstrap(blocks[chosen], settings.bootstrap, settings.seed)
        found.append(Subset(name, chosen, strict, bootstrap))
    return tuple(found)


def organism_subsets(
    table: pd.DataFrame, settings: Evaluation, organisms: tuple[Organism, ...]
) -> Iterator[Subset]:
    """Windows with few N of each organism; of those seen in training and of the others together.

    Of the two groups there are all windows and the macro mean over organisms.
    """
    of_contig = organism_of_contig(organisms)
    for chrom in table["chrom"].unique() if organisms else ():
        if chrom not in of_contig:
            raise GenezipError(
                f"windows of {chrom} belong to no organism of the source; build the corpus of this "
                "source again"
            )
    few_n = table["n_fraction"].to_numpy() <= settings.max_n_fraction
    blocks = table["block"].to_numpy()

    def subset(name: str, chosen: np.ndarray, parts: np.ndarray | None = None) -> Subset:
        bootstrap = BlockBootstrap(blocks[chosen], settings.bootstrap, settings.seed)
        return Subset(name, chosen, True, bootstrap, parts)

    inside = {
        one: few_n & table["chrom"].isin(one.contigs).to_numpy(dtype=bool) for one in organisms
    }
    inside = {organism: chosen for organism, chosen in inside.items() if chosen.any()}
    for organism, chosen in inside.items():
        yield subset(organism.name, chosen)
    for name, seen in ((SEEN, True), (UNSEEN, False)):
        group = [chosen for organism, chosen in inside.items() if organism.seen == seen]
        if group:
            together = np.any(group, axis=0)
            yield subset(name, together)
            parts = np.stack([chosen[together] for chosen in group], axis=1)
            yield subset(mean_of(name), together, parts)


@dataclass(frozen=True)
class WindowSums:
    """Sums of one router over the windows of :class:`WindowFacts`, in the same order.

    ``by_strand`` maps '+' (and 'both', the mean of the strands) to columns:

    - bp, tokens: float64 (n, 4, R), bases and fractional tokens (Eq. 15) by GC stratum and region
    - padding_bp, padding_tokens: float64 (n,), bases and tokens of the padding (N, dig)
    - bound_active: float64 (n, S), 1 where a bound changed the boundary mask of a stage
    - nll, predicted: float64 (n, R), sum of the negative log likelihood (nats) and number of
      predicted bases; absent where the router is no language model
    - release_nll, release_predicted: the same of windows with soft-masking, soft-masked bases
      counting :data:`SOFT_MASKED_WEIGHT`; 0 of other windows, absent where it was not read
    - mixed_nll: float64 (n, R), nll of the mixture with the mixing model ('+' only), where the
      losses of that model were given
    - looked_ahead: float64 (n,), 1 where a bound looked ahead, so that nll is not exact

    ``target_bpt`` is None where the file has none or its classes are not those of the corpus.
    """

    name: str
    seed: int | None
    target_bpt: dict[str, float] | None
    info: dict[str, Any]
    by_strand: dict[str, Columns]

    def columns(self, strand: str, chosen: np.ndarray, strict: bool) -> Columns:
        """Columns of some windows; ``strict`` takes padding out of bp and tokens."""
        columns = {name: values[chosen] for name, values in self.by_strand[strand].items()}
        padding_bp, padding_tokens = columns.pop("padding_bp"), columns.pop("padding_tokens")
        if strict:
            for name, padding in (("bp", padding_bp), ("tokens", padding_tokens)):
                columns[name] = columns[name].copy()
                columns[name][:, N_TERTILES, _DIG] -= padding
            # Exactly zero, without a rounding error, where a cell held padding only.
            columns["tokens"][columns["bp"] == 0] = 0
        return columns


def window_columns(
    window: CompressedWindow,
    cells: np.ndarray,
    classes: int,
    mixed: Callable[[np.ndarray], np.ndarray] | None = None,
    soft_masked: np.ndarray | None = None,
) -> Columns:
    """Sums of one window; shapes as in :class:`WindowSums` without the first axis.

    ``cells`` and ``soft_masked`` are those of :class:`WindowFacts`; ``classes`` is the number of
    region classes, R. ``mixed`` gives the losses of the bases in a mixture with another model.
    """

    def by_cell(weights: np.ndarray | None = None) -> np.ndarray:
        counts = np.bincount(cells, weights=weights, minlength=_N_CELLS)
        return counts.reshape(N_STRATA, MOST_CLASSES)[:, :classes]

    density = window.token_density()
    real = window.end - window.start
    columns: Columns = {
        "bp": by_cell().astype(np.float64),
        "tokens": by_cell(density),
        "padding_bp": np.array(float(window.length - real)),
        "padding_tokens": np.array(density[real:].sum()),
        "bound_active": window.bound_active.astype(np.float64),
    }
    # a pseudo-likelihood conditions on both sides of a base, so it is no next-base loss
    if window.nll is not None and window.likelihood != "pseudo":
        columns["looked_ahead"] = np.array(float(window.likelihood == "looked_ahead"))
        predicted = np.isfinite(window.nll)
        region = cells[predicted] % MOST_CLASSES
        columns["predicted"] = np.bincount(region, minlength=classes).astype(np.float64)
        columns["nll"] = np.bincount(region, weights=window.nll[predicted], minlength=classes)
        if soft_masked is not None:
            columns["release_predicted"] = columns["release_nll"] = np.zeros(classes)
        if soft_masked is not None and soft_masked.size:
            lower = np.unpackbits(soft_masked, count=window.length)[predicted]
            weighted = window.nll[predicted] * np.where(lower, SOFT_MASKED_WEIGHT, 1.0)
            columns["release_predicted"] = columns["predicted"]
            columns["release_nll"] = np.bincount(region, weights=weighted, minlength=classes)
        if mixed is not None and window.likelihood == "exact":
            both = mixed(window.nll)[predicted]
            columns["mixed_nll"] = np.bincount(region, weights=both, minlength=classes)
    return columns


def _targets(file: CompressedFile, facts: WindowFacts) -> dict[str, float] | None:
    """Targets of the file; None, with a warning, where its classes are not those of the corpus.

    A budget cannot be computed for a class without a target or one that means other bases.
    """
    in_file, here = set(file.target_bpt or {}), set(facts.region_classes.names)
    if file.target_bpt is None or in_file == here:
        return file.target_bpt
    odd = ", ".join(sorted(in_file ^ here))
    logger.warning(
        f"{file.name} was made for other region classes than the corpus has ({odd}); metrics "
        "that need its targets are left out"
    )
    return None


def collect(
    file: CompressedFile,
    facts: WindowFacts,
    mixed: Callable[[int, np.ndarray], np.ndarray] | None = None,
) -> WindowSums:
    """Sums of the windows of a file that are in the split of ``facts``.

    ``mixed(number, losses)`` gives the losses of the bases of a window on strand '+' in a mixture
    with another model; no mixture is given where a likelihood is not exact. A missing window, or
    one that the corpus does not have or has in another length, is refused.
    """
    found: dict[str, dict[int, Columns]] = {"+": {}, "-": {}}
    for window in file.windows():
        if window.split != facts.split:
            continue
        where = f"{window.chrom}:{window.start}-{window.end}"
        number = facts.index.get((window.chrom, window.start, window.end))
        if number is None or len(facts.cells[number]) != window.length:
            raise GenezipError(
                f"window {where} of {file.path} is not in the corpus; compress the held-out "
                "windows of this corpus again"
            )
        found[window.strand][number] = window_columns(
            window,
            facts.cells[number],
            len(facts.region_classes),
            partial(mixed, number) if mixed is not None and window.strand == "+" else None,
            None if facts.soft_masked is None else facts.soft_masked[number],
        )
    n_windows = len(facts.cells)
    for strand, columns in found.items():
        if len(columns) != n_windows and (strand == "+" or columns):
            raise GenezipError(
                f"{file.path} has {len(columns)} of the {n_windows} held-out windows on strand "
                f"{strand}; compress the held-out windows of this corpus again"
            )
    with_loss = {"nll" in one for columns in found.values() for one in columns.values()}
    if len(with_loss) > 1:
        raise GenezipError(
            f"{file.path} has a next-base loss for some windows only; compress the held-out "
            "windows again"
        )
    stacked = {
        strand: _stack([columns[number] for number in range(n_windows)])
        for strand, columns in found.items()
        if columns
    }
    by_strand = {"+": stacked["+"]}
    if "-" in stacked:
        by_strand["both"] = {
            name: (values + stacked["-"][name]) / 2
            for name, values in stacked["+"].items()
            if name in stacked["-"]
        }
    targets = _targets(file, facts)
    return WindowSums(file.name, file.seed, targets, file.info, by_strand)


def _stack(windows: list[Columns]) -> Columns:
    """Columns of all windows; those that a window lacks (a mixture that is not exact) are left out.

    Whether windows have a next-base loss was checked before.
    """
    names = [name for name in windows[0] if all(name in columns for columns in windows)]
    return {name: np.stack([columns[name] for columns in windows]) for name in names}
