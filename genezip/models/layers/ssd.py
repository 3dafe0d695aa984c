"""The state-space scan of Mamba-2 (SSD; Dao and Gu, 2024), in plain PyTorch.

For every head, with state h of shape (P, N):
h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T and y_t = h_t C_t.
:func:`ssd_loop` is that recurrence. :func:`ssd` computes it in chunks, in one of two forms: the
factorised form shares one Q x Q matrix among all heads and is several times faster on a CPU, but
is exact only while the exponentials of a chunk's total decay stay in range; beyond that the masked
form with one Q x Q matrix per head is used.

Only :func:`scan` selects between fused and plain kernels. Plain PyTorch is the default and the
definition; on a CUDA device the fused Triton scan of the optional package ``mamba-ssm`` is used.
"""

import logging
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from genezip.models.layers.scan import exact_log_decay, full_precision, pass_states

logger = logging.getLogger(__name__)

# Largest total decay of a chunk (nats) for the factorised form: its exponentials reach exp(+-75),
# well inside the range of fp32 (exp(88)).
FACTORISED_LIMIT = 150.0

# Positions that go through the scan at a time on a CPU: their tensors fit the caches, and all
# stretches reuse the same memory.
STRETCH = 2048


def ssd_loop(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The recurrence, one position at a time (slow; the definition).

    The results are y, (B, L, H, P), and the state after the last position, (B, H, P, N).

    Parameters
    ----------
    x : Tensor, shape (B, L, H, P), inputs per head
    dt : Tensor, shape (B, L, H), positive step sizes
    a : Tensor, shape (H,), negative decay rates
    b, c : Tensor, shape (B, L, N), input and output maps, shared by the heads (one group)
    state : Tensor, shape (B, H, P, N), state before the first position; zero when absent
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
    """The result of :func:`ssd_loop`, in chunks of ``chunk`` positions; any length is allowed.

    On a CPU every stretch uses the factorised form if it is exact there; a GPU uses the masked
    form only, so that no number is read from the device.
    """
    if state is None:
        state = x.new_zeros(x.shape[0], *x.shape[2:], b.shape[-1])
    chunk = min(chunk, x.shape[1])
    if x.device.type != "cpu":
        return _chunked(x, dt, a, b, c, chunk, state)
    stretch = max(STRETCH // chunk, 1) * chunk
    outputs = []
    parts = zip(*(t.split(stretch, dim=1) for t in (x, dt, b, c)), strict=True)
    for x_part, dt_part, b_part, c_part in parts:
        y, state = _chunked(x_part, dt_part, a, b_part, c_part, chunk, state)
        outputs.append(y)
    return (torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]), state


def _chunked(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int, state: Tensor
) -> tuple[Tensor, Tensor]:
    length = x.shape[1]
    fill = -length % chunk
    if fill:  # steps of dt = 0 neither decay nor add
        x, dt = pad(x, (0, 0, 0, 0, 0, fill)), pad(dt, (0, 0, 0, fill))
        b, c = pad(b, (0, 0, 0, fill)), pad(c, (0, 0, 0, fill))
    x, dt, b, c = (t.unflatten(1, (-1, chunk)) for t in (x, dt, b, c))  # (B, K, Q, ...)
    # log decay since the chunk began, (B, K, Q, H), <= 0
    sums = exact_log_decay(dt.double() * a).cumsum(2)
    on_cpu = x.device.type == "cpu"
    factorised = on_cpu and bool(sums.detach()[:, :, -1].amin() > -FACTORISED_LIMIT)
    form = _factorised_form if factorised else _masked_form
    y, state = form(x, dt, sums, b, c, state.permute(0, 3, 1, 2))
    return y.flatten(1, 2)[:, :length], state.permute(0, 2, 3, 1)


def _factorised_form(
    x: Tensor, dt: Tensor, sums: Tensor, b: Tensor, c: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Decay from j to i as exp(sums_i - centre) exp(centre - sums_j)."""
    heads, width = x.shape[-2:]
    total = sums[:, :, -1:]  # (B, K, 1, H)
    centre = total / 2
    to_centre = (centre - sums).exp()
    inner = x * (to_centre * dt).to(x.dtype).unsqueeze(-1)
    half = centre.exp().to(x.dtype).unsqueeze(-1)  # start to centre, and centre to end
    added = (b.transpose(-1, -2) @ inner.flatten(-2)).unflatten(-1, (heads, width)) * half
    before, state = pass_states(total.squeeze(2), added, state)
    products = (c @ b.transpose(-1, -2)).tril_()  # (B, K, Q, Q), shared by the heads
    carried = c @ (before * half).flatten(-2)
    # products @ inner + carried, the sum inside the product
    y = torch.baddbmm(*(t.flatten(0, 1) for t in (carried, products, inner.flatten(-2))))
    from_centre = to_centre.reciprocal().to(x.dtype).unsqueeze(-1)
    return y.view(x.shape) * from_centre, state


def _masked_form(
    x: Tensor, dt: Tensor, sums: Tensor, b: Tensor, c: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Decay from j to i as one (Q, Q) matrix per head: exact for any decay."""
    heads, width = x.shape[-2:]
    total = sums[:, :, -1:]  # (B, K, 1, H)
    inner = x * dt.unsqueeze(-1)
    to_end = (total - sums).exp().to(x.dtype).unsqueeze(-1)
    added = (b.transpose(-1, -2) @ (inner * to_end).flatten(-2)).unflatten(-1, (heads, width))
    before, state = pass_states(total.squeeze(2), added, state)
    carried = (c @ before.flatten(-2)).unflatten(-1, (heads, width))
    since_start = sums.exp().to(x.dtype).unsqueeze(-1)
    rows = sums.transpose(2, 3)  # (B, K, H, Q)
    gap = rows.unsqueeze(-1) - rows.unsqueeze(-2)
    # mask before exp: above the diagonal the exponent is positive and would overflow
    below = torch.ones(gap.shape[-2:], dtype=torch.bool, device=gap.device).tril()
    decay = gap.to(x.dtype).masked_fill(~below, -torch.inf).exp()
    weights = (c @ b.transpose(-1, -2)).unsqueeze(2) * decay  # (B, K, H, Q, Q)
    return (weights @ inner.transpose(2, 3)).transpose(2, 3) + carried * since_start, state


@cache
def fused_scan() -> Any | None:
    """The fused scan of mamba-ssm, or None if it cannot be imported.

    If the package is installed but its import fails, one warning is logged.
    """
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except Exception as error:  # compiled parts of another torch or GPU raise all kinds of errors
        if not (isinstance(error, ModuleNotFoundError) and error.name == "mamba_ssm"):
            reason = f"{type(error).__name__}: {error}"
            logger.warning(f"mamba-ssm cannot be imported ({reason}); plain PyTorch is used")
        return None
    return mamba_chunk_scan_combined


def scan(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int, state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Outputs and last state of :func:`ssd` by the fastest kernel.

    y has the type of ``x``; the state is fp32 (fp64 in an fp64 network).
    """
    # in fp32 the fused kernel multiplies in TF32, too coarse for streams to equal one pass
    half = x.dtype in (torch.bfloat16, torch.float16)
    fused = fused_scan() if x.is_cuda and half else None
    if fused is not None:
        return fused(
            x,
            dt,
            a,
            b.unsqueeze(2),
            c.unsqueeze(2),
            chunk_size=chunk,
            initial_states=state,
            return_final_states=True,
        )
    with torch.autocast(device_type=x.device.type, enabled=False):
        x32, dt, a, b, c = (full_precision(t) for t in (x, dt, a, b, c))
        y, after = ssd(x32, dt, a, b, c, chunk, state)
        return y.to(x.dtype), after
