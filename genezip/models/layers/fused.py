"""The middle of a Mamba-2 mixer in one pass on a CPU: convolution, SiLU, scan, gate and norm.

:meth:`genezip.models.layers.mamba2.SelectiveScan.scanned` is the definition. Its tensors are larger
than the caches, and most of its time goes into moving them. Here every position passes through all
steps at once, and the state of the scan stays in the first cache. The scan is the recurrence
itself: a small state needs a fifth of the operations of the form in chunks.

The gradient is computed from the last position back. The states before are not kept: every block of
16 positions is computed again from its first state.

Kernels are compiled for each shape when they are first needed, which takes seconds, and kept where
numba may write. The rows of a batch are shared by as many threads as torch has.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import rms_norm, softplus

from genezip.compiled import compiled

BLOCK = 16  # positions whose states the backward pass computes again, from the first of them
UNROLLED = 4  # rows of the state that are updated together

# Narrower mixers do not repay what compiling costs; larger states do not fit the first cache, and
# the form in chunks is as fast.
LEAST_INNER = 64
MOST_STATE = 1 << 14

_ON = ContextVar("fused", default=True)

# sums may be reordered, and divisions by one number may become products
_compiled = compiled(
    fastmath={"contract", "arcp", "nsz", "reassoc"}, error_model="numpy", nogil=True
)


@contextmanager
def plain_form() -> Iterator[None]:
    """Without the kernels, in this thread: for tests, and to count the operations of the layers."""
    before = _ON.set(False)
    try:
        yield
    finally:
        _ON.reset(before)


class Shape(NamedTuple):
    """What a kernel is compiled for; ``eps`` is that of the norm."""

    heads: int
    headdim: int
    state: int
    taps: int
    eps: float
    double: bool


class Kernels(NamedTuple):
    """Compiled passes over one sequence."""

    forward: Callable[..., None]
    backward: Callable[..., None]


@_compiled
def exp32(x):  # type: ignore[no-untyped-def]
    """exp in fp32 within 2e-7, by operations that vectorise (the polynomial of Cephes).

    Beyond exp(-87) and exp(88), where fp32 ends, it is that of the limit.
    """
    x = min(max(x, np.float32(-87.0)), np.float32(88.0))
    power = math.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    # log 2 in two parts, of which the first has few digits, so that its product is exact
    x = x - power * np.float32(0.693359375) + power * np.float32(2.12194440e-4)
    y = np.float32(1.9875691500e-4)
    y = y * x + np.float32(1.3981999507e-3)
    y = y * x + np.float32(8.3334519073e-3)
    y = y * x + np.float32(4.1665795894e-2)
    y = y * x + np.float32(1.6666665459e-1)
    y = y * x + np.float32(5.0000001201e-1)
    y = y * x * x + x + np.float32(1)
    return y * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


# The sizes are constants of a kernel: only then does the compiler vectorise its loops. Indices are
# sums of constants and counters, as the compiler guards any others against negative values.


@cache
def kernels(shape: Shape) -> Kernels:
    """The kernels of a shape; they are compiled when they are first called.

    Arrays of both are those of one sequence, flat where a position has consecutive rows:

    - rows (L * width): gate, channels of the convolution (values, B, C) and dt of every position,
      and ``first`` the same of the taps - 1 positions before them and after that of the first
    - step, decay (L, heads): dt, and the share of the state that is kept
    - weight (taps * channels), bias (channels), d (heads), norm (inner)
    - h (state * inner): the state before the first position, and then after the last
    - kept (blocks, state * inner): the state before each block, or (0, 0)
    - out (L, inner)
    """
    heads, headdim, state, taps, eps, double = shape
    inner = heads * headdim
    channels = inner + 2 * state
    width = inner + channels + heads
    before, together = taps - 1, UNROLLED if state % UNROLLED == 0 else 1

    def forward(rows, first, step, decay, weight, bias, d, norm, h, kept, out):  # type: ignore[no-untyped-def]
        one = norm.dtype.type(1)
        mixed, values = np.empty(channels, norm.dtype), np.empty(inner, norm.dtype)
        share, y = np.empty(inner, norm.dtype), np.empty(inner, norm.dtype)
        for t in range(len(step)):
            if len(kept) and t % BLOCK == 0:
                kept[t // BLOCK] = h
            if t < before:
                near = first[t * width : (t + taps) * width]
            else:
                near = rows[(t - before) * width : (t + 1) * width]
            for i in range(channels):
                u = bias[i]
                for k in range(taps):
                    u += weight[k * channels + i] * near[k * width + inner + i]
                mixed[i] = u
            for i in range(channels):
                u = mixed[i]
                mixed[i] = u / (one + (math.exp(-u) if double else exp32(-u)))
            b, c = mixed[inner : inner + state], mixed[inner + state :]
            for head in range(heads):
                for p in range(head * headdim, (head + 1) * headdim):
                    y[p] = d[head] * mixed[p]
                    values[p] = step[t, head] * mixed[p]
                    share[p] = decay[t, head]
            for n in range(0, state, together):
                for p in range(inner):
                    total = y[p]
                    for k in range(together):
                        value = h[(n + k) * inner + p] * share[p] + b[n + k] * values[p]
                        h[(n + k) * inner + p] = value
                        total += c[n + k] * value
                    y[p] = total
            z = out[t]
            squares = one - one
            for p in range(inner):
                gate = near[before * width + p]
                gated = y[p] * gate / (one + (math.exp(-gate) if double else exp32(-gate)))
                z[p] = gated
                squares += gated * gated
            scale = one / math.sqrt(squares / inner + eps)
            for p in range(inner):
                z[p] *= scale * norm[p]

    # Places of what the backward pass remembers of a position: the channels after SiLU, its slope
    # there, and the gradients of y and of C.
    slope, of_y = channels, 2 * channels
    of_c = of_y + inner
    remembered = of_c + state
    # Places of what it needs at one position, and of sums over positions.
    silu, gate_slope, of_gate = 0, inner, 2 * inner
    values, share, of_values, of_share = 3 * inner, 4 * inner, 5 * inner, 6 * inner
    of_mixed = 7 * inner
    to_norm = of_mixed + channels
    to_bias = to_norm + inner
    to_weight = to_bias + channels
    places = to_weight + taps * channels

    def backward(  # type: ignore[no-untyped-def]
        rows, first, step, decay, weight, bias, d, norm, kept, grad,
        of_rows, of_step, of_decay, of_weight, of_bias, of_d, of_norm,
    ):  # fmt: skip
        """Gradients from ``grad``, that of ``out``, into arrays of zeros of the same shapes."""
        one, zero = norm.dtype.type(1), norm.dtype.type(0)
        known = np.empty((BLOCK, remembered), norm.dtype)
        states = np.empty((BLOCK, state * inner), norm.dtype)  # before every position
        h, y = np.empty(state * inner, norm.dtype), np.empty(inner, norm.dtype)
        v, keep = np.empty(inner, norm.dtype), np.empty(inner, norm.dtype)
        g = np.zeros(state * inner, norm.dtype)  # gradient of the state
        w = np.zeros(places, norm.dtype)
        for block in range(len(kept) - 1, -1, -1):
            begin = block * BLOCK
            end = min(begin + BLOCK, len(step))
            h[:] = kept[block]
            for t in range(begin, end):
                if t < before:
                    near = first[t * width : (t + taps) * width]
                else:
                    near = rows[(t - before) * width : (t + 1) * width]
                row, given = known[t - begin], grad[t]
                states[t - begin] = h
                for i in range(channels):
                    u = bias[i]
                    for k in range(taps):
                        u += weight[k * channels + i] * near[k * width + inner + i]
                    row[i] = u
                for i in range(channels):
                    u = row[i]
                    sigmoid = one / (one + (math.exp(-u) if double else exp32(-u)))
                    row[i] = u * sigmoid
                    row[slope + i] = sigmoid * (one + u * (one - sigmoid))
                for p in range(inner):
                    u = near[before * width + p]
                    sigmoid = one / (one + (math.exp(-u) if double else exp32(-u)))
                    w[silu + p] = u * sigmoid
                    w[gate_slope + p] = sigmoid * (one + u * (one - sigmoid))
                b, c = row[inner : inner + state], row[inner + state : channels]
                for head in range(heads):
                    for p in range(head * headdim, (head + 1) * headdim):
                        y[p] = d[head] * row[p]
                        v[p] = step[t, head] * row[p]
                        keep[p] = decay[t, head]
                for n in range(0, state, together):
                    for p in range(inner):
                        total = y[p]
                        for k in range(together):
                            value = h[(n + k) * inner + p] * keep[p] + b[n + k] * v[p]
                            h[(n + k) * inner + p] = value
                            total += c[n + k] * value
                        y[p] = total
                # norm and gate
                squares, along = zero, zero
                for p in range(inner):
                    z = y[p] * w[silu + p]
                    squares += z * z
                    along += z * given[p] * norm[p]
                scale = one / math.sqrt(squares / inner + eps)
                shift = along * scale * scale / inner
                for p in range(inner):
                    z = y[p] * w[silu + p]
                    of_z = scale * (given[p] * norm[p] - z * shift)
                    w[of_gate + p] = of_z * y[p] * w[gate_slope + p]
                    w[silu + p] *= of_z
                    w[to_norm + p] += given[p] * z * scale
                of_rows[t * width : t * width + inner] = w[of_gate : of_gate + inner]
                row[of_y : of_y + inner] = w[silu : silu + inner]
                for head in range(heads):
                    total = zero
                    for p in range(head * headdim, (head + 1) * headdim):
                        total += row[of_y + p] * row[p]
                    of_d[head] += total
                for n in range(state):
                    total = zero
                    for p in range(inner):
                        total += row[of_y + p] * h[n * inner + p]
                    row[of_c + n] = total
            for t in range(end - 1, begin - 1, -1):
                if t < before:
                    near = first[t * width : (t + taps) * width]
                else:
                    near = rows[(t - before) * width : (t + 1) * width]
                row, old = known[t - begin], states[t - begin]
                for head in range(heads):
                    for p in range(head * headdim, (head + 1) * headdim):
                        w[values + p] = step[t, head] * row[p]
                        w[share + p] = decay[t, head]
                        w[of_values + p] = zero
                        w[of_share + p] = zero
                for n in range(state):
                    b, c, total = row[inner + n], row[inner + state + n], zero
                    for p in range(inner):
                        of_h = g[n * inner + p] + c * row[of_y + p]
                        total += of_h * w[values + p]
                        w[of_values + p] += of_h * b
                        w[of_share + p] += of_h * old[n * inner + p]
                        g[n * inner + p] = of_h * w[share + p]
                    w[of_mixed + inner + n] = total
                    w[of_mixed + inner + state + n] = row[of_c + n]
                for head in range(heads):
                    to_step, to_decay = zero, zero
                    for p in range(head * headdim, (head + 1) * headdim):
                        w[of_mixed + p] = d[head] * row[of_y + p] + step[t, head] * w[of_values + p]
                        to_step += w[of_values + p] * row[p]
                        to_decay += w[of_share + p]
                    of_step[t, head] = to_step
                    of_decay[t, head] = to_decay
                # SiLU and convolution
                for i in range(channels):
                    of_u = w[of_mixed + i] * row[slope + i]
                    w[of_mixed + i] = of_u
                    w[to_bias + i] += of_u
                    for k in range(taps):
                        w[to_weight + k * channels + i] += of_u * near[k * width + inner + i]
                for k in range(max(0, before - t), taps):
                    at = (t - before + k) * width + inner
                    target, tap = of_rows[at : at + channels], weight[k * channels :]
                    for i in range(channels):
                        target[i] += w[of_mixed + i] * tap[i]
        of_weight[:] = w[to_weight : to_weight + taps * channels]
        of_bias[:] = w[to_bias : to_bias + channels]
        of_norm[:] = w[to_norm : to_norm + inner]

    return Kernels(_compiled(forward), _compiled(backward))


class _Fused(torch.autograd.Function):
    """Rows and weights to the result; ``h`` is updated, and has no gradient."""

    @staticmethod
    def forward(ctx: Any, shape: Shape, first: Tensor, h: Tensor, *given: Tensor) -> Tensor:
        rows, conv, bias, dt_bias, a_log, d, norm = (one.detach().contiguous() for one in given)
        step = softplus(rows[..., -shape.heads :] + dt_bias)
        decay = torch.exp(-step * a_log.exp())
        out = rows.new_empty(*step.shape[:2], shape.heads * shape.headdim)
        blocks = -(-step.shape[1] // BLOCK) if any(ctx.needs_input_grad) else 0
        kept = rows.new_empty(len(rows), blocks, h.shape[1] if blocks else 0)
        weights = [conv.t().flatten(), bias, d, norm]
        _each_row(
            kernels(shape).forward,
            [rows.flatten(1), first.flatten(1), step, decay],
            weights,
            [h, kept, out],
        )
        ctx.shape = shape
        ctx.save_for_backward(first, kept, rows, dt_bias, a_log, step, decay, *weights)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        first, kept, rows, dt_bias, a_log, step, decay, *weights = ctx.saved_tensors
        of_rows, of_step, of_decay = map(torch.zeros_like, (rows, step, decay))
        # each row has its own, so that threads do not add to one number
        sums = [one.new_zeros(len(rows), *one.shape) for one in weights]
        _each_row(
            kernels(ctx.shape).backward,
            [rows.flatten(1), first.flatten(1), step, decay],
            weights,
            [kept, grads[0].contiguous(), of_rows.flatten(1), of_step, of_decay, *sums],
        )
        # decay = exp(-step exp(a_log)), and step = softplus(dt + dt_bias)
        of_power = -of_decay * decay * a_log.exp()
        dt = of_rows[..., -ctx.shape.heads :]
        before = rows[..., -ctx.shape.heads :] + dt_bias
        torch.mul(of_step + of_power, before.sigmoid(), out=dt)
        taps, bias, d, norm = (part.sum(0) for part in sums)
        conv = taps.view(ctx.shape.taps, -1).t()
        of_dt_bias, of_a_log = dt.sum((0, 1)), (of_power * step).sum((0, 1))
        return None, None, None, of_rows, conv, bias, of_dt_bias, of_a_log, d, norm


@_compiled
def _normalise(x, weight, eps, out):  # type: ignore[no-untyped-def]
    one = weight.dtype.type(1)
    for t in range(len(x)):
        row, to = x[t], out[t]
        squares = one - one
        for i in range(len(weight)):
            squares += row[i] * row[i]
        scale = one / math.sqrt(squares / len(weight) + eps)
        for i in range(len(weight)):
            to[i] = row[i] * scale * weight[i]


def normalised(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMS norm of (..., D); on a CPU without gradients in one pass, where torch needs five."""
    quick = _ON.get() and x.device.type == "cpu" and not torch.is_grad_enabled()
    if not quick or x.dtype != weight.dtype or x.dtype not in (torch.float32, torch.float64):
        return rms_norm(x, weight.shape, weight, eps)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    rows = x.contiguous().flatten(0, -2), weight.detach()
    _normalise(*(one.numpy() for one in rows), eps, out.flatten(0, -2).numpy())
    return out


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


os.register_at_fork(after_in_child=_threads.cache_clear)  # a fork has none of the threads


def _each_row(
    kernel: Callable[..., None], before: list[Tensor], weights: list[Tensor], after: list[Tensor]
) -> None:
    """Call a kernel for each row of a batch; the weights between are those of all rows."""
    shared = [one.numpy() for one in weights]
    calls = [
        [part[row].numpy() for part in before] + shared + [part[row].numpy() for part in after]
        for row in range(len(before[0]))
    ]
    threads = min(torch.get_num_threads(), len(calls))
    if threads < 2:
        for call in calls:
            kernel(*call)
    else:
        list(_threads(threads).map(lambda call: kernel(*call), calls))


def usable(rows: Tensor, shape: Shape) -> bool:
    """Whether the kernels compute these rows, (B, L, width), and are worth it."""
    inner = shape.heads * shape.headdim
    return (
        _ON.get()
        and rows.device.type == "cpu"
        and rows.dtype == (torch.float64 if shape.double else torch.float32)
        and rows.shape[1] > 0
        and inner >= LEAST_INNER
        and inner * shape.state <= MOST_STATE
    )


def mixed(
    shape: Shape,
    rows: Tensor,
    weights: Sequence[Tensor],
    tail: Tensor | None = None,
    ssm: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Result, (B, L, inner), inputs of the convolution that the next position needs, and state.

    All have the precision of the shape. A gradient of the state before is not computed.

    Parameters
    ----------
    rows : Tensor, shape (B, L, width), gate, values, B, C and dt
    weights : of the convolution, (C, taps) and (C,), bias of dt, logs of A, and D, (H,) each, and
        of the norm, (inner,)
    tail, ssm : Tensors, shapes (B, taps - 1, C) and (B, H, P, N), state before; zero when absent
    """
    batch, length, width = rows.shape
    inner, back = shape.heads * shape.headdim, shape.taps - 1
    channels = slice(inner, width - shape.heads)
    with torch.no_grad():
        first = rows.new_zeros(batch, 2 * back, width)
        if tail is not None:
            first[:, :back, channels] = tail
        first[:, back : back + length] = rows[:, :back]
        last = torch.cat([first[:, :back, channels], rows[:, -back:, channels]], dim=1)
        last = last[:, last.shape[1] - back :].clone()
        h = rows.new_zeros(batch, shape.state, shape.heads, shape.headdim)
        if ssm is not None:
            h.copy_(ssm.permute(0, 3, 1, 2))
    out = _Fused.apply(shape, first, h.flatten(1), rows, *weights)
    return out, last, h.permute(0, 2, 3, 1).contiguous()
