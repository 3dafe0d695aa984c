"""Counting bases and tokens by repeat set and region, as annotated and with repeats shifted.

All routers are counted together over the bases that all of them compressed. The annotated
count is base by base (:func:`cross`) and by bootstrap block; the shifted ones, many times as
many, go from border to border (:func:`cross_shifted`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genezip.config import Evaluation
from genezip.data.compressed import CompressedFile, CompressedWindow
from genezip.errors import GenezipError
from genezip.evaluation.repeat_sets import OUTSIDE, RepeatAnnotation, Scheme
from genezip.taxonomy import CLASSES
from genezip.vocab import is_base


@dataclass(frozen=True)
class Router:
    """Windows of one router on strand '+', by (split, piece); several files may hold them."""

    name: str
    seed: int | None
    windows: dict[tuple[str, str], list[CompressedWindow]]


def read_routers(files: Iterable[CompressedFile]) -> list[Router]:
    """Routers in file order; files of equal name and seed (other splits, say) are one router."""
    found: dict[tuple[str, int | None], Router] = {}
    for file in files:
        router = found.setdefault((file.name, file.seed), Router(file.name, file.seed, {}))
        for window in file.windows("+"):
            # What the tally does not need is dropped: a genome of tokens stays small.
            kept = replace(window, boundary_prob=None, nll=None)
            router.windows.setdefault((window.split, window.piece), []).append(kept)
    return list(found.values())


@dataclass
class Tally:
    """Bases and tokens by (block, code, region) and, per shift, by (code, region).

    bp, tokens: lists over pieces of (blocks, codes, 7), tokens with a leading router axis;
    shifted_bp: (shifts, codes, 7); shifted_tokens: (routers, shifts, codes, 7).
    """

    routers: list[Router]
    bp: list[np.ndarray]
    tokens: list[np.ndarray]
    shifted_bp: np.ndarray
    shifted_tokens: np.ndarray


@dataclass(frozen=True)
class CoveredBases:
    """The counted bases of one piece: where they are and what each router spends on them.

    position, region, block: (n,), offset in the piece, class id, bootstrap block.
    density: (routers, n), tokens per base.
    region_starts, region_values: runs of classes over the whole piece.
    before: (1 + routers, length + 1), bases and tokens left of every offset of the piece.
    """

    position: np.ndarray
    region: np.ndarray
    block: np.ndarray
    density: np.ndarray
    region_starts: np.ndarray
    region_values: np.ndarray
    before: np.ndarray


def _covered_bases(
    assembly: Any,
    region_map: Any,
    piece: Any,
    windows: list[list[CompressedWindow]],
    settings: Evaluation,
) -> CoveredBases | None:
    """Bases of a piece that every router compressed and that are neither N nor among many N."""
    ids = assembly.ids(piece, piece.start, piece.end)
    known = is_base(ids)
    density = np.zeros((len(windows), len(ids)), dtype=np.float32)
    block = np.zeros(len(ids), dtype=np.int32)
    first = min(window.start for window in windows[0])
    for number, of_router in enumerate(windows):
        for window in of_router:
            inside = slice(window.start - piece.start, window.end - piece.start)
            if 1 - known[inside].mean() > settings.max_n_fraction:
                continue
            density[number, inside] = window.token_density()[: window.end - window.start]
            block[inside] = (window.start - first) // settings.block_bp
    position = np.flatnonzero(known & (density > 0).all(axis=0))
    if not position.size:
        return None
    region = region_map.ids(piece.chrom, piece.start, piece.end)
    density = density[:, position]
    before = np.zeros((1 + len(windows), len(ids) + 1))
    before[0, position + 1] = 1
    before[1:, position + 1] = density
    return CoveredBases(
        position,
        region[position].astype(np.int64),
        block[position],
        density,
        *runs(region),
        np.cumsum(before, axis=1),
    )


def runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Starts (int64) and values of the runs of equal values; the first start is 0."""
    starts = np.append(0, np.flatnonzero(np.diff(values)) + 1)
    return starts, values[starts]


def cross(
    code: np.ndarray, bases: CoveredBases, n_codes: int, block: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Count base by base: the codes are those of the covered bases.

    Returns
    -------
    bp : float64 array, shape (codes, 7), with blocks in front if given
    tokens : float64 array, the same with routers in front
    """
    shape: tuple[int, ...] = (n_codes, len(CLASSES))
    key = code.astype(np.int64) * len(CLASSES) + bases.region
    if block is not None:
        shape = (int(block.max()) + 1, *shape)
        key += block.astype(np.int64) * (n_codes * len(CLASSES))
    used = code != OUTSIDE
    size = int(np.prod(shape))
    bp = np.bincount(key[used], minlength=size).reshape(shape)
    tokens = [
        np.bincount(key[used], density[used], minlength=size).reshape(shape)
        for density in bases.density
    ]
    return bp.astype(np.float64), np.stack(tokens)


def cross_shifted(
    starts: np.ndarray, values: np.ndarray, offset: int, bases: CoveredBases, n_codes: int
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`cross` for codes moved right by ``offset``, circular, from runs of codes.

    A stretch between two borders of any kind has one code and one region, and its sums are
    differences of running sums: thousands of stretches instead of millions of bases.
    """
    length = bases.before.shape[1] - 1
    moved = (starts + offset) % length
    order = np.argsort(moved)
    moved, values = moved[order], values[order]
    borders = np.unique(np.concatenate([[0], moved, bases.region_starts]))
    # Left of the first moved border lies the run that wraps around: index -1, the last one.
    code = values[np.searchsorted(moved, borders, side="right") - 1]
    region = bases.region_values[np.searchsorted(bases.region_starts, borders, "right") - 1]
    sums = np.diff(bases.before[:, np.append(borders, length)], axis=1)
    used = code != OUTSIDE
    key = (code.astype(np.int64) * len(CLASSES) + region)[used]
    size = n_codes * len(CLASSES)
    found = np.stack([np.bincount(key, row[used], minlength=size) for row in sums])
    found = found.reshape(-1, n_codes, len(CLASSES))
    return found[0], found[1:]


def tally_piece(
    codes: np.ndarray, bases: CoveredBases, scheme: Scheme, offsets: np.ndarray, tally: Tally
) -> None:
    """Add one piece to a tally: as annotated by block, and once for every shift."""
    bp, tokens = cross(codes[bases.position], bases, scheme.n_codes, bases.block)
    tally.bp.append(bp)
    tally.tokens.append(tokens)
    starts, values = runs(codes)
    for number, offset in enumerate(offsets):
        bp, tokens = cross_shifted(starts, values, int(offset), bases, scheme.n_codes)
        tally.shifted_bp[number] += bp
        tally.shifted_tokens[:, number] += tokens


def tally_routers(
    routers: list[Router],
    assembly: Any,
    region_map: Any,
    annotation: RepeatAnnotation,
    settings: Evaluation,
    say: Callable[[str], None] | None = None,
) -> dict[tuple[str, str], Tally]:
    """Tallies by (split, scheme name) over the bases that all routers of a split share.

    Raises
    ------
    GenezipError
        If two routers hold windows of one split on different pieces.
    """
    rng = np.random.default_rng(settings.seed)
    pieces = {piece.name: piece for piece in assembly.pieces}
    tallies: dict[tuple[str, str], Tally] = {}
    for split, names in _pieces_by_split(routers).items():
        here = [router for router in routers if (split, names[0]) in router.windows]
        for name in names:
            piece = pieces[name]
            offsets = rng.integers(1, max(piece.end - piece.start, 2), settings.shifts)
            schemes = annotation.schemes(piece)
            if not schemes:
                continue
            windows = [router.windows[split, name] for router in here]
            bases = _covered_bases(assembly, region_map, piece, windows, settings)
            if bases is None:
                continue
            for scheme in schemes:
                tally = tallies.setdefault(
                    (split, scheme.name), _empty(here, settings.shifts, scheme.n_codes)
                )
                tally_piece(annotation.codes(piece, scheme), bases, scheme, offsets, tally)
            if say:
                say(f"repeats: {name} ({split}), {len(bases.position)} bases")
    return tallies


def _pieces_by_split(routers: list[Router]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for router in routers:
        own: dict[str, list[str]] = {}
        for split, piece in sorted(router.windows):
            own.setdefault(split, []).append(piece)
        for split, names in own.items():
            if found.setdefault(split, names) != names:
                raise GenezipError(
                    f"the {split} windows of {router.name} lie on other pieces than those of the "
                    "other compressed files; compress the same windows with all of them"
                )
    return found


def _empty(routers: list[Router], shifts: int, n_codes: int) -> Tally:
    shape = (shifts, n_codes, len(CLASSES))
    return Tally(routers, [], [], np.zeros(shape), np.zeros((len(routers), *shape)))
