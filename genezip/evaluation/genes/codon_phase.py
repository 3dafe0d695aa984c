"""Codon phase: do token boundaries follow the reading frame of genes?

A sample of coding sequences is read with flanks, in the direction of each gene (strand ``+``) and
against it (``-``), and once more with shuffled dinucleotides between start and stop codon. The base
with which a token begins has a codon position; start and stop codons themselves are left out.

- ``boundary_rate``: tokens over bases, by codon position; of a later stage tokens over the tokens
  of the stage before, which is what that stage decides.
- ``period3_amplitude``: amplitude of a cosine of three bases through the three rates, pooled over
  genes, so a period counts only as far as its phase is that of the codons.
- ``phase_lock``: every gene has the vector sum (h - r e) exp(-2 pi i x / 3) over its bases x, where
  h marks boundaries, e the bases that could have one, and r is the gene's own rate. The value is
  the length of the mean of their directions: 1 if all genes have one phase, 0 if none is preferred.
- ``period3_power``: of the Fourier power of the same signal at one third and at ten frequencies
  beside it, the share at one third: 1/11 without a period, 1 for a fixed grid of 3. It needs no
  common phase, so the grid has all the power and no lock.

Amplitude and lock have a p-value: the boundaries of every gene are shifted by a random offset,
circularly inside the gene, which keeps their rate and spacing but not their frame. The distance
from the ends of a window to its gene has every remainder equally often, so that a grid cannot be in
frame by construction.

Long windows give rates by feature, as the dnaHNet paper does (arXiv 2602.10603): start and stop
codons, coding bases, promoters (100 bases before a start codon that are in no gene) and intergenic
bases, with intervals over eighths of windows. Both directions are read there: ``+`` counts the
genes of the direction that is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from genezip.alphabet import reverse_complement
from genezip.artifacts.published import published_table
from genezip.artifacts.scores import (
    CODON_PHASE,
    CODON_POSITIONS,
    DNA_SCORES,
    P_VALUE,
    PAPER,
    PUBLISHED_DNAHNET,
    SHIFTED,
    SHUFFLED,
    Metric,
    Row,
    of_stage,
)
from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.evaluation.boundaries import (
    BoundaryTrack,
    Intervals,
    around,
    boundary_tracks,
    dinucleotide_shuffle,
    permutation_p,
    shift_test,
)
from genezip.evaluation.compression import Found, expand
from genezip.evaluation.genes.gene_windows import FEATURES, OrganismWindows
from genezip.genome.coding import GeneWindow
from genezip.genome.intervals import true_runs
from genezip.metrics.bootstrap import BlockBootstrap, Estimate, ratio
from genezip.models.base import Compressor

PROFILE_COLUMNS = (
    *("model", "seed", "subset", "split", "strand", "stage", "site", "offset"),
    *("rate", "ci_low", "ci_high", "n", "prob"),
)
"""Columns of the profile: the rate at a distance (bp) from the first base of the start or stop
codon; ``prob`` is the mean probability of stage 0, empty elsewhere."""

_TURN = np.exp(-2j * np.pi * np.arange(3) / 3)  # of each codon position
# frequencies near one third, in steps of 1 / length; the next ones share power with it
_NEAR = (-6, -5, -4, -3, -2, 0, 2, 3, 4, 5, 6)
_CODING = ("coding",)
_PUBLISHED_REGIONS = {
    "global": "all",
    "promoter": "promoter",
    "start codon": "start_codon",
    "coding region": "coding",
    "stop codon": "stop_codon",
    "intergenic": "intergenic",
    **{f"codon position {n}": f"codon_{n}" for n in (1, 2, 3)},
}
_BLOCKS = 8  # blocks of a long window for the bootstrap


@dataclass(frozen=True)
class PhaseCounts:
    """Boundaries of G genes by codon position, between start and stop codon.

    Attributes
    ----------
    length : int64 array, shape (G,), bases, a multiple of 3
    hard, eligible : float64 arrays, shape (G, S, 3), boundaries of each stage, and bases that could
        have one
    prob : float64 array, shape (G, 3), or None, summed probability of stage 0
    power, near : float64 arrays, shape (G, S), power at one third, and there and beside it together
    """

    length: np.ndarray
    hard: np.ndarray
    eligible: np.ndarray
    prob: np.ndarray | None
    power: np.ndarray
    near: np.ndarray

    @property
    def stages(self) -> int:
        """Number of stages, S."""
        return self.hard.shape[1]

    def vectors(self) -> np.ndarray:
        """Phase vector of every gene and stage, complex128 (G, S)."""
        rate = ratio(self.hard.sum(-1), self.eligible.sum(-1))
        return (self.hard - np.nan_to_num(rate)[..., None] * self.eligible) @ _TURN

    def directions(self) -> np.ndarray:
        """Phase vectors of length 1, complex128 (G, S); 0 for a gene without any phase."""
        vectors = self.vectors()
        size = np.abs(vectors)
        known = size > 1e-9 * np.maximum(self.hard.sum(-1), 1)
        return np.where(known, vectors / np.where(known, size, 1), 0)


def amplitude(rates: np.ndarray) -> np.ndarray:
    """Amplitude of the cosine of period 3 through three rates, (..., 3) -> (...)."""
    return np.abs(rates @ _TURN) * 2 / 3


def count_phases(tracks: Sequence[BoundaryTrack]) -> PhaseCounts:
    """Counts of tracks that each cover the whole codons of one gene."""

    def by_position(values: np.ndarray) -> np.ndarray:
        return values.reshape(*values.shape[:-1], -1, 3).sum(axis=-2).astype(np.float64)

    hard, eligible, prob, power, near = [], [], [], [], []
    for track in tracks:
        can = np.stack([track.eligible(stage) for stage in range(len(track.hard))])
        hard.append(by_position(track.hard))
        eligible.append(by_position(can))
        if track.prob is not None:
            prob.append(by_position(track.prob))
        rate = np.nan_to_num(ratio(track.hard.sum(-1), can.sum(-1)))
        spectrum = np.abs(np.fft.rfft(track.hard - rate[:, None] * can)) ** 2
        third = track.hard.shape[1] // 3
        power.append(spectrum[:, third])
        near.append(spectrum[:, [third + step for step in _NEAR]].sum(axis=1))
    return PhaseCounts(
        np.array([track.hard.shape[1] for track in tracks]),
        np.array(hard),
        np.array(eligible),
        np.array(prob) if len(prob) == len(tracks) else None,
        np.array(power),
        np.array(near),
    )


@dataclass(frozen=True)
class ShiftedPhases:
    """Amplitude and lock after each random shift: float64 arrays, shape (n, S)."""

    amplitude: np.ndarray
    lock: np.ndarray


def shift_phases(counts: PhaseCounts, shifts: int, rng: np.random.Generator) -> ShiftedPhases:
    """Shift the boundaries of every gene circularly by its own offset from 0 to L - 1.

    The length L is a multiple of 3, so a shift only turns the codon positions of the gene: its
    counts and its phase vector say what the shifted boundaries would.
    """
    turns = rng.integers(0, counts.length, (shifts, len(counts.length))) % 3
    positions = (np.arange(3) - np.arange(3)[:, None]) % 3  # [shift, position] -> position before
    hard, eligible = np.zeros((2, shifts, *counts.hard.shape[1:]))
    directions = counts.directions()
    lock = np.zeros((shifts, counts.stages), dtype=complex)
    for turn in range(3):
        chosen = (turns == turn).astype(np.float64)  # (n, G)
        for sums, values in ((hard, counts.hard), (eligible, counts.eligible)):
            moved = values[..., positions[turn]]
            sums += (chosen @ moved.reshape(len(moved), -1)).reshape(sums.shape)
        lock += chosen @ (directions * _TURN[turn])
    return ShiftedPhases(amplitude(ratio(hard, eligible)), np.abs(lock) / len(directions))


def phase_metrics(counts: PhaseCounts, bootstrap: BlockBootstrap, suffix: str = "") -> Found:
    """Rates by codon position, amplitude, lock and power of every stage, with intervals."""
    directions = counts.directions()
    columns = {
        "one": np.ones(len(counts.length)),
        "hard": counts.hard,
        "eligible": counts.eligible,
        "real": directions.real,
        "imaginary": directions.imag,
        "power": counts.power,
        "near": counts.near,
    }
    sums = bootstrap.sums(columns)
    rates = ratio(sums["hard"], sums["eligible"])
    support = bootstrap.support(counts.eligible)
    genes, n = np.array(len(counts.length)), np.array([len(counts.length)] * 3)
    lock = np.hypot(sums["real"], sums["imaginary"]) / sums["one"][:, None]
    power = ratio(sums["power"], sums["near"])
    found: Found = {}
    for stage in range(counts.stages):

        def name(metric: str, stage: int = stage) -> str:
            return of_stage(metric, stage) + suffix

        here = bootstrap.summarise(rates[:, stage], support[:, stage], "share")
        found[name(Metric.BOUNDARY_RATE)] = (CODON_POSITIONS, here, n)
        for metric, values in (
            (Metric.PERIOD3_AMPLITUDE, amplitude(rates[:, stage])),
            (Metric.PHASE_LOCK, lock[:, stage]),
            (Metric.PERIOD3_POWER, power[:, stage]),
        ):
            found[name(metric)] = (_CODING, bootstrap.summarise(values, scale="share"), genes)
    if counts.prob is not None:
        sums = bootstrap.sums({"prob": counts.prob, "bases": counts.eligible[:, 0]})
        means = ratio(sums["prob"], sums["bases"])
        found[Metric.BOUNDARY_PROB + suffix] = (
            CODON_POSITIONS,
            bootstrap.summarise(means, scale="share"),
            n,
        )
    return found


def _quantiles(null: np.ndarray) -> Estimate:
    """Mean of random draws and their 2.5 % and 97.5 % quantiles; NaN where none is defined."""
    draws = null[np.isfinite(null)]
    parts = (draws.mean(), *np.quantile(draws, [0.025, 0.975])) if len(draws) else [np.nan] * 3
    return Estimate(*(np.array(float(part)) for part in parts))


def _plain(value: float) -> Estimate:
    return Estimate(np.array(value), np.array(np.nan), np.array(np.nan))


def shift_metrics(counts: PhaseCounts, shifts: int, rng: np.random.Generator) -> Found:
    """Amplitude and lock after random shifts (mean and quantiles), and the p of both."""
    null, found = shift_phases(counts, shifts, rng), Found()
    pooled = ratio(counts.hard.sum(0), counts.eligible.sum(0))
    locks = np.abs(counts.directions().mean(axis=0))
    for metric, observed, draws in (
        (Metric.PERIOD3_AMPLITUDE, amplitude(pooled), null.amplitude),
        (Metric.PHASE_LOCK, locks, null.lock),
    ):
        for stage in range(counts.stages):
            name = of_stage(metric, stage)
            p = permutation_p(float(observed[stage]), draws[:, stage])
            found[name + SHIFTED] = (_CODING, _quantiles(draws[:, stage]), np.array(shifts))
            found[name + P_VALUE] = (_CODING, _plain(p), np.array(shifts))
    return found


@dataclass(frozen=True)
class PhaseSettings:
    """Sizes of the random controls: shifts, resamples of the bootstrap, seed; bases of a batch."""

    shifts: int = 999
    bootstrap: int = 4000
    seed: int = 0
    batch_bp: int = 65_536
    reach: int = 60


@dataclass
class CodonPhase:
    """Result of one model on one organism: score rows and the profile around start and stop."""

    rows: list[Row] = field(default_factory=list)
    profile: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=PROFILE_COLUMNS))


def codon_phase(
    compressor: Compressor,
    organism: OrganismWindows,
    settings: PhaseSettings,
    scale: str,
    source: str,
) -> CodonPhase:
    """Codon phase of one model in one organism.

    ``scale`` and ``source`` are cells of the score rows.
    """
    if not organism.genes:
        raise GenezipError(f"{organism.name} has no coding sequence to read; annotate its genes")
    rng = np.random.default_rng([settings.seed, 1])
    seed = compressor.metadata.get("seed")
    cells = {
        "model": compressor.name,
        "task": CODON_PHASE,
        "subset": organism.name,
        "split": organism.split,
        "seed": seed,
        "scale": scale,
        "source": source,
    }
    genes, result, profiles = organism.genes, CodonPhase(), []
    bootstrap = BlockBootstrap(np.arange(len(genes)), settings.bootstrap, settings.seed)
    readings = {
        "+": [gene.window.ids for gene in genes],
        "-": [reverse_complement(gene.window.ids) for gene in genes],
        SHUFFLED: [_shuffled(gene.window, gene.length, rng) for gene in genes],
    }
    for reading, sequences in readings.items():
        tracks = boundary_tracks(compressor, sequences, settings.batch_bp)
        if reading == "-":  # in the direction of the gene again
            tracks = [track.part(0, track.hard.shape[1], reverse=True) for track in tracks]
        inside = [
            track.part(gene.window.offset + 3, gene.window.offset + gene.length - 3)
            for track, gene in zip(tracks, genes, strict=True)
        ]
        counts = count_phases(inside)
        strand = "+" if reading == SHUFFLED else reading
        common = {**cells, "strand": strand}
        suffix = SHUFFLED if reading == SHUFFLED else ""
        result.rows += expand(phase_metrics(counts, bootstrap, suffix), unit="genes", **common)
        if reading == SHUFFLED:
            continue
        shifted = shift_metrics(counts, settings.shifts, rng)
        result.rows += expand(shifted, unit="shifts", **common)
        profiles += _profile(tracks, organism, bootstrap, settings.reach, common)
    result.rows += _feature_rows(compressor, organism, settings, cells, rng)
    result.profile = pd.DataFrame(profiles, columns=list(PROFILE_COLUMNS))
    return result


def _shuffled(window: GeneWindow, length: int, rng: np.random.Generator) -> np.ndarray:
    """The window with shuffled dinucleotides between its start and stop codon."""
    ids = window.ids.copy()
    inside = slice(window.offset + 3, window.offset + length - 3)
    ids[inside] = dinucleotide_shuffle(ids[inside], rng)
    return ids


def _profile(
    tracks: Sequence[BoundaryTrack],
    organism: OrganismWindows,
    bootstrap: BlockBootstrap,
    reach: int,
    cells: dict,
) -> list[dict]:
    """Rate at every distance from the start and the stop codon, by stage."""
    rows = []
    for site in ("start", "stop"):
        at = [
            gene.window.offset + (0 if site == "start" else gene.length - 3)
            for gene in organism.genes
        ]

        def near(values: np.ndarray, place: int) -> np.ndarray:
            return around(values, np.array([place]), np.ones(1, dtype=int), reach, reach)[0]

        for stage in range(len(tracks[0].hard)):
            can = np.stack([near(t.eligible(stage), x) for t, x in zip(tracks, at, strict=True)])
            hard = np.stack([near(t.hard[stage], x) for t, x in zip(tracks, at, strict=True)])
            can, hard = np.nan_to_num(can), np.nan_to_num(hard)
            sums = bootstrap.sums({"hard": hard, "can": can})
            found = bootstrap.summarise(
                ratio(sums["hard"], sums["can"]), bootstrap.support(can), "share"
            )
            prob = np.full(2 * reach + 1, np.nan)
            if stage == 0 and all(track.prob is not None for track in tracks):
                known = [near(t.prob, x) for t, x in zip(tracks, at, strict=True)]  # type: ignore[arg-type]
                prob = np.nanmean(np.stack(known), axis=0)
            for number in range(2 * reach + 1):
                rows.append(
                    {
                        **{name: cells.get(name) for name in PROFILE_COLUMNS},
                        "stage": stage,
                        "site": site,
                        "offset": number - reach,
                        "rate": found.value[number],
                        "ci_low": found.low[number],
                        "ci_high": found.high[number],
                        "n": int(can[:, number].sum()),
                        "prob": prob[number],
                    }
                )
    return rows


def _feature_rows(
    compressor: Compressor,
    organism: OrganismWindows,
    settings: PhaseSettings,
    cells: dict,
    rng: np.random.Generator,
) -> list[Row]:
    """Rates by feature in long windows, and their p against shifted boundaries."""
    windows = organism.windows
    if not windows:
        return []
    forward = boundary_tracks(compressor, [w.ids for w in windows], settings.batch_bp)
    other = [reverse_complement(window.ids) for window in windows]
    backward = [
        track.part(0, track.hard.shape[1], reverse=True)
        for track in boundary_tracks(compressor, other, settings.batch_bp)
    ]
    blocks = np.arange(len(windows) * _BLOCKS)
    bootstrap = BlockBootstrap(blocks, settings.bootstrap, settings.seed)
    rows: list[Row] = []
    for strand, opposite in ("+-", "-+"):
        read = [(track, w.features[strand]) for track, w in zip(forward, windows, strict=True)]
        read += [(track, w.features[opposite]) for track, w in zip(backward, windows, strict=True)]
        for stage in range(len(forward[0].hard)):
            found, tests = _by_feature(read, stage, bootstrap, settings.shifts, rng)
            common = {**cells, "strand": strand}
            rows += expand(found, unit="blocks", **common)
            rows += expand(tests, unit="shifts", **common)
    return rows


def _by_feature(
    read: Sequence[tuple[BoundaryTrack, np.ndarray]],
    stage: int,
    bootstrap: BlockBootstrap,
    shifts: int,
    rng: np.random.Generator,
) -> tuple[Found, Found]:
    """Rate of a stage in every feature, then p of each rate.

    ``read`` has boundaries and features of all windows in one direction, then in the other.
    """
    n = len(FEATURES)
    counted = np.zeros((2, len(read), _BLOCKS, n))
    for number, (track, features) in enumerate(read):
        block = np.arange(len(features)) * _BLOCKS // len(features)
        cells = block * n + features
        for counts, mask in zip(counted, (track.hard[stage], track.eligible(stage)), strict=True):
            counts[number] = np.bincount(cells[mask], minlength=_BLOCKS * n).reshape(_BLOCKS, n)
    # both directions of a block together: (hard or can, windows * blocks, features)
    counted = counted.reshape(2, 2, -1, n).sum(axis=1)
    regions = ("all", *FEATURES[1:])
    hard, can = np.concatenate([counted.sum(-1, keepdims=True), counted[..., 1:]], axis=-1)
    sums = bootstrap.sums({"hard": hard, "can": can})
    rates = bootstrap.summarise(ratio(sums["hard"], sums["can"]), bootstrap.support(can), "share")
    name = of_stage(Metric.BOUNDARY_RATE, stage)
    found: Found = {name: (regions, rates, (can > 0).sum(axis=0))}
    p = []
    for code in range(1, n):
        runs = [true_runs(features == code) for _, features in read]
        records = [
            Intervals(track.hard[stage], track.eligible(stage), *places)
            for (track, _), places in zip(read, runs, strict=True)
        ]
        p.append(shift_test(records, shifts, rng).p)
    values = np.array(p)
    nowhere = np.full(len(p), np.nan)
    tests: Found = {
        name + P_VALUE: (FEATURES[1:], Estimate(values, nowhere, nowhere), np.array(shifts))
    }
    return found, tests


def published_rows(scale: str) -> list[Row]:
    """Published rates of dnaHNet in B. subtilis 168 as score rows whose source is ``paper``.

    Stages count from 0 here. The rates of its second stage are over the tokens of the first.
    """
    path = published_table("sister_dnahnet_boundaries")
    columns = ("feature", "stage1_selection_pct", "stage2_selection_pct", "source")
    todo = "restore the published table"
    table = read_tsv(path or "", columns, first=todo, again=todo, separator=",")
    rows = []
    for stage in range(2):
        for feature, percent, where in zip(
            table["feature"], table[f"stage{stage + 1}_selection_pct"], table["source"], strict=True
        ):
            if np.isfinite(percent):
                rows.append(
                    DNA_SCORES.row(
                        model=PUBLISHED_DNAHNET,
                        task=CODON_PHASE,
                        subset="Bacillus subtilis 168",
                        region=_PUBLISHED_REGIONS[feature],
                        metric=of_stage(Metric.BOUNDARY_RATE, stage),
                        value=round(percent / 100, 6),
                        scale=scale,
                        note=where,
                        source=PAPER,
                    )
                )
    return rows
