"""Repeats by family, age, period and copy number.

Each grouping is a scheme like those of :mod:`genezip.evaluation.repeats.sets`, with the same
counts, controls and background, and can stand in for that annotation when bases are counted:

- ``families`` (RepeatMasker): families with enough bases, such as Alu or L1;
- ``ages``: interspersed repeats by their divergence from the consensus (percent of substituted
  bases), which grows with their age;
- ``periods`` and ``copies`` (TRF): tandem repeats by the length of their unit (bp) and by how often
  it is repeated. Of overlapping calls the one with the shortest period counts.

The background is that of the classes: bases without any call of either program (of families and
ages), and bases outside TRF calls (of periods and copies).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from genezip.evaluation.repeats.sets import (
    INTERSPERSED,
    OUTSIDE,
    RMSK,
    RMSK_ONLY,
    TRF,
    RepeatAnnotation,
    Scheme,
)
from genezip.genome.assembly import Segment

FAMILIES, AGES, PERIODS, COPIES = "families", "ages", "periods", "copies"
"""Groupings; subsets of the scores are named ``<grouping>:<group>``."""
MOST_FAMILIES = 16
LEAST_BP = 5_000  # bases of a family that is told
_AGES = (0, 5, 10, 15, 20, 30, np.inf)  # percent
_PERIODS = (1, 2, 3, 4, 5, 7, 11, 31, np.inf)  # bp; [5, 7) is 5-6
_COPIES = (0, 3, 5, 10, np.inf)


def _ranges(edges: tuple[float, ...], whole: bool, unit: str = "") -> list[str]:
    """Names of half-open ranges; ``whole`` numbers are named by their first and last."""
    found = []
    for low, high in pairwise(edges):
        if np.isinf(high):
            found.append(f"{low:g}{unit} or more")
        elif whole and high - low == 1:
            found.append(f"{low:g}{unit}")
        else:
            found.append(f"{low:g}-{high - 1 if whole else high:g}{unit}")
    return found


GROUPS = {
    AGES: _ranges(_AGES, False, " %"),
    PERIODS: _ranges(_PERIODS, True, " bp"),
    COPIES: _ranges(_COPIES, False),
}
"""Groups of a grouping, in order."""


def subset(grouping: str, group: str) -> str:
    """Subset of the scores of a group."""
    return f"{grouping}:{group}"


def _scheme(grouping: str, groups: list[str]) -> Scheme:
    sets: dict[str, tuple[int, ...]] = {
        subset(grouping, name): (number + 1,) for number, name in enumerate(groups)
    }
    return Scheme(grouping, subset(grouping, "background"), sets, len(groups) + 1)


@dataclass(frozen=True)
class _Rows:
    """Calls with the number of their group from 1 on, 0 for none; later rows win."""

    table: pd.DataFrame
    group: np.ndarray


class RepeatKinds:
    """Codes of the bases of a segment under each grouping; see :class:`RepeatAnnotation`."""

    def __init__(self, annotation: RepeatAnnotation) -> None:
        self._annotation = annotation
        self._schemes: dict[str, Scheme] = {}
        self._rows: dict[str, _Rows] = {}
        if annotation.rmsk is not None:
            self._add_interspersed(annotation.rmsk)
        if annotation.trf is not None and {"period", "copies"} <= set(annotation.trf.columns):
            self._add_tandem(annotation.trf)

    def _add(self, grouping: str, groups: list[str], table: pd.DataFrame, group: object) -> None:
        self._schemes[grouping] = _scheme(grouping, groups)
        self._rows[grouping] = _Rows(table, np.asarray(group, dtype=np.int64))

    def _add_interspersed(self, rmsk: pd.DataFrame) -> None:
        wanted = rmsk["repeat_class"].isin(INTERSPERSED)
        table = rmsk[wanted.to_numpy()]
        if "family" in table:
            bp = self._annotation.bp_by(table, table["family"].astype(str))
            names = bp[bp >= LEAST_BP].sort_values(ascending=False, kind="stable")
            groups = [str(name) for name in names.index[:MOST_FAMILIES]]
            numbers = {name: number + 1 for number, name in enumerate(groups)}
            family = table["family"].astype(str).map(numbers).fillna(0)
            self._add(FAMILIES, groups, table, family)
        if "divergence" in table:
            age = np.searchsorted(_AGES, table["divergence"].to_numpy(), side="right")
            self._add(AGES, GROUPS[AGES], table, age)

    def _add_tandem(self, trf: pd.DataFrame) -> None:
        table = trf.sort_values("period", ascending=False, kind="stable")
        for grouping, edges in ((PERIODS, _PERIODS), (COPIES, _COPIES)):
            values = table["period" if grouping == PERIODS else "copies"].to_numpy()
            self._add(grouping, GROUPS[grouping], table, np.searchsorted(edges, values, "right"))

    def schemes(self, segment: Segment) -> list[Scheme]:
        """Groupings that the annotation of a segment allows."""
        allowed = self._annotation.schemes(segment)
        found = []
        for grouping, scheme in self._schemes.items():
            needed = (TRF,) if grouping in (PERIODS, COPIES) else (RMSK, RMSK_ONLY)
            if any(one in allowed for one in needed):
                found.append(scheme)
        return found

    def codes(self, segment: Segment, scheme: Scheme) -> np.ndarray:
        """Code of every base of a segment, uint8 (length,)."""
        base = TRF
        if scheme.name not in (PERIODS, COPIES):
            base = RMSK if RMSK in self._annotation.schemes(segment) else RMSK_ONLY
        codes = self._annotation.codes(segment, base)
        free, tandem = codes == 0, codes == 1
        found = np.where(free, 0, OUTSIDE).astype(np.uint8)
        rows = self._rows[scheme.name]
        low, high = segment.start, segment.end
        inside = (rows.table["end"] > low) & (rows.table["start"] < high)
        here = ((rows.table["chrom"] == segment.chrom) & inside).to_numpy()
        table = rows.table[here]
        for start, end, group in zip(table["start"], table["end"], rows.group[here], strict=True):
            found[max(int(start), low) - low : min(int(end), high) - low] = group or OUTSIDE
        if base is not TRF:
            found[tandem] = OUTSIDE  # as in the classes, tandem repeats are none of these
        return found
