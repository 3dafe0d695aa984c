"""Boundary alignment: do tokens begin at sites of genes more than their controls explain?

A window around every site is read along the strand of the site (``+``) and against it (``-``,
where a boundary between two bases belongs to the base on its other side). The signal is the
boundary probability of the first stage, or the boundary itself (0 or 1) of a system without one.

- ``enrichment``: mean signal within 2 bases of the sites over the mean elsewhere in the same
  windows (40 bases on either side, 120 of splice sites). 1 is no alignment.
- Its p-value has the signal of every window shifted circularly by an offset of its own.
- The same number of decoys, of k-mers with equal composition and of shuffled windows stands in the
  row of the sites (:mod:`genezip.evaluation.genes.site_windows`), with the difference, its interval
  and the p of a Mann-Whitney test of single windows. An enrichment that a control has too says
  that the model knows the dinucleotide, or the composition, and not the site.
- ``auroc`` and ``auprc``: every window is cut into stretches of 5 bases, one of them around the
  site, and the highest signal in a stretch is its score. They have a chance level of 0.5, and of
  one over the stretches of a window.

Blocks of neighbouring DNA are resampled. The q-values are those of Benjamini and Hochberg over all
kinds of sites and both strands of one model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from genezip.alphabet import reverse_complement
from genezip.artifacts.scores import ALIGNMENT, ALIGNMENT_SCORES, SITE_CONTROLS, Metric, Row, cell
from genezip.evaluation.boundaries import (
    BoundaryTrack,
    Intervals,
    around,
    boundary_tracks,
    decoy_test,
    shift_test,
)
from genezip.evaluation.genes.site_windows import SETS, SITES, KindWindows, ReadWindow
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, interval_note, ratio, scarcer
from genezip.metrics.ranking import auprc, auroc
from genezip.models.base import Compressor

PROFILE_COLUMNS = (
    "model",
    "seed",
    "subset",
    "split",
    "strand",
    "set",
    "offset",
    "mean",
    "sem",
    "n",
)
"""Columns of the profile: mean signal and its standard error at a distance (bp) from the site, of
the sites and of each control."""

TOLERANCE = 2
_WIDTH = 2 * TOLERANCE + 1  # bases that count as near, and length of a stretch


@dataclass(frozen=True)
class Around:
    """Signal around n sites along their strand, float64 (n, 2 reach + 1), and blocks of DNA."""

    values: np.ndarray
    blocks: np.ndarray

    @property
    def reach(self) -> int:
        """Bases on either side."""
        return self.values.shape[1] // 2

    @property
    def sums(self) -> np.ndarray:
        """Sum near the site, sum elsewhere, and 1 for each window: float64 (n, 3)."""
        middle = self.values[:, self.reach - TOLERANCE : self.reach + TOLERANCE + 1].sum(axis=1)
        rest = self.values.sum(axis=1) - middle
        return np.column_stack([middle, rest, np.ones(len(self.values))])

    def enrichment(self, sums: np.ndarray) -> np.ndarray:
        """Enrichment of sums over windows, (..., 3) -> (...); NaN without any."""
        elsewhere = self.values.shape[1] - _WIDTH
        near = ratio(sums[..., 0], sums[..., 2] * _WIDTH)
        return ratio(near, ratio(sums[..., 1], sums[..., 2] * elsewhere))


@dataclass(frozen=True)
class AlignmentSettings:
    """Sizes of the random controls: shifts, resamples of the bootstrap, seed; bases of a batch."""

    shifts: int = 1000
    bootstrap: int = 4000
    seed: int = 0
    batch_bp: int = 65_536


@dataclass
class Alignment:
    """Result of one model: rows of :data:`ALIGNMENT_SCORES`, and the profile around sites."""

    rows: list[Row] = field(default_factory=list)
    profile: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PROFILE_COLUMNS))


def alignment(
    compressor: Compressor,
    kinds: Sequence[KindWindows],
    settings: AlignmentSettings,
    split: str,
    scale: str,
    source: str,
) -> Alignment:
    """Boundary alignment of one model at all kinds of sites.

    ``split``, ``scale`` and ``source`` are cells of the rows. A kind without any site in the split
    has a row without values.
    """
    cells = {
        "model": compressor.name,
        "task": ALIGNMENT,
        "split": split,
        "seed": compressor.metadata.get("seed"),
        "scale": scale,
        "source": source,
        "signal": "probability" if compressor.gives_prob else "boundary",
        "metric": Metric.ENRICHMENT,
        "unit": "sites",
    }
    found, profiles = Alignment(), []
    for windows in kinds:
        for strand in "+-":
            rng = np.random.default_rng([settings.seed, strand == "-"])
            read = {
                name: read_around(compressor, windows, name, strand, settings.batch_bp)
                for name in SETS
            }
            common = {**cells, "subset": windows.kind.name, "strand": strand}
            found.rows.append(_row(read, windows, settings, rng, common))
            profiles += _profile(read, common)
    for control in ("", *(f"{name}_" for name in SITE_CONTROLS)):
        adjust(found.rows, f"{control}p", f"{control}q")
    found.profile = pd.DataFrame(profiles, columns=list(PROFILE_COLUMNS))
    return found


def read_around(
    compressor: Compressor, windows: KindWindows, name: str, strand: str, batch_bp: int
) -> Around:
    """Signal around the sites or the controls ``name``; strand ``-`` reads against the sites."""
    chosen: list[ReadWindow] = windows.windows[name]
    sequences = [one.ids if strand == "+" else reverse_complement(one.ids) for one in chosen]
    tracks = boundary_tracks(compressor, sequences, batch_bp, first_stage=True)
    if strand == "-":
        tracks = [track.part(0, track.hard.shape[1], reverse=True) for track in tracks]
    reach, forward = windows.reach, np.ones(1, dtype=int)
    rows = [
        around(_signal(track), np.array([one.offset]), forward, reach, reach)
        for track, one in zip(tracks, chosen, strict=True)
    ]
    values = np.concatenate(rows) if rows else np.zeros((0, 2 * reach + 1))
    return Around(values, np.array([one.block for one in chosen], dtype=str))


def _signal(track: BoundaryTrack) -> np.ndarray:
    """Boundary probability of the first stage, or its boundaries where there is none."""
    return track.hard[0].astype(np.float64) if track.prob is None else track.prob


def _row(
    read: Mapping[str, Around],
    windows: KindWindows,
    settings: AlignmentSettings,
    rng: np.random.Generator,
    cells: dict[str, Any],
) -> Row:
    """The row of one kind of site and one direction."""
    sites = read[SITES]
    n = len(sites.values)
    row = {**cells, "n": n, "found": windows.found}
    if not n:
        return ALIGNMENT_SCORES.row(**row, note="no such site")
    bootstrap = BlockBootstrap(sites.blocks, settings.bootstrap, settings.seed)
    total = sites.sums.sum(axis=0)
    row["near"] = cell(total[0] / (n * _WIDTH))
    row["elsewhere"] = cell(total[1] / (n * (sites.values.shape[1] - _WIDTH)))
    sums = bootstrap.sums({"all": sites.sums})["all"]
    own = bootstrap.summarise(sites.enrichment(sums), scale="ratio")
    row |= _limits(own, "value", "ci_low", "ci_high")
    row["blocks"] = bootstrap.n_blocks
    row["p"] = cell(shift_p(sites, settings.shifts, rng))
    for name in SITE_CONTROLS:
        row |= _against(sites, read[name], name, settings)
    truth, score, blocks = stretches_of(sites)
    units = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    for name, metric in (("auroc", auroc), ("auprc", auprc)):
        values = units.of_weights(lambda weights, metric=metric: metric(truth, score, weights))  # type: ignore[misc]
        row |= _limits(units.summarise(values, scale="share"), name, f"{name}_low", f"{name}_high")
    row["auprc_chance"] = cell(truth.mean())
    note = interval_note(float(own.value), float(own.low), int(own.blocks))
    without = [f"{k} sites without {name}" for name, k in windows.without.items() if k]
    row["note"] = "; ".join(filter(None, [note, *without])) or None
    return ALIGNMENT_SCORES.row(**row)


def _limits(estimate: Estimate, value: str, low: str, high: str) -> dict[str, float | None]:
    """Cells of an estimate."""
    parts = (estimate.value, estimate.low, estimate.high)
    return {name: cell(part) for name, part in zip((value, low, high), parts, strict=True)}


def shift_p(sites: Around, shifts: int, rng: np.random.Generator) -> float:
    """p of the enrichment against circular shifts of the signal of every window.

    A shift leaves the sum over a window as it is, so the sum near the sites decides.
    """
    ones = np.ones(sites.values.shape[1])
    near = np.array([sites.reach - TOLERANCE]), np.array([sites.reach + TOLERANCE + 1])
    records = [Intervals(values, ones, *near) for values in sites.values]
    return shift_test(records, shifts, rng).p


def _against(
    sites: Around, control: Around, name: str, settings: AlignmentSettings
) -> dict[str, Any]:
    """Enrichment of a control, and that of the sites minus it."""
    row: dict[str, Any] = {f"{name}_n": len(control.values)}
    if not len(control.values):
        return row
    row[f"{name}_value"] = cell(control.enrichment(control.sums.sum(axis=0)))
    row |= _limits(
        difference(sites, control, settings.bootstrap, settings.seed),
        *(f"{name}_difference{end}" for end in ("", "_low", "_high")),
    )
    singles = [one.enrichment(one.sums) for one in (sites, control)]
    known = [values[np.isfinite(values)] for values in singles]
    if all(map(len, known)):
        row[f"{name}_p"] = decoy_test(*known).p
    return row


def difference(sites: Around, control: Around, resamples: int, seed: int) -> Estimate:
    """Enrichment of sites minus that of a control; both leave out the same blocks of DNA.

    There is no interval where fewer than 3 blocks have sites, or controls.
    """
    blocks = np.concatenate([sites.blocks, control.blocks])
    bootstrap = BlockBootstrap(blocks, resamples, seed)
    together = np.zeros((len(blocks), 2, 3))
    together[: len(sites.blocks), 0] = sites.sums
    together[len(sites.blocks) :, 1] = control.sums
    sums = bootstrap.sums({"all": together})["all"]
    values = sites.enrichment(sums[:, 0]) - control.enrichment(sums[:, 1])
    held = scarcer(*(bootstrap.support(together[:, number, 2]) for number in (0, 1)))
    return bootstrap.summarise(values, held)


def stretches_of(sites: Around) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stretches of 5 bases: whether each holds the site, its highest signal, its block of DNA.

    Bases at the ends of a window that fill no stretch are left out.
    """
    aside = (sites.reach - TOLERANCE) // _WIDTH
    outer = TOLERANCE + aside * _WIDTH
    inner = sites.values[:, sites.reach - outer : sites.reach + outer + 1]
    score = inner.reshape(len(inner), 2 * aside + 1, _WIDTH).max(axis=2)
    truth = np.zeros(score.shape, dtype=np.int64)
    truth[:, aside] = 1
    return truth.ravel(), score.ravel(), np.repeat(sites.blocks, score.shape[1])


def adjust(rows: Sequence[Row], p: str, q: str) -> None:
    """Set q-values (Benjamini-Hochberg) of a column of p-values; empty ones do not count."""
    known = [row for row in rows if row[p] is not None]
    if known:
        values = stats.false_discovery_control([row[p] for row in known])
        for row, value in zip(known, values, strict=True):
            row[q] = float(value)


def _profile(read: Mapping[str, Around], cells: dict[str, Any]) -> list[dict[str, Any]]:
    """Mean and standard error at every distance, of the sites and of each control."""
    rows = []
    own = {name: cells.get(name) for name in PROFILE_COLUMNS}
    for name, found in read.items():
        n = len(found.values)
        if not n:
            continue
        mean = found.values.mean(axis=0)
        error = (
            found.values.std(axis=0, ddof=1) / np.sqrt(n) if n > 1 else np.full(len(mean), np.nan)
        )
        for number, (value, spread) in enumerate(zip(mean, error, strict=True)):
            offset = number - found.reach
            rows.append(
                {**own, "set": name, "offset": offset, "mean": value, "sem": cell(spread), "n": n}
            )
    return rows
