"""Sums per window: all that the metrics need of a file of compressed windows."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from genezip.errors import GenezipError
from genezip.evaluation.windows import N_STRATA, N_TERTILES, Labels
from genezip.inference.table import CompressedFile, CompressedWindow
from genezip.region_classes import CLASS_IDS, MOST_CLASSES

logger = logging.getLogger(__name__)

_N_CELLS = N_STRATA * MOST_CLASSES
_DIG = CLASS_IDS["dig"]

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class WindowSums:
    """Sums of one router over the windows of :class:`Labels`, in the same order.

    ``by_strand`` maps '+' (and 'both', the mean of the strands) to columns:

    - bp, tokens: float64 (n, 4, R), bases and fractional tokens (Eq. 15) by GC stratum and region
    - padding_bp, padding_tokens: float64 (n,), the part of them that is padding (N, dig)
    - bound_bit: float64 (n, S), whether floor or ceiling changed the mask of a stage
    - nll, predicted: float64 (n, R), sum of negative log likelihood (nats) and its bases;
      absent where the router is no language model

    ``target_bpt`` is that of the file, None where it has none or names other classes than the
    corpus.
    """

    name: str
    seed: int | None
    target_bpt: dict[str, float] | None
    info: dict[str, Any]
    by_strand: dict[str, Columns]

    def columns(self, strand: str, chosen: np.ndarray, strict: bool) -> Columns:
        """Columns of some windows; ``strict`` takes padding out of bp and tokens."""
        columns = {name: values[chosen] for name, values in self.by_strand[strand].items()}
        padding_bp, padding_tokens = columns.pop("padding_bp"), columns.pop("padding_tokens")
        if strict:
            for name, padding in (("bp", padding_bp), ("tokens", padding_tokens)):
                columns[name] = columns[name].copy()
                columns[name][:, N_TERTILES, _DIG] -= padding
            # Exactly zero, not a rounding remainder, where padding was all there was.
            columns["tokens"][columns["bp"] == 0] = 0
        return columns


def window_columns(window: CompressedWindow, cells: np.ndarray, classes: int) -> Columns:
    """Sums of one window; shapes as in :class:`WindowSums` without the first axis.

    Parameters
    ----------
    cells : as in :class:`Labels`
    classes : number of region classes, R
    """

    def by_cell(weights: np.ndarray | None = None) -> np.ndarray:
        counts = np.bincount(cells, weights=weights, minlength=_N_CELLS)
        return counts.reshape(N_STRATA, MOST_CLASSES)[:, :classes]

    density = window.token_density()
    real = window.end - window.start
    columns: Columns = {
        "bp": by_cell().astype(np.float64),
        "tokens": by_cell(density),
        "padding_bp": np.array(float(window.length - real)),
        "padding_tokens": np.array(density[real:].sum()),
        "bound_bit": window.bound_bit.astype(np.float64),
    }
    if window.nll is not None:
        predicted = np.isfinite(window.nll)
        region = cells[predicted] % MOST_CLASSES
        columns["predicted"] = np.bincount(region, minlength=classes).astype(np.float64)
        columns["nll"] = np.bincount(region, weights=window.nll[predicted], minlength=classes)
    return columns


def _targets(file: CompressedFile, labels: Labels) -> dict[str, float] | None:
    """Targets of the file, if its classes are those of the corpus.

    A target is asked for bases of a class; where the corpus calls other bases by that name,
    or has a class that no target was set for, the budget says nothing.
    """
    own, here = set(file.target_bpt or {}), set(labels.region_classes.names)
    if file.target_bpt is None or own == here:
        return file.target_bpt
    odd = ", ".join(sorted(own ^ here))
    logger.warning(
        f"{file.name} was made for other region classes than the corpus has ({odd}); metrics "
        "that need its targets are left out"
    )
    return None


def collect(file: CompressedFile, labels: Labels) -> WindowSums:
    """Sums of every labelled window of a file (windows of other splits are passed over).

    A warning is logged where the targets of the file do not fit the classes of the corpus.

    Raises
    ------
    GenezipError
        If a window is unknown to the corpus, has another length, or is missing.
    """
    found: dict[str, dict[int, Columns]] = {"+": {}, "-": {}}
    for window in file.windows():
        if window.split != labels.split:
            continue
        where = f"{window.chrom}:{window.start}-{window.end}"
        number = labels.index.get((window.chrom, window.start, window.end))
        if number is None or len(labels.cells[number]) != window.length:
            raise GenezipError(
                f"window {where} of {file.path} is not in the corpus; compress the held-out "
                "windows of this corpus again"
            )
        found[window.strand][number] = window_columns(
            window, labels.cells[number], len(labels.region_classes)
        )
    n_windows = len(labels.cells)
    for strand, columns in found.items():
        if len(columns) != n_windows and (strand == "+" or columns):
            raise GenezipError(
                f"{file.path} has {len(columns)} of the {n_windows} held-out windows on strand "
                f"{strand}; compress the held-out windows of this corpus again"
            )
    stacked = {
        strand: _stack([columns[number] for number in range(n_windows)])
        for strand, columns in found.items()
        if columns
    }
    by_strand = {"+": stacked["+"]}
    if "-" in stacked:
        by_strand["both"] = {
            name: (values + stacked["-"][name]) / 2 for name, values in stacked["+"].items()
        }
    targets = _targets(file, labels)
    return WindowSums(file.name, file.seed, targets, file.info, by_strand)


def _stack(windows: list[Columns]) -> Columns:
    return {name: np.stack([columns[name] for columns in windows]) for name in windows[0]}
