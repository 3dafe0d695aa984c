"""Rows about the held-out windows themselves (model ``corpus``): what stands behind intervals.

An interval over windows that come from few blocks of DNA is wide however many windows there
are, so the number of blocks is given for every subset: those with any base of it (region
``all``) and those with promoter bases (region ``promoter``: the group of that name, which
holds the classes of the user that were put into it).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from genezip.artifacts.scores import CORPUS, GC_TERTILE_MEAN, GC_TERTILES, Row
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.window_sums import WindowSums
from genezip.evaluation.windows import N_TERTILES, Labels, Subset
from genezip.metrics.bootstrap import Estimate
from genezip.region_classes import RegionClasses


def _fact(value: Any, subset: Subset, *regions: str) -> tuple[Any, ...]:
    """A value without an interval, as :func:`expand` takes it."""
    value = np.asarray(value, dtype=np.float64)
    nowhere = np.full(value.shape, np.nan)
    return regions, Estimate(value, nowhere, nowhere), np.array(int(subset.chosen.sum()))


def _promoter(bp: np.ndarray, region_classes: RegionClasses) -> np.ndarray:
    """Bases of the promoter group: (..., R) -> (...)."""
    ids = [region_classes.ids[name] for name in region_classes.groups["promoter"]]
    return np.asarray(bp[..., ids].sum(axis=-1))


def block_counts(bp: np.ndarray, subset: Subset, region_classes: RegionClasses) -> np.ndarray:
    """Blocks with any base and blocks with promoter bases: (n, ..., R) -> int64 (..., 2)."""
    counted = np.stack([bp.sum(axis=-1), _promoter(bp, region_classes)], axis=-1)
    return np.asarray(subset.bootstrap.support(counted).sum(axis=0))


def window_facts(labels: Labels, sums: WindowSums) -> Iterator[tuple[str, Found]]:
    """Blocks of both subsets of windows; bases are equal in the sums of any router."""
    for subset in labels.subsets:
        bp = sums.columns("+", subset.chosen, subset.strict)["bp"].sum(axis=1)
        blocks = block_counts(bp, subset, labels.region_classes)
        yield subset.name, {"blocks": _fact(blocks, subset, "all", "promoter")}


def tertile_facts(labels: Labels, sums: WindowSums) -> Iterator[tuple[str, Found]]:
    """Upper GC edge, promoter share and blocks of each tertile; the fewest blocks of any."""
    subset = labels.subsets[1]
    bp = sums.columns("+", subset.chosen, subset.strict)["bp"][:, :N_TERTILES]
    blocks, total = block_counts(bp, subset, labels.region_classes), bp.sum(axis=0)
    promoter = _promoter(total, labels.region_classes)
    for number, name in enumerate(GC_TERTILES):
        found: Found = {"blocks": _fact(blocks[number], subset, "all", "promoter")}
        if number < N_TERTILES - 1:
            found["gc_upper_edge"] = _fact(labels.gc_edges[number], subset, "all")
        share = promoter[number] / max(total[number].sum(), 1)
        found["region_share"] = _fact(share, subset, "promoter")
        yield name, found
    yield GC_TERTILE_MEAN, {"blocks": _fact(blocks.min(axis=0), subset, "all", "promoter")}


def corpus_rows(
    labels: Labels, sums: WindowSums, task: str, scale: str, source: str, *, tertiles: bool
) -> list[Row]:
    """Result rows of model ``corpus``; ``sums`` of any router tells the bases."""
    facts = [*window_facts(labels, sums), *(tertile_facts(labels, sums) if tertiles else ())]
    rows = []
    for name, found in facts:
        rows += expand(
            found,
            model=CORPUS,
            task=task,
            subset=name,
            split=labels.split,
            strand="+",
            scale=scale,
            source=source,
        )
    return rows
