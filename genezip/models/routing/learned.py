"""The learned router: boundary probabilities and bounded routing.

These are Eq. 2-4 and 10-11 of GeneZip (arXiv 2602.17739); the order of query and key is that of
the H-Net reference implementation. Two bounds limit the number of tokens: ``sequence``, the
published projection, which depends on the whole sequence, and ``causal``
(:mod:`genezip.models.routing.bounds`), which can be streamed.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from genezip.errors import GenezipError
from genezip.models.layers.scan import full_precision
from genezip.models.routing.bounds import CausalBound, CausalState, admit, token_limits
from genezip.models.routing.chunking import ema_dechunk

SEGMENT = {"cpu": 1024, "cuda": 65_536}
"""Positions whose queries and keys are computed at a time without gradients."""

FEW = 256
"""Largest floor whose positions are found without a sort of all positions."""


@dataclass
class Routing:
    """Decisions of one routing stage.

    Attributes
    ----------
    boundary_prob : float32 Tensor, shape (B, L), p_t; 1 at the first position, 0 at padding
    provisional : bool Tensor, shape (B, L), p_t > 1/2 (a tie is no boundary), before the bounds;
        True at the first position
    boundary_mask : bool Tensor, shape (B, L), the positions that become tokens, after the bounds
    valid : bool Tensor, shape (B, L), False at padding, which is at the end
    kept_by : uint8 Tensor, shape (B, L), reason for each token: index into
        :data:`genezip.models.compressed.KEPT_BY`
    """

    boundary_prob: Tensor
    provisional: Tensor
    boundary_mask: Tensor
    valid: Tensor
    kept_by: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.uint8))

    def bound_active(self) -> Tensor:
        """Whether the bounds changed the mask of each sequence (bool, shape (B,))."""
        return (self.provisional != self.boundary_mask).any(dim=1)

    def protecting(self, masked: Tensor) -> "Routing":
        """The routing in which tokens also begin at every masked position and after it.

        ``masked`` is bool (B, L). The router counts as having chosen these tokens, so F of the
        ratio loss counts all that is kept.
        """
        around = (masked | pad(masked[:, :-1], (1, 0))) & self.valid
        return replace(
            self,
            provisional=self.provisional | around,
            boundary_mask=self.boundary_mask | around,
        )


@dataclass(frozen=True)
class SequenceBound:
    """Between ``floor`` and ``ceiling`` tokens per sequence (Eq. 10); None is no bound."""

    floor: int | None
    ceiling: int | None


Bound = SequenceBound | CausalBound | None


@dataclass
class RouterState:
    """State of a router between blocks, None at the start.

    ``previous``, (B, 1, D), is the state of the last position, ``causal`` that of the causal bound;
    ``position`` counts the positions read.
    """

    previous: Tensor | None = None
    causal: CausalState | None = None
    position: int = 0


def bounded(
    boundary_prob: Tensor, active: Tensor, valid: Tensor, floor: int | None, ceiling: int | None
) -> Tensor:
    """The mask, bool (B, L), nearest to ``active`` that keeps between floor and ceiling positions.

    If there are too few, the most probable inactive positions are added; if there are too many,
    the least probable active ones are removed, never the first position. Of equal probabilities
    the earlier position is kept. It is one stable sort of an exact integer key, without a loop or
    a transfer to the host.

    Parameters
    ----------
    boundary_prob : float32 or float64 Tensor, shape (B, L), values in [0, 1]
    active : bool Tensor, shape (B, L), provisional mask, True at the first position
    valid : bool Tensor, shape (B, L), False at padding
    floor, ceiling : bounds per sequence; a floor above the length of a sequence keeps all of it
    """
    if (floor is None and ceiling is None) or active.shape[1] == 0:
        return active
    length = valid.sum(1)
    keep = active.sum(1)
    if floor is not None:
        keep = torch.maximum(keep, length.clamp(max=floor))
    if ceiling is not None:
        keep = torch.minimum(keep, length.clamp(max=max(1, ceiling)))
    # numbers in [0, 1] have the order of their bits, which are below 2^30 in fp32 and below 2^62
    # in fp64; active positions and the first one rank above all others
    prob = full_precision(boundary_prob.detach()).contiguous()
    if ceiling is None and floor is not None and floor <= FEW and prob.dtype == torch.float32:
        return _raised(prob, active, valid, keep, min(floor, active.shape[1]))
    bits, above = (torch.int64, 62) if prob.dtype == torch.float64 else (torch.int32, 30)
    key = prob.view(bits).long() + (active.long() << above)
    key[:, 0] = torch.iinfo(torch.int64).max
    key = key.masked_fill(~valid, -1)
    order = key.argsort(dim=1, descending=True, stable=True)
    chosen = torch.arange(key.shape[1], device=key.device) < keep.unsqueeze(1)
    return torch.zeros_like(active).scatter(1, order, chosen) & valid


def _raised(prob: Tensor, active: Tensor, valid: Tensor, keep: Tensor, most: int) -> Tensor:
    """:func:`bounded` for a low floor alone, which adds at most ``most`` positions: no sort.

    No two keys are equal: of equal probabilities the earlier position has the larger key.
    """
    length = active.shape[1]
    last_first = torch.arange(length - 1, -1, -1, device=prob.device)
    key = prob.view(torch.int32).long() * length + last_first
    found = key.masked_fill(active | ~valid, -1).topk(most, dim=1).indices
    added = torch.arange(most, device=prob.device) < (keep - active.sum(1)).unsqueeze(1)
    return active | torch.zeros_like(active).scatter(1, found, added)


def bounded_loop(
    boundary_prob: Tensor, active: Tensor, valid: Tensor, floor: int | None, ceiling: int | None
) -> Tensor:
    """The definition of :func:`bounded`, position by position as in the paper (slow)."""
    mask = active.clone()
    for row in range(mask.shape[0]):
        length = int(valid[row].sum())
        low = min(floor or 0, length)
        high = length if ceiling is None else max(1, min(ceiling, length))
        while int(mask[row].sum()) < low:
            free = [t for t in range(length) if not mask[row, t]]
            mask[row, max(free, key=lambda t: (float(boundary_prob[row, t]), -t))] = True
        while int(mask[row].sum()) > high:
            taken = [t for t in range(1, length) if mask[row, t]]
            mask[row, min(taken, key=lambda t: (float(boundary_prob[row, t]), -t))] = False
    return mask


def apply_bound(
    prob: Tensor, active: Tensor, valid: Tensor, bound: Bound, state: RouterState | None
) -> tuple[Tensor, Tensor]:
    """Mask and ``kept_by`` of a batch; a stream under the bound ``sequence`` is refused."""
    if isinstance(bound, CausalBound):
        before = None if state is None else state.causal
        mask, forced, after = admit(active, valid, bound, before)
        if state is not None:
            state.causal = after
        return mask, 2 * forced.to(torch.uint8)
    if bound is None:
        return active, torch.zeros_like(active, dtype=torch.uint8)
    if state is not None:
        raise GenezipError(
            "the bound `sequence` depends on the whole sequence and cannot be streamed; "
            "use the bound causal or none, or independent windows"
        )
    mask = bounded(prob, active, valid, bound.floor, bound.ceiling)
    return mask, (mask & ~active).to(torch.uint8)


class Router(nn.Module):
    """Boundary probability from the cosine of adjacent projected states (Eq. 2-3)."""

    marks_end = False  # a token is at the first position of its chunk
    smooths = True  # de-chunking is the moving average over the tokens

    def __init__(self, width: int, bound: Bound) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.bound = bound

    def reset_parameters(self) -> None:
        """Set the projections to the identity, so that p initially depends on the states only."""
        nn.init.eye_(self.q_proj.weight)
        nn.init.eye_(self.k_proj.weight)

    def capacity(self, length: int) -> int | None:
        """Most tokens of ``length`` positions under the bound; None without a limit."""
        if isinstance(self.bound, CausalBound):
            return token_limits(self.bound, length)[1]
        if self.bound is None or self.bound.ceiling is None:
            return None
        return min(length, self.bound.ceiling)

    def smooth(self, tokens: Tensor, prob: Tensor, valid: Tensor, before: Tensor | None) -> Tensor:
        """De-chunk (B, M, D) by the moving average, which ``before``, (B, D), continues."""
        return ema_dechunk(tokens, prob, before)

    def projected(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys of states, (B, L, D) each."""
        return _TwoProjections.apply(states, self.q_proj.weight, self.k_proj.weight)

    def boundary_prob(
        self, states: Tensor, valid: Tensor, previous: Tensor | None = None
    ) -> Tensor:
        """p_t = (1 - cos(W_q h_{t-1}, W_k h_t)) / 2 in fp32, p_0 = 1, padding 0.

        ``previous`` is the state of the position before the first, shape (B, 1, D); without it
        the first position is the start of the sequence.
        """
        with torch.autocast(device_type=states.device.type, enabled=False):
            states = full_precision(states)
            length = states.shape[1]
            if length == 0:
                return states.new_zeros(states.shape[:2])
            # queries and keys are twice as large as the states, so without gradients never whole
            step = length if torch.is_grad_enabled() else SEGMENT.get(states.device.type, length)
            found = []
            for start in range(0, length, step):
                part = states[:, max(start - 1, 0) : start + step]
                if start == 0 and previous is not None:
                    part = torch.cat([previous, part], dim=1)
                cosine = adjacent_cosine(*self.projected(part))
                found.append(((1 - cosine) / 2).clamp(0, 1))
            prob = torch.cat(found, dim=1) if len(found) > 1 else found[0]
            if previous is None:
                prob = pad(prob, (1, 0), value=1.0)
            return prob * valid

    def forward(
        self,
        states: Tensor,
        valid: Tensor,
        forced: Tensor | None = None,
        state: RouterState | None = None,
        ids: Tensor | None = None,
    ) -> Routing:
        """Route a batch of ``states``, (B, L, D); ``ids`` are not used by this router.

        A ``forced`` mask, bool (B, L), replaces that of the router (tests and controls); ``state``
        continues a sequence and is updated to the end of ``states``.
        """
        previous = None if state is None else state.previous
        prob = self.boundary_prob(states, valid, previous)
        active = (prob > 0.5) & valid
        if forced is None:
            mask, kept_by = apply_bound(prob, active, valid, self.bound, state)
        else:
            if state is not None and isinstance(self.bound, CausalBound):
                raise GenezipError(
                    "a forced mask does not update the causal bound of a stream; set the bound "
                    "none first"
                )
            mask, kept_by = forced, torch.zeros_like(forced, dtype=torch.uint8)
        if state is not None and states.shape[1]:
            state.previous = full_precision(states[:, -1:]).clone()
            state.position += states.shape[1]
        return Routing(prob, active, mask, valid, kept_by)


class _TwoProjections(torch.autograd.Function):
    """x W_1^T and x W_2^T; the two gradients of x are summed within a product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, first, second)
        return x @ first.t(), x @ second.t()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, first, second = ctx.saved_tensors
        one, other = (grad.flatten(0, 1) for grad in grads)
        found: list[Tensor | None] = [None, None, None]
        rows = x.flatten(0, 1)
        with torch.autocast(x.device.type, enabled=False):  # the caller may be in autocast
            if ctx.needs_input_grad[0]:
                found[0] = torch.mm(one, first).addmm_(other, second).view_as(x)
            for place, grad in ((1, one), (2, other)):
                if ctx.needs_input_grad[place]:
                    found[place] = grad.t() @ rows
        return tuple(found)


def adjacent_cosine(query: Tensor, key: Tensor) -> Tensor:
    """cos(query_{t-1}, key_t) for t = 1 .. L - 1: two of (B, L, D) -> (B, L - 1).

    A zero vector has cosine 0 with every other, and no gradient.
    """
    return _AdjacentCosine.apply(query, key)


class _AdjacentCosine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        q, k = query[:, :-1], key[:, 1:]
        q_scale, k_scale = _inverse_norm(q), _inverse_norm(k)
        cosine = (q * k).sum(-1) * q_scale * k_scale
        ctx.save_for_backward(query, key, q_scale, k_scale, cosine)
        return cosine

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        query, key, q_scale, k_scale, cosine = ctx.saved_tensors
        q, k = query[:, :-1], key[:, 1:]
        across = (grads[0] * q_scale * k_scale).unsqueeze(-1)
        along = -grads[0] * cosine
        grad_q, grad_k = torch.empty_like(query), torch.empty_like(key)
        grad_q[:, -1], grad_k[:, 0] = 0, 0
        torch.mul(k, across, out=grad_q[:, :-1])
        torch.mul(q, across, out=grad_k[:, 1:])
        grad_q[:, :-1].addcmul_(q, (along * q_scale**2).unsqueeze(-1))
        grad_k[:, 1:].addcmul_(k, (along * k_scale**2).unsqueeze(-1))
        return grad_q, grad_k


def _inverse_norm(x: Tensor) -> Tensor:
    norm = torch.linalg.vector_norm(x, dim=-1)
    return torch.where(norm > 0, 1 / norm, 0.0)
