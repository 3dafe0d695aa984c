"""The state-space scan against the plain-PyTorch scans of mamba-ssm and transformers, on CPU.

Scan only: x, dt, a, b, c in, y out, the same inputs for all. mamba-ssm's minimal SSD takes
x dt and a dt, which is part of its time, and b and c with a head dimension, of size 1 or
repeated. transformers' fallback is the function its mixer calls, without the mixer. Each at
chunk 64 and 256; the fastest of them at that length counts (one that was twice as slow as
the fastest at a shorter length is not tried again).

    python benchmarks/ssd.py [length ...]
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pairs
import peers
import torch
from allocator import restart_with_malloc
from pairs import Table, Work, seconds
from torch import Tensor

from genezip.models.layers.ssd import ssd

LENGTHS = (2048, 16_384, 65_536)
CHUNK = 64  # ours, that of the presets

# (heads, width of a head, state) and the goals, forward and forward+backward
SHAPES = {"tiny": (4, 32, 16, 3.0, 2.2), "70M": (16, 64, 64, 1.5, 1.5)}

Scan = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def peer_scans(table: Table) -> dict[str, Scan]:
    """The peers that can be imported, by name; the others are left out of the table."""
    found: dict[str, Scan] = {}
    for chunk in (64, 256):
        try:  # first, while no stand-in for mamba-ssm could be mistaken for its kernels
            scan = peers.transformers_mamba2().mamba2_chunk_scan.__wrapped__
            found[f"transformers {chunk}"] = partial(_transformers, scan, chunk)
        except (ImportError, AttributeError) as error:
            table.leave_out(str(error))
        try:
            scan = peers.mamba_ssm("modules.ssd_minimal").ssd_minimal_discrete
            found[f"mamba-ssm minimal {chunk}"] = partial(_minimal, scan, chunk, 1)
            found[f"mamba-ssm minimal {chunk}, b c per head"] = partial(_minimal, scan, chunk, None)
        except (ImportError, AttributeError) as error:
            table.leave_out(str(error))
    return found


def _transformers(
    scan: Callable, chunk: int, x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor
) -> Tensor:
    return scan(x, dt, a, b.unsqueeze(2), c.unsqueeze(2), chunk)


def _minimal(
    scan: Callable,
    chunk: int,
    heads: int | None,
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
) -> Tensor:
    heads = heads or x.shape[2]
    b, c = (t.unsqueeze(2).expand(-1, -1, heads, -1) for t in (b, c))
    return scan(x * dt.unsqueeze(-1), a * dt, b, c, chunk)[0]


def ours(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Our scan at the presets' chunk."""
    return ssd(x, dt, a, b, c, CHUNK)[0]


def inputs(length: int, heads: int, width: int, size: int) -> list[Tensor]:
    """One sequence with step sizes and decay rates as they are at the start of training."""
    torch.manual_seed(0)
    x, dt = torch.randn(1, length, heads, width), torch.rand(1, length, heads) * 0.05
    b, c = torch.randn(2, 1, length, size)
    return [t.requires_grad_() for t in (x, dt, -torch.linspace(1, 16, heads), b, c)]


def least(length: int, heads: int, width: int, size: int, training: bool) -> Work:
    """Products of the factorised form (twice as many again backwards), inputs and outputs."""
    products = 2 * CHUNK * size + heads * width * (2 * CHUNK + 4 * size)
    steps = heads + 2 * size
    if not training:
        return Work(length * products, length * (2 * heads * width + steps))
    return Work(3 * length * products, length * (5 * heads * width + 3 * steps))


def agree(scans: dict[str, Scan], arguments: list[Tensor]) -> None:
    """All compute the same (else the comparison would mean nothing)."""
    with torch.no_grad():
        want = ours(*arguments)
        for name, scan in scans.items():
            error = (scan(*arguments) - want).abs().max() / want.abs().max()
            if error > 1e-5:
                raise SystemExit(f"{name} differs from ours by {error:.1e} of the largest output")


def main(
    argv: Sequence[str] | None = None,
    find_peers: Callable[[Table], dict[str, Scan]] = peer_scans,
) -> int:
    """Print every figure beside its goal."""
    restart_with_malloc()
    given = sys.argv[1:] if argv is None else argv
    lengths = [int(argument) for argument in given] or LENGTHS
    table = Table()
    scans = find_peers(table)
    if not scans:
        return table.exit_status()
    for shape, (heads, width, size, *goals) in SHAPES.items():
        agree(scans, inputs(2048, heads, width, size))
        for training, goal in zip((False, True), goals, strict=True):
            tried = dict(scans)
            for length in lengths:
                arguments = inputs(length, heads, width, size)
                grad = torch.randn(1, length, heads, width)
                runs: dict[str, Callable[[], Any]] = {
                    name: partial(scan, *arguments) for name, scan in tried.items()
                }
                runs["ours"] = partial(ours, *arguments)
                if training:
                    runs = {n: pairs.training(run, arguments, [grad]) for n, run in runs.items()}
                else:
                    runs = {n: pairs.forward(run) for n, run in runs.items()}
                run_ours = runs.pop("ours")
                times = {n: min(seconds(run) for _ in range(2)) for n, run in runs.items()}
                best = min(times, key=times.__getitem__)
                tried = {n: s for n, s in tried.items() if times[n] < 2 * times[best]}
                work = least(length, heads, width, size, training)
                what = f"{shape}, {length} positions"
                way = "forward+backward" if training else "forward"
                table.compare(what, way, run_ours, runs[best], best, goal, work)
    return table.exit_status()


if __name__ == "__main__":
    sys.exit(main())
