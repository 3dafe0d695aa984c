"""The state-space scan of Mamba-2 (SSD), in plain PyTorch.

For every head, with state h of shape (P, N):
h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T and y_t = h_t C_t.
:func:`ssd_loop` is that recurrence. :func:`ssd` computes the same in chunks, in one of two
forms: the factorised form shares one Q x Q matrix among all heads and is several times
faster on a CPU, but is exact only while a chunk's total decay stays small enough for its
exponentials; beyond that the masked form with one Q x Q matrix per head takes over.
"""

import torch
from torch import Tensor
from torch.nn.functional import pad

from genezip.models.scan import linear_scan

# Largest total decay of one chunk, in nats, for the factorised form: its exponentials
# reach exp(+-75), well inside the range of fp32 (exp(88)).
FACTORISED_LIMIT = 150.0


def ssd_loop(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The recurrence, one position at a time (slow; the definition).

    Parameters
    ----------
    x : Tensor, shape (B, L, H, P)
        Inputs per head.
    dt : Tensor, shape (B, L, H)
        Positive step sizes.
    a : Tensor, shape (H,)
        Negative decay rates.
    b, c : Tensor, shape (B, L, N)
        Input and output maps, shared by the heads (one group).
    state : Tensor, shape (B, H, P, N), optional
        State before the first position; zero when absent.

    Returns
    -------
    y : Tensor, shape (B, L, H, P)
    state : Tensor, shape (B, H, P, N), after the last position
    """
    batch, length, heads, width = x.shape
    if state is None:
        state = x.new_zeros(batch, heads, width, b.shape[-1])
    outputs = []
    for t in range(length):
        decay = (dt[:, t] * a).exp()[..., None, None]
        added = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, None, None, :]
        state = decay * state + added
        outputs.append((state * c[:, t, None, None, :]).sum(-1))
    return torch.stack(outputs, dim=1), state


def ssd(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    chunk: int = 64,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same as :func:`ssd_loop`, in chunks of ``chunk`` positions.

    Any length is allowed; the last chunk is filled with steps of dt = 0, which neither
    decay nor add.
    """
    length, heads, width = x.shape[1:]
    size = b.shape[-1]
    chunk = min(chunk, length)
    fill = -length % chunk
    if fill:
        x, dt = pad(x, (0, 0, 0, 0, 0, fill)), pad(dt, (0, 0, 0, fill))
        b, c = pad(b, (0, 0, 0, fill)), pad(c, (0, 0, 0, fill))
    x, dt, b, c = (t.unflatten(1, (-1, chunk)) for t in (x, dt, b, c))  # (B, K, Q, ...)
    sums = (dt * a).cumsum(2)  # (B, K, Q, H), log decay since the chunk began, <= 0
    total = sums[:, :, -1]  # (B, K, H)
    products = (c @ b.transpose(-1, -2)).tril()  # (B, K, Q, Q)
    factorised = bool(total.detach().amin() > -FACTORISED_LIMIT)
    if factorised:
        half = 0.5 * total.unsqueeze(2)
        inner = x * ((half - sums).exp() * dt).unsqueeze(-1)
        outer = (sums - half).exp().unsqueeze(-1)
        to_end = (total - half.squeeze(2)).exp()  # from the centre to the chunk's end
        centre = half.squeeze(2).exp()
        added = inner
    else:
        inner = x * dt.unsqueeze(-1)
        added = inner * (total.unsqueeze(2) - sums).exp().unsqueeze(-1)
        outer = sums.exp().unsqueeze(-1)
        to_end = torch.ones_like(total)
        centre = torch.ones_like(total)
    # state added by each chunk, (B, K, N, H * P)
    gain = b.transpose(-1, -2) @ added.flatten(-2)
    gain = gain.unflatten(-1, (heads, width)) * to_end[:, :, None, :, None]
    flat = gain.permute(0, 3, 1, 2, 4).flatten(-2)  # (B, H, K, N * P)
    first = None if state is None else state.transpose(-1, -2).flatten(-2)
    after = linear_scan(total.transpose(1, 2), flat, first)
    start = torch.zeros_like(after[:, :, :1]) if first is None else first.unsqueeze(2)
    before = torch.cat([start, after[:, :, :-1]], dim=2).unflatten(-1, (size, width))
    before = before.permute(0, 2, 3, 1, 4) * centre[:, :, None, :, None]  # (B, K, N, H, P)
    carried = (c @ before.flatten(-2)).unflatten(-1, (heads, width))
    if factorised:
        y = ((products @ inner.flatten(-2)).unflatten(-1, (heads, width)) + carried) * outer
    else:
        y = _masked_form(products, sums, inner) + carried * outer
    final = after[:, :, -1].unflatten(-1, (size, width)).transpose(-1, -2)
    return y.flatten(1, 2)[:, :length], final


def _masked_form(products: Tensor, sums: Tensor, inner: Tensor) -> Tensor:
    """Exact for any decay: one (Q, Q) decay matrix per head, masked before exp."""
    gap = sums.unsqueeze(3) - sums.unsqueeze(2)  # (B, K, Qi, Qj, H)
    below = torch.ones(gap.shape[2:4], dtype=torch.bool, device=gap.device).tril()
    decay = gap.masked_fill(~below[..., None], -torch.inf).exp()
    return torch.einsum("bkij,bkijh,bkjhp->bkihp", products, decay, inner)
