"""Repeats of the simulated genome: interspersed families and tandem repeats."""

from dataclasses import dataclass

import numpy as np

from genezip.genome.sources.simulated_genes import A, C, G, N, T


@dataclass(frozen=True)
class Family:
    """An interspersed repeat family; copies differ from ``consensus`` by substitutions."""

    name: str
    kind: str  # class/family as in RepeatMasker
    consensus: np.ndarray
    divergence: float
    truncated: bool  # copies keep only their 3' end, like LINEs
    share: float  # of all copies


# name, class/family, bp, GC, divergence, truncated, share of copies
_FAMILIES = (
    ("simAluY", "SINE/Alu", 300, 0.62, 0.08, False, 0.34),
    ("simAluJ", "SINE/Alu", 300, 0.58, 0.16, False, 0.16),
    ("simMIR", "SINE/MIR", 180, 0.45, 0.26, False, 0.14),
    ("simL1", "LINE/L1", 6000, 0.41, 0.12, True, 0.16),
    ("simMLT", "LTR/ERVL-MaLR", 420, 0.44, 0.20, False, 0.12),
    ("simMER", "DNA/hAT-Charlie", 220, 0.38, 0.22, False, 0.08),
)
_CPG_LOST = 0.78
_COVER = 0.45  # share of the free sequence that becomes interspersed repeats
_TRF_SPACING_BP = 2500
_PERIODS = np.array([1, 2, 3, 4, 5, 6, 12, 24, 33, 60])
_PERIOD_SHARES = np.array([0.25, 0.22, 0.06, 0.14, 0.08, 0.05, 0.06, 0.05, 0.05, 0.04])


def draw_families(rng: np.random.Generator) -> list[Family]:
    """Draw the consensus sequence of every family."""
    found = []
    for name, kind, length, gc, divergence, truncated, share in _FAMILIES:
        consensus = random_bases(length, gc, rng)
        if kind.startswith(("SINE/Alu", "LINE")):
            consensus[-18:] = A  # the tail of a retrotransposon
        found.append(Family(name, kind, consensus, divergence, truncated, share))
    return found


def random_bases(length: int, gc: float, rng: np.random.Generator) -> np.ndarray:
    """Independent bases with a GC content (uint8 codes)."""
    strong = rng.random(length) < gc
    second = rng.random(length) < 0.5
    return np.where(strong, np.where(second, C, G), np.where(second, A, T)).astype(np.uint8)


def decay_cpg(bases: np.ndarray, rng: np.random.Generator) -> None:
    """Turn in place most CpG into TpG or CpA, as deamination does outside CpG islands."""
    cpg = np.flatnonzero((bases[:-1] == C) & (bases[1:] == G))
    lost = cpg[rng.random(cpg.size) < _CPG_LOST]
    on_plus = rng.random(lost.size) < 0.5
    bases[lost[on_plus]] = T
    bases[lost[~on_plus] + 1] = A


def _mutate(copy: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    hit = np.flatnonzero(rng.random(copy.size) < rate)
    copy[hit] = (copy[hit] + rng.integers(1, 4, size=hit.size)) % 4
    return copy


def _free_slots(
    lengths: np.ndarray, mean_gap: float, taken: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Starts of separate intervals of the given lengths; -1 for intervals on taken bases."""
    gaps = rng.exponential(mean_gap, size=lengths.size).astype(np.int64) + 2
    starts = np.cumsum(gaps + lengths) - lengths
    sums = np.concatenate([[0], np.cumsum(taken, dtype=np.int64)])
    fits = starts + lengths <= taken.size
    ends = np.minimum(starts + lengths, taken.size)
    clean = sums[ends] == sums[np.minimum(starts, taken.size)]
    return np.where(fits & clean, starts, -1)


def insert_interspersed(
    chrom: str,
    genome: np.ndarray,
    taken: np.ndarray,
    masked: np.ndarray,
    families: list[Family],
    rng: np.random.Generator,
) -> list[str]:
    """Insert copies into free sequence, in place; return rows of a RepeatMasker ``.out``.

    Parameters
    ----------
    genome : base codes, uint8 array, shape (L,)
    taken : bases where no repeat is allowed, bool array, shape (L,); the copies are added
    masked : soft-masked bases, bool array, shape (L,); the copies are added
    """
    mean = sum(f.share * (1200 if f.truncated else f.consensus.size) for f in families)
    count = int(genome.size / mean) + 10
    kinds = rng.choice(len(families), size=count, p=[family.share for family in families])
    lengths = np.array([families[kind].consensus.size for kind in kinds])
    long = np.array([families[kind].truncated for kind in kinds])
    lengths[long] = np.clip(rng.exponential(1100, size=int(long.sum())), 120, 6000).astype(int)
    starts = _free_slots(lengths, mean * (1 - _COVER) / _COVER, taken, rng)
    rows: list[str] = []
    for kind, length, start in zip(kinds, lengths, starts, strict=True):
        if start < 0:
            continue
        family, end = families[kind], int(start + length)
        rate = float(np.clip(rng.normal(family.divergence, 0.03), 0.01, 0.35))
        original = family.consensus[family.consensus.size - length :]
        copy = _mutate(original.copy(), rate, rng)
        decay_cpg(copy, rng)
        rate = float((copy != original).mean())
        plus = rng.random() < 0.5
        genome[start:end] = copy if plus else 3 - copy[::-1]
        taken[start:end] = masked[start:end] = True
        begin, left = family.consensus.size - length + 1, genome.size - end
        last = family.consensus.size
        at = f"+ {family.name} {family.kind} {begin} {last} (0)"
        if not plus:
            at = f"C {family.name} {family.kind} (0) {last} {begin}"
        score = max(1, int(length * (9 - 18 * rate)))
        rows.append(
            f"{score} {100 * rate:.1f} 0.0 0.0 {chrom} {start + 1} {end} ({left}) {at} "
            f"{len(rows) + 1}\n"
        )
    return rows


def insert_tandem(
    chrom: str,
    genome: np.ndarray,
    taken: np.ndarray,
    masked: np.ndarray,
    rng: np.random.Generator,
) -> list[str]:
    """Insert tandem repeats into free sequence, in place; return rows of UCSC simpleRepeat.

    Periods up to 12 are soft-masked, as by UCSC.
    """
    count = int(genome.size / _TRF_SPACING_BP) + 5
    periods = rng.choice(_PERIODS, size=count, p=_PERIOD_SHARES)
    copies = rng.uniform(2.2, 9, size=count) + np.where(periods < 7, 24 / periods, 0)
    lengths = np.maximum((periods * copies).astype(np.int64), 25)
    starts = _free_slots(lengths, _TRF_SPACING_BP, taken, rng)
    rows: list[str] = []
    for period, length, start in zip(periods, lengths, starts, strict=True):
        if start < 0:
            continue
        end, rate = int(start + length), float(rng.uniform(0, 0.1))
        unit = random_bases(int(period), 0.4, rng) if period > 1 else np.array([A], np.uint8)
        if period > 1 and (unit == unit[0]).all():
            unit[0] = (unit[0] + 1) % 4  # else the period would be 1
        block = _mutate(np.resize(unit, length), rate, rng)
        genome[start:end] = block
        taken[start:end] = True
        masked[start:end] |= period <= 12
        rows.append(_trf_row(chrom, int(start), end, unit, block, rate))
    return rows


def _trf_row(
    chrom: str, start: int, end: int, unit: np.ndarray, block: np.ndarray, rate: float
) -> str:
    share = np.bincount(block, minlength=N)[:N] / block.size
    entropy = float(-(share[share > 0] * np.log2(share[share > 0])).sum()) + 0.0
    match = round(100 * (1 - rate))
    a, c, g, t = (int(100 * value) for value in share)
    word = "".join("ACGT"[code] for code in unit)
    score = 2 * int(block.size * (1 - rate))
    return (
        f"{chrom}\t{start}\t{end}\ttrf\t{unit.size}\t{block.size / unit.size:.1f}\t{unit.size}\t"
        f"{match}\t0\t{score}\t{a}\t{c}\t{g}\t{t}\t{entropy:.2f}\t{word}\n"
    )
