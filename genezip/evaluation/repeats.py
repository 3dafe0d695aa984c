"""Local BPT in repeats: does the router spend fewer tokens on them, and is it their place?

Local BPT of a set A of bases is |A| / T_A with the fractional tokens of Eq. 15; above the
background means fewer tokens. Bases that are N, padding, or in a window with many N do not
count. The sets and their backgrounds are those of :mod:`genezip.evaluation.repeat_sets`.

Repeats are rare in promoters, where tokens are dense, so the plain ratio mixes the region
budget with the repeat. Hence the ratio within each region class, and ``region_adjusted``:
tokens expected from the background density of the regions that A covers, over tokens
observed. The control shifts all repeat intervals of a piece by one random offset (circular
inside the piece) and takes the same ratios.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genezip.config import Evaluation
from genezip.data import tidy
from genezip.data.compressed import CompressedFile, CompressedWindow
from genezip.errors import GenezipError
from genezip.evaluation.bootstrap import BlockBootstrap, Estimate
from genezip.evaluation.repeat_sets import OUTSIDE, SCHEMES, RepeatAnnotation, Scheme
from genezip.taxonomy import CLASSES
from genezip.vocab import is_base

Row = dict[str, Any]


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


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def ratios(
    bp: np.ndarray, tokens: np.ndarray, codes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BPT of a set, its ratio to the background, and the ratio adjusted for regions.

    Parameters
    ----------
    bp, tokens : float arrays, shape (..., codes, 7)
    codes : codes of the set; the background is code 0

    Returns
    -------
    bpt, ratio : shape (..., 8), all regions first, then each
    adjusted : shape (..., 1), expected over observed tokens; bases in a region without
        background are left out
    """
    set_bp, set_tokens = (values[..., list(codes), :].sum(-2) for values in (bp, tokens))
    rest_bp, rest_tokens = bp[..., 0, :], tokens[..., 0, :]

    def with_all(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values.sum(-1, keepdims=True), values], axis=-1)

    bpt = _divide(with_all(set_bp), with_all(set_tokens))
    ratio = bpt / _divide(with_all(rest_bp), with_all(rest_tokens))
    usable = rest_bp > 0
    expected = np.where(usable, set_bp * _divide(rest_tokens, rest_bp), 0).sum(-1)
    observed = np.where(usable, set_tokens, 0).sum(-1)
    return bpt, ratio, _divide(expected, observed)[..., None]


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


def _control(values: np.ndarray) -> Estimate:
    """Mean over the shifts and the range that holds 95 % of them; values (shifts, k)."""
    parts = np.full((3, values.shape[1]), np.nan)
    for column in np.flatnonzero(np.isfinite(values).any(axis=0)):
        good = values[np.isfinite(values[:, column]), column]
        parts[:, column] = good.mean(), *np.quantile(good, [0.025, 0.975])
    return Estimate(*parts)


def repeat_rows(
    tallies: dict[tuple[str, str], Tally], settings: Evaluation, scale: str, source: str
) -> list[Row]:
    """Result rows; n counts bases of the set (shifts for the control)."""
    rows: list[Row] = []
    for (split, scheme_name), tally in tallies.items():
        scheme = SCHEMES[scheme_name]
        bp = np.concatenate(tally.bp)
        used = bp.any(axis=(1, 2))  # a block between dropped windows holds no base
        bootstrap = BlockBootstrap(np.arange(used.sum()), settings.bootstrap, settings.seed)
        for number, router in enumerate(tally.routers):
            tokens = np.concatenate([piece[number] for piece in tally.tokens])
            sums = bootstrap.sums({"bp": bp[used], "tokens": tokens[used]})
            for name, codes in {scheme.background: (0,), **scheme.sets}.items():
                cells = {"model": router.name, "seed": router.seed, "subset": name}
                cells |= {"task": "repeats", "split": split, "strand": "+"}
                cells |= {"scale": scale, "source": source}
                n = bp[:, list(codes)].sum(axis=(0, 1))
                bases = np.append(n.sum(), n)
                bpt, ratio, adjusted = ratios(sums["bp"], sums["tokens"], codes)
                rows += _rows("bpt", bootstrap.summarise(bpt), bases, "bases", cells)
                if name == scheme.background:
                    continue
                _, moved, moved_adjusted = ratios(
                    tally.shifted_bp, tally.shifted_tokens[number], codes
                )
                shifts = np.where(bases > 0, settings.shifts, 0)
                for metric, values, control in (
                    ("bpt_ratio", ratio, moved),
                    ("bpt_ratio_region_adjusted", adjusted, moved_adjusted),
                ):
                    rows += _rows(metric, bootstrap.summarise(values), bases, "bases", cells)
                    rows += _rows(f"{metric}_shifted", _control(control), shifts, "shifts", cells)
    return rows


def _rows(
    metric: str, estimate: Estimate, n: Iterable[float], unit: str, common: dict[str, Any]
) -> list[Row]:
    regions = ("all", *CLASSES)[: len(estimate.value)]
    return [
        tidy.row(
            region=region, metric=metric, value=value, ci_low=low, ci_high=high, n=int(count),
            unit=unit, **common,
        )
        for region, value, low, high, count in zip(
            regions, estimate.value, estimate.low, estimate.high, n, strict=False
        )
        if count
    ]  # fmt: skip
