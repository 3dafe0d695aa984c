"""First-order linear scan: y_t = exp(a_t) y_{t-1} + v_t.

Both recurrences of the model are this one: the state passed between the chunks of the
state-space layer, and the exponential moving average that de-chunks tokens to bases.
:func:`linear_scan_loop` is the definition; :func:`linear_scan` computes the same in blocks.
"""

import torch
from torch import Tensor

BLOCK = 16


def full_precision(values: Tensor) -> Tensor:
    """fp32, or fp64 where it is given: scans and cosines are never run in less."""
    return values if values.dtype == torch.float64 else values.float()


def linear_scan_loop(log_decay: Tensor, values: Tensor, initial: Tensor | None = None) -> Tensor:
    """The definition, one step at a time (slow).

    Parameters
    ----------
    log_decay : Tensor, shape (..., T)
        a_t <= 0, natural log of the share of the old state that is kept.
    values : Tensor, shape (..., T, D)
    initial : Tensor, shape (..., D), optional
        State before the first step; zero when absent.

    Returns
    -------
    Tensor, shape (..., T, D)
        The state after every step.
    """
    state = torch.zeros_like(values[..., 0, :]) if initial is None else initial
    states = []
    for step in range(values.shape[-2]):
        state = log_decay[..., step].exp().unsqueeze(-1) * state + values[..., step, :]
        states.append(state)
    return torch.stack(states, dim=-2) if states else values


def linear_scan(log_decay: Tensor, values: Tensor, initial: Tensor | None = None) -> Tensor:
    """The same as :func:`linear_scan_loop`, in blocks.

    Inside a block the recurrence is a lower-triangular matrix of exp(sums of a), all
    exponents <= 0, so nothing overflows whatever the decay; block ends are scanned in turn
    by the same function. Arguments and result as in the loop.
    """
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
    since_start = log_decay.cumsum(-1).exp().unsqueeze(-1)
    out = inside + since_start * before.unsqueeze(-2)
    return out.flatten(-3, -2)[..., :length, :]


def _block(log_decay: Tensor, values: Tensor, initial: Tensor | None) -> Tensor:
    sums = log_decay.cumsum(-1)
    gap = sums.unsqueeze(-1) - sums.unsqueeze(-2)  # (..., T, T): decay from j to i
    # mask before exp: above the diagonal the exponent is positive and would overflow
    below = torch.ones(gap.shape[-2:], dtype=torch.bool, device=gap.device).tril()
    weights = gap.masked_fill(~below, -torch.inf).exp()
    out = weights @ values
    if initial is not None:
        out = out + sums.exp().unsqueeze(-1) * initial.unsqueeze(-2)
    return out
