"""Moving the inputs of a task from hg19 to hg38 without losing one.

An input that does not map as one interval is put together from its two ends; where that fails
too, more is excluded than necessary. What has no place on hg38 at all is named.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from genezip.genome.intervals import union
from genezip.genome.liftover import Liftover, Part, Span, hull

LONGEST = 2
"""Two ends may lie so many times the original length apart, flanks included."""

_NAMED = 5  # inputs named in a message


@dataclass(frozen=True)
class Lifted:
    """Inputs on the new assembly.

    Attributes
    ----------
    table : DataFrame
        chrom, start, end (may reach beyond a chromosome), split, reason.
    widened : split -> inputs excluded as widened pieces
    not_lifted : split -> names of inputs without any base on the new assembly
    """

    table: pd.DataFrame
    widened: Mapping[str, int]
    not_lifted: Mapping[str, list[str]]


def lift_pairs(spans: pd.DataFrame, lift: Liftover, say: Callable[[str], None]) -> Lifted:
    """Lift the spans of gene-element pairs (:func:`genezip.data.gene_pairs.pair_spans`)."""
    rows: list[tuple[str, int, int, str, str]] = []
    names: dict[str, list[tuple[str, str]]] = {}
    spans = spans.drop_duplicates()
    for row in spans.to_dict("records"):
        split, start, end = str(row["split"]), max(int(row["start"]), 0), int(row["end"])
        windows = [
            (max(int(row[f"{side}_start"]), 0), int(row[f"{side}_end"]))
            for side in ("tss", "region")
        ]
        how, found = lift_input(lift, str(row["chrom"]), (start, end), windows)
        name = f"gene {row['gene_id']} with element {row['region_id']}"
        names.setdefault(how, []).append((split, name))
        reason = f"{name} of hg19" + (", widened" if how == "widened" else "")
        rows += [(span.chrom, span.start, span.end, split, reason) for span in found]
    widened, lost = names.get("widened", []), names.get("lost", [])
    counts = {how: len(names.get(how, [])) for how in ("whole", "ends", "widened", "lost")}
    say(
        f"etgp: of {len(spans):,} inputs {counts['whole']:,} lift to hg38 as one, "
        f"{counts['ends']:,} by their two ends"
    )
    if widened:
        say(
            f"etgp: warning: {len(widened):,} inputs lift in pieces only; each end piece is "
            f"excluded with the length of the input on both sides: {_some(widened)}"
        )
    if lost:
        say(
            f"etgp: warning: {len(lost):,} inputs cannot be lifted and are NOT excluded: "
            f"{_some(lost)}"
        )
    not_lifted: dict[str, list[str]] = {}
    for split, name in lost:
        not_lifted.setdefault(split, []).append(name)
    table = pd.DataFrame(rows, columns=["chrom", "start", "end", "split", "reason"])
    return Lifted(table, Counter(split for split, _ in widened), not_lifted)


def lift_input(
    lift: Liftover, chrom: str, span: tuple[int, int], windows: list[tuple[int, int]]
) -> tuple[str, list[Span]]:
    """Where one input lies on the new assembly.

    Parameters
    ----------
    lift : Liftover
    chrom, span : the input on the old assembly
    windows : its two ends, TSS window and element window, on the same chromosome

    Returns
    -------
    how : str
        ``whole``: it maps as one interval. ``ends``: both windows do, and lie on one chromosome
        no further apart than :data:`LONGEST` times its length. ``widened``: neither; the pieces
        of the windows (of the whole input where these have none) are widened by its length on
        both sides. ``lost``: no base maps.
    spans : list of Span
        Together they hold every base that any base of the input maps to.
    """
    whole = lift.whole(chrom, *span)
    if whole is not None:
        return "whole", [whole]
    parts = lift.parts(chrom, *span)
    if not parts:
        return "lost", []
    length = span[1] - span[0]
    ends = [end for window in windows if (end := lift.whole(chrom, *window)) is not None]
    if len(ends) == len(windows) and len({end.chrom for end in ends}) == 1:
        joined = hull(ends)
        if joined.length <= LONGEST * length:
            return "ends", [joined, *_outside(parts, [joined])]
    pieces = [part for window in windows for part in lift.parts(chrom, *window)] or parts
    wide = [Span(part.chrom, part.start - length, part.end + length) for part in pieces]
    return "widened", [*_joined(wide), *_outside(parts, wide)]


def _outside(parts: list[Part], spans: list[Span]) -> list[Span]:
    """Parts that no span holds: the input's bases that moved elsewhere."""
    return _joined(
        [
            Span(part.chrom, part.start, part.end)
            for part in parts
            if not any(span.holds(part) for span in spans)
        ]
    )


def _joined(spans: list[Span]) -> list[Span]:
    """Union of spans, sorted; those that touch become one."""
    return [Span(*one) for one in union((span.chrom, span.start, span.end) for span in spans)]


def _some(named: list[tuple[str, str]]) -> str:
    shown = [name for _, name in named[:_NAMED]]
    return "; ".join(shown) + ("; ..." if len(named) > _NAMED else "")
