"""Local BPT in repeats: do repeats get fewer tokens, and is their position the reason?

Local BPT of a set A of bases is |A| / T_A with the fractional tokens of Eq. 15; a value above that
of the background means fewer tokens. N, padding and windows with many N are left out.

Repeats are rare in promoters, where tokens are dense, so the plain ratio mixes the effects of
region and repeat. Hence the ratio within each region class, and ``region_adjusted``: tokens
expected from the background density of the regions that A covers, over tokens observed. As a
control, all repeat intervals of a segment are shifted by one random offset (circular inside the
segment) and the same ratios are taken.

A scheme divides the bases of a segment into sets of repeats and their common background:

- ``softmask`` (segments that are soft-masked and have TRF calls): ``softmasked_outside_trf``
  (lower case outside TRF: interspersed repeats and a little low complexity), ``tandem``
  (TRF) against ``rest`` (neither);
- ``trf`` (all segments with TRF calls, also those that are not soft-masked, where interspersed
  repeats are unknown and stay in the background): ``tandem_all_pieces`` against
  ``outside_trf_all_pieces``;
- ``rmsk`` (segments with RepeatMasker classes): each class outside TRF, all interspersed ones
  together (``rmsk_interspersed``) and ``rmsk_tandem`` (TRF) against ``rmsk_rest`` (no RepeatMasker
  row, no TRF). Classes written with ``?`` or not listed here belong to no set and to no background;
- ``rmsk_only`` (the same segments, where the source has no TRF calls at all): the classes as
  RepeatMasker reports them and ``rmsk_simple_repeat`` (its class Simple_repeat), against
  ``rmsk_rest_without_trf`` (no RepeatMasker row).

TRF calls without RepeatMasker give the first two, RepeatMasker without TRF the last.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genezip.artifacts.scores import (
    CORPUS,
    DNA_SCORES,
    SHIFTED,
    WITHOUT_TRF,
    Metric,
    Row,
    ratio_of,
)
from genezip.config import Evaluation
from genezip.evaluation.compression import Found, expand
from genezip.genome.assembly import Assembly, Segment
from genezip.genome.intervals import covered_mask
from genezip.inference.table import CompressedWindow
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, ratio, scarcer
from genezip.metrics.compression import with_all
from genezip.region_classes import RegionClasses

RMSK_CLASSES = ("LINE", "SINE", "LTR", "DNA", "Retroposon", "Satellite")
INTERSPERSED = ("LINE", "SINE", "LTR", "DNA", "Retroposon")
_BLOCK_BP = 1 << 22  # bases read at a time
OUTSIDE = 255  # code of a base that belongs neither to a set nor to the background


@dataclass(frozen=True)
class Scheme:
    """Repeat sets with one background: ``sets`` maps a set to its codes; 0 is the background."""

    name: str
    background: str
    sets: dict[str, tuple[int, ...]]
    n_codes: int


SOFTMASK = Scheme("softmask", "rest", {"softmasked_outside_trf": (1,), "tandem": (2,)}, 3)
TRF = Scheme("trf", "outside_trf_all_pieces", {"tandem_all_pieces": (1,)}, 2)
RMSK = Scheme(
    "rmsk",
    "rmsk_rest",
    {
        **{name: (number + 2,) for number, name in enumerate(RMSK_CLASSES)},
        "rmsk_interspersed": tuple(RMSK_CLASSES.index(name) + 2 for name in INTERSPERSED),
        "rmsk_tandem": (1,),
    },
    len(RMSK_CLASSES) + 2,
)

RMSK_ONLY = Scheme(
    "rmsk_only",
    WITHOUT_TRF,
    {
        **{name: codes for name, codes in RMSK.sets.items() if name != "rmsk_tandem"},
        "rmsk_simple_repeat": (1,),
    },
    RMSK.n_codes,
)


class RepeatAnnotation:
    """Codes of the bases of a segment under each scheme.

    ``rmsk`` and ``trf`` have rows with chrom, start, end, and ``rmsk`` also ``repeat_class``.
    """

    def __init__(
        self, assembly: Assembly, rmsk: pd.DataFrame | None, trf: pd.DataFrame | None
    ) -> None:
        self._assembly = assembly
        self.rmsk, self.trf = rmsk, trf

    def schemes(self, segment: Segment) -> list[Scheme]:
        """Schemes that the annotation of a segment allows."""
        classes = segment.rmsk and self.rmsk is not None
        if not segment.trf or self.trf is None:
            return [RMSK_ONLY] if classes and not self._any_trf() else []
        found = [TRF]
        if segment.soft_masked:
            found.append(SOFTMASK)
        if classes:
            found.append(RMSK)
        return found

    def _any_trf(self) -> bool:
        """Whether any segment has TRF calls, outside which the sets of a name are then taken."""
        return self.trf is not None and any(segment.trf for segment in self._assembly.segments)

    def lacking(self) -> list[str]:
        """One sentence for each missing table about what cannot be measured without it."""
        found = []
        if self.rmsk is None:
            found.append("the source has no RepeatMasker table, so no class of repeats is measured")
        if not self._any_trf():
            found.append(
                "the source has no TRF table, so tandem repeats are measured as RepeatMasker's "
                "simple repeats only, and soft-masked bases are not measured"
                if self.rmsk is not None
                else "the source has no TRF table, so tandem repeats and soft-masked bases are not "
                "measured"
            )
        return found

    def bp_by(self, table: pd.DataFrame, names: pd.Series) -> pd.Series:
        """Bases of the segments in the rows of each name; overlaps count twice."""
        bp = np.zeros(len(table), dtype=np.int64)
        starts, ends = (table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
        for segment in self._assembly.segments:
            inside = np.minimum(ends, segment.end) - np.maximum(starts, segment.start)
            bp += np.where((table["chrom"] == segment.chrom).to_numpy(), np.maximum(inside, 0), 0)
        return pd.Series(bp).groupby(names.to_numpy()).sum()

    def codes(self, segment: Segment, scheme: Scheme) -> np.ndarray:
        """Code of every base of a segment, uint8 (length,); tandem overrides interspersed."""
        codes = np.zeros(segment.end - segment.start, dtype=np.uint8)
        if scheme is SOFTMASK:
            for low in range(segment.start, segment.end, _BLOCK_BP):
                high = min(low + _BLOCK_BP, segment.end)
                lower = self._assembly.lower_case(segment, low, high)
                codes[low - segment.start : high - segment.start][lower] = 1
        elif scheme in (RMSK, RMSK_ONLY):
            here = self._rows(self.rmsk, segment)
            names = here["repeat_class"]
            codes[self._covered(here, segment)] = OUTSIDE
            for number, name in enumerate(RMSK_CLASSES):
                codes[self._covered(here[names == name], segment)] = number + 2
            if scheme is RMSK_ONLY:
                codes[self._covered(here[names == "Simple_repeat"], segment)] = 1
                return codes
        tandem = self._covered(self._rows(self.trf, segment), segment)
        codes[tandem] = 2 if scheme is SOFTMASK else 1
        return codes

    @staticmethod
    def _rows(table: pd.DataFrame | None, segment: Segment) -> pd.DataFrame:
        assert table is not None
        inside = (table["end"] > segment.start) & (table["start"] < segment.end)
        return table[(table["chrom"] == segment.chrom) & inside]

    @staticmethod
    def _covered(table: pd.DataFrame, segment: Segment) -> np.ndarray:
        starts, ends = (table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
        return covered_mask(starts, ends, segment.start, segment.end)


@dataclass(frozen=True)
class Router:
    """Windows of one router on strand '+', by (split, segment); several files may hold them."""

    name: str
    seed: int | None
    windows: dict[tuple[str, str], list[CompressedWindow]]


@dataclass
class Tally:
    """Bases and tokens by (block, code, region) and, per shift, by (code, region).

    scheme: that of the codes. bp, tokens: lists over segments of (blocks, codes, R), tokens with a
    leading router axis; shifted_bp: (shifts, codes, R); shifted_tokens: (routers, shifts, codes,
    R), where R is the number of classes of ``region_classes``.
    """

    scheme: Scheme
    region_classes: RegionClasses
    routers: list[Router]
    bp: list[np.ndarray]
    tokens: list[np.ndarray]
    shifted_bp: np.ndarray
    shifted_tokens: np.ndarray

    def add_segment(self, n_blocks: int) -> None:
        """Zeros for the blocks of one more segment."""
        shape = (n_blocks, *self.shifted_bp.shape[1:])
        self.bp.append(np.zeros(shape))
        self.tokens.append(np.zeros((len(self.routers), *shape)))


def ratios(
    bp: np.ndarray, tokens: np.ndarray, codes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BPT of a set, its ratio to the background, and the ratio adjusted for regions.

    The first two are (..., R + 1), all regions first, then each. The last, (..., 1), is expected
    over observed tokens; bases in a region without background are left out. ``bp`` and ``tokens``
    are (..., codes, R); the background is code 0.
    """
    set_bp, set_tokens = (values[..., list(codes), :].sum(-2) for values in (bp, tokens))
    rest_bp, rest_tokens = bp[..., 0, :], tokens[..., 0, :]

    bpt = ratio(with_all(set_bp), with_all(set_tokens))
    to_rest = bpt / ratio(with_all(rest_bp), with_all(rest_tokens))
    usable = rest_bp > 0
    expected = np.where(usable, set_bp * ratio(rest_tokens, rest_bp), 0).sum(-1)
    observed = np.where(usable, set_tokens, 0).sum(-1)
    return bpt, to_rest, ratio(expected, observed)[..., None]


def _control(values: np.ndarray) -> Estimate:
    """Mean over the shifts and their 2.5 % and 97.5 % quantiles; values (shifts, k)."""
    parts = np.full((3, values.shape[1]), np.nan)
    for column in np.flatnonzero(np.isfinite(values).any(axis=0)):
        good = values[np.isfinite(values[:, column]), column]
        parts[:, column] = good.mean(), *np.quantile(good, [0.025, 0.975])
    return Estimate(*parts)


def repeat_rows(
    tallies: dict[tuple[str, str], Tally],
    settings: Evaluation,
    scale: str,
    source: str,
    pair: tuple[str, str] | None = None,
) -> list[Row]:
    """Score rows; n counts bases of the set (shifts for the control).

    Every set, an empty one too, has a row ``bp`` of the model ``corpus`` with its number of bases,
    so that a set without any other row is seen to be empty. The ratios of the first model of a
    ``pair`` are also divided by those of the second, on the same bases (``a / b``).
    """
    rows: list[Row] = []
    for (split, _), tally in tallies.items():
        scheme = tally.scheme
        bp = np.concatenate(tally.bp)
        used = bp.any(axis=(1, 2))  # a block between dropped windows holds no base
        bootstrap = BlockBootstrap(np.arange(used.sum()), settings.bootstrap, settings.seed)
        regions = ("all", *tally.region_classes.names)
        sets = {scheme.background: (0,), **scheme.sets}
        # Blocks that hold bases of a set: anywhere, then in each region, (B, R + 1).
        blocks = {
            name: bootstrap.support(with_all(bp[used][:, list(codes)].sum(axis=1)))
            for name, codes in sets.items()
        }
        for name, codes in sets.items():
            bases = bp[:, list(codes)].sum()
            rows.append(
                DNA_SCORES.row(
                    model=CORPUS, task="repeats", subset=name, region="all", split=split,
                    strand="+", metric=Metric.BP, value=float(bases), n=int(bases), unit="bases",
                    scale=scale, source=source,
                )
            )  # fmt: skip
        found_ratios: dict[tuple[str, int | None], dict[str, dict[str, np.ndarray]]] = {}
        for number, router in enumerate(tally.routers):
            tokens = np.concatenate([segment[number] for segment in tally.tokens])
            sums = bootstrap.sums({"bp": bp[used], "tokens": tokens[used]})
            for name, codes in sets.items():
                common = {
                    "model": router.name, "task": "repeats", "subset": name, "split": split,
                    "strand": "+", "seed": router.seed, "scale": scale, "source": source,
                }  # fmt: skip
                n = bp[:, list(codes)].sum(axis=(0, 1))
                bases = np.append(n.sum(), n)
                bpt, to_rest, adjusted = ratios(sums["bp"], sums["tokens"], codes)
                whole = bootstrap.summarise(bpt, blocks[name], "ratio")
                rows += _counted({Metric.BPT: (regions, whole, bases)}, unit="bases", **common)
                if name == scheme.background:
                    continue
                _, moved, moved_adjusted = ratios(
                    tally.shifted_bp, tally.shifted_tokens[number], codes
                )
                both = scarcer(blocks[name], blocks[scheme.background])
                shifts = np.where(bases > 0, settings.shifts, 0)
                for metric, values, control in (
                    (Metric.BPT_RATIO, to_rest, moved),
                    (Metric.ADJUSTED_RATIO, adjusted, moved_adjusted),
                ):
                    of_router = found_ratios.setdefault((router.name, router.seed), {})
                    of_router.setdefault(name, {})[metric] = values
                    k = values.shape[1]  # all regions together, then each where there are any
                    estimate = bootstrap.summarise(values, both[:, :k], "ratio")
                    found: Found = {metric: (regions[:k], estimate, bases[:k])}
                    rows += _counted(found, unit="bases", **common)
                    found = {f"{metric}{SHIFTED}": (regions[:k], _control(control), shifts[:k])}
                    rows += _counted(found, unit="shifts", **common)
        for quotient in _quotients(found_ratios, pair):
            first, second, seed = quotient
            cells = {
                "model": ratio_of(first[0], second[0]), "task": "repeats", "split": split,
                "strand": "+", "seed": seed, "scale": scale, "source": source, "unit": "bases",
            }  # fmt: skip
            for name, by_metric in found_ratios[first].items():
                n = bp[:, list(sets[name])].sum()
                both = scarcer(blocks[name], blocks[scheme.background])[:, :1]
                for metric, ours in by_metric.items():
                    theirs = found_ratios[second][name][metric]
                    with np.errstate(divide="ignore", invalid="ignore"):
                        values = ours[:, :1] / theirs[:, :1]
                    estimate = bootstrap.summarise(values, both, "ratio")
                    found = {metric: (regions[:1], estimate, np.array([n]))}
                    rows += _counted(found, subset=name, **cells)
    return rows


_Named = tuple[str, int | None]


def _quotients(
    found: Collection[_Named], pair: tuple[str, str] | None
) -> Iterator[tuple[_Named, _Named, int | None]]:
    """Runs of the first model of a pair, each with that of the second of its seed, or the first."""
    for name, seed in found if pair else ():
        if pair and name == pair[0]:
            others = [one for one in found if one[0] == pair[1]]
            same = [one for one in others if one[1] == seed]
            if others:
                yield (name, seed), (same or others)[0], seed


def _counted(found: Found, **cells: Any) -> list[Row]:
    """Rows of the regions that have a count."""
    return [row for row in expand(found, **cells) if row["n"]]
