"""First-order linear scan: y_t = exp(a_t) y_{t-1} + v_t.

Both recurrences of the model have this form: the state between chunks of the state-space layer,
and the exponential moving average that de-chunks tokens to bases. :func:`linear_scan_loop` is the
definition; :func:`linear_scan` computes it in blocks, and :func:`pass_states` for few steps of
large states.
"""

from typing import Any

import torch
from torch import Tensor

BLOCK = 16

# Log decay in nats whose exponential is zero in fp64.
FORGOTTEN = -800.0


def full_precision(values: Tensor) -> Tensor:
    """Values in fp32, or in fp64 if they are fp64: the least precision of scans and cosines."""
    return values if values.dtype == torch.float64 else values.float()


def exact_log_decay(log_decay: Tensor) -> Tensor:
    """Log decays in fp64, clamped for summation.

    The exponential of a difference of large fp32 sums would lose digits. Values are clamped where
    their exponential is zero in fp64, which changes no result and no gradient, so that a large
    one does not absorb small ones in a sum.
    """
    return log_decay.double().clamp(min=FORGOTTEN)


def linear_scan_loop(log_decay: Tensor, values: Tensor, initial: Tensor | None = None) -> Tensor:
    """The definition, one step at a time (slow): the state after every step, (..., T, D).

    ``log_decay``, (..., T), is a_t <= 0, the natural log of the share of the old state that is
    kept; ``values`` are (..., T, D). ``initial``, (..., D), is the state before them, or zero.
    """
    state = torch.zeros_like(values[..., 0, :]) if initial is None else initial
    states = []
    for step in range(values.shape[-2]):
        state = log_decay[..., step].exp().unsqueeze(-1) * state + values[..., step, :]
        states.append(state)
    return torch.stack(states, dim=-2) if states else values


def linear_scan(log_decay: Tensor, values: Tensor, initial: Tensor | None = None) -> Tensor:
    """The result of :func:`linear_scan_loop`, computed in blocks.

    Inside a block the recurrence is a lower-triangular matrix of exp(sums of a), whose exponents
    are <= 0 and cannot overflow; block ends are scanned by the same function.
    """
    log_decay = exact_log_decay(log_decay)
    length = values.shape[-2]
    if length <= BLOCK:
        return _block(log_decay, values, initial)
    pad = -length % BLOCK
    if pad:
        log_decay = torch.nn.functional.pad(log_decay, (0, pad))
        values = torch.nn.functional.pad(values, (0, 0, 0, pad))
    log_decay = log_decay.unflatten(-1, (-1, BLOCK))  # (..., blocks, 16)
    values = values.unflatten(-2, (-1, BLOCK))  # (..., blocks, 16, D)
    inside = _block(log_decay, values, None)
    ends = linear_scan(log_decay.sum(-1), inside[..., -1, :], initial)  # (..., blocks, D)
    first = torch.zeros_like(ends[..., :1, :]) if initial is None else initial.unsqueeze(-2)
    before = torch.cat([first, ends[..., :-1, :]], dim=-2)  # state entering each block
    since_start = log_decay.cumsum(-1).exp().unsqueeze(-1).to(values.dtype)
    out = inside + since_start * before.unsqueeze(-2)
    return out.flatten(-3, -2)[..., :length, :]


def _block(log_decay: Tensor, values: Tensor, initial: Tensor | None) -> Tensor:
    sums = log_decay.cumsum(-1)
    gap = sums.unsqueeze(-1) - sums.unsqueeze(-2)  # (..., T, T): decay from j to i
    # mask before exp: above the diagonal the exponent is positive and would overflow
    below = torch.ones(gap.shape[-2:], dtype=torch.bool, device=gap.device).tril()
    weights = gap.masked_fill(~below, -torch.inf).exp().to(values.dtype)
    out = weights @ values
    if initial is not None:
        out = out + sums.exp().unsqueeze(-1).to(values.dtype) * initial.unsqueeze(-2)
    return out


def pass_states(log_decay: Tensor, added: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    """States s_{k+1} = exp(a_k) s_k + added_k: before every step, (B, K, N, H, P), and the last.

    On a CPU the steps are sequential, which moves each large state once; on a GPU, where a step
    would be a kernel launch, :func:`linear_scan` computes them. ``log_decay``, (B, K, H), is
    a_k <= 0; ``added`` is (B, K, N, H, P), ``initial`` (B, N, H, P).
    """
    if added.device.type == "cpu":
        return _StatesInTurn.apply(log_decay.exp().to(added.dtype), added, initial)
    return _states_at_once(log_decay, added, initial)


class _StatesInTurn(torch.autograd.Function):
    """s_{k+1} = decay_k s_k + added_k, with the gradient computed from the last step back."""

    @staticmethod
    def forward(ctx: Any, decay: Tensor, added: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
        steps = added.shape[1]
        states = added.new_empty(added.shape[0], steps + 1, *added.shape[2:])
        states[:, 0] = initial
        step = states.unbind(1)
        share = decay[:, :, None, :, None].unbind(1)  # (B, 1, H, 1) per step
        for k, new in enumerate(added.unbind(1)):
            torch.addcmul(new, step[k], share[k], out=step[k + 1])
        ctx.save_for_backward(decay, states)
        return states[:, :-1], states[:, -1].clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        before, last = grads
        decay, states = ctx.saved_tensors
        share = decay[:, :, None, :, None].unbind(1)
        # gradient of the state after every step, which is also that of ``added``
        after = torch.empty_like(before, memory_format=torch.contiguous_format)
        after[:, -1] = last
        step = after.unbind(1)
        for k in range(len(step) - 1, 0, -1):
            torch.addcmul(before[:, k], step[k], share[k], out=step[k - 1])
        grad_decay = (after * states[:, :-1]).sum((2, 4))
        return grad_decay, after, torch.addcmul(before[:, 0], step[0], share[0])


def _states_at_once(log_decay: Tensor, added: Tensor, initial: Tensor) -> tuple[Tensor, Tensor]:
    # (B, K, N, H, P) -> (B, H, K, N * P): one scan per head over rows of N * P numbers
    rows = added.permute(0, 3, 1, 2, 4).flatten(-2)
    first = initial.permute(0, 2, 1, 3).flatten(-2)
    after = linear_scan(log_decay.transpose(1, 2), rows, first)
    states = torch.cat([first.unsqueeze(2), after], dim=2)
    states = states.unflatten(-1, added.shape[2::2]).permute(0, 2, 3, 1, 4)
    return states[:, :-1], states[:, -1]
