"""Trivial routers: what a learned router must beat at an equal number of tokens.

- ``fixed_stride``: tokens at equal distances.
- ``gc_cpg``: tokens placed by GC content and CpG observed/expected in a sliding window, and
  by nothing else, because much of a promoter is CpG. It learns, on training DNA, the mean
  budget rate 1 / B_r of the bases with a given composition; on a window it spends exactly
  the tokens of the model it is compared with, at equal steps of the summed rate. Its sliding
  window is centred, so it also sees the bases to the right, which a causal router cannot:
  the stronger version of the baseline.

Both copy the windows and token counts of a file of compressed windows, strand '+'. The
count is copied window by window, so they inherit how that model shares its tokens among
windows (even a fixed stride is above 1 in promoters when windows with promoters get more):
what is compared is the placement inside a window.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genezip.config import Evaluation
from genezip.data.compressed import CompressedFile, CompressedWindow, write_compressed
from genezip.errors import GenezipError
from genezip.evaluation import metrics
from genezip.evaluation.composition import gc_and_cpg
from genezip.taxonomy import CLASSES
from genezip.vocab import N_ID, is_base

_GC_BINS, _CPG_BINS = 25, 15  # bins of 0.04 in GC content and of 0.1 in CpG observed/expected
N_BINS = _GC_BINS * _CPG_BINS + 1  # the last: a window without any base
_PRIOR_BP = 1000  # pull of the mean rate on a bin, in bases
_CHUNK_BP = 4_000_000

Say = Callable[[str], None]


def stride_starts(length: int, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks of equal length (to the base), int32 (tokens,)."""
    return (np.arange(tokens, dtype=np.int64) * length // tokens).astype(np.int32)


def rate_starts(rate: np.ndarray, tokens: int) -> np.ndarray:
    """First bases of ``tokens`` chunks with equal shares of the summed rate.

    Token j starts at the base in which the running sum reaches j / ``tokens`` of the total.

    Parameters
    ----------
    rate : float array, shape (L,)
        Tokens wanted per base, up to a factor; all positive.
    tokens : int
        From 1 to L.

    Returns
    -------
    int32 array, shape (tokens,)
        Strictly increasing, first is 0. Where more than one token falls on a base (a rate
        above one token per base), the later ones move right, at the end of the window left.
    """
    before = np.concatenate([[0.0], np.cumsum(rate, dtype=np.float64)])
    wanted = np.arange(tokens) * (before[-1] / tokens)
    starts = np.searchsorted(before[:-1], wanted * (1 + 1e-12), side="right") - 1
    rank = np.arange(tokens)
    starts = np.maximum.accumulate(starts - rank) + rank
    starts = np.minimum(starts, len(rate) - tokens + rank)
    return starts.astype(np.int32)


def composition_bins(ids: np.ndarray, width: int) -> np.ndarray:
    """Bin of GC content and CpG observed/expected around every base, int16 (L,)."""
    gc, cpg = gc_and_cpg(ids, width)
    known = np.isfinite(gc)
    bins = np.full(len(ids), N_BINS - 1, dtype=np.int16)
    gc_bin = np.minimum((gc[known] * _GC_BINS).astype(np.int16), _GC_BINS - 1)
    cpg_bin = np.minimum(cpg[known] * 10, _CPG_BINS - 1).astype(np.int16)
    bins[known] = gc_bin * _CPG_BINS + cpg_bin
    return bins


def learn_rates(
    assembly: Any, region_map: Any, target_bpt: dict[str, float], width: int
) -> np.ndarray:
    """Mean budget rate (tokens per base) of each composition bin over all training pieces.

    Bases are counted once each, not as the training windows sample them. Rare bins are
    pulled towards the overall mean.

    Returns
    -------
    float64 array, shape (N_BINS,)
    """
    per_base = 1 / metrics.target_array(target_bpt)
    count, total = np.zeros(N_BINS), np.zeros(N_BINS)
    for piece in assembly.pieces_of("train"):
        for start in range(piece.start, piece.end, _CHUNK_BP):
            end = min(start + _CHUNK_BP, piece.end)
            low, high = max(piece.start, start - width), min(piece.end, end + width)
            ids = assembly.ids(piece, low, high)
            own = slice(start - low, end - low)
            known = is_base(ids[own])
            bins = composition_bins(ids, width)[own][known]
            rate = per_base[region_map.ids(piece.chrom, start, end)[known]]
            count += np.bincount(bins, minlength=N_BINS)
            total += np.bincount(bins, weights=rate, minlength=N_BINS)
    if count.sum() == 0:
        raise GenezipError("the training pieces have no A, C, G or T; gc_cpg cannot learn")
    mean = total.sum() / count.sum()
    return np.asarray((total + _PRIOR_BP * mean) / (count + _PRIOR_BP))


def _density(starts: np.ndarray, length: int) -> np.ndarray:
    chunk_bp = np.diff(np.append(starts.astype(np.int64), length))
    return np.repeat(1 / chunk_bp, chunk_bp)


def validation_windows(
    assembly: Any, region_map: Any, reader: Any, window_bp: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Token ids and regions to choose the width on: validation pieces tiled by ``window_bp``.

    A piece shorter than that is one window; without validation pieces, the validation
    windows of the corpus serve.
    """
    pieces = assembly.pieces_of("valid")
    for piece in pieces:
        step = min(window_bp, piece.end - piece.start)
        for start in range(piece.start, piece.end - step + 1, step):
            ids = assembly.ids(piece, start, start + step)
            if is_base(ids).any():
                yield ids, region_map.ids(piece.chrom, start, start + step)
    if not pieces:
        for window in reader.windows("valid"):
            yield window.ids, window.regions


def promoter_enrichment(
    rates: np.ndarray, width: int, windows: Iterator[tuple[np.ndarray, np.ndarray]]
) -> float:
    """Pooled promoter enrichment where each window gets the tokens its own rate asks for."""
    bp, tokens = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    for ids, regions in windows:
        rate = rates[composition_bins(ids, width)]
        starts = rate_starts(rate, min(max(1, round(rate.sum())), len(ids)))
        bp += np.bincount(regions, minlength=len(CLASSES))
        tokens += np.bincount(regions, _density(starts, len(ids)), minlength=len(CLASSES))
    return float(metrics.enrichment(bp, tokens)[0])


@dataclass(frozen=True)
class CompositionRouter:
    """The chosen sliding window, its rates, and how each width did on validation DNA."""

    width: int
    rates: np.ndarray
    validation_enrichment: dict[int, float]

    def starts(self, ids: np.ndarray, tokens: int) -> np.ndarray:
        """First bases of exactly ``tokens`` chunks of a window."""
        return rate_starts(self.rates[composition_bins(ids, self.width)], tokens)


def learn_composition_router(
    assembly: Any,
    region_map: Any,
    reader: Any,
    target_bpt: dict[str, float],
    window_bp: int,
    settings: Evaluation,
    say: Say | None = None,
) -> CompositionRouter:
    """Learn the rates of each width on training DNA; keep the width best on validation DNA.

    Best means the highest promoter enrichment at the rate of the region preset. Without a
    validation promoter the middle width is taken.
    """
    rates, scores = {}, {}
    for width in settings.composition_windows:
        rates[width] = learn_rates(assembly, region_map, target_bpt, width)
        windows = validation_windows(assembly, region_map, reader, window_bp)
        scores[width] = promoter_enrichment(rates[width], width, windows)
        if say:
            say(f"gc_cpg: {width} bp window, validation promoter enrichment {scores[width]:.3f}")
    widths = sorted(rates)
    scored = [width for width in widths if np.isfinite(scores[width])]
    chosen = max(scored, key=lambda width: scores[width]) if scored else widths[len(widths) // 2]
    return CompositionRouter(chosen, rates[chosen], scores)


def padded_ids(assembly: Any, piece: Any, window: CompressedWindow) -> np.ndarray:
    """Token ids of a window, N where it is padded, uint8 (length,)."""
    ids = np.full(window.length, N_ID, dtype=np.uint8)
    ids[: window.end - window.start] = assembly.ids(piece, window.start, window.end)
    return ids


def _route(
    like: CompressedFile, place: Callable[[CompressedWindow, int], np.ndarray]
) -> Iterator[CompressedWindow]:
    """Windows of another file (strand '+') with the same number of tokens, placed anew."""
    for window in like.windows("+"):
        tokens = len(window.token_starts)
        yield replace(
            window,
            token_starts=place(window, tokens),
            stage_tokens=np.array([tokens], dtype=np.int32),
            bound_bit=np.array([False]),
            boundary_prob=None,
            nll=None,
        )


def _write(
    like: CompressedFile,
    out: str | Path,
    name: str,
    place: Callable[[CompressedWindow, int], np.ndarray],
    target_bpt: dict[str, float] | None = None,
    **info: Any,
) -> int:
    """Write a router's file; its seed is that of the run whose token counts it copies."""
    return write_compressed(
        out,
        _route(like, place),
        name=name,
        seed=like.seed,
        target_bpt=target_bpt,
        like=like.name,
        like_seed=like.seed,
        **info,
    )


def write_fixed_stride(like: CompressedFile, out: str | Path) -> int:
    """Write the windows of ``like`` with as many, equally spaced tokens; return how many."""
    return _write(
        like, out, "fixed_stride", lambda window, tokens: stride_starts(window.length, tokens)
    )


def write_gc_cpg(
    like: CompressedFile,
    assembly: Any,
    region_map: Any,
    reader: Any,
    target_bpt: dict[str, float],
    settings: Evaluation,
    out: str | Path,
    say: Say | None = None,
) -> int:
    """Learn the GC/CpG router and write the windows of ``like`` with as many tokens.

    The chosen sliding window and the validation enrichment of every width are kept in the
    file's info (``composition_bp``, ``validation_enrichment``). Return how many windows.
    """
    first = next(like.windows("+"), None)
    if first is None:
        raise GenezipError(
            f"{like.path} has no window on strand +; compress the held-out DNA again"
        )
    router = learn_composition_router(
        assembly, region_map, reader, target_bpt, first.length, settings, say
    )
    pieces = {piece.name: piece for piece in assembly.pieces}

    def place(window: CompressedWindow, tokens: int) -> np.ndarray:
        return router.starts(padded_ids(assembly, pieces[window.piece], window), tokens)

    return _write(
        like,
        out,
        "gc_cpg",
        place,
        target_bpt,
        composition_bp=router.width,
        validation_enrichment={
            str(width): score for width, score in router.validation_enrichment.items()
        },
    )
