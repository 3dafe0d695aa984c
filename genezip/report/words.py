"""Formatting of numbers and names for all chapters."""

import math
from collections.abc import Callable

from genezip.report.scores import FEW, Number


def plain(value: float, digits: int = 3) -> str:
    """A number with significant digits, separated thousands and a true minus sign."""
    if not math.isfinite(value):
        return "not defined"
    if value == 0:
        return "0"
    return fixed(value, max(digits - 1 - math.floor(math.log10(abs(value))), 0))


def fixed(value: float, decimals: int = 2) -> str:
    """A number with fixed decimals; enrichments and their differences have two."""
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text.replace("-", "−")


def measured(number: Number | None, show: Callable[[float], str] = fixed) -> str:
    """A value with its interval in brackets, or a dash without a value.

    An interval that rests on few blocks is marked: ``1.23 (0.50 to 1.90, few blocks)``.
    """
    if number is None:
        return "–"
    if number.low is None or number.high is None:
        return show(number.value)
    mark = f", {FEW}" if number.few else ""
    return f"{show(number.value)} ({show(number.low)} to {show(number.high)}{mark})"


def decimals_of(*values: float | None, least: int = 2) -> int:
    """Fewest decimals with which no nonzero value is written as zero (six at most)."""
    known = [value for value in values if value]
    return next((d for d in range(least, 6) if all(round(v, d) for v in known)), 6)


def signed(number: Number, brackets: bool = True) -> str:
    """A difference with its sign and its interval, whose ends are not rounded to zero.

    Without ``brackets``, ``+0.53, 0.23 to 0.78``: for use inside brackets.
    """
    decimals = decimals_of(number.value, number.low, number.high)
    text = measured(number, lambda value: fixed(value, decimals))
    text = text.replace("(", "(95 % interval ")
    if not brackets:
        text = text.replace(" (95 % interval ", ", ").removesuffix(")")
    return f"+{text}" if number.value > 0 else text


def listed(items: list[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def seeds_named(seeds: list[int]) -> str:
    """``seed 0`` or ``seeds 0, 1 and 2``."""
    return f"seed{'s' if len(seeds) > 1 else ''} {listed([str(seed) for seed in seeds])}"


def four(value: float) -> str:
    """A perplexity with four significant digits."""
    return plain(value, 4)


def capital(text: str) -> str:
    """The text with a capital first letter; other letters are kept."""
    return text[:1].upper() + text[1:]


def per_seed(seeds: list[int], values: list[str]) -> str:
    """Values of all seeds in one cell, with their seeds where there are several."""
    if len(seeds) > 1:
        values = [f"seed {seed}: {value}" for seed, value in zip(seeds, values, strict=False)]
    return "; ".join(values)


def verdicts_of(
    seeds: list[int],
    numbers: list[Number | None],
    words: dict[str, str],
    side: Callable[[int, Number], str],
) -> str:
    """Verdicts with their numbers; seeds with the same verdict are listed together.

    Parameters
    ----------
    seeds, numbers : one number per training seed
    words : side of :meth:`Number.side` -> verdict
    side : seed and number -> side
    """
    groups: dict[str, list[tuple[int, Number]]] = {}
    for seed, number in zip(seeds, numbers, strict=True):
        if number:
            groups.setdefault(words[side(seed, number)], []).append((seed, number))
    if not groups:
        return "not computed"
    parts = []
    for phrase, members in groups.items():
        named = [(f"seed {seed}: " if len(seeds) > 1 else "") + _from_one(n) for seed, n in members]
        parts.append(f"{listed(named)}, {phrase}")
    return "; ".join(parts)


def _from_one(number: Number) -> str:
    """A ratio whose interval ends are not rounded to 1."""
    apart = [end - 1 for end in (number.low, number.high) if end is not None]
    decimals = decimals_of(*apart)
    return measured(number, lambda value: fixed(value, decimals))
