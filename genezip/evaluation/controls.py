"""Controls: routers that learn nothing from sequence, which a learned router must beat.

- ``fixed_stride``: tokens at equal distances.
- ``gc_cpg``: token positions depend only on GC content and CpG observed/expected in a sliding
  window, because promoters are rich in CpG. In each window it has exactly as many tokens as the
  model it is compared with, at equal steps of its summed rate. The sliding window is centred, so
  it also covers bases to the right, which a causal router cannot see: a stronger baseline.

Both copy the windows and token counts of a window table, strand '+'. Counts are copied window by
window, so the controls inherit how that model shares its tokens among windows (even a fixed
stride has an enrichment above 1 in promoters when windows with promoters get more tokens): the
comparison is about token positions inside a window.

The rate of ``gc_cpg`` is fitted on training DNA: the mean budget rate 1 / B_r of the bases whose
surroundings have a given GC content and CpG observed/expected. One composition occurs in several
regions, so this mean is shrunk towards the overall rate and a router that follows it has too few
tokens where they should be dense. Hence the rate is raised to a power, the sharpness. The width of
the surroundings and the sharpness have the smallest MicroErr (Eq. 16) on the validation windows
of the corpus, at the total number of tokens of the budget that the models are trained for.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from genezip.alphabet import N_ID, is_base
from genezip.artifacts.scores import FIXED_STRIDE, GC_ROUTER
from genezip.config import Evaluation
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.windows import spaced_windows
from genezip.genome.assembly import Assembly
from genezip.genome.region_map import RegionMap
from genezip.inference.table import CompressedFile, CompressedWindow, write_compressed
from genezip.metrics import compression as metrics
from genezip.metrics.compression import rate_starts, share_tokens, stride_starts, token_density
from genezip.metrics.gc_content import gc_and_cpg_around
from genezip.region_classes import RegionClasses

_GC_BINS, _CPG_BINS = 25, 15  # bins of 0.04 in GC content and of 0.1 in CpG observed/expected
N_BINS = _GC_BINS * _CPG_BINS + 1  # the last: a window without any base
_PRIOR_BP = 1000  # weight of the overall mean rate in a bin, in bases
_READ_BP = 4_000_000  # bases read at a time
_CHOICE_BP = 20_000_000  # at most so many bases of evenly spaced windows for choosing

logger = logging.getLogger(__name__)


def composition_bins(ids: np.ndarray, width: int) -> np.ndarray:
    """Bin of GC content and CpG observed/expected around every base, int16 (L,)."""
    gc, cpg = gc_and_cpg_around(ids, width)
    known = np.isfinite(gc)
    bins = np.full(len(ids), N_BINS - 1, dtype=np.int16)
    gc_bin = np.minimum((gc[known] * _GC_BINS).astype(np.int16), _GC_BINS - 1)
    cpg_bin = np.minimum(cpg[known] * 10, _CPG_BINS - 1).astype(np.int16)
    bins[known] = gc_bin * _CPG_BINS + cpg_bin
    return bins


def learn_rates(
    assembly: Assembly, region_map: RegionMap, target_bpt: dict[str, float], width: int
) -> np.ndarray:
    """Mean budget rate (tokens per base) of each composition bin over all training segments.

    Each base counts once, however often training windows sample it. Rare bins are shrunk towards
    the overall mean.
    """
    per_base = 1 / metrics.target_array(target_bpt, region_map.region_classes)
    count, total = np.zeros(N_BINS), np.zeros(N_BINS)
    for segment in assembly.segments_of("train"):
        for start in range(segment.start, segment.end, _READ_BP):
            end = min(start + _READ_BP, segment.end)
            low, high = max(segment.start, start - width), min(segment.end, end + width)
            ids = assembly.ids(segment, low, high)
            inside = slice(start - low, end - low)
            known = is_base(ids[inside])
            bins = composition_bins(ids, width)[inside][known]
            rate = per_base[region_map.ids(segment.chrom, start, end)[known]]
            count += np.bincount(bins, minlength=N_BINS)
            total += np.bincount(bins, weights=rate, minlength=N_BINS)
    if count.sum() == 0:
        raise GenezipError("the training segments have no A, C, G or T; gc_cpg cannot learn")
    mean = total.sum() / count.sum()
    return np.asarray((total + _PRIOR_BP * mean) / (count + _PRIOR_BP))


@dataclass(frozen=True)
class ChoiceWindows:
    """Windows on which width and sharpness are chosen: token ids and region classes of each."""

    split: str
    ids: list[np.ndarray]
    regions: list[np.ndarray]
    region_classes: RegionClasses


def choice_windows(reader: CorpusReader) -> ChoiceWindows:
    """Evenly spaced validation windows of the corpus, or training windows where it has none.

    Held-out windows are never used.
    """
    for split in ("valid", "train"):
        chosen = list(spaced_windows(reader, split, _CHOICE_BP))
        if chosen:
            ids, regions = [w.ids for w in chosen], [w.regions for w in chosen]
            return ChoiceWindows(split, ids, regions, reader.region_classes)
    raise GenezipError(
        "the corpus has no validation and no training window; gc_cpg cannot choose its width"
    )


@dataclass(frozen=True)
class Trial:
    """How well one width (bp) and sharpness meet the budget on the :class:`ChoiceWindows`."""

    width: int
    sharpness: float
    micro_err: float
    promoter_enrichment: float


def try_rates(
    rates: np.ndarray,
    width: int,
    sharpness: Iterable[float],
    windows: ChoiceWindows,
    target_bpt: dict[str, float],
) -> Iterator[Trial]:
    """One trial per sharpness, the power of the rates that distribute the tokens.

    The total number of tokens is the sum of l_r / B_r over all windows. Each window gets whole
    tokens in proportion to its summed rate, at equal steps of that rate.
    """
    target = metrics.target_array(target_bpt, windows.region_classes)
    groups = metrics.groups_of(windows.region_classes)
    bins = [composition_bins(ids, width) for ids in windows.ids]
    length = np.array([len(ids) for ids in windows.ids])
    n = len(windows.region_classes)
    bp = np.sum([np.bincount(regions, minlength=n) for regions in windows.regions], axis=0)
    budget = float((bp / target).sum())
    for exponent in sharpness:
        sharp = rates**exponent
        weight = np.array([sharp[here].sum() for here in bins])
        tokens = np.zeros(n)
        shared = share_tokens(budget, weight, length)
        for here, regions, count in zip(bins, windows.regions, shared, strict=True):
            density = token_density(rate_starts(sharp[here], int(count)), len(here))
            tokens += np.bincount(regions, density, minlength=n)
        yield Trial(
            width,
            float(exponent),
            float(metrics.micro_err(bp, tokens, target)),
            float(metrics.enrichment(bp, tokens, groups)[0]),
        )


@dataclass(frozen=True)
class CompositionRouter:
    """The chosen width and sharpness, the rates, and all trials on windows of ``split``."""

    width: int
    sharpness: float
    rates: np.ndarray
    split: str
    trials: list[Trial]

    def starts(self, ids: np.ndarray, tokens: int) -> np.ndarray:
        """First bases of exactly ``tokens`` chunks of a window."""
        sharp = self.rates**self.sharpness
        return rate_starts(sharp[composition_bins(ids, self.width)], tokens)


def learn_composition_router(
    assembly: Assembly,
    region_map: RegionMap,
    reader: CorpusReader,
    target_bpt: dict[str, float],
    settings: Evaluation,
) -> CompositionRouter:
    """Fit the rates of each width on training DNA; keep the width and sharpness of least MicroErr.

    MicroErr is that on :func:`choice_windows`; of equals the first in the settings is kept.
    """
    if region_map.region_classes.names != reader.region_classes.names:
        raise GenezipError(
            f"the region map has the classes {', '.join(region_map.region_classes.names)}, the "
            f"corpus {', '.join(reader.region_classes.names)}; build the corpus again from this map"
        )
    windows = choice_windows(reader)
    rates: dict[int, np.ndarray] = {}
    trials: list[Trial] = []
    for width in settings.composition_windows:
        rates[width] = learn_rates(assembly, region_map, target_bpt, width)
        for trial in try_rates(
            rates[width], width, settings.composition_sharpness, windows, target_bpt
        ):
            trials.append(trial)
            logger.info(
                f"gc_cpg: {width} bp, sharpness {trial.sharpness:g}: {windows.split} MicroErr "
                f"{trial.micro_err:.4f}, promoter enrichment {trial.promoter_enrichment:.3f}"
            )
    best = min(trials, key=lambda trial: trial.micro_err)
    return CompositionRouter(best.width, best.sharpness, rates[best.width], windows.split, trials)


def _write(
    like: CompressedFile,
    out: str | Path,
    name: str,
    starts_of: Callable[[CompressedWindow, int], np.ndarray],
    target_bpt: dict[str, float] | None = None,
    **info: Any,
) -> int:
    """Write the windows of ``like`` (strand '+') with as many tokens, at the starts of a control.

    The table has the seed of the run whose counts it copies.
    """

    def routed() -> Iterator[CompressedWindow]:
        for window in like.windows("+"):
            tokens = len(window.token_starts)
            yield replace(
                window,
                token_starts=starts_of(window, tokens),
                stage_tokens=np.array([tokens], dtype=np.int32),
                bound_active=np.array([False]),
                boundary_prob=None,
                nll=None,
            )

    copied = {"like": like.name, "like_seed": like.seed}
    return write_compressed(
        out, routed(), name=name, seed=like.seed, target_bpt=target_bpt, **copied, **info
    )


def write_fixed_stride(like: CompressedFile, out: str | Path) -> int:
    """Write the windows of ``like`` with as many, equally spaced tokens; return their number."""
    return _write(
        like, out, FIXED_STRIDE, lambda window, tokens: stride_starts(window.length, tokens)
    )


def write_gc_cpg(
    like: CompressedFile,
    assembly: Assembly,
    region_map: RegionMap,
    reader: CorpusReader,
    target_bpt: dict[str, float],
    settings: Evaluation,
    out: str | Path,
) -> int:
    """Fit the GC/CpG router; write windows of ``like`` with as many tokens; return their number.

    The file's info holds the chosen width and sharpness (``composition_bp``,
    ``composition_sharpness``), the split they were chosen on (``chosen_on``) and all ``trials``.
    """
    if next(like.windows("+"), None) is None:
        raise GenezipError(
            f"{like.path} has no window on strand +; compress the held-out DNA again"
        )
    router = learn_composition_router(assembly, region_map, reader, target_bpt, settings)
    segments = {segment.name: segment for segment in assembly.segments}

    def starts_of(window: CompressedWindow, tokens: int) -> np.ndarray:
        ids = np.full(window.length, N_ID, dtype=np.uint8)  # N as padding
        bases = assembly.ids(segments[window.segment], window.start, window.end)
        ids[: window.end - window.start] = bases
        return router.starts(ids, tokens)

    return _write(
        like,
        out,
        GC_ROUTER,
        starts_of,
        target_bpt,
        composition_bp=router.width,
        composition_sharpness=router.sharpness,
        chosen_on=router.split,
        trials=[asdict(trial) for trial in router.trials],
    )
