"""Where a token starts: boundary probabilities and bounded routing.

Eq. 2-4 and 10-11 of GeneZip (arXiv 2602.17739); the order of query and key is that of the
H-Net reference implementation.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from genezip.models.scan import full_precision


@dataclass
class Routing:
    """What one routing stage decided.

    Attributes
    ----------
    boundary_prob : float32 Tensor, shape (B, L)
        p_t; 1 at the first position, 0 at padding.
    provisional : bool Tensor, shape (B, L)
        p_t > 1/2 (a tie is no boundary), before the bounds; the first position is on.
    boundary_mask : bool Tensor, shape (B, L)
        After floor and ceiling: the positions that become tokens.
    valid : bool Tensor, shape (B, L)
        False at padding, which stands at the end.
    """

    boundary_prob: Tensor
    provisional: Tensor
    boundary_mask: Tensor
    valid: Tensor

    def bound_bit(self) -> Tensor:
        """Whether the bounds changed the mask of each sequence (bool, shape (B,))."""
        return (self.provisional != self.boundary_mask).any(dim=1)


def bounded(
    boundary_prob: Tensor, active: Tensor, valid: Tensor, floor: int | None, ceiling: int | None
) -> Tensor:
    """The mask nearest to ``active`` that keeps between floor and ceiling positions.

    Too few: the most probable inactive positions are switched on. Too many: the least
    probable active ones are switched off, never the first position. Among equal
    probabilities the earlier position wins. One stable sort of an exact integer key; no
    loop and no transfer to the host.

    Parameters
    ----------
    boundary_prob : float32 Tensor, shape (B, L), values in [0, 1]
    active, valid : bool Tensor, shape (B, L)
        Provisional mask (first position on) and real positions.
    floor, ceiling : int or None
        Bounds per sequence; a floor beyond a sequence's length keeps all of it.

    Returns
    -------
    bool Tensor, shape (B, L)
    """
    if floor is None and ceiling is None:
        return active
    length = valid.sum(1)
    keep = active.sum(1)
    if floor is not None:
        keep = torch.maximum(keep, length.clamp(max=floor))
    if ceiling is not None:
        keep = torch.minimum(keep, length.clamp(max=max(1, ceiling)))
    # fp32 in [0, 1] orders like its bits; activity and the first position rank above them
    key = boundary_prob.detach().float().contiguous().view(torch.int32).long()
    key = key + (active.long() << 31)
    key[:, 0] += 1 << 32
    key = key.masked_fill(~valid, -1)
    order = key.argsort(dim=1, descending=True, stable=True)
    chosen = torch.arange(key.shape[1], device=key.device) < keep.unsqueeze(1)
    return torch.zeros_like(active).scatter(1, order, chosen) & valid


def bounded_loop(
    boundary_prob: Tensor, active: Tensor, valid: Tensor, floor: int | None, ceiling: int | None
) -> Tensor:
    """The same, position by position as the paper words it (slow; the definition)."""
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


class Router(nn.Module):
    """Boundary probability from the cosine of adjacent projected states (Eq. 2-3)."""

    def __init__(self, width: int, floor: int | None, ceiling: int | None) -> None:
        super().__init__()
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.floor = floor
        self.ceiling = ceiling

    def reset_parameters(self) -> None:
        """Identity projections: at the start p depends on the states alone."""
        nn.init.eye_(self.q_proj.weight)
        nn.init.eye_(self.k_proj.weight)

    def boundary_prob(self, states: Tensor, valid: Tensor) -> Tensor:
        """p_t = (1 - cos(W_q h_{t-1}, W_k h_t)) / 2 in fp32, p_0 = 1, padding 0."""
        with torch.autocast(device_type=states.device.type, enabled=False):
            states = full_precision(states)
            query = normalize(self.q_proj(states[:, :-1]), dim=-1)
            key = normalize(self.k_proj(states[:, 1:]), dim=-1)
            prob = ((1 - (query * key).sum(-1)) / 2).clamp(0, 1)
            return pad(prob, (1, 0), value=1.0) * valid

    def forward(self, states: Tensor, valid: Tensor, forced: Tensor | None = None) -> Routing:
        """Route a batch.

        Parameters
        ----------
        states : Tensor, shape (B, L, D)
        valid : bool Tensor, shape (B, L)
        forced : bool Tensor, shape (B, L), optional
            Use this mask instead of the model's own (tests and trivial routers).
        """
        prob = self.boundary_prob(states, valid)
        active = (prob > 0.5) & valid
        mask = bounded(prob, active, valid, self.floor, self.ceiling) if forced is None else forced
        return Routing(prob, active, mask, valid)
