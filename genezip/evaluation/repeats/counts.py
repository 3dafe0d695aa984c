"""Counting bases and tokens by repeat set and region, as annotated and with repeats shifted.

All routers are counted together over the bases that all of them compressed, in stretches of 2 Mbp,
because a segment may be a whole chromosome. Counts of the annotation are base by base
(:func:`cross`) and by bootstrap block; the many counts of shifted repeats are sums between borders
(:func:`cross_runs`).
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from genezip.alphabet import is_base
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.repeats.kinds import RepeatKinds
from genezip.evaluation.repeats.sets import OUTSIDE, RepeatAnnotation, Router, Scheme, Tally
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.intervals import ValueRuns, shifted_runs, value_runs
from genezip.genome.region_map import RegionMap
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.region_classes import RegionClasses

logger = logging.getLogger(__name__)

STRETCH_BP = 2_000_000  # length of per-base arrays, whatever the segment


def read_routers(files: Iterable[CompressedFile]) -> list[Router]:
    """Routers in file order; files of equal name and seed (of other splits) are one router."""
    found: dict[tuple[str, int | None], Router] = {}
    for file in files:
        router = found.setdefault((file.name, file.seed), Router(file.name, file.seed, {}))
        for window in file.windows("+"):
            # Only what the tally needs is kept, so that the tokens of a genome fit in memory.
            kept = replace(window, boundary_prob=None, nll=None)
            router.windows.setdefault((window.split, window.segment), []).append(kept)
    return list(found.values())


@dataclass(frozen=True)
class CoveredBases:
    """The counted bases of one stretch of a segment, and the tokens of each router on them.

    first: offset of the stretch in its segment; all other offsets count from the stretch.
    position, region, block: (n,), offset, class id and bootstrap block of the bases.
    density: (routers, n), tokens per base.
    regions: runs of classes; classes: number of region classes, R.
    before: (1 + routers, length + 1), bases and tokens left of every offset.
    """

    first: int
    position: np.ndarray
    region: np.ndarray
    block: np.ndarray
    density: np.ndarray
    regions: ValueRuns
    classes: int
    before: np.ndarray

    @property
    def length(self) -> int:
        """Bases of the stretch."""
        return self.before.shape[1] - 1


def stretches(
    assembly: Assembly,
    region_map: RegionMap,
    segment: Segment,
    windows: list[list[CompressedWindow]],
    settings: Evaluation,
    stretch_bp: int,
) -> Iterator[CoveredBases]:
    """Bases of a segment that every router compressed, without N and without N-rich windows.

    ``windows`` are those of each router. A window belongs to the bootstrap block of its start,
    wherever stretches begin.
    """
    clean: dict[tuple[int, int], bool] = {}
    first = min(window.start for of_router in windows for window in of_router)
    by_stretch: dict[int, list[list[CompressedWindow]]] = {}
    for number, of_router in enumerate(windows):
        for window in of_router:
            key = window.start, window.end
            if key not in clean:
                n_fraction = 1 - is_base(assembly.ids(segment, *key)).mean()
                clean[key] = bool(n_fraction <= settings.max_n_fraction)
            if not clean[key]:
                continue
            low, high = (
                (at - segment.start) // stretch_bp for at in (window.start, window.end - 1)
            )
            for stretch in range(low, high + 1):
                empty: list[list[CompressedWindow]] = [[] for _ in windows]
                by_stretch.setdefault(stretch, empty)[number].append(window)
    for stretch in sorted(by_stretch):
        low = segment.start + stretch * stretch_bp
        high = min(low + stretch_bp, segment.end)
        known = is_base(assembly.ids(segment, low, high))
        density = np.zeros((len(windows), high - low), dtype=np.float32)
        block = np.zeros(high - low, dtype=np.int32)
        for number, of_router in enumerate(by_stretch[stretch]):
            for window in of_router:
                start, end = max(window.start, low), min(window.end, high)
                inside = slice(start - window.start, end - window.start)
                density[number, start - low : end - low] = window.token_density()[inside]
                block[start - low : end - low] = (window.start - first) // settings.block_bp
        position = np.flatnonzero(known & (density > 0).all(axis=0))
        if not position.size:
            continue
        region = region_map.ids(segment.chrom, low, high)
        density = density[:, position]
        before = np.zeros((1 + len(windows), high - low + 1))
        before[0, position + 1] = 1
        before[1:, position + 1] = density
        np.cumsum(before, axis=1, out=before)
        yield CoveredBases(
            low - segment.start,
            position,
            region[position],
            block[position],
            density,
            value_runs(region),
            len(region_map.region_classes),
            before,
        )


def cross(
    code: np.ndarray, bases: CoveredBases, n_codes: int, n_blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Bases, float64 (blocks, codes, R), and tokens, (routers, blocks, codes, R), base by base.

    ``code`` holds the codes of the covered bases.
    """
    shape = (n_blocks, n_codes, bases.classes)
    used = code != OUTSIDE
    key = (bases.block[used].astype(np.int64) * n_codes + code[used]) * bases.classes
    key += bases.region[used]
    size = int(np.prod(shape))
    bp = np.bincount(key, minlength=size).reshape(shape)
    tokens = [
        np.bincount(key, density[used], minlength=size).reshape(shape) for density in bases.density
    ]
    return bp.astype(np.float64), np.stack(tokens)


def cross_runs(
    codes: ValueRuns, bases: CoveredBases, n_codes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of :func:`cross` without blocks, from runs of codes over the stretch.

    Between two neighbouring borders there is one code and one region, and sums are differences
    of running sums: thousands of intervals instead of millions of bases.
    """
    starts, values = codes
    region_starts, region_values = bases.regions
    borders = np.unique(np.concatenate([starts, region_starts]))
    code = values[np.searchsorted(starts, borders, side="right") - 1]
    region = region_values[np.searchsorted(region_starts, borders, side="right") - 1]
    sums = np.diff(bases.before[:, np.append(borders, bases.length)], axis=1)
    used = code != OUTSIDE
    key = (code.astype(np.int64) * bases.classes + region)[used]
    size = n_codes * bases.classes
    found = np.stack([np.bincount(key, row[used], minlength=size) for row in sums])
    found = found.reshape(-1, n_codes, bases.classes)
    return found[0], found[1:]


def _add_stretch(
    codes: ValueRuns,
    length: int,
    bases: CoveredBases,
    scheme: Scheme,
    offsets: np.ndarray,
    tally: Tally,
) -> None:
    """Add one stretch to a tally: the annotation by block, and every shift of it."""
    low, high = bases.first, bases.first + bases.length
    starts, values = shifted_runs(codes, length, 0, low, high)
    code = np.repeat(values, np.diff(starts, append=bases.length))[bases.position]
    bp, tokens = cross(code, bases, scheme.n_codes, len(tally.bp[-1]))
    tally.bp[-1] += bp
    tally.tokens[-1] += tokens
    for number, offset in enumerate(offsets):
        moved = shifted_runs(codes, length, int(offset), low, high)
        bp, tokens = cross_runs(moved, bases, scheme.n_codes)
        tally.shifted_bp[number] += bp
        tally.shifted_tokens[:, number] += tokens


def tally_routers(
    routers: list[Router],
    assembly: Assembly,
    region_map: RegionMap,
    annotation: RepeatAnnotation | RepeatKinds,
    settings: Evaluation,
    stretch_bp: int = STRETCH_BP,
) -> dict[tuple[str, str], Tally]:
    """Tallies by (split, scheme name) over the bases that all routers of a split share.

    Routers with windows of one split on different segments are refused.
    """
    rng = np.random.default_rng(settings.seed)
    segments = {segment.name: segment for segment in assembly.segments}
    tallies: dict[tuple[str, str], Tally] = {}
    for split, names in _segments_by_split(routers).items():
        here = [router for router in routers if (split, names[0]) in router.windows]
        for name in names:
            segment = segments[name]
            length = segment.end - segment.start
            offsets = rng.integers(1, max(length, 2), settings.shifts)
            # Runs take thousands of times less memory than codes of every base.
            codes = {
                scheme.name: value_runs(annotation.codes(segment, scheme))
                for scheme in annotation.schemes(segment)
            }
            if not codes:
                continue
            windows = [router.windows[split, name] for router in here]
            starts = [window.start for of_router in windows for window in of_router]
            n_blocks = (max(starts) - min(starts)) // settings.block_bp + 1
            counted = 0
            for bases in stretches(assembly, region_map, segment, windows, settings, stretch_bp):
                for scheme in annotation.schemes(segment):
                    empty = _empty(here, settings.shifts, scheme, region_map.region_classes)
                    tally = tallies.setdefault((split, scheme.name), empty)
                    if not counted:
                        tally.add_segment(n_blocks)
                    _add_stretch(codes[scheme.name], length, bases, scheme, offsets, tally)
                counted += len(bases.position)
            if counted:
                logger.info(f"repeats: {name} ({split}), {counted} bases")
    return tallies


def _segments_by_split(routers: list[Router]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for router in routers:
        segments: dict[str, list[str]] = {}
        for split, segment in sorted(router.windows):
            segments.setdefault(split, []).append(segment)
        for split, names in segments.items():
            if found.setdefault(split, names) != names:
                raise GenezipError(
                    f"the {split} windows of {router.name} lie on other segments than those of the "
                    "other compressed files; compress the same windows with all of them"
                )
    return found


def _empty(
    routers: list[Router], shifts: int, scheme: Scheme, region_classes: RegionClasses
) -> Tally:
    shape = (shifts, scheme.n_codes, len(region_classes))
    tokens = np.zeros((len(routers), *shape))
    return Tally(scheme, region_classes, routers, [], [], np.zeros(shape), tokens)
