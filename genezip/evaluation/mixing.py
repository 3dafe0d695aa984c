"""A context-mixing model of DNA: the strongest language model here that has no network.

Twelve context models, of orders 1 to 16, count the bases that followed each context. Every base
also updates the counts of the reverse complement strand (inverted repeats): where x follows the
context c, the complement of the oldest base of c follows the reverse complement of the rest and x.
A repeat model follows the last occurrence of the 16 bases before it, on either strand, and
tolerates substitutions. The log probabilities of all models are added with weights and normalised
(logistic mixing),

    p(x) ~ exp(sum_i w_i log(n_i(x) + prior_i)),

and the weights follow the gradient of log p(x_t) after every base. The weight of a model depends on
how much it has counted in this context, and on how long the repeat model has been right. So the
probability of a base depends on the bases before it alone, counts and weights adapt as the model
reads, and the same sequences always give the same numbers. N breaks every context and is not
predicted. Context mixing: Mahoney (2005), Florida Tech CS-2005-16; for DNA with inverted repeats
and tolerance: GeCo2, Pratas et al. (2019), doi:10.1007/978-3-030-23873-5_17.

Orders to 11 have a cell of four 16-bit counts for every context. Higher orders share tables of
2^24 cells at most, of four 4-bit counts and a 16-bit check: a context that finds another one in its
cell replaces it. With the positions of the repeat model that is 45 MB + 64 MB x (orders above 11 +
1), and one byte for every base read (:attr:`MixingModel.memory_bytes`).

A held-out window is read with everything that the model learned from the windows' own bases, and
nothing from other windows: :meth:`MixingModel.score` remembers each cell before it is changed, and
puts all of them back. Importing this module compiles nothing; the first use takes seconds, and the
compiled code is kept where numba may write.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np

from genezip.alphabet import A_ID, is_base
from genezip.compiled import compiled

ORDERS = (1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14, 16)
MOST_ORDER = 24  # a context and its base fit 64 bits
LONGEST_DIRECT = 11  # orders above it are hashed
MOST_BITS = 24  # cells of a hashed table, as a power of two
LEAST_BITS = 12

_N = 4  # digit of N
_LIMIT = 4000  # a 16-bit count that reaches it is halved with the other three
_MOST_NIBBLE = 15
_NIBBLES = 0x7777  # four 4-bit counts after a shift by one, without bits of their neighbours
_WORDS = 0x7FFF7FFF7FFF7FFF  # the same of four 16-bit counts
_CHECK = 0xFFFF
_HASH = 0x1E3779B97F4A7C15
_DIRECT_PRIOR = 1.0
_HASHED_PRIOR = {12: 1 / 4, 13: 1 / 8}  # of longer contexts:
_LONG_PRIOR = 1 / 16

_WORD = 16  # bases that begin a repeat
_VERIFIED = 32  # bases of a new repeat that are compared at most
_MOST_MISSES = 16  # a repeat with more of them ends; 16 hits in a row make up for one
_STATES = 32  # states of a context model: kinds of counts
_LEVELS = 6  # states of the repeat model that choose weights
_RATE, _HIT_RATE = 0.002, 0.004  # of the weights; of the repeat model's hit rates
_FIRST_WEIGHT, _FIRST_TRUST = 0.15, 0.5

# entries of ``position``
_AT, _PAST, _REVERSED, _RUN, _LOGGED = 0, 1, 2, 3, 4
_POINTER, _HITS, _MISSES = 5, 7, 9  # each of the direct and of the inverted repeat


class _State(NamedTuple):
    """The arrays of a model; n is the number of orders.

    ``position`` holds the place in ``seen``, the last bases and those of the reverse complement
    strand as base-4 digits, the bases since the last N, the length of the log and the repeats.
    """

    orders: np.ndarray  # int64 (n,), ascending
    first: np.ndarray  # int64 (n + 1,): first cell of each order in ``direct`` or ``hashed``, words
    direct_log: np.ndarray  # float64: log(count + prior)
    hashed_log: np.ndarray  # float64 (n, 16): log(count + prior of the order)
    direct: np.ndarray  # int64: cells of four 16-bit counts
    hashed: np.ndarray  # uint32: cells of a check and four 4-bit counts; then words of repeats
    seen: np.ndarray  # uint8: digits read
    position: np.ndarray  # int64 (11,)
    weights: np.ndarray  # float64 (n, _STATES)
    shifts: np.ndarray  # float64 (_LEVELS, n): added to the weights
    hit_rate: np.ndarray  # float64 (128,): of the repeat model, by hits and misses
    trust: np.ndarray  # float64 (128,): its weight


_ADAPTING = ("position", "weights", "shifts", "hit_rate", "trust")  # small: copied, not logged


_compiled = compiled()


@_compiled
def _find(order: int, first: int, mask: int, context: int) -> tuple[int, int]:
    """Number of the cell of a context in its array, and its check."""
    if order <= LONGEST_DIRECT:
        return first + context, 0
    if (1 << (2 * order)) - 1 <= mask:
        return first + context, 1
    mixed = context * _HASH
    return first + ((mixed >> 39) & mask), (mixed >> 23) & _CHECK


@_compiled
def _add_direct(cell: int, base: int) -> int:
    """Four 16-bit counts with one more base."""
    cell += 1 << (16 * base)
    return (cell >> 1) & _WORDS if (cell >> (16 * base)) & _CHECK >= _LIMIT else cell


@_compiled
def _add_hashed(cell: int, check: int, base: int) -> int:
    """A check and four 4-bit counts with one more base; another context is replaced."""
    counts = cell & _CHECK if cell >> 16 == check else 0
    if (counts >> (4 * base)) & _MOST_NIBBLE == _MOST_NIBBLE:
        counts = (counts >> 1) & _NIBBLES
    return (check << 16) | (counts + (1 << (4 * base)))


@_compiled
def _same_before(seen: np.ndarray, one: int, other: int) -> int:
    """Bases that agree before two places of ``seen``, at most ``_VERIFIED``."""
    same = 0
    while same < min(_VERIFIED, one) and seen[one - 1 - same] == seen[other - 1 - same] != _N:
        same += 1
    return same


@_compiled
def _same_inverted(seen: np.ndarray, start: int, end: int) -> int:
    """Bases after ``start`` that are complements of those before ``end``, in reverse order."""
    same = 0
    while same < _VERIFIED and start + same < end:
        if seen[start + same] + seen[end - 1 - same] != 3:
            break
        same += 1
    return same


@_compiled
def _read(state: _State, log: np.ndarray, digits: np.ndarray, nats: np.ndarray) -> None:
    """Read digits (uint8, 4 is N), filling the negative log likelihood (nats) of each, 0 for N.

    ``log``, int64 (k, 2), is filled with the cells before every change, unless k is 0: their number
    in ``direct``, or -1 minus that in ``hashed``, and their value.
    """
    orders, first, position, seen = state.orders, state.first, state.position, state.seen
    direct, hashed, weights, shifts = state.direct, state.hashed, state.weights, state.shifts
    direct_log, hashed_log = state.direct_log, state.hashed_log
    hit_rate, trust = state.hit_rate, state.trust
    n = len(orders)
    words = first[n]
    mask = len(hashed) - words - 1  # cells of a table - 1; that of the words is the last
    longest = max(orders[-1] + 1, _WORD)  # digits of the strands that are kept
    kept, word = (1 << (2 * longest)) - 1, (1 << (2 * _WORD)) - 1
    logged = 0
    logs, p = np.zeros((n, 4)), np.zeros(4)
    found = np.zeros(n, np.int64)
    expected, kind, odds = np.zeros(2, np.int64), np.zeros(2, np.int64), np.zeros(2)
    for t in range(len(digits)):
        base, at = np.int64(digits[t]), position[_AT]
        seen[at] = digits[t]
        at += 1
        position[_AT] = at
        if base == _N:
            position[_RUN] = 0
            position[_POINTER] = position[_POINTER + 1] = -1
            nats[t] = 0.0
            continue
        past, run = position[_PAST], position[_RUN]
        # what the repeats expect
        level = 0
        for strand in range(2):
            expected[strand] = _N
            where = position[_POINTER + strand]
            if where >= 0 and seen[where] != _N:
                copied = np.int64(seen[where])
                expected[strand] = copied if strand == 0 else 3 - copied
                hits, misses = position[_HITS + strand], position[_MISSES + strand]
                level = max(level, 1 + min(hits // 8, _LEVELS - 2))
                kind[strand] = min(hits // 2, 15) * 8 + min(misses, 7)
        # what the contexts expect
        p[:] = 0.0
        for i in range(n):
            found[i] = -1
            order = orders[i]
            if order > run:
                continue
            place, check = _find(order, first[i], mask, past & ((1 << (2 * order)) - 1))
            total, most = np.int64(0), np.int64(0)
            if order <= LONGEST_DIRECT:
                cell = direct[place]
                for x in range(4):
                    count = (cell >> (16 * x)) & _CHECK
                    logs[i, x] = direct_log[count]
                    total += count
                while total > 0:  # bits of the number of bases counted; -1 if there are none
                    total >>= 1
                    found[i] += 1
            else:
                cell = np.int64(hashed[place])
                if cell != 0 and cell >> 16 == check:
                    for x in range(4):
                        count = (cell >> (4 * x)) & _MOST_NIBBLE
                        logs[i, x] = hashed_log[i, count]
                        total += count
                        most = max(most, count)
                    found[i] = 4 * min(int(most), 7) + min(int(total - most), 3)
            if found[i] >= 0:
                weight = weights[i, found[i]] + shifts[level, i]
                for x in range(4):
                    p[x] += weight * logs[i, x]
        for strand in range(2):
            if expected[strand] != _N:
                rate = hit_rate[kind[strand]]
                odds[strand] = math.log(3 * rate / (1 - rate))
                p[expected[strand]] += trust[kind[strand]] * odds[strand]
        highest, norm = p.max(), 0.0
        for x in range(4):
            p[x] = math.exp(p[x] - highest)
            norm += p[x]
        for x in range(4):
            p[x] /= norm
        nats[t] = -math.log(p[base])
        # the base is known from here on: gradient of log p(base) with respect to each weight
        for i in range(n):
            if found[i] >= 0:
                slope = logs[i, base]
                for x in range(4):
                    slope -= p[x] * logs[i, x]
                weights[i, found[i]] += _RATE * slope
                shifts[level, i] += _RATE / 2 * slope
        for strand in range(2):
            if expected[strand] == _N:
                position[_POINTER + strand] = -1
                continue
            hit = 1.0 if expected[strand] == base else 0.0
            slope = odds[strand] * (hit - p[expected[strand]])
            trust[kind[strand]] += _RATE * slope
            hit_rate[kind[strand]] += _HIT_RATE * (hit - hit_rate[kind[strand]])
            if expected[strand] == base:
                position[_HITS + strand] += 1
                if position[_HITS + strand] % 16 == 0 and position[_MISSES + strand] > 0:
                    position[_MISSES + strand] -= 1
            else:
                position[_HITS + strand] = 0
                position[_MISSES + strand] += 1
            # an inverted repeat ends at -1, when it has passed the first base of all
            position[_POINTER + strand] += 1 - 2 * strand
            if position[_MISSES + strand] > _MOST_MISSES:
                position[_POINTER + strand] = -1
        # both strands are counted
        reverse = (position[_REVERSED] >> 2) | ((3 - base) << (2 * (longest - 1)))
        for i in range(n):
            order = orders[i]
            if order > run:
                continue
            for strand in range(2):
                if strand == 0:
                    context, counted = past & ((1 << (2 * order)) - 1), base
                else:
                    context = reverse >> (2 * (longest - order))
                    counted = (reverse >> (2 * (longest - order - 1))) & 3
                place, check = _find(order, first[i], mask, context)
                if order <= LONGEST_DIRECT:
                    cell = direct[place]
                    direct[place] = _add_direct(cell, counted)
                else:
                    cell = np.int64(hashed[place])
                    hashed[place] = _add_hashed(cell, check, counted)
                    place = -1 - place
                if len(log):
                    log[logged, 0], log[logged, 1] = place, cell
                    logged += 1
        past = ((past << 2) | base) & kept
        position[_PAST], position[_REVERSED], position[_RUN] = past, reverse, run + 1
        if run + 1 < _WORD:
            continue
        # repeats of the last word, which is then remembered
        here = words + (((past & word) * _HASH >> 39) & mask)
        if position[_POINTER] < 0:
            start = np.int64(hashed[here])  # place after the word; 0 where there is none
            same = _same_before(seen, start, at)
            if same >= _WORD:
                position[_POINTER], position[_HITS], position[_MISSES] = start, same, 0
        if position[_POINTER + 1] < 0:
            turned = reverse >> (2 * (longest - _WORD))
            start = np.int64(hashed[words + ((turned * _HASH >> 39) & mask)]) - _WORD
            if start > 0:
                same = _same_inverted(seen, start, at)
                if same >= _WORD:
                    position[_POINTER + 1], position[_HITS + 1] = start - 1, same
                    position[_MISSES + 1] = 0
        if len(log):
            log[logged, 0], log[logged, 1] = -1 - here, np.int64(hashed[here])
            logged += 1
        hashed[here] = at
    position[_LOGGED] = logged


@_compiled
def _undo(direct: np.ndarray, hashed: np.ndarray, log: np.ndarray) -> None:
    """Put back every cell of the log, the last change first."""
    for n in range(len(log) - 1, -1, -1):
        place = log[n, 0]
        if place >= 0:
            direct[place] = log[n, 1]
        else:
            hashed[-1 - place] = log[n, 1]


_NO_LOG = np.zeros((0, 2), dtype=np.int64)


class MixingModel:
    """The model: :meth:`read` adapts to sequences, :meth:`score` reads and then forgets.

    ``bases`` is about the number of bases to be read, which sets the size of the hashed tables;
    ``orders`` are the context lengths, 1 to 24, in any order.
    """

    def __init__(self, bases: int, orders: Iterable[int] = ORDERS) -> None:
        chosen = np.array(sorted(set(orders)), dtype=np.int64)
        if not len(chosen) or chosen[0] < 1 or chosen[-1] > MOST_ORDER:
            raise ValueError(f"orders must be between 1 and {MOST_ORDER}, not {list(orders)}")
        # each base is counted on both strands; at most half of the cells are wanted full
        bits = min(max((4 * bases - 1).bit_length(), LEAST_BITS), MOST_BITS)
        n, is_direct = len(chosen), chosen <= LONGEST_DIRECT
        sizes = np.where(is_direct, 4**chosen, 1 << bits)
        first = np.zeros(n + 1, dtype=np.int64)  # the last is that of the words of repeats
        first[:n][is_direct] = np.cumsum(sizes[is_direct]) - sizes[is_direct]
        first[: n + 1][np.append(~is_direct, True)] = np.arange((~is_direct).sum() + 1) << bits
        priors = np.array([_HASHED_PRIOR.get(order, _LONG_PRIOR) for order in chosen.tolist()])
        hits, misses = np.divmod(np.arange(128), 8)
        self._state = _State(
            orders=chosen,
            first=first,
            direct_log=np.log(np.arange(_LIMIT + 1) + _DIRECT_PRIOR),
            hashed_log=np.log(np.arange(_MOST_NIBBLE + 1) + priors[:, None]),
            direct=np.zeros(int(sizes[is_direct].sum()), dtype=np.int64),
            hashed=np.zeros(((~is_direct).sum() + 1) << bits, dtype=np.uint32),
            seen=np.full(bases + 1, _N, dtype=np.uint8),
            position=np.array([0, 0, 0, 0, 0, -1, -1, 0, 0, 0, 0], dtype=np.int64),
            weights=np.full((n, _STATES), _FIRST_WEIGHT),
            shifts=np.zeros((_LEVELS, n)),
            hit_rate=0.3 + 0.65 * hits / 15 * (1 - misses / 10),
            trust=np.full(128, _FIRST_TRUST),
        )
        self._log = _NO_LOG

    @classmethod
    def fit(
        cls, sequences: Iterable[np.ndarray], bases: int, orders: Iterable[int] = ORDERS
    ) -> Self:
        """A model that has read the sequences (uint8 token ids) once, in this order."""
        model = cls(bases, orders)
        for ids in sequences:
            model.read(ids)
        return model

    @property
    def orders(self) -> tuple[int, ...]:
        """Context lengths (bases), ascending."""
        return tuple(self._state.orders.tolist())

    @property
    def memory_bytes(self) -> int:
        """Bytes of all tables, of the bases read and of the log of :meth:`score`."""
        return sum(array.nbytes for array in (*self._state, self._log))

    def read(self, ids: np.ndarray, *, continues: bool = False) -> np.ndarray:
        """Negative log likelihood (nats) of every base, float64 (L,), 0 for N, adapting to them.

        ``ids`` are uint8 token ids (:mod:`genezip.alphabet`). A sequence ``continues`` the last one
        if its first base follows directly; otherwise the first base has no context.
        """
        return self._read(ids, _NO_LOG, continues)

    def score(self, ids: np.ndarray) -> np.ndarray:
        """As :meth:`read` of a new sequence, after which the model is what it was before."""
        changes = (2 * len(self._state.orders) + 1) * len(ids)
        if len(self._log) < changes:
            self._log = np.zeros((changes, 2), dtype=np.int64)
        before = {name: getattr(self._state, name).copy() for name in _ADAPTING}
        nats = self._read(ids, self._log, continues=False)
        logged = int(self._state.position[_LOGGED])
        _undo(self._state.direct, self._state.hashed, self._log[:logged])
        for name, values in before.items():
            getattr(self._state, name)[...] = values
        return nats

    def _read(self, ids: np.ndarray, log: np.ndarray, continues: bool) -> np.ndarray:
        digits = np.where(is_base(ids), ids - A_ID, _N).astype(np.uint8)
        if not continues:
            digits = np.append(np.uint8(_N), digits)
        seen, wanted = self._state.seen, int(self._state.position[_AT]) + len(digits)
        if wanted > len(seen):
            longer = np.full(max(wanted, len(seen) * 5 // 4), _N, dtype=np.uint8)
            longer[: len(seen)] = seen
            self._state = self._state._replace(seen=longer)
        nats = np.zeros(len(digits))
        _read(self._state, log, digits, nats)
        return nats[len(digits) - len(ids) :]
