"""Local BPT in repeats: does the router spend fewer tokens on them, and is it their place?

Local BPT of a set A of bases is |A| / T_A with the fractional tokens of Eq. 15; above the
background means fewer tokens. Bases that are N, padding, or in a window with many N do not
count. The sets and their backgrounds are those of :mod:`genezip.evaluation.repeat_sets`.

Repeats are rare in promoters, where tokens are dense, so the plain ratio mixes the region
budget with the repeat. Hence the ratio within each region class, and ``region_adjusted``:
tokens expected from the background density of the regions that A covers, over tokens
observed. The control shifts all repeat intervals of a segment by one random offset (circular
inside the segment) and takes the same ratios.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from genezip.artifacts.scores import CORPUS, DNA_SCORES, Row
from genezip.config import Evaluation
from genezip.evaluation.repeat_counts import Tally
from genezip.evaluation.repeat_sets import SCHEMES
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, interval_note, scarcer
from genezip.metrics.compression import with_all


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def ratios(
    bp: np.ndarray, tokens: np.ndarray, codes: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """BPT of a set, its ratio to the background, and the ratio adjusted for regions.

    Parameters
    ----------
    bp, tokens : float arrays, shape (..., codes, R)
    codes : codes of the set; the background is code 0

    Returns
    -------
    bpt, ratio : shape (..., R + 1), all regions first, then each
    adjusted : shape (..., 1), expected over observed tokens; bases in a region without
        background are left out
    """
    set_bp, set_tokens = (values[..., list(codes), :].sum(-2) for values in (bp, tokens))
    rest_bp, rest_tokens = bp[..., 0, :], tokens[..., 0, :]

    bpt = _divide(with_all(set_bp), with_all(set_tokens))
    ratio = bpt / _divide(with_all(rest_bp), with_all(rest_tokens))
    usable = rest_bp > 0
    expected = np.where(usable, set_bp * _divide(rest_tokens, rest_bp), 0).sum(-1)
    observed = np.where(usable, set_tokens, 0).sum(-1)
    return bpt, ratio, _divide(expected, observed)[..., None]


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
    """Result rows; n counts bases of the set (shifts for the control).

    Every set has a row ``bp`` of the model ``corpus``, its bases, also where there are none: such
    a set has no other row, and a reader must see that it was looked for.
    """
    rows: list[Row] = []
    for (split, scheme_name), tally in tallies.items():
        scheme = SCHEMES[scheme_name]
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
                    strand="+", metric="bp", value=float(bases), n=int(bases), unit="bases",
                    scale=scale, source=source,
                )
            )  # fmt: skip
        for number, router in enumerate(tally.routers):
            tokens = np.concatenate([segment[number] for segment in tally.tokens])
            sums = bootstrap.sums({"bp": bp[used], "tokens": tokens[used]})
            for name, codes in sets.items():
                cells = {"model": router.name, "seed": router.seed, "subset": name}
                cells |= {"task": "repeats", "split": split, "strand": "+"}
                cells |= {"scale": scale, "source": source}
                n = bp[:, list(codes)].sum(axis=(0, 1))
                bases = np.append(n.sum(), n)
                bpt, ratio, adjusted = ratios(sums["bp"], sums["tokens"], codes)
                whole = bootstrap.summarise(bpt, blocks[name], "ratio")
                rows += _rows("bpt", regions, whole, bases, "bases", cells)
                if name == scheme.background:
                    continue
                _, moved, moved_adjusted = ratios(
                    tally.shifted_bp, tally.shifted_tokens[number], codes
                )
                both = scarcer(blocks[name], blocks[scheme.background])
                shifts = np.where(bases > 0, settings.shifts, 0)
                for metric, values, control in (
                    ("bpt_ratio", ratio, moved),
                    ("bpt_ratio_region_adjusted", adjusted, moved_adjusted),
                ):
                    estimate = bootstrap.summarise(values, both[:, : values.shape[1]], "ratio")
                    rows += _rows(metric, regions, estimate, bases, "bases", cells)
                    moved_by = _control(control)
                    rows += _rows(f"{metric}_shifted", regions, moved_by, shifts, "shifts", cells)
    return rows


def _rows(
    metric: str,
    regions: tuple[str, ...],
    estimate: Estimate,
    n: Iterable[float],
    unit: str,
    common: dict[str, Any],
) -> list[Row]:
    """One row per region, or one alone (the first region) for a single value."""
    blocks = np.broadcast_to(estimate.blocks, estimate.value.shape)
    return [
        DNA_SCORES.row(
            region=region, metric=metric, value=value, ci_low=low, ci_high=high, n=int(count),
            unit=unit, blocks=int(held) or None, note=interval_note(value, low, int(held)),
            **common,
        )
        for region, value, low, high, held, count in zip(
            regions, estimate.value, estimate.low, estimate.high, blocks, n, strict=False
        )
        if count
    ]  # fmt: skip
