"""The losses: next base or masked bases, and region-aware ratio (RAR, Eq. 5-9).

RAR moves the share of kept positions F and the mean boundary probability G of every region class
towards 1 / N, with N the target of one stage: L = N / (N - 1) [(N - 1) F G + (1 - F)(1 - G)].
F is a count, so only G has a gradient.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genezip.alphabet import A_ID, T_ID
from genezip.models.hnet.output import Output
from genezip.models.layers.scan import full_precision
from genezip.models.routing.chunking import Chunks
from genezip.models.routing.learned import Routing


def base_nll(logits: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Negative log likelihood of every base given those before it, and whether it is A, C, G or T.

    Both are of bases 1 .. L - 1, shape (B, L - 1): nats in float32, and bool. ``logits`` are
    (B, L or L - 1, vocab), since the last position is not used, and ``ids`` are (B, L).
    """
    targets = ids[:, 1:].long()
    logits = full_precision(logits[:, : targets.shape[1]])
    nll = cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    return nll, (targets >= A_ID) & (targets <= T_ID)


def lm_loss(logits: Tensor, ids: Tensor, targets: Tensor | None = None) -> Tensor:
    """Mean next-base loss over informative targets (nats per base).

    ``targets`` is the number of targets of the whole batch if ``ids`` are a part of it.
    """
    nll, informative = base_nll(logits, ids)
    total = informative.sum() if targets is None else targets
    return (nll * informative).sum() / total.clamp(min=1)


def count_targets(ids: Tensor) -> Tensor:
    """Number of informative next-base targets of a batch (scalar)."""
    return ((ids[:, 1:] >= A_ID) & (ids[:, 1:] <= T_ID)).sum()


def masked_nll(logits: Tensor, ids: Tensor, columns: slice) -> Tensor:
    """Negative log likelihood of every base under the logits at its own position, (B, L), nats.

    ``logits`` are (B, L, vocab), and ``columns`` those of A, C, G and T, with which the rest of the
    vocabulary shares the probability. ``ids``, (B, L), are the true bases; values of other ids have
    no meaning. fp32.
    """
    targets = columns.start + (ids.long() - A_ID).clamp(0, T_ID - A_ID)
    return cross_entropy(full_precision(logits).transpose(1, 2), targets, reduction="none")


def stage_targets(target_bpt: Tensor, shares: Sequence[float]) -> Tensor:
    """Geometric split of the target over the stages: N_rs = B_r^share_s, float Tensor (S, R).

    Shares sum to 1; with equal ones every stage has the same target (Eq. 6).
    """
    if not shares:
        return target_bpt.new_zeros(0, *target_bpt.shape)
    return torch.stack([target_bpt**share for share in shares])


def rar_stage(
    routing: Routing, regions: Tensor, targets: Tensor, mask: Literal["pre", "post"]
) -> tuple[Tensor, Tensor]:
    """RAR loss of one stage: mean over sequences of the mass-weighted sum over classes (scalar).

    The second result, float32 (or float64) (R, 3), is for the log: positions, kept positions and
    summed probability of every class in the batch. F and G are their ratios.

    Parameters
    ----------
    routing : Routing of (B, L) positions
    regions : int64 Tensor, shape (B, L), region class of every position, 0 .. R - 1
    targets : float Tensor, shape (R,), N_r, positions per token at this stage; classes with
        N_r <= 1 are left out
    mask : F before (``pre``) or after (``post``) bounded routing
    """
    batch, classes = regions.shape[0], targets.shape[0]
    hard = routing.provisional if mask == "pre" else routing.boundary_mask
    prob = full_precision(routing.boundary_prob)
    valid = routing.valid.to(prob.dtype)
    values = torch.stack([valid, hard * valid, prob], dim=-1)
    row = torch.arange(batch, device=regions.device).unsqueeze(1) * classes
    flat = (row + regions).flatten()
    sums = values.new_zeros(batch * classes, 3).index_add(0, flat, values.flatten(0, 1))
    count, kept, prob = sums.view(batch, classes, 3).unbind(-1)
    used = ((count > 0) & (targets > 1)).to(count.dtype)
    f, g = kept / count.clamp(min=1), prob / count.clamp(min=1)
    n = torch.where(targets > 1, targets, 2.0)
    loss = n / (n - 1) * ((n - 1) * f * g + (1 - f) * (1 - g))
    mass = count * used
    weights = mass / mass.sum(1, keepdim=True).clamp(min=1)
    return (weights * loss).sum(1).mean(), sums.detach().view(batch, classes, 3).sum(0)


def rar_stage_loop(
    routing: Routing, regions: Tensor, targets: Tensor, mask: Literal["pre", "post"]
) -> Tensor:
    """The loss of :func:`rar_stage` with plain loops (slow; the definition)."""
    hard = routing.provisional if mask == "pre" else routing.boundary_mask
    losses = []
    for i in range(regions.shape[0]):
        total, mass = torch.zeros(()), 0
        for r in range(targets.shape[0]):
            here = (regions[i] == r) & routing.valid[i]
            n = float(targets[r])
            if not here.any() or n <= 1:
                continue
            f = hard[i][here].to(routing.boundary_prob.dtype).mean()
            g = routing.boundary_prob[i][here].mean()
            term = n / (n - 1) * ((n - 1) * f * g + (1 - f) * (1 - g))
            total, mass = total + int(here.sum()) * term, mass + int(here.sum())
        losses.append(total / max(mass, 1))
    return torch.stack(losses).mean()


def propagate_regions(
    counts: Tensor, kept: Chunks, label: Literal["first", "majority"]
) -> tuple[Tensor, Tensor]:
    """Region classes of the tokens of the next stage, int64 (B, M), and their counts, (B, M, R).

    ``first`` takes the class of the chunk's first base, one-hot as counts; ``majority`` the class
    of most of its bases (the lowest class id of equals), whose counts are all bases of the chunk.
    ``counts``, (B, L, R), are the bases of each class at every position (one-hot at stage 0).
    """
    if label == "first":
        selected = kept.select(counts)
        return selected.argmax(-1), selected
    batch, tokens = kept.positions.shape
    if tokens == 0:
        empty = counts.new_zeros(batch, 0, counts.shape[-1])
        return kept.positions, empty
    row = torch.arange(batch, device=counts.device).unsqueeze(1) * tokens
    # positions before the first token of a U-Net block belong to no token
    counts = counts * (kept.token_index >= 0).unsqueeze(-1)
    flat = (row + kept.token_index.clamp(min=0)).flatten()
    summed = counts.new_zeros(batch * tokens, counts.shape[-1])
    summed = summed.index_add(0, flat, counts.flatten(0, 1)).view(batch, tokens, -1)
    return summed.argmax(-1), summed


def rar_loss(
    output: Output,
    regions: Tensor,
    target_bpt: Tensor,
    mask: Literal["pre", "post"] = "post",
    label: Literal["first", "majority"] = "first",
) -> tuple[Tensor, Tensor]:
    """RAR summed over the stages (Eq. 9, scalar), and the sums of :func:`rar_stage`, (S, R, 3).

    ``regions``, (B, L), is the region class of every base; ``target_bpt``, (R,), is bp per token,
    which the stages split by the shares of the output.
    """
    targets = stage_targets(target_bpt, output.stage_shares)
    valid = output.valid
    counts = torch.nn.functional.one_hot(regions.long(), len(target_bpt)).float()
    counts = counts * valid.unsqueeze(-1)
    classes = regions.long()
    loss = output.logits.new_zeros(())
    sums: list[Tensor] = []
    stages = zip(output.routings, output.chunks, targets, strict=True)
    for routing, chunks, target in stages:
        stage, stage_sums = rar_stage(routing, classes, target, mask)
        loss = loss + stage
        sums.append(stage_sums)
        classes, counts = propagate_regions(counts, chunks, label)
    if not sums:  # a flat model has no routing stage
        return loss, loss.new_zeros(0, len(target_bpt), 3)
    return loss, torch.stack(sums)
