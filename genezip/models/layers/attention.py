"""Multi-head self-attention with rotary positions, over all positions or a sliding window.

It is causal, or reads both directions with a window on each side. Causal attention continues a
sequence from a state as the Mamba-2 mixer does: the state holds the keys and values that later
positions can still see, so a window bounds its memory. Queries are taken in blocks, each with the
keys that it can see, so no mask is as large as the square of the length.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from genezip.models.layers.packing import Packing, refuse_parts
from genezip.models.layers.scan import full_precision

QUERY_BLOCK = 512  # most queries at a time; any number gives the same result
WINDOW_BLOCK = 128  # of a window, as each block is multiplied with keys that only its ends see
LEAST_BLOCK = 64  # of both directions; shorter ones cost more calls than they save products
ROTARY_BASE = 10_000.0


@dataclass
class AttentionState:
    """State of attention between blocks, None at the start.

    ``keys`` (with their rotation) and ``values``, (B, H, T, P), are those of the last T positions,
    at most the window; ``position`` counts the positions read.
    """

    keys: Tensor | None = None
    values: Tensor | None = None
    position: int = 0


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al., 2017), rotary (Su et al., 2021).

    ``rotary_dims`` is the number of dimensions of a head that are rotated by position, and
    ``window`` the number of earlier positions that a position sees, None for all; with ``both``
    it sees as many later ones, and otherwise none. There are 4 d^2 parameters at width d.
    """

    def __init__(
        self, width: int, heads: int, rotary_dims: int, window: int | None, both: bool = False
    ) -> None:
        super().__init__()
        self.heads = heads
        self.rotary_dims = rotary_dims
        self.window = window
        self.both = both
        self.in_proj = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)

    def reset_parameters(self, out_std: float) -> None:
        """Set initial values: N(0, 0.02), output N(0, out_std)."""
        nn.init.normal_(self.in_proj.weight, std=0.02)
        nn.init.normal_(self.out_proj.weight, std=out_std)

    def forward(
        self,
        x: Tensor,
        state: AttentionState | None = None,
        packed: Packing | None = None,
        valid: Tensor | None = None,
    ) -> Tensor:
        """Mix a sequence: (B, L, width) -> (B, L, width); position t depends on 0..t, or on all.

        ``state`` continues a sequence and is updated to its end; ``packed`` is the layout of
        several sequences in one row, which attend apart. ``valid``, bool (B, L), is False at
        padding, which is at the end; causal attention never sees it.
        """
        if self.both:
            refuse_parts(state, packed)
        projected = self.in_proj(x)
        if packed is not None:
            projected = packed.unpack(projected)  # rows of their own; padding is at their ends
        first = 0 if state is None else state.position
        # (B, L, 3 width) -> three of (B, H, L, P)
        query, key, value = projected.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = rotate(query, first, self.rotary_dims), rotate(key, first, self.rotary_dims)
        if state is not None:
            if state.keys is not None and state.values is not None:
                key = torch.cat([state.keys, key], dim=2)
                value = torch.cat([state.values, value], dim=2)
            visible = max(0, key.shape[2] - self.window) if self.window is not None else 0
            # cloned: a view would keep positions in memory that are no longer seen
            state.keys, state.values = key[:, :, visible:].clone(), value[:, :, visible:].clone()
            state.position += x.shape[1]
        if self.both:
            mixed = attention_both(query, key, value, self.window, valid)
        else:
            mixed = causal_attention(query, key, value, self.window)
        mixed = mixed.transpose(1, 2).flatten(-2)
        if packed is not None:
            mixed = packed.pack(mixed)
        return self.out_proj(mixed)


def rotate(x: Tensor, first: int, dims: int) -> Tensor:
    """Rotate pairs of dimensions by angles that grow with the position: (B, H, L, P).

    Dimension i < dims / 2 is paired with i + dims / 2 and rotated by
    position / 10000^(2 i / dims); the others stay. ``first`` is the position of the first row.
    """
    if dims == 0:
        return x
    # fp64, because fp32 has no exact angles of positions beyond 10^5
    steps = torch.arange(dims // 2, device=x.device, dtype=torch.float64) * (2 / dims)
    at = torch.arange(first, first + x.shape[2], device=x.device, dtype=torch.float64)
    angles = at[:, None] * ROTARY_BASE**-steps
    turned = full_precision(x)
    cos, sin = angles.cos().to(turned.dtype), angles.sin().to(turned.dtype)
    one, other, rest = turned.split([dims // 2, dims // 2, x.shape[-1] - dims], dim=-1)
    turned = torch.cat([one * cos - other * sin, one * sin + other * cos, rest], dim=-1)
    return turned.to(x.dtype)


def causal_attention(query: Tensor, key: Tensor, value: Tensor, window: int | None) -> Tensor:
    """softmax(q k^T / sqrt(P)) v over visible positions: (B, H, L, P).

    ``query``, (B, H, L, P), are the last L of the T positions of ``key`` and ``value``,
    (B, H, T, P). A position sees itself and those before it, at most ``window`` of them.
    """
    length, seen = query.shape[2], key.shape[2]
    found = []
    for start, stop, low, high in spans(length, seen, window):
        rows = torch.arange(start, stop, device=query.device) + (seen - length)
        columns = torch.arange(low, high, device=query.device)
        age = rows[:, None] - columns
        square = high - low == stop - start
        # the kernel has no mask to read where the block sees all of itself
        causal = square and (window is None or window >= stop - start - 1)
        mask = None
        if not causal:
            mask = age >= 0 if window is None else (age >= 0) & (age <= window)
        found.append(
            scaled_dot_product_attention(
                query[:, :, start:stop],
                key[:, :, low:high],
                value[:, :, low:high],
                attn_mask=mask,
                is_causal=causal,
            )
        )
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)


def attention_both(
    query: Tensor, key: Tensor, value: Tensor, window: int | None, valid: Tensor | None
) -> Tensor:
    """softmax(q k^T / sqrt(P)) v over positions of both sides: three of (B, H, L, P) to one.

    A position sees itself and ``window`` positions on each side, but no padding, where ``valid``,
    bool (B, L), is False; padding sees only padding, and is never empty-handed.
    """
    found = []
    length = query.shape[2]
    for start, stop, low, high in spans_both(length, window):
        mask = None
        if window is not None and (low > 0 or high < length or window < length - 1):
            rows = torch.arange(start, stop, device=query.device)
            columns = torch.arange(low, high, device=query.device)
            mask = (rows[:, None] - columns).abs() <= window
        if valid is not None:
            alike = valid[:, None, start:stop, None] == valid[:, None, None, low:high]
            mask = alike if mask is None else mask & alike
        found.append(
            scaled_dot_product_attention(
                query[:, :, start:stop], key[:, :, low:high], value[:, :, low:high], attn_mask=mask
            )
        )
    return found[0] if len(found) == 1 else torch.cat(found, dim=2)


def spans(length: int, seen: int, window: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Blocks of the last ``length`` of ``seen`` positions: start and stop of queries and of keys.

    Queries are counted from the first query, keys from the first key.
    """
    before = seen - length
    block = QUERY_BLOCK if window is None else min(QUERY_BLOCK, WINDOW_BLOCK)
    for start in range(0, length, block):
        stop = min(start + block, length)
        low = 0 if window is None else max(0, before + start - window)
        yield start, stop, low, before + stop


def spans_both(length: int, window: int | None) -> Iterator[tuple[int, int, int, int]]:
    """The blocks of :func:`spans` with keys on both sides of the queries.

    Short windows have short blocks, since a block is multiplied with all keys that it spans.
    """
    block = QUERY_BLOCK if window is None else min(QUERY_BLOCK, max(window, LEAST_BLOCK))
    for start in range(0, length, block):
        stop = min(start + block, length)
        if window is None:
            yield start, stop, 0, length
        else:
            yield start, stop, max(0, start - window), min(length, stop + window)
