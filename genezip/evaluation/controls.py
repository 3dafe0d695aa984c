"""Controls: routers that are no networks, which a learned router must beat.

Two follow a fixed rule, two are fitted to training DNA.

- ``fixed_stride``: tokens at equal distances.
- ``gc_cpg``: token positions depend only on GC content and CpG observed/expected in a sliding
  window, because promoters are rich in CpG. In each window it has exactly as many tokens as the
  model it is compared with, at equal steps of its summed rate. The sliding window is centred, so
  it also covers bases to the right, which a causal router cannot see: a stronger baseline.
- ``cpg``: tokens at the G of CpG dinucleotides, evenly thinned where there are more of these than
  tokens; where there are fewer, the other tokens are spread evenly.
- ``surprisal``: tokens where the surprisal of the base under the context-mixing model rises most
  over that of the base before (as entropy patches; Pagnoni et al. 2024, arXiv 2412.09871).

All copy the windows and token counts of a window table, strand '+'. Counts are copied window by
window, so the controls inherit how that model shares its tokens among windows (even a fixed
stride has an enrichment above 1 in promoters when windows with promoters get more tokens): the
comparison is about token positions inside a window.

The rate of ``gc_cpg`` is fitted on training DNA: the mean budget rate 1 / B_r of the bases whose
surroundings have a given GC content and CpG observed/expected. One composition occurs in several
regions, so this mean is shrunk towards the overall rate and a router that follows it has too few
tokens where they should be dense. Hence the rate is raised to a power, the sharpness. The width of
the surroundings and the sharpness have the smallest MicroErr (Eq. 16) on the validation windows
of the corpus, at the total number of tokens of the budget that the models are trained for.

Other controls are trained networks whose guided router rearranges the tokens of a learned model
(:mod:`genezip.models.routing.guided`). :func:`matched_rows` shows that such an arm has the tokens,
operations and parameters of its guide.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from genezip.alphabet import C_ID, G_ID, N_ID, is_base
from genezip.artifacts.scores import CPG_ROUTER, FIXED_STRIDE, GC_ROUTER, SURPRISAL_ROUTER
from genezip.config import Evaluation
from genezip.corpus.corpus import CorpusReader
from genezip.errors import GenezipError
from genezip.evaluation.baselines import BaselineWindows, stretches
from genezip.evaluation.markov import NO_TRAINING_DNA
from genezip.evaluation.windows import WindowFacts, spaced_windows
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
_CHOICE_BP = 20_000_000  # at most so many bases of evenly spaced windows for choosing

if TYPE_CHECKING:
    from genezip.models.genezip.compressor import GeneZip

MATCHED = (
    "model",  # an arm: a network with a learned or a guided router
    "seed",
    "router",  # of every stage, in words: learned, guided_even, guided_random, guided_shuffled
    "guide",  # model whose tokens a guided arm rearranges, of the same seed; empty for others
    "split",  # of the windows
    "windows",
    "bp",  # bases of these windows
    "tokens",  # of the last stage, on all windows
    "bpt",
    "flops_per_bp",  # of one pass without the guide's encoder
    "guide_flops_per_bp",  # of that encoder, which only finds the number of tokens
    "parameters",  # learned and unused ones; those of a guide do not count
    "tokens_off",  # largest difference from the guide in one window, as a share of its tokens
    "flops_off",  # difference from the guide on all windows, as a share of its operations
    "scale",
)
"""Columns of the table of matched arms."""
TOLERANCE = 0.01  # largest difference of a matched arm from its guide

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
    assembly: Assembly,
    region_map: RegionMap,
    target_bpt: dict[str, float],
    width: int,
    most_bp: int = 100_000_000,
) -> np.ndarray:
    """Mean budget rate (tokens per base) of each composition bin over the training segments.

    Each base counts once, however often training windows sample it; of more than about ``most_bp``
    bases, evenly spaced stretches are read. Rare bins are shrunk towards the overall mean.
    """
    per_base = 1 / metrics.target_array(target_bpt, region_map.region_classes)
    count, total = np.zeros(N_BINS), np.zeros(N_BINS)
    for segment, start, end in stretches(assembly.segments_of("train"), most_bp):
        low, high = max(segment.start, start - width), min(segment.end, end + width)
        ids = assembly.ids(segment, low, high)
        inside = slice(start - low, end - low)
        known = is_base(ids[inside])
        bins = composition_bins(ids, width)[inside][known]
        rate = per_base[region_map.ids(segment.chrom, start, end)[known]]
        count += np.bincount(bins, minlength=N_BINS)
        total += np.bincount(bins, weights=rate, minlength=N_BINS)
    if count.sum() == 0:
        raise GenezipError(f"{NO_TRAINING_DNA}; gc_cpg cannot learn")
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
        rates[width] = learn_rates(
            assembly, region_map, target_bpt, width, settings.composition_training_bp
        )
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
    bases_of = _bases_of(assembly)
    return _write(
        like,
        out,
        GC_ROUTER,
        lambda window, tokens: router.starts(bases_of(window), tokens),
        target_bpt,
        composition_bp=router.width,
        composition_sharpness=router.sharpness,
        chosen_on=router.split,
        trials=[asdict(trial) for trial in router.trials],
    )


def cpg_starts(ids: np.ndarray, tokens: int) -> np.ndarray:
    """First bases of exactly ``tokens`` chunks that begin at CpG, int32; the first is 0.

    ``ids`` are token ids, uint8 (L,).
    """
    pairs = np.flatnonzero((ids[:-1] == C_ID) & (ids[1:] == G_ID)) + 1
    wanted = tokens - 1
    if len(pairs) > wanted:
        pairs = pairs[stride_starts(len(pairs), wanted)] if wanted else pairs[:0]
    used = np.append(0, pairs)
    free = np.setdiff1d(np.arange(len(ids)), used, assume_unique=True)
    more = tokens - len(used)
    added = free[stride_starts(len(free), more)] if more else free[:0]
    return np.sort(np.concatenate([used, added])).astype(np.int32)


def surprisal_starts(nats: np.ndarray, tokens: int) -> np.ndarray:
    """First bases of exactly ``tokens`` chunks that begin at the largest rises, int32.

    ``nats``, float (L,), is the surprisal of every base, NaN where it is not predicted; such a base
    begins a chunk last. The first chunk begins at 0. Of equal rises the first counts.
    """
    known = np.nan_to_num(nats.astype(np.float64))
    rise = np.diff(known, prepend=0.0)
    rise[~np.isfinite(nats)] = -np.inf
    rise[0] = np.inf
    return np.sort(np.argsort(-rise, kind="stable")[:tokens]).astype(np.int32)


def write_cpg(like: CompressedFile, assembly: Assembly, out: str | Path) -> int:
    """Write the windows of ``like`` with as many tokens at CpG; return their number."""
    bases_of = _bases_of(assembly)
    return _write(like, out, CPG_ROUTER, lambda window, n: cpg_starts(bases_of(window), n))


def write_surprisal(
    like: CompressedFile, baselines: BaselineWindows, facts: WindowFacts, out: str | Path
) -> int:
    """Write the windows of ``like`` with as many tokens where the surprisal rises most."""
    by_base = baselines.mixing_nll
    if by_base is None:
        raise GenezipError(
            "the table of --markov has no mixing model, whose surprisal places the tokens; run "
            "`genezip evaluate markov` with mixing"
        )

    def starts_of(window: CompressedWindow, tokens: int) -> np.ndarray:
        number = facts.index.get((window.chrom, window.start, window.end))
        if number is None:
            raise GenezipError(
                f"window {window.chrom}:{window.start}-{window.end} of {like.path} is not in the "
                "corpus; compress the held-out windows of this corpus again"
            )
        return surprisal_starts(by_base[number], tokens)

    return _write(like, out, SURPRISAL_ROUTER, starts_of)


def _bases_of(assembly: Assembly) -> Callable[[CompressedWindow], np.ndarray]:
    """Function that gives the token ids of a window, padded with N."""
    segments = {segment.name: segment for segment in assembly.segments}

    def of(window: CompressedWindow) -> np.ndarray:
        ids = np.full(window.length, N_ID, dtype=np.uint8)
        bases = assembly.ids(segments[window.segment], window.start, window.end)
        ids[: window.end - window.start] = bases
        return ids

    return of


@dataclass(frozen=True)
class _Arm:
    """What an arm made of the windows: tokens (n, S) int64, operations (n,) float64."""

    model: "GeneZip"
    tokens: np.ndarray
    flops: np.ndarray

    @property
    def label(self) -> str:
        """Name and seed, for messages."""
        return f"{self.model.name} seed {self.model.card.seed}"


def matched_rows(
    models: Sequence["GeneZip"], windows: Sequence[np.ndarray], split: str, scale: str
) -> pd.DataFrame:
    """One row per arm, with the columns :data:`MATCHED`.

    An arm with a guided router must have the parameters of its guide, and its tokens in each
    window and its operations within 1 %; otherwise, or if its guide is not among the models, the
    arms are refused.

    Parameters
    ----------
    models : opened networks, guides among them
    windows : token ids, uint8 arrays, which none of them was trained on
    """
    lengths = np.array([len(ids) for ids in windows], dtype=np.int64)
    if not len(lengths):
        raise GenezipError(f"the corpus has no window of split {split}; build it with such windows")
    arms = []
    for model in models:
        found = model.encode_boundaries(list(windows))
        tokens = np.stack([one.stage_tokens for one in found])
        arms.append(_Arm(model, tokens, model.flops(lengths, tokens)))
    rows = []
    for arm in arms:
        guide = _guide_of(arm, arms)
        model, bp = arm.model, int(lengths.sum())
        kept = int(arm.tokens[:, -1].sum()) if arm.tokens.shape[1] else bp
        row = {
            "model": model.name,
            "seed": model.card.seed,
            "router": ", ".join(model.network.shape.router) or "none",
            "split": split,
            "windows": len(lengths),
            "bp": bp,
            "tokens": kept,
            "bpt": bp / kept,
            "flops_per_bp": arm.flops.sum() / bp,
            "guide_flops_per_bp": model.guide_flops(lengths).sum() / bp,
            "parameters": model.network.count_parameters(),
            "scale": scale,
        }
        if guide is not None:
            row |= {"guide": guide.model.name, **_differences(arm, guide)}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(MATCHED))


def _guide_of(arm: _Arm, arms: Sequence[_Arm]) -> _Arm | None:
    """The guide of an arm, by the hash of its weights; None for an arm without a guide."""
    wanted = arm.model.card.training.get("guide")
    if wanted is None:
        return None
    for other in arms:
        if other.model.facts["sha256"] == wanted["sha256"]:
            return other
    raise GenezipError(
        f"{arm.label} was guided by {wanted['name']} seed {wanted['seed']}, whose weights are not "
        "among the models; add its folder with --model, or train the control again"
    )


def _differences(arm: _Arm, guide: _Arm) -> dict[str, float]:
    """``tokens_off`` and ``flops_off`` of an arm; one that is not matched is refused."""
    ours, theirs = (one.model.network.count_parameters() for one in (arm, guide))
    if ours != theirs:
        raise GenezipError(
            f"{arm.label} has {ours:,} parameters, but its guide {guide.label} {theirs:,}; give "
            "both the same layout"
        )
    tokens = float(np.abs(arm.tokens / guide.tokens - 1).max())
    flops = float(arm.flops.sum() / guide.flops.sum() - 1)
    for name, off in (("tokens of a window", tokens), ("operations", flops)):
        if abs(off) > TOLERANCE:
            raise GenezipError(
                f"the {name} of {arm.label} differ by {abs(off):.2%} from those of its guide "
                f"{guide.label}, more than {TOLERANCE:.0%}, so the two are not matched; train the "
                "control again with this guide"
            )
    return {"tokens_off": tokens, "flops_off": flops}
