"""Do token boundaries align with sites? Statistics at sites, and three controls.

Sites are positions with a strand: start codons, splice sites, transcription start sites. A rate at
sites means nothing alone, because boundaries follow composition and are clustered:

- circular shifts of the boundaries along their record keep both their number and their spacing
  (:func:`shift_test`);
- decoys are other positions with the dinucleotide of the sites in the same kind of sequence, since
  a router may know nothing but ``GT``, or others around which DNA has the composition of the sites
  (:func:`decoys`, :func:`decoy_test`);
- a shuffle of the sequence that keeps all its dinucleotide counts shows what the model makes of
  composition alone (:func:`dinucleotide_shuffle`).

A p-value of n random draws is (1 + draws at least as large) / (1 + n), so it is never 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import stats

from genezip.alphabet import A_ID, reverse_complement
from genezip.errors import GenezipError
from genezip.inference.forward import routed
from genezip.log import progress
from genezip.models.base import Compressor
from genezip.models.compressed import Compressed, check_tokens

_TIES = 1e-9  # values this close are equal: sums of the same numbers in another order
_THRESHOLD = 0.5  # a token begins where the probability is above it


@dataclass(frozen=True)
class BoundaryTrack:
    """Boundaries of one sequence of L bases.

    Attributes
    ----------
    hard : bool array, shape (S, L), whether a token of each stage begins at each base; the
        boundaries of a stage are among those of the stage before it
    prob : float32 array, shape (L,), or None, boundary probability of the first stage
    """

    hard: np.ndarray
    prob: np.ndarray | None = None

    def eligible(self, stage: int) -> np.ndarray:
        """Bases at which a token of the stage could begin, bool (L,): those of the stage before."""
        return np.ones_like(self.hard[0]) if stage == 0 else self.hard[stage - 1]

    def part(self, start: int, end: int, reverse: bool = False) -> "BoundaryTrack":
        """The bases [start, end), from the last to the first if ``reverse``."""
        step = -1 if reverse else 1
        prob = None if self.prob is None else self.prob[start:end][::step]
        return BoundaryTrack(self.hard[:, start:end][:, ::step], prob)


def boundary_track(found: Compressed, name: str, first_stage: bool = False) -> BoundaryTrack:
    """Boundaries of every stage of a result of the compressor ``name``, or of the first alone.

    The last stage has the tokens; the earlier ones follow from the probabilities, which is refused
    where a bound overruled them. A system without tokens of more than one base is refused, too. The
    first stage of a system that gives no probabilities has the boundaries of its tokens.
    """
    stages = len(found.stage_tokens)
    if stages == 0:
        raise GenezipError(
            f"{name} has no boundaries, as every base is a token; name a model that cuts DNA into "
            "tokens"
        )
    if first_stage and found.boundary_prob is not None:
        return BoundaryTrack(found.boundary_prob[None] > _THRESHOLD, found.boundary_prob)
    hard = np.zeros((1 if first_stage else stages, found.length), dtype=bool)
    hard[-1, found.token_starts] = True
    if len(hard) > 1:
        if found.boundary_prob is None or len(found.inner_prob) != stages - 1:
            raise GenezipError(
                f"{name} has {stages} stages but gives no boundary probability of each, so the "
                "boundaries of its stages are unknown; name another model"
            )
        positions = np.arange(found.length)
        for stage, prob in enumerate((found.boundary_prob, *found.inner_prob)[:-1]):
            positions = positions[prob > _THRESHOLD]
            if found.bound_active[stage] or len(positions) != found.stage_tokens[stage]:
                raise GenezipError(
                    f"a bound on the tokens of {name} overruled its stage {stage}, so the "
                    "boundaries of its stages are unknown; give --bound none"
                )
            hard[stage, positions] = True
    return BoundaryTrack(hard, found.boundary_prob)


def boundary_tracks(
    compressor: Compressor,
    sequences: Sequence[np.ndarray],
    batch_bp: int,
    first_stage: bool = False,
) -> list[BoundaryTrack]:
    """Boundaries of sequences of token ids, in their order; of all stages or the first alone.

    Sequences of like length are encoded together, ``batch_bp`` bases with padding at most; a
    longer one is alone.
    """
    longest = compressor.max_bp
    lengths = np.array([len(ids) for ids in sequences], dtype=np.int64)
    if longest is not None and len(lengths) and lengths.max() > longest:
        raise GenezipError(
            f"{compressor.name} reads at most {longest:,} bases at once, but a window has "
            f"{lengths.max():,}; set a shorter window_bp (alignment, codon_phase)"
        )
    batches: list[list[int]] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        if batches and lengths[number] * (len(batches[-1]) + 1) <= batch_bp:
            batches[-1].append(number)
        else:
            batches.append([number])
    found: dict[int, BoundaryTrack] = {}
    for batch in progress(batches, f"boundaries of {compressor.name}", unit="batch"):
        encoded = routed(compressor, [sequences[number] for number in batch])
        for number, one in zip(batch, encoded, strict=True):
            check_tokens(one, compressor.name, len(sequences[number]))
            found[number] = boundary_track(one, compressor.name, first_stage)
    return [found[number] for number in range(len(sequences))]


def around(
    values: np.ndarray, positions: np.ndarray, strands: np.ndarray, before: int, after: int
) -> np.ndarray:
    """Values around sites of one record, read along the strand of each site.

    Parameters
    ----------
    values : array, shape (L,), one value per base
    positions : int64 array, shape (n,)
    strands : int array, shape (n,), 1 or -1
    before, after : bases before and after the site

    Returns
    -------
    float64 array, shape (n, before + 1 + after), NaN outside the record
    """
    offsets = np.arange(-before, after + 1)
    places = np.asarray(positions)[:, None] + offsets * np.asarray(strands)[:, None]
    inside = (places >= 0) & (places < len(values))
    found = np.asarray(values, dtype=np.float64)[np.where(inside, places, 0)]
    return np.where(inside, found, np.nan)


def permutation_p(observed: float, null: np.ndarray) -> float:
    """p of an observed value against random draws, one-sided: are the draws as large?

    It is NaN where the value is undefined; undefined draws are left out.
    """
    draws = null[np.isfinite(null)]
    if not np.isfinite(observed) or not len(draws):
        return float("nan")
    reach = observed - _TIES * max(abs(observed), 1e-300)
    return float((1 + (draws >= reach).sum()) / (1 + len(draws)))


@dataclass(frozen=True)
class Intervals:
    """Values along one record, and intervals [starts, ends) in it, 0-based, below its length.

    ``values`` and ``eligible`` have shape (L,): a rate is the sum of the first over that of the
    second inside the intervals.
    """

    values: np.ndarray
    eligible: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class ShiftTest:
    """A rate in intervals, the same rate after each random shift, and the p-value."""

    observed: float
    null: np.ndarray
    p: float


def shift_test(records: Sequence[Intervals], shifts: int, rng: np.random.Generator) -> ShiftTest:
    """Rate of values inside intervals against random circular shifts of every record's values.

    Each record is shifted by its own offset from 0 to L - 1.
    """
    above, below = np.zeros((2, 1 + shifts))
    for record in records:
        length = len(record.values)
        moved = np.append(0, rng.integers(0, length, shifts))
        size = record.ends - record.starts
        at = (record.starts - moved[:, None]) % length  # (1 + n, intervals)
        for sums, values in ((above, record.values), (below, record.eligible)):
            twice = np.concatenate([values, values]).astype(np.float64)
            until = np.concatenate([[0.0], np.cumsum(twice)])
            sums += (until[at + size] - until[at]).sum(axis=1)
    rates = np.divide(above, below, out=np.full(1 + shifts, np.nan), where=below > 0)
    return ShiftTest(float(rates[0]), rates[1:], permutation_p(float(rates[0]), rates[1:]))


@dataclass(frozen=True)
class Decoys:
    """Decoys of sites: positions and strands, and how many sites have none."""

    positions: np.ndarray
    strands: np.ndarray
    sites_without: int


def decoys(
    ids: np.ndarray,
    positions: np.ndarray,
    strands: np.ndarray,
    kinds: np.ndarray,
    per_site: int,
    rng: np.random.Generator,
    offset: int = 0,
    apart: int = 1,
    avoid: np.ndarray | None = None,
    span: tuple[int, int] | None = None,
) -> Decoys:
    """Random positions with the dinucleotide of the sites, in the same kind of sequence.

    With ``span`` they have the counts of A, C, G and T of the sites instead.

    Parameters
    ----------
    ids : uint8 array of token ids, shape (L,), one record on the plus strand
    positions, strands : sites, shape (n,), strands 1 or -1
    kinds : int array, shape (L,), kind of sequence of every base (intron, coding, ...)
    per_site : decoys for each site; they are drawn twice only where there are too few
    offset : first base of the dinucleotide, counted from the site along its strand
    apart : least distance of a decoy from any site (bp)
    avoid : bool array, shape (L,), bases that are no decoys either, such as sites that were not
        drawn
    span : first of the counted bases and the first behind them, from the site along its strand
    """
    length = len(ids)
    sites = np.asarray(positions, dtype=np.int64)
    free = np.ones(length, dtype=bool) if avoid is None else ~avoid
    for step in range(-apart + 1, apart):
        near = sites + step
        free[near[(near >= 0) & (near < length)]] = False
    found, turned, without = [], [], 0
    for strand in (1, -1):
        # the record along the strand, so that one rule serves both
        along = ids if strand == 1 else reverse_complement(ids)
        kind, open_ = kinds[::strand], free[::strand]
        mine = sites[np.asarray(strands) == strand]
        mine = mine if strand == 1 else length - 1 - mine
        code = _dinucleotides(along, offset) if span is None else _compositions(along, *span)
        group = code + (code.max(initial=0) + 1) * kind.astype(np.int64)
        group[code < 0] = np.iinfo(np.int64).min  # other letters than A, C, G and T
        pool = np.flatnonzero(open_ & (code >= 0))
        pool = pool[np.argsort(group[pool], kind="stable")]
        ranked = group[pool]
        for value, count in zip(*np.unique(group[mine], return_counts=True), strict=True):
            candidates = pool[slice(*np.searchsorted(ranked, [value, value + 1]))]
            if not len(candidates):
                without += int(count)
                continue
            wanted = int(count) * per_site
            chosen = rng.choice(candidates, wanted, replace=len(candidates) < wanted)
            found.append(chosen if strand == 1 else length - 1 - chosen)
            turned.append(np.full(wanted, strand))
    nothing = np.zeros(0, dtype=np.int64)
    return Decoys(
        np.concatenate([nothing, *found]), np.concatenate([nothing, *turned]), int(without)
    )


def _dinucleotides(ids: np.ndarray, offset: int) -> np.ndarray:
    """Number (0 to 15) of the dinucleotide at each position plus ``offset``; -1 where unknown."""
    bases = ids.astype(np.int64) - A_ID
    known = (bases >= 0) & (bases < 4)
    pairs = np.where(known[:-1] & known[1:], 4 * bases[:-1] + bases[1:], -1)
    places = np.arange(len(ids)) + offset
    inside = (places >= 0) & (places < len(pairs))
    return np.where(inside, pairs[np.where(inside, places, 0)], -1)


def _compositions(ids: np.ndarray, first: int, last: int) -> np.ndarray:
    """Number of the counts of A, C, G and T in the bases ``first`` to ``last`` - 1 from each
    position, int64; -1 where one of them is unknown.
    """
    length, size = len(ids), last - first
    starts = np.arange(length) + first
    inside = (starts >= 0) & (starts + size <= length)
    starts = np.where(inside, starts, 0)
    found, total = np.zeros((2, length), dtype=np.int64)
    for base in range(A_ID, A_ID + 4):
        until = np.concatenate([[0], np.cumsum(ids == base)])
        count = until[np.minimum(starts + size, length)] - until[starts]
        total += count
        found = found * (size + 1) + count
    return np.where(inside & (total == size), found, -1)


@dataclass(frozen=True)
class DecoyTest:
    """Mean value at sites and at decoys, and p of a one-sided Mann-Whitney test."""

    sites: float
    decoys: float
    p: float


def decoy_test(at_sites: np.ndarray, at_decoys: np.ndarray) -> DecoyTest:
    """Are the values at sites larger than those at decoys? Arrays of shape (n,) and (m,)."""
    if not len(at_sites) or not len(at_decoys):
        raise GenezipError(
            f"{len(at_sites)} sites and {len(at_decoys)} decoys cannot be compared; give at least "
            "one of each"
        )
    found = stats.mannwhitneyu(at_sites, at_decoys, alternative="greater")
    return DecoyTest(float(np.mean(at_sites)), float(np.mean(at_decoys)), float(found.pvalue))


def dinucleotide_shuffle(ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random sequence with the same dinucleotide counts, and the same first and last base.

    A sequence is a path through a graph with a letter at each vertex and a dinucleotide at each
    edge; any path over the same edges has their counts (Altschul and Erickson 1985, Mol. Biol.
    Evol. 2, 526). The last edges out of all letters but the final one form a tree towards it; the
    tree is drawn among all of them by its number of edge choices, then the other edges out of each
    letter are put in random order. All distinct sequences are equally likely.

    Parameters
    ----------
    ids : uint8 array of any few values, shape (L,)
    """
    if len(ids) < 3:
        return ids.copy()
    letters, path = np.unique(ids, return_inverse=True)
    counts = np.zeros((len(letters), len(letters)), dtype=np.int64)
    np.add.at(counts, (path[:-1], path[1:]), 1)
    last = _last_edges(counts, int(path[-1]), rng)
    following: list[list[int]] = []
    for letter, row in enumerate(counts):
        rest = row.copy()
        if letter in last:
            rest[last[letter]] -= 1
        order = rng.permutation(np.repeat(np.arange(len(letters)), rest)).tolist()
        if letter in last:
            order.append(last[letter])
        following.append(order[::-1])  # the next one is at the end
    walk = [int(path[0])]
    for _ in range(len(ids) - 1):
        walk.append(following[walk[-1]].pop())
    return letters[np.array(walk)]


def _last_edges(counts: np.ndarray, final: int, rng: np.random.Generator) -> dict[int, int]:
    """Letter -> next letter at its last visit: a random tree towards ``final``.

    All choices are listed: of few letters there are at most some hundred (4 to the power of 4).
    """
    vertices = [v for v in range(len(counts)) if v != final]
    options = [[u for u in np.flatnonzero(counts[v]).tolist() if u != v] for v in vertices]
    trees, weights = [], []
    for choice in product(*options):
        edges = dict(zip(vertices, choice, strict=True))
        if all(_leads_to(v, final, edges) for v in vertices):
            trees.append(edges)
            weights.append(float(np.prod([counts[v, u] for v, u in edges.items()])))
    shares = np.array(weights) / np.sum(weights)
    return trees[int(rng.choice(len(trees), p=shares))]


def _leads_to(vertex: int, final: int, edges: dict[int, int]) -> bool:
    for _ in range(len(edges)):
        if vertex == final:
            return True
        vertex = edges[vertex]
    return vertex == final
