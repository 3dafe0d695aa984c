"""A causal bound on the number of tokens, which never looks ahead (not in the paper).

The paper's projection ranks a whole sequence, so where it is active a base depends on later ones.
This bound decides each position from those before it, so a stream can stop and resume anywhere. A
position that the router selects is *admitted* while there is credit (a token bucket of depth beta,
filled at the rate a/b); one exactly a multiple of G after the last admitted position is *forced*,
which costs no credit. Every prefix of L >= 1 positions then keeps n with

    ceil(L / G) <= n <= min(L, beta + floor((L - 1) a / b) + floor((L - 1) / G)).

:func:`admit_loop` is the definition, :func:`admit` computes it in blocks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor
from torch.nn.functional import pad

from genezip.errors import GenezipError

BLOCK = 16
LARGEST = 2**31 - 1  # a product of two such integers fits int64


@dataclass(frozen=True)
class CausalState:
    """State of streams, one per row; never changed in place, so a reference is a snapshot.

    Attributes
    ----------
    position : int64 Tensor, shape (B,), t, the number of valid positions read
    credit : int64 Tensor, shape (B,), x, from 0 to beta: positions that may be admitted at once
    last_admitted : int64 Tensor, shape (B,), last admitted position, counted from the start of the
        stream; -1 before any
    """

    position: Tensor
    credit: Tensor
    last_admitted: Tensor


@dataclass(frozen=True)
class CausalBound:
    """The integers of the bound of one stage, in positions of that stage.

    ``max_chunk`` is G >= 1, the longest chunk, and ``burst`` beta >= 1, the number of positions
    that may be admitted in a row whatever the rate. ``rate`` is a and b, 0 <= a <= b: in the long
    run at most a of b positions are admitted.
    """

    max_chunk: int
    burst: int
    rate: tuple[int, int]

    def __post_init__(self) -> None:
        if not 1 <= self.max_chunk <= LARGEST:
            raise GenezipError(
                f"causal bound: max_chunk (G) is {self.max_chunk}; give at least 1 position per "
                f"chunk and at most {LARGEST}"
            )
        if not 1 <= self.burst <= LARGEST:
            raise GenezipError(
                f"causal bound: burst (beta) is {self.burst}; give at least 1, because the first "
                f"position is always kept, and at most {LARGEST}"
            )
        numerator, denominator = self.rate
        if not (0 <= numerator <= denominator <= LARGEST and denominator >= 1):
            raise GenezipError(
                f"causal bound: rate is {numerator}/{denominator}; give a/b from 0 to 1 with "
                f"0 <= a <= b and b from 1 to {LARGEST}"
            )

    def start(self, batch: int, device: torch.device | str = "cpu") -> CausalState:
        """The state before the first position of ``batch`` streams."""
        zeros = torch.zeros(batch, dtype=torch.long, device=device)
        return CausalState(zeros, zeros + self.burst, zeros - 1)


def admit(
    provisional: Tensor, valid: Tensor, bound: CausalBound, state: CausalState | None = None
) -> tuple[Tensor, Tensor, CausalState]:
    """Kept positions: the result of :func:`admit_loop`, computed in blocks.

    The results are the kept positions (admitted or forced) and those of them that were forced, bool
    (B, L), and the state after the last valid position; blocks of any lengths give the result of
    the whole. Each step maps the credit x to min(high, max(low, x + shift)), and such maps compose
    to maps of the same kind, so the credit is a scan over integer triples, without a loop over
    positions or a transfer to the host.

    Parameters
    ----------
    provisional : bool Tensor, shape (B, L), positions that the router selects (p > 1/2)
    valid : bool Tensor, shape (B, L), False at padding, which is at the end of rows; it is not kept
        and not counted
    state : state of the stream; that at its start when absent
    """
    batch, length = provisional.shape
    state = bound.start(batch, provisional.device) if state is None else state
    if length == 0:
        return provisional, provisional, state
    position = state.position.unsqueeze(1) + torch.arange(length, device=provisional.device)
    wanted = (provisional | (position == 0)) & valid
    allowance = _allowance(position, bound.rate) * valid
    # a selected position changes x to min(beta, x + allowance) - 1, but not below 0
    cost = wanted.long()
    low, high = torch.zeros_like(cost), bound.burst - cost
    after = credit_scan(allowance - cost, low, high, state.credit)
    before = torch.cat([state.credit.unsqueeze(1), after[:, :-1]], dim=1)
    admitted = wanted & (before + allowance >= 1)

    marks = torch.where(admitted, position, state.last_admitted.unsqueeze(1))
    last_admitted = marks.cummax(dim=1).values
    forced = valid & ~admitted & ((position - last_admitted) % bound.max_chunk == 0)
    # cloned: a view would keep the whole block in memory
    credit, last = after[:, -1].clone(), last_admitted[:, -1].clone()
    following = CausalState(state.position + valid.sum(1), credit, last)
    return admitted | forced, forced, following


def _allowance(position: Tensor, rate: tuple[int, int]) -> Tensor:
    """floor(t a/b) - floor((t-1) a/b) at t > 0, and 0 at t = 0 (int64).

    It is 0 or 1 because a <= b, and 1 exactly where the remainder of t a is below a. Reducing t
    first keeps the product inside int64 for any t.
    """
    numerator, denominator = rate
    remainder = (position % denominator) * numerator % denominator
    return ((remainder < numerator) & (position > 0)).long()


def credit_scan(shift: Tensor, low: Tensor, high: Tensor, initial: Tensor) -> Tensor:
    """x_t = min(high_t, max(low_t, x_{t-1} + shift_t)) from x_{-1} = ``initial``: int64 (B, L).

    Every block of 16 steps is composed to one step, all blocks at once; block ends are scanned by
    the same function, and each block is then computed step by step from its true start. All but
    ``initial``, (B,), are (B, L), int64, with low <= high.
    """
    length = shift.shape[1]
    if length <= BLOCK:
        return torch.stack(_walk(shift.T, low.T, high.T, initial), dim=1)
    # step-major, (16, B, blocks): each of the 16 steps then reads contiguous memory
    shift, low, high = (_step_major(values) for values in (shift, low, high))
    ends = credit_scan(*_compose(shift, low, high), initial)  # (B, blocks)
    before = torch.cat([initial.unsqueeze(1), ends[:, :-1]], dim=1)
    inside = torch.stack(_walk(shift, low, high, before), dim=-1)  # (B, blocks, 16)
    return inside.flatten(1)[:, :length]


def _step_major(values: Tensor) -> Tensor:
    # zeros at the end change no value that is kept: nothing follows the last block
    values = pad(values, (0, -values.shape[1] % BLOCK))
    return values.unflatten(1, (-1, BLOCK)).movedim(-1, 0).contiguous()


def _walk(shift: Tensor, low: Tensor, high: Tensor, value: Tensor) -> list[Tensor]:
    values = []
    for step in range(shift.shape[0]):
        value = (value + shift[step]).clamp(low[step], high[step])
        values.append(value)
    return values


def _compose(shift: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    total, least, most = shift[0], low[0], high[0]
    for step in range(1, shift.shape[0]):
        total = total + shift[step]
        least = (least + shift[step]).clamp(low[step], high[step])
        most = (most + shift[step]).clamp(low[step], high[step])
    return total, least, most


def admit_loop(
    provisional: Tensor, valid: Tensor, bound: CausalBound, state: CausalState | None = None
) -> tuple[Tensor, Tensor, CausalState]:
    """The definition of :func:`admit`, position by position in whole numbers (slow)."""
    state = bound.start(provisional.shape[0], provisional.device) if state is None else state
    (a, b), burst = bound.rate, bound.burst
    mask, forced = torch.zeros_like(provisional), torch.zeros_like(provisional)
    ends = []
    starts = zip(state.position, state.credit, state.last_admitted, strict=True)
    for row, start in enumerate(starts):
        t, credit, last = (int(value) for value in start)
        real = valid[row].tolist()
        for column, wanted in enumerate(provisional[row].tolist()):
            if not real[column]:
                continue
            if t > 0:
                credit = min(burst, credit + t * a // b - (t - 1) * a // b)
            if t == 0 or (wanted and credit >= 1):
                mask[row, column] = True
                credit, last = credit - 1, t
            elif (t - last) % bound.max_chunk == 0:
                mask[row, column] = forced[row, column] = True
            t += 1
        ends.append((t, credit, last))
    after = torch.tensor(ends, dtype=torch.long, device=provisional.device).reshape(-1, 3)
    return mask, forced, CausalState(*after.unbind(1))


def token_limits(bound: CausalBound, length: int) -> tuple[int, int]:
    """Fewest and most positions kept of the first ``length``, whatever the router selects."""
    if length == 0:
        return 0, 0
    (a, b), gaps = bound.rate, length - 1
    most = bound.burst + gaps * a // b + gaps // bound.max_chunk
    return -(-length // bound.max_chunk), min(length, most)


def default_bound(targets: Sequence[float]) -> CausalBound:
    """Bound of one stage from its targets N_r, positions per token of every region class.

    It allows four times the longest target chunk, four times the token rate of the densest class,
    and a burst of 64.
    """
    if not targets or not all(1 <= target < math.inf for target in targets):
        raise GenezipError(
            f"causal bound: the targets are {list(targets)}; give at least one, each a finite "
            "number of positions per token from 1 up"
        )
    rate = min(Fraction(1), Fraction(4 / min(targets)).limit_denominator(1000))
    rate = max(rate, Fraction(1, 1000))  # a rate that rounds to 0 would admit nothing
    return CausalBound(math.ceil(4 * max(targets)), 64, (rate.numerator, rate.denominator))
