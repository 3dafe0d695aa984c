"""Routing, chunking, de-chunking and the RAR loss: forward and backward, on CPU.

States come with their boundaries drawn in: they turn round where a token starts, so that all
contenders keep the same positions, one in twelve or one in two. The tokens go straight from
chunking to de-chunking; there is no network between. Compared with h-net-dynamic-chunking
(one ratio loss for all positions instead of seven classes, no bounds), with the loop forms of
this package, and with a training step of ``genezip-tiny``: there the ratio step / routing of
both stages must be at least 6.7, so that routing takes at most 15 % of a step.

    python benchmarks/routing.py
"""

import sys
from pathlib import Path

import peers
import torch
from allocator import restart_with_malloc
from pairs import Run, Table, Work, training
from torch import Tensor

from genezip.models.hnet import losses
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.network import build
from genezip.models.hnet.output import Output
from genezip.models.routing.chunking import (
    Chunks,
    chunk,
    ema_dechunk,
    ema_dechunk_loop,
    straight_through,
)
from genezip.models.routing.learned import Router, Routing, SequenceBound, bounded_loop

BATCH, LENGTH, WIDTH, FLOOR = 2, 4096, 64, 8  # genezip-tiny in training
KEEP = {"1/12": 1 / 12, "1/2": 1 / 2}
TARGETS = torch.tensor([32.0, 32, 64, 64, 128, 256, 256])  # bp per token
SHARES = (0.5, 0.5)  # of both stages in the target
PRESET = Path(__file__).resolve().parents[1] / "genezip" / "config" / "models" / "genezip-tiny.yaml"


def states(length: int, keep: float) -> Tensor:
    """Near-parallel vectors that change sign where a token starts: p is close to 0 or 1."""
    turns = torch.where(torch.rand(BATCH, length) < keep, -1.0, 1.0).cumprod(1)
    near = torch.randn(WIDTH) + 0.1 * torch.randn(BATCH, length, WIDTH)
    return (turns.unsqueeze(-1) * near).requires_grad_()


def regions(length: int) -> Tensor:
    """Classes in runs of a few hundred positions."""
    runs = torch.randint(0, len(TARGETS), (BATCH, length // 300 + 1))
    return runs.repeat_interleave(300, dim=1)[:, :length]


def plain_routing(router: Router, x: Tensor, valid: Tensor) -> Routing:
    """The definition of the router: two projections, the library's cosine, the bound in a loop."""
    cosine = torch.cosine_similarity(router.q_proj(x)[:, :-1], router.k_proj(x)[:, 1:], dim=-1)
    prob = torch.nn.functional.pad(((1 - cosine) / 2).clamp(0, 1), (1, 0), value=1.0)
    active = prob > 0.5
    mask = bounded_loop(prob.detach(), active, valid, FLOOR, None)
    return Routing(prob, active, mask, valid)


def through(router: Router, x: Tensor, fast: bool = True) -> tuple[Tensor, Routing, Chunks]:
    """States -> tokens -> states, as a level of the network does it."""
    valid = torch.ones(x.shape[:2], dtype=torch.bool)
    routing = router(x, valid) if fast else plain_routing(router, x, valid)
    prob = routing.boundary_prob
    kept = chunk(routing.boundary_mask)
    dechunk = ema_dechunk if fast else ema_dechunk_loop
    smooth = dechunk(kept.select(x), kept.select(prob))
    confidence = torch.where(prob > 0.5, prob, 1 - prob)
    return straight_through(kept.expand(smooth), confidence), routing, kept


def ours(router: Router, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """One stage: states and RAR loss."""
    out, routing, _ = through(router, x)
    targets = losses.stage_targets(TARGETS, SHARES)[0]
    return out, losses.rar_stage(routing, labels, targets, "post")[0]


def loops(router: Router, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same with the loop forms (chunking has none)."""
    out, routing, _ = through(router, x, fast=False)
    targets = losses.stage_targets(TARGETS, SHARES)[0]
    return out, losses.rar_stage_loop(routing, labels, targets, "post")


def two_stages(routers: list[Router], xs: list[Tensor], labels: Tensor) -> tuple[Tensor, ...]:
    """Both stages and the whole RAR loss, as in a training step of the network."""
    parts = [through(router, x) for router, x in zip(routers, xs, strict=True)]
    _, routings, chunks = zip(*parts, strict=True)
    output = Output(parts[0][0], parts[0][0], routings[0].valid, stage_shares=SHARES)
    output.routings, output.chunks = list(routings), list(chunks)
    return *(part[0] for part in parts), losses.rar_loss(output, labels, TARGETS)[0]


def least(length: int) -> Work:
    """Two projections and their gradients; states in and out, and theirs."""
    positions = BATCH * length
    return Work(3 * positions * 2 * 2 * WIDTH**2, 5 * positions * WIDTH)


def new_router() -> Router:
    """As at the start of training."""
    router = Router(WIDTH, SequenceBound(FLOOR, None))
    router.reset_parameters()
    return router


def peer_chunker() -> torch.nn.Module:
    """The peer with the same projections, without its changes of the gradient."""
    chunker = peers.h_net().DynamicSequenceChunker(
        WIDTH, learning_rate_difference=1.0, straight_through_frac_vecs=False
    )
    with torch.no_grad():
        chunker.to_queries_keys.weight.copy_(torch.eye(WIDTH).repeat(2, 1))
    return chunker


def against_h_net(table: Table, name: str, keep: float) -> None:
    """Forward and backward of one stage against the peer."""
    chunker, router, x, labels = peer_chunker(), new_router(), states(LENGTH, keep), regions(LENGTH)
    grads = [torch.randn(BATCH, LENGTH, WIDTH), torch.tensor(1.0)]

    def theirs() -> tuple[Tensor, Tensor]:
        tokens, upsample, loss = chunker(x)
        return upsample(tokens), loss

    counts = chunker(x)[0].shape[1], through(router, x)[2].positions.shape[1]
    if counts[0] != counts[1]:
        raise SystemExit(f"the peer keeps {counts[0]} tokens and we keep {counts[1]}")
    table.compare(
        f"one stage, keep {name}",
        "forward+backward",
        training(lambda: ours(router, x, labels), [x, *router.parameters()], grads),
        training(theirs, [x, chunker.get_parameter("to_queries_keys.weight")], grads),
        "h-net-dynamic-chunking",
        1.3,
        least(LENGTH),
    )


def against_loops(table: Table, name: str, keep: float) -> None:
    """Forward and backward of one stage against our own loop forms."""
    router, x, labels = new_router(), states(LENGTH, keep), regions(LENGTH)
    grads, leaves = (
        [torch.randn(BATCH, LENGTH, WIDTH), torch.tensor(1.0)],
        [x, *router.parameters()],
    )
    table.compare(
        f"one stage, keep {name}",
        "forward+backward",
        training(lambda: ours(router, x, labels), leaves, grads),
        training(lambda: loops(router, x, labels), leaves, grads),
        "loop forms",
        3.0,
        least(LENGTH),
    )


def training_step(keep: float, labels: Tensor) -> Run:
    """A step of genezip-tiny: forward, both losses, backward, clipping, AdamW."""
    network = build(load_architecture(PRESET))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    ids = torch.randint(3, 7, (BATCH, LENGTH + 1))
    outer, inner = masks(keep)

    def step() -> None:
        output = network(ids[:, :-1], forced=[outer, inner])
        loss = losses.lm_loss(output.logits, ids)
        loss = loss + 0.3 * losses.rar_loss(output, labels, TARGETS)[0]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()

    return step


def masks(keep: float) -> tuple[Tensor, Tensor]:
    """Boundaries of both stages at the keep rate."""
    outer = torch.rand(BATCH, LENGTH) < keep
    outer[:, 0] = True
    inner = torch.rand(BATCH, int(outer.sum(1).max())) < keep
    inner[:, 0] = True
    return outer, inner & chunk(outer).valid


def share_of_a_step(table: Table, name: str, keep: float) -> None:
    """Both stages of routing against a whole training step with as many tokens."""
    xs = [states(LENGTH, keep)]
    xs.append(states(through(new_router(), xs[0])[2].positions.shape[1], keep))
    routers, labels = [new_router(), new_router()], regions(LENGTH)
    grads = [*(torch.randn_like(x) for x in xs), torch.tensor(1.0)]
    leaves = [*xs, *(p for router in routers for p in router.parameters())]
    table.compare(
        f"both stages, keep {name}",
        "forward+backward",
        training(lambda: two_stages(routers, xs, labels), leaves, grads),
        training_step(keep, labels),
        "training step, 2 x 4,096 bp",
        1 / 0.15,
        least(sum(x.shape[1] for x in xs)),
    )


def main() -> int:
    """Print every figure beside its goal."""
    restart_with_malloc()
    table = Table()
    for name, keep in KEEP.items():
        try:
            against_h_net(table, name, keep)
        except (ImportError, AttributeError) as error:
            table.leave_out(str(error))
        against_loops(table, name, keep)
        share_of_a_step(table, name, keep)
    return table.exit_status()


if __name__ == "__main__":
    sys.exit(main())
