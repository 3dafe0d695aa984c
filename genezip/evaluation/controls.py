"""Trivial routers: what a learned router must beat at an equal number of tokens.

- ``fixed_stride``: tokens at equal distances.
- ``gc_cpg``: tokens placed by GC content and CpG observed/expected in a sliding window, and
  by nothing else, because much of a promoter is CpG
  (:mod:`genezip.evaluation.composition_router`). On a window it spends exactly the tokens of
  the model it is compared with, at equal steps of its summed rate. Its sliding window is
  centred, so it also sees the bases to the right, which a causal router cannot: the
  stronger version of the baseline.

Both copy the windows and token counts of a file of compressed windows, strand '+'. The
count is copied window by window, so they inherit how that model shares its tokens among
windows (even a fixed stride is above 1 in promoters when windows with promoters get more):
what is compared is the placement inside a window.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from genezip.alphabet import N_ID
from genezip.config import Evaluation
from genezip.errors import GenezipError
from genezip.evaluation.composition_router import learn_composition_router
from genezip.inference.table import CompressedFile, CompressedWindow, write_compressed
from genezip.metrics.compression import stride_starts


def padded_ids(assembly: Any, segment: Any, window: CompressedWindow) -> np.ndarray:
    """Token ids of a window, N where it is padded, uint8 (length,)."""
    ids = np.full(window.length, N_ID, dtype=np.uint8)
    ids[: window.end - window.start] = assembly.ids(segment, window.start, window.end)
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
) -> int:
    """Learn the GC/CpG router and write the windows of ``like`` with as many tokens.

    The file's info keeps the chosen sliding window and sharpness (``composition_bp``,
    ``composition_sharpness``), the split they were chosen on (``chosen_on``) and how every
    pair did there (``trials``). Return how many windows.
    """
    if next(like.windows("+"), None) is None:
        raise GenezipError(
            f"{like.path} has no window on strand +; compress the held-out DNA again"
        )
    router = learn_composition_router(assembly, region_map, reader, target_bpt, settings)
    segments = {segment.name: segment for segment in assembly.segments}

    def place(window: CompressedWindow, tokens: int) -> np.ndarray:
        return router.starts(padded_ids(assembly, segments[window.piece], window), tokens)

    return _write(
        like,
        out,
        "gc_cpg",
        place,
        target_bpt,
        composition_bp=router.width,
        composition_sharpness=router.sharpness,
        chosen_on=router.split,
        trials=[asdict(trial) for trial in router.trials],
    )
