"""Which bases are repeats: sets of bases, each with its background in the same segments.

A scheme is a partition of the bases of a segment:

- ``softmask`` (segments that are soft-masked and have TRF calls): ``softmasked_outside_trf``
  (lower case outside TRF: interspersed repeats and a little low complexity), ``tandem``
  (TRF) against ``rest`` (neither);
- ``trf`` (all segments with TRF calls, also those that are not soft-masked, where interspersed
  repeats are unknown and stay in the background): ``tandem_all_pieces`` against
  ``outside_trf_all_pieces``;
- ``rmsk`` (segments with RepeatMasker classes): each class outside TRF, all interspersed ones
  together (``rmsk_interspersed``) and ``rmsk_tandem`` (TRF) against ``rmsk_rest`` (no
  RepeatMasker row, no TRF). Classes written with ``?`` or not listed here belong to no set
  and to no background;
- ``rmsk_only`` (the same segments, where the source has no TRF calls at all): the classes as
  RepeatMasker gives them and ``rmsk_simple_repeat`` (its class Simple_repeat), against
  ``rmsk_rest_without_trf`` (no RepeatMasker row).

TRF calls without RepeatMasker give the first two, RepeatMasker without TRF the last.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genezip.genome.intervals import covered_mask

RMSK_CLASSES = ("LINE", "SINE", "LTR", "DNA", "Retroposon", "Satellite")
_INTERSPERSED = ("LINE", "SINE", "LTR", "DNA", "Retroposon")
_BLOCK_BP = 1 << 22  # sequence is read in blocks
OUTSIDE = 255  # code of a base that belongs neither to a set nor to the background


@dataclass(frozen=True)
class Scheme:
    """Repeat sets with one background.

    ``sets`` maps a set to its codes; code 0 is the background.
    """

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
        "rmsk_interspersed": tuple(RMSK_CLASSES.index(name) + 2 for name in _INTERSPERSED),
        "rmsk_tandem": (1,),
    },
    len(RMSK_CLASSES) + 2,
)

RMSK_ONLY = Scheme(
    "rmsk_only",
    "rmsk_rest_without_trf",
    {
        **{name: codes for name, codes in RMSK.sets.items() if name != "rmsk_tandem"},
        "rmsk_simple_repeat": (1,),
    },
    RMSK.n_codes,
)

SCHEMES = {scheme.name: scheme for scheme in (SOFTMASK, TRF, RMSK, RMSK_ONLY)}


class RepeatAnnotation:
    """Codes of the bases of a segment under each scheme.

    Parameters
    ----------
    assembly : genezip.genome.assembly.Assembly
    rmsk, trf : DataFrame or None
        Rows with chrom, start, end; ``rmsk`` also ``repeat_class``.
    """

    def __init__(self, assembly: Any, rmsk: pd.DataFrame | None, trf: pd.DataFrame | None) -> None:
        self._assembly = assembly
        self._rmsk, self._trf = rmsk, trf

    def schemes(self, segment: Any) -> list[Scheme]:
        """Schemes for which the annotation of a segment suffices."""
        classes = segment.rmsk and self._rmsk is not None
        if not segment.trf or self._trf is None:
            return [RMSK_ONLY] if classes and not self._any_trf() else []
        found = [TRF]
        if segment.soft_masked:
            found.append(SOFTMASK)
        if classes:
            found.append(RMSK)
        return found

    def _any_trf(self) -> bool:
        """Whether any segment has TRF calls: sets of one name are then taken outside them."""
        return self._trf is not None and any(segment.trf for segment in self._assembly.segments)

    def lacking(self) -> list[str]:
        """What cannot be told about repeats, one sentence for each table that is missing."""
        found = []
        if self._rmsk is None:
            found.append("the source has no RepeatMasker table, so no class of repeats is measured")
        if not self._any_trf():
            found.append(
                "the source has no TRF table, so tandem repeats are measured as RepeatMasker's "
                "simple repeats only, and soft-masked bases are not measured"
                if self._rmsk is not None
                else "the source has no TRF table, so tandem repeats and soft-masked bases are not "
                "measured"
            )
        return found

    def codes(self, segment: Any, scheme: Scheme) -> np.ndarray:
        """Code of every base of a segment (uint8, its length); tandem wins over interspersed."""
        codes = np.zeros(segment.end - segment.start, dtype=np.uint8)
        if scheme is SOFTMASK:
            for low in range(segment.start, segment.end, _BLOCK_BP):
                high = min(low + _BLOCK_BP, segment.end)
                lower = self._assembly.sequence(segment, low, high) >= ord("a")
                codes[low - segment.start : high - segment.start][lower] = 1
        elif scheme in (RMSK, RMSK_ONLY):
            here = self._rows(self._rmsk, segment)
            names = here["repeat_class"]
            codes[self._covered(here, segment)] = OUTSIDE
            for number, name in enumerate(RMSK_CLASSES):
                codes[self._covered(here[names == name], segment)] = number + 2
            if scheme is RMSK_ONLY:
                codes[self._covered(here[names == "Simple_repeat"], segment)] = 1
                return codes
        tandem = self._covered(self._rows(self._trf, segment), segment)
        codes[tandem] = 2 if scheme is SOFTMASK else 1
        return codes

    @staticmethod
    def _rows(table: pd.DataFrame | None, segment: Any) -> pd.DataFrame:
        assert table is not None
        inside = (table["end"] > segment.start) & (table["start"] < segment.end)
        return table[(table["chrom"] == segment.chrom) & inside]

    @staticmethod
    def _covered(table: pd.DataFrame, segment: Any) -> np.ndarray:
        starts, ends = (table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
        return covered_mask(starts, ends, segment.start, segment.end)
