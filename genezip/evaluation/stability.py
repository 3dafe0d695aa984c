"""How far one changed base moves token boundaries, and what reading the other strand changes.

A substitution replaces one known base of a held-out window by another one at random; the tokens of
the window are compared before and after. Sites are drawn at random within each region class, so
that rare classes have as many as common ones; region ``all`` weights them by the bases of their
class. A stretch of ``window_bp`` around the site is read, so no effect beyond half of it is seen.

On the reverse complement the boundary between bases t - 1 and t of L bases is at L - t. The share
of boundaries that both strands have is their intersection over their union; the control is the
same after random circular shifts of one strand.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.alphabet import A_ID, is_base, reverse_complement
from genezip.artifacts.scores import SHIFTED, STABILITY, Metric, Row
from genezip.config import Stability
from genezip.corpus.corpus import CorpusReader, Window
from genezip.errors import GenezipError
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.windows import block_ids
from genezip.inference.forward import routed
from genezip.log import progress
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, Scale, ratio
from genezip.metrics.compression import moved_boundaries
from genezip.models.base import Compressor
from genezip.models.compressed import check_tokens
from genezip.region_classes import RegionClasses

SPLIT = "test"
SUBSTITUTION, OTHER_STRAND = "substitution", "reverse_complement"
"""Subsets of the rows."""
NEAR_BP = 1_000  # chunks within this distance of a changed base are counted
CLOSE_BP = 4  # boundaries this close count as one in the lenient measure
_BATCH = 16  # windows that are read together


@dataclass(frozen=True)
class Site:
    """One substitution: bases before and after it, (L,) token ids, and where it is."""

    before: np.ndarray
    after: np.ndarray
    position: int  # in the stretch
    region: int  # class of the base
    piece: str  # segment, and start of the stretch in the chromosome
    start: int


def draw_sites(reader: CorpusReader, settings: Stability) -> tuple[list[Site], np.ndarray]:
    """Random substitutions of every region class, and the known held-out bases of each class."""
    classes = len(reader.region_classes)
    counts = np.array(
        [
            np.bincount(window.regions[is_base(window.ids)], minlength=classes)
            for window in reader.windows(SPLIT)
        ],
        dtype=np.int64,
    )
    if not len(counts):
        raise GenezipError(f"{reader.path} has no held-out window; build it with such windows")
    rng = np.random.default_rng(settings.seed)
    wanted: dict[int, list[tuple[int, int]]] = {}  # window -> (class, rank among its bases)
    for region in range(classes):
        total = int(counts[:, region].sum())
        chosen = rng.choice(total, min(settings.changes, total), replace=False)
        until = np.cumsum(counts[:, region])
        for window, rank in zip(np.searchsorted(until, chosen, side="right"), chosen, strict=True):
            before = int(until[window] - counts[window, region])
            wanted.setdefault(int(window), []).append((region, int(rank) - before))
    sites = []
    for number, window in enumerate(reader.windows(SPLIT)):
        for region, rank in sorted(wanted.get(number, [])):
            inside = np.flatnonzero(is_base(window.ids) & (window.regions == region))
            sites.append(_site(window, int(inside[rank]), region, settings.window_bp, rng))
    return sites, counts.sum(axis=0)


def _site(
    window: Window, position: int, region: int, window_bp: int, rng: np.random.Generator
) -> Site:
    size = min(window_bp, len(window.ids))
    low = int(np.clip(position - size // 2, 0, len(window.ids) - size))
    before = window.ids[low : low + size]
    after = before.copy()
    old = int(before[position - low]) - A_ID
    after[position - low] = A_ID + (old + int(rng.integers(1, 4))) % 4
    return Site(before, after, position - low, region, window.piece, window.start + low)


def starts_of(compressor: Compressor, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """First bases of the chunks of each sequence, without the first, which is always one."""
    longest = max(map(len, sequences), default=0)
    if compressor.max_bp is not None and longest > compressor.max_bp:
        raise GenezipError(
            f"{compressor.name} reads at most {compressor.max_bp:,} bases at once, but a window "
            f"has {longest:,}; set stability.window_bp"
        )
    found = []
    batches = [sequences[low : low + _BATCH] for low in range(0, len(sequences), _BATCH)]
    for batch in progress(batches, f"boundaries of {compressor.name}", unit="batch"):
        for ids, one in zip(batch, routed(compressor, list(batch)), strict=True):
            check_tokens(one, compressor.name, len(ids))
            found.append(np.asarray(one.token_starts[1:], dtype=np.int64))
    return found


def effect(before: np.ndarray, after: np.ndarray, length: int, position: int) -> dict[str, float]:
    """What a substitution did to the boundaries of a stretch of ``length`` bases.

    Parameters
    ----------
    before, after : increasing boundaries, without 0, of the stretch and of its changed copy

    Returns
    -------
    dict
        moved: 1 if any boundary is new or gone; reach: bases from the changed base to the farthest
        of them (0 without one); earlier: 1 if one of them lies before it; changed and chunks: of
        the chunks within 1 kb of the base those that are no chunk any more, and all
    """
    moved, reach = moved_boundaries(before, after, position)
    edges = np.concatenate([[0], before, [length]])
    chunks = np.stack([edges[:-1], edges[1:]], axis=1)
    near = (chunks[:, 0] <= position + NEAR_BP) & (chunks[:, 1] > position - NEAR_BP)
    later = np.concatenate([[0], after, [length]])
    still = set(zip(later[:-1].tolist(), later[1:].tolist(), strict=True))
    gone = [tuple(chunk) not in still for chunk in chunks[near].tolist()]
    return {
        "moved": float(len(moved) > 0),
        "reach": float(reach),
        "earlier": float((moved < position).any()),
        "changed": float(sum(gone)),
        "chunks": float(len(gone)),
    }


def shared(forward: np.ndarray, mirrored: np.ndarray, length: int) -> dict[str, float]:
    """Boundaries that both strands have, and those of the forward strand close to one of the other.

    ``mirrored`` are the boundaries of the reverse complement in forward coordinates.
    """
    both = len(np.intersect1d(forward, mirrored))
    marks = np.zeros(length + 1, dtype=np.int64)
    marks[mirrored] = 1
    until = np.concatenate([[0], np.cumsum(marks)])
    high = np.minimum(forward + CLOSE_BP, length) + 1
    close = until[high] - until[np.maximum(forward - CLOSE_BP, 0)] > 0
    return {
        "both": float(both),
        "either": float(len(forward) + len(mirrored) - both),
        "close": float(close.sum()),
        "forward": float(len(forward)),
    }


def stability_rows(
    compressor: Compressor, reader: CorpusReader, settings: Stability, scale: str
) -> list[Row]:
    """Score rows of the substitutions and of the other strand."""
    common = {
        "model": compressor.name, "task": STABILITY, "split": SPLIT, "strand": "+",
        "seed": getattr(compressor, "seed", None), "scale": scale,
        "source": reader.manifest["source"],
    }  # fmt: skip
    found, strands = (
        _substitutions(compressor, reader, settings),
        _strands(compressor, reader, settings),
    )
    return [
        *expand(found, subset=SUBSTITUTION, **{**common, "unit": "substitutions"}),
        *expand(strands, subset=OTHER_STRAND, **{**common, "unit": "windows"}),
    ]


def _blocks(pieces: Sequence[str], starts: Sequence[int], block_bp: int) -> np.ndarray:
    return block_ids(pd.Series(list(pieces)), pd.Series(list(starts), dtype=np.int64), block_bp)


def _substitutions(compressor: Compressor, reader: CorpusReader, settings: Stability) -> Found:
    sites, bases = draw_sites(reader, settings)
    classes: RegionClasses = reader.region_classes
    starts = starts_of(compressor, [ids for site in sites for ids in (site.before, site.after)])
    effects = pd.DataFrame(
        [
            effect(before, after, len(site.before), site.position)
            for site, before, after in zip(sites, starts[::2], starts[1::2], strict=True)
        ]
    )
    region = np.array([site.region for site in sites])
    inside = np.eye(len(classes))[region]  # (n, R)
    drawn = inside.sum(axis=0)
    weight = np.divide(bases, drawn, out=np.zeros(len(classes)), where=drawn > 0)[region]
    # all bases first, where a class counts by its bases, then each class
    weights = np.concatenate([weight[:, None], inside], axis=1)
    blocks = _blocks([s.piece for s in sites], [s.start for s in sites], settings.block_bp)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    columns = {str(name): weights * effects[name].to_numpy()[:, None] for name in effects}
    sums = bootstrap.sums({"one": weights, **columns})
    regions, n = ("all", *classes.names), np.append(len(sites), drawn).astype(np.int64)
    found: Found = {}
    measures: tuple[tuple[str, str, str, Scale], ...] = (
        (Metric.MOVED_SHARE, "moved", "one", "share"),
        (Metric.EARLIER_SHARE, "earlier", "one", "share"),
        (Metric.CHANGED_CHUNKS, "changed", "chunks", "share"),
        (Metric.REACH_BP, "reach", "moved", "ratio"),
    )
    for metric, above, below, kind in measures:
        denominator = weights if below == "one" else columns[below]
        estimate = bootstrap.summarise(
            ratio(sums[above], sums[below]), bootstrap.support(denominator), kind
        )
        found[metric] = (regions, estimate, n)
    return found


def _strands(compressor: Compressor, reader: CorpusReader, settings: Stability) -> Found:
    bases = sum(len(window.ids) for window in reader.windows(SPLIT))
    size, most = settings.window_bp, settings.strand_bp
    windows = list(spaced_stretches(reader.windows(SPLIT), size, most, bases))
    sequences = [ids for one in windows for ids in (one.ids, reverse_complement(one.ids))]
    starts = starts_of(compressor, sequences)
    rng = np.random.default_rng(settings.seed)
    rows, moved = [], []
    for window, forward, reverse in zip(windows, starts[::2], starts[1::2], strict=True):
        length = len(window.ids)
        mirrored = length - reverse
        rows.append(shared(forward, mirrored, length))
        offsets = rng.integers(1, length, settings.shifts)
        turned = [shared(forward, np.sort((mirrored + o) % length), length) for o in offsets]
        moved.append(pd.DataFrame(turned))
    if not rows:
        return {}
    columns = {name: pd.DataFrame(rows)[name].to_numpy() for name in rows[0]}
    pieces, begins = [one.piece for one in windows], [one.start for one in windows]
    blocks = _blocks(pieces, begins, settings.block_bp)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    sums = bootstrap.sums(columns)
    control = sum(moved[1:], start=moved[0])
    n = np.array(len(rows))
    found: Found = {}
    for metric, above, below in (
        (Metric.BOTH_STRANDS, "both", "either"),
        (Metric.CLOSE_STRANDS, "close", "forward"),
    ):
        values = ratio(sums[above], sums[below])[:, None]
        support = bootstrap.support(columns[below][:, None])
        found[metric] = (("all",), bootstrap.summarise(values, support, "share"), n)
        random = (control[above] / control[below]).to_numpy()
        low, high = np.quantile(random, [0.025, 0.975])
        parts = (np.array([value]) for value in (random.mean(), low, high))
        found[f"{metric}{SHIFTED}"] = (("all",), Estimate(*parts), np.array(settings.shifts))
    return found


def spaced_stretches(
    windows: Iterable[Window], window_bp: int, most_bp: int, bases: int
) -> Iterator[Window]:
    """Evenly spaced stretches of ``window_bp`` bases, together about ``most_bp`` bases at most.

    ``bases`` are those of all windows. A stretch with N is replaced by the next one without.
    """
    step = max(1, -(-bases // most_bp))
    due, number = False, 0
    for one in windows:
        for low in range(0, len(one.ids), window_bp):
            due = due or number % step == 0
            number += 1
            high = low + window_bp
            if due and is_base(one.ids[low:high]).all():
                due = False
                start, end = one.start + low, min(one.start + high, one.end)
                yield Window(
                    one.chrom, start, end, one.piece, one.split,
                    one.n_fraction, one.ids[low:high], one.regions[low:high],
                )  # fmt: skip
