"""Choose the windows of a corpus before their bases are read: tiles, strict blocks, random windows.

The training corpus mixes uniformly drawn windows with windows around transcription start sites and
coding bases (GeneZip section 4.1), because promoters are a few percent of the genome and a model
that rarely sees them cannot learn to treat them differently.

Training windows of a segment that is a whole circular contig continue across its origin: such a
window ends beyond the contig, [L - 10, L + 90) is its last 10 and first 90 bases. Tiles do not,
because every base of held-out DNA counts once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pandas as pd

from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import Annotation
from genezip.genome.intervals import NO_INTERVALS, Covered, Intervals, clip

MODES = ("uniform", "tss", "cds")
"""Sampling modes of windows; a tiled window has the mode ``tile``."""

_AT_ONCE = 1 << 20  # starts that are checked at once when all are enumerated
_FRUITLESS_ROUNDS = 100  # rounds without an accepted candidate before all are enumerated
_ROUND = 256  # minimum number of candidates in a round
_PER_CHECK = 4096  # legal candidates between two checks of the share of new windows
_LEAST_NEW = 0.02  # share of new windows below which all legal windows are enumerated


@dataclass(frozen=True)
class PlannedWindow:
    """A window before its bases are read: [start, end) of a segment, and the sampling mode."""

    segment: Segment
    start: int
    end: int
    mode: str


def tile(segment: Segment, window_bp: int, keep_short: bool = False) -> list[PlannedWindow]:
    """Adjacent windows from the start of a segment; ``keep_short`` keeps a shorter last window."""
    starts = range(segment.start, segment.end, window_bp)
    windows = [
        PlannedWindow(segment, start, min(start + window_bp, segment.end), "tile")
        for start in starts
    ]
    if not keep_short and windows and windows[-1].end - windows[-1].start < window_bp:
        windows.pop()
    return windows


def thinned(windows: Sequence[PlannedWindow], most: int | None) -> list[PlannedWindow]:
    """At most so many windows of each segment, evenly spaced, in the same order; None for all."""
    if most is None:
        return list(windows)
    kept = []
    for _, group in groupby(windows, key=lambda window: window.segment.name):
        own = list(group)
        count = min(most, len(own))
        kept += [own[number * len(own) // count] for number in range(count)]
    return kept


def strict_blocks(
    segments: Sequence[Segment], block_bp: int, valid_fraction: float, seed: int
) -> tuple[list[Segment], list[Segment]]:
    """Cut segments into blocks and assign a random share of them to validation.

    Blocks begin at multiples of ``block_bp`` of the chromosome, so that they do not depend on where
    segments begin. Adjacent blocks of one split are joined. A window drawn from one of the parts
    never touches a base of the other split.

    Parameters
    ----------
    block_bp : length of a block (bp); the first and last of a segment may be shorter
    valid_fraction : share of the blocks for validation, which get at least one
    seed : random seed of the choice

    Returns
    -------
    train, valid : lists of Segment
        Parts of the segments, with the names of their segments.
    """
    blocks = [
        replace(segment, start=max(start, segment.start), end=min(start + block_bp, segment.end))
        for segment in segments
        for start in range(segment.start // block_bp * block_bp, segment.end, block_bp)
    ]
    if len(blocks) < 2:
        raise GenezipError(
            f"the training segments make {len(blocks)} block of {block_bp:,} bp, which cannot be "
            "shared between training and validation; choose a smaller corpus.strict_block_bp"
        )
    count = min(max(1, round(len(blocks) * valid_fraction)), len(blocks) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(blocks))[:count].tolist())
    parts: tuple[list[Segment], list[Segment]] = ([], [])
    last = (-1, -1)  # split and number of the previous block
    for number, block in enumerate(blocks):
        side = int(number in chosen)
        grown = parts[side]
        if last == (side, number - 1) and grown[-1].name == block.name:
            grown[-1] = replace(grown[-1], end=block.end)
        else:
            grown.append(block)
        last = (side, number)
    return parts


def by_chrom(frame: pd.DataFrame) -> dict[str, Intervals]:
    """Starts and ends of the rows of each chromosome."""
    return {
        str(chrom): (rows["start"].to_numpy(np.int64), rows["end"].to_numpy(np.int64))
        for chrom, rows in frame.groupby("chrom", observed=True)
    }


class Pool:
    """The segments to draw windows from, laid end to end on one line.

    On this line, N, excluded intervals, TSS and coding bases of all segments are sorted arrays, so
    thousands of candidates are drawn and checked at once.

    Parameters
    ----------
    segments : segments to draw from; those shorter than the window are dropped
    window_bp : length of a window
    annotations : set name -> gene models; each segment has TSS and CDS of its set
    n_runs : segment name -> runs of N, (starts, ends) in genome coordinates
    excluded : DataFrame chrom, start, end
        Intervals that no window may touch.
    key : configuration key of ``window_bp``, for messages
    wraps : whether windows continue at the start of a segment; by default nowhere
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        window_bp: int,
        annotations: Mapping[str, Annotation],
        n_runs: Mapping[str, Intervals],
        excluded: pd.DataFrame,
        key: str = "corpus.window_bp",
        wraps: Callable[[Segment], bool] = lambda segment: False,
    ) -> None:
        self.window_bp = window_bp
        self.key = key
        self.segments = [segment for segment in segments if segment.length >= window_bp]
        if not self.segments:
            longest = max((segment.length for segment in segments), default=0)
            raise GenezipError(
                f"{key} is {window_bp} but the longest of {len(segments)} segments to draw "
                f"from has {longest} bp; choose a shorter window"
            )
        self.lengths = np.array([segment.length for segment in self.segments], dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self.wraps = np.array([wraps(segment) for segment in self.segments], dtype=bool)
        chromosomes = by_chrom(excluded)
        self.n = self._line(lambda segment: n_runs[segment.name])
        self.excluded = self._line(lambda segment: chromosomes.get(segment.chrom, NO_INTERVALS))
        sets = {segment.annotation: annotations[segment.annotation] for segment in self.segments}
        tss = {}
        for name, annotation in sets.items():
            table = annotation.tss()
            tss[name] = by_chrom(table.assign(start=table["position"], end=table["position"] + 1))
        cds = {name: by_chrom(annotation.cds) for name, annotation in sets.items()}
        self.tss = self._line(lambda one: tss[one.annotation].get(one.chrom, NO_INTERVALS))
        self.cds = self._line(lambda one: cds[one.annotation].get(one.chrom, NO_INTERVALS))

    def _line(self, of_segment: Callable[[Segment], Intervals]) -> Covered:
        """Intervals in genome coordinates, clipped to each segment and shifted to the line."""
        starts, ends = [NO_INTERVALS[0]], [NO_INTERVALS[1]]
        for segment, offset in zip(self.segments, self.offsets, strict=True):
            inside = clip(*of_segment(segment), segment.start, segment.end)
            starts.append(inside[0] - segment.start + offset)
            ends.append(inside[1] - segment.start + offset)
        return Covered(np.concatenate(starts), np.concatenate(ends))

    def segment_of(self, positions: np.ndarray) -> np.ndarray:
        """Index of the segment of each position on the line (int64)."""
        return np.searchsorted(self.offsets, positions, side="right") - 1

    def candidates(
        self, mode: str, count: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Random window starts on the line, legal or not, and the indices of their segments.

        ``uniform``: every start that fits into a segment is equally likely, which is every base of
        a segment that wraps. ``tss`` and ``cds``: a
        TSS position (each distinct one equally likely) or coding base is drawn, and placed
        uniformly in the central half of the window.
        """
        if mode == "uniform":
            lost = np.where(self.wraps, 0, self.window_bp - 1)  # starts that do not fit
            choices = np.cumsum(self.lengths - lost)
            rank = rng.integers(choices[-1], size=count)
            segment = np.searchsorted(choices, rank, side="right")
            first = np.concatenate([[0], choices[:-1]])[segment]
            return self.offsets[segment] + rank - first, segment
        anchors = self.tss if mode == "tss" else self.cds
        if not anchors.bp:
            raise GenezipError(
                f"the corpus needs windows of the mode {mode}, but its {len(self.segments)} "
                f"segments have no {'TSS' if mode == 'tss' else 'coding base'}; set "
                f"corpus.sampling.{mode}: 0, or give their annotation"
            )
        position = anchors.base(rng.integers(anchors.bp, size=count))
        quarter = self.window_bp // 4
        starts = position - rng.integers(quarter, self.window_bp - quarter, size=count)
        segment = self.segment_of(position)
        before = self.wraps[segment] & (starts < self.offsets[segment])
        return starts + np.where(before, self.lengths[segment], 0), segment

    def faults(
        self, starts: np.ndarray, segment: np.ndarray, max_n_fraction: float
    ) -> dict[str, np.ndarray]:
        """Reason of rejection -> bool array of candidates; each is rejected for one reason only."""
        ends = starts + self.window_bp
        crosses = (starts < self.offsets[segment]) | (
            ends > self.offsets[segment] + self.lengths[segment]
        )
        crosses &= ~self.wraps[segment]
        rich = self._within(self.n, starts, ends, segment) > max_n_fraction * self.window_bp
        touched = self._within(self.excluded, starts, ends, segment) > 0
        return {
            "cross the end of a segment": crosses,
            f"hold more than {max_n_fraction:.3g} of N": rich & ~crosses,
            "overlap an excluded interval": touched & ~rich & ~crosses,
        }

    def _within(
        self, covered: Covered, starts: np.ndarray, ends: np.ndarray, segment: np.ndarray
    ) -> np.ndarray:
        """Covered bases of each [start, end); on a segment that wraps, also behind its end."""
        if not self.wraps.any():
            return covered.within(starts, ends)
        first, length = self.offsets[segment], self.lengths[segment]
        last, wraps = first + length, self.wraps[segment]
        lap = np.where(wraps & (starts >= last), length, 0)  # wholly behind the end
        starts, ends = starts - lap, ends - lap
        over = np.where(wraps, np.maximum(ends - last, 0), 0)
        return covered.within(starts, ends - over) + covered.within(first, first + over)

    def legal_starts(self, mode: str, max_n_fraction: float) -> Iterator[np.ndarray]:
        """All legal window starts of a mode, ascending, in blocks of int64 arrays.

        This checks every base of the line, which takes minutes for a whole genome, so it is used
        only when drawing finds almost no new windows.
        """
        anchors = {"tss": self.tss, "cds": self.cds}.get(mode)
        quarter = self.window_bp // 4
        total = int(self.lengths.sum())
        for begin in range(0, total, _AT_ONCE):
            starts = np.arange(begin, min(begin + _AT_ONCE, total), dtype=np.int64)
            segment = self.segment_of(starts)
            legal = ~np.logical_or.reduce(
                list(self.faults(starts, segment, max_n_fraction).values())
            )
            if anchors is not None:
                # the central half, in which `candidates` places an anchor
                low, high = starts + quarter, starts + self.window_bp - quarter
                legal &= self._within(anchors, low, high, segment) > 0
            yield starts[legal]


def legal_tiles(
    tiles: Iterable[PlannedWindow], pool: Pool, max_n_fraction: float
) -> list[PlannedWindow]:
    """Full tiles of the pool's segments that are legal by the criteria of drawn windows."""
    index = {segment.name: i for i, segment in enumerate(pool.segments)}
    kept = [window for window in tiles if window.segment.name in index]
    segment = np.array([index[window.segment.name] for window in kept], dtype=np.int64)
    begins = np.array([window.start - window.segment.start for window in kept], dtype=np.int64)
    faults = pool.faults(pool.offsets[segment] + begins, segment, max_n_fraction)
    wrong = np.logical_or.reduce(list(faults.values()))
    return [window for window, is_wrong in zip(kept, wrong, strict=True) if not is_wrong]


@dataclass(frozen=True)
class Drawn:
    """Windows of a pool in random order."""

    pool: Pool
    segment: np.ndarray  # int64 array, shape (n,), index in ``pool.segments``
    start: np.ndarray  # int64 array, shape (n,), genome coordinates
    mode: np.ndarray  # int64 array, shape (n,), index in :data:`MODES`

    def table(self) -> pd.DataFrame:
        """The windows as a table: piece (name of the segment), start, end, sampling_mode."""
        names = np.array([segment.name for segment in self.pool.segments], dtype=object)
        return pd.DataFrame(
            {
                "piece": names[self.segment],
                "start": self.start,
                "end": self.start + self.pool.window_bp,
                "sampling_mode": np.array(MODES, dtype=object)[self.mode],
            }
        )


def sample(
    pool: Pool,
    count: int,
    weights: Mapping[str, float],
    max_n_fraction: float,
    rng: np.random.Generator,
    distinct: bool = False,
) -> Drawn:
    """Draw windows in random order: for each a mode, then starts until one is legal.

    Parameters
    ----------
    count : number of windows
    weights : share of each of :data:`MODES`, summing to 1
    max_n_fraction : windows with a larger share of N are redrawn
    rng : the only source of randomness
    distinct : draw no window twice, even in different modes. Once fewer than 2 % of a mode's
        legal candidates are new, its last windows are chosen among all that are left, each as
        likely as any other.
    """
    modes = rng.choice(len(MODES), size=count, p=[weights[name] for name in MODES])
    starts = np.zeros(count, dtype=np.int64)
    taken = np.zeros(0, dtype=np.int64)
    for mode in reversed(MODES):  # rare anchors first, `uniform` last
        index = MODES.index(mode)
        slots = np.flatnonzero(modes == index)
        if slots.size:
            starts[slots] = _draw(pool, mode, slots.size, max_n_fraction, rng, taken, distinct)
            if distinct:
                taken = np.concatenate([taken, starts[slots]])
    segment = pool.segment_of(starts)
    origin = np.array([found.start for found in pool.segments], dtype=np.int64)
    return Drawn(pool, segment, starts - pool.offsets[segment] + origin[segment], modes)


def _draw(
    pool: Pool,
    mode: str,
    count: int,
    max_n_fraction: float,
    rng: np.random.Generator,
    taken: np.ndarray,
    distinct: bool,
) -> np.ndarray:
    """Legal window starts on the line, int64 array of shape (count,)."""
    anchors = {"tss": pool.tss, "cds": pool.cds}.get(mode)
    if anchors is not None and not anchors.bp:
        raise GenezipError(
            f"the corpus is left with no window: no {mode.upper()} lies in the segments to draw "
            f"from; set corpus.sampling.{mode} to 0 or choose other chromosomes"
        )
    drawn: list[np.ndarray] = []
    missing, tried, fruitless, legal_seen = count, 0, 0, False
    checked = new = 0  # legal candidates since the last check, and the new ones among them
    rejected: dict[str, int] = {}
    while missing:
        starts, segment = pool.candidates(mode, max(missing, _ROUND), rng)
        faults = pool.faults(starts, segment, max_n_fraction)
        tried += len(starts)
        for cause, mask in faults.items():
            rejected[cause] = rejected.get(cause, 0) + int(mask.sum())
        legal = starts[~np.logical_or.reduce(list(faults.values()))]
        legal_seen |= bool(len(legal))
        if distinct:
            checked += len(legal)
            _, first = np.unique(legal, return_index=True)
            legal = legal[np.sort(first)]
            legal = legal[~np.isin(legal, taken)]
            new += len(legal)
        legal = legal[:missing]
        drawn.append(legal)
        missing -= len(legal)
        if distinct:
            taken = np.concatenate([taken, legal])
        if missing and checked >= _PER_CHECK:
            if new < _LEAST_NEW * checked:
                drawn.append(_rest(pool, mode, count, missing, max_n_fraction, rng, taken))
                break
            checked = new = 0
        fruitless = 0 if len(legal) else fruitless + 1
        if fruitless == _FRUITLESS_ROUNDS:
            if legal_seen:
                drawn.append(_rest(pool, mode, count, missing, max_n_fraction, rng, taken))
                break
            causes = ", ".join(f"{number} {cause}" for cause, number in rejected.items())
            raise GenezipError(
                f"the corpus is left with no window: of {tried} candidates of the mode {mode} "
                f"{causes}; choose a shorter {pool.key}, a larger corpus.max_n_fraction "
                "or fewer excluded intervals (leakage)"
            )
    return np.concatenate(drawn)


def _rest(
    pool: Pool,
    mode: str,
    count: int,
    missing: int,
    max_n_fraction: float,
    rng: np.random.Generator,
    taken: np.ndarray,
) -> np.ndarray:
    """The last distinct windows of a mode, chosen among all legal ones with equal probability.

    (Drawing favours windows with several anchors; only few windows are left at this point.)
    """
    blocks = pool.legal_starts(mode, max_n_fraction)
    left = np.concatenate([block[~np.isin(block, taken)] for block in blocks])
    if len(left) < missing:
        raise GenezipError(
            f"the corpus needs {count:,} windows of the mode {mode}, but only "
            f"{count - missing + len(left):,} distinct ones exist that no other mode took; choose "
            f"fewer windows, or lower corpus.sampling.{mode}"
        )
    return rng.choice(left, size=missing, replace=False)
