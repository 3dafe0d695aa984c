"""Bases per second on a CPU: compression and training, with and without the fused layer.

    python benchmarks/compress.py

Each row runs two ways in turn, A B A B ..., in one process and one thread; the ratio is the median
of the pairs. "Before" is the layer in plain PyTorch, in segments of 8,192 positions. The DNA is
random, the tiny models untrained under a causal bound that keeps one token in about 137 bp.

- Streams and windows, against before and against flat Mamba-2: of the same depth at the trunk's
  width by the same code, and of that shape in llama.cpp, where its Python packages are installed.
- Training steps with the windows and the batch of the demo: losses, gradients, optimiser.
- Peak memory of a forward pass over 2^20 bases, against the flat peer, each in a process.

The ceiling is what matrix products and one copy of everything that is read and written would take,
at the rates of this core. Exit codes are those of :mod:`peers`. Some four minutes.
"""

import argparse
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from allocator import malloc_settings, restart_with_malloc
from features import HEADER, Figures, compressor, flat_peer, held, random_ids
from gpu_check_training import markov_dna, region_runs, targets
from latency_case import processor
from latency_models import operations, preset
from llama import LlamaMamba2
from pairs import Run, copy_rate, product_rate, seconds

from genezip import load
from genezip.config import Pretrain
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.architecture import Architecture
from genezip.models.hnet.network import GeneZipNetwork, build
from genezip.models.layers.fused import plain_form
from genezip.peak import peak_bytes
from genezip.training.objectives import NextBase
from genezip.training.optimizer import build_optimizer

STREAM_BP, WINDOW_BP, WINDOWS = 262_144, 12_800, 16
TRAIN_BP, BATCH = 4096, 2
MEMORY_BP = 1 << 20
GENOME_BP, CORES = 3.1e9, (1, 8, 64)
PAIRS, STEPS = 5, 3
BEFORE_SEGMENT = 8192
FASTER, STEPS_FASTER, FLAT, MEMORY = 1.6, 1.3, 2.5, 1.0  # goals


class Table(Figures):
    """Figures, some of them without a goal."""

    def note(self, what: str, found: str) -> None:
        """Print one row without a goal."""
        print(f"| {what} | {found} | | | |", flush=True)


@contextmanager
def before(network: GeneZipNetwork) -> Iterator[None]:
    """The form of the layer, and its segments, that the fused one replaced."""
    segment = network.segment
    network.segment = {"cpu": BEFORE_SEGMENT}
    try:
        with plain_form():
            yield
    finally:
        network.segment = segment


def in_turn(ours: Run, other: Run, pairs: int = PAIRS) -> tuple[float, float, float]:
    """Median ratio other / ours, and median seconds of each."""
    ours(), other()  # warm up, and compile
    times = [(seconds(ours), seconds(other)) for _ in range(pairs)]
    ratio = statistics.median(b / a for a, b in times)
    own, peer = (statistics.median(column) for column in zip(*times, strict=True))
    return ratio, own, peer


def stream(model: GeneZip, ids: np.ndarray) -> Run:
    """A run that streams all bases in blocks."""
    return lambda: model.stream().feed(ids)


def windows(model: GeneZip, ids: np.ndarray) -> Run:
    """A run that compresses independent windows, one at a time."""
    return lambda: [model.encode([window]) for window in ids.reshape(-1, WINDOW_BP)]


def old(model: GeneZip, run: Run) -> Run:
    """The same run in the form of before."""

    def in_form() -> None:
        with before(model.network):
            run()

    return in_form


def least_seconds(shape: Architecture, length: int, tokens: list[int]) -> float:
    """Products at the rate of a large one, and one copy of bases, probabilities and vectors."""
    numbers = 2 * length + (tokens[-1] * shape.d_model[-1] if tokens else 0)
    return operations(shape, length, tokens) / product_rate() + numbers / copy_rate(numbers)


def stage_tokens(model: GeneZip, ids: np.ndarray) -> list[int]:
    """Tokens of every stage."""
    return [int(count) for count in model.compress(ids).stage_tokens]


def inference(figures: Table, model: GeneZip, ids: np.ndarray) -> float:
    """Streams and windows against the form of before; bases per second of a stream."""
    rate = 0.0
    for what, make, part in (
        (f"stream of {len(ids):,} bp", stream, ids),
        (f"{WINDOWS} windows of {WINDOW_BP:,} bp", windows, ids[: WINDOWS * WINDOW_BP]),
    ):
        run = make(model, part)
        ratio, own, peer = in_turn(run, old(model, run))
        least = least_seconds(model.network.shape, len(part), stage_tokens(model, part))
        rate = rate or len(part) / own
        figures.row(
            f"{model.name}, {what}, before / now",
            f"{ratio:.2f} times ({len(part) / peer:,.0f} bp/s, now {len(part) / own:,.0f})",
            f"at least {FASTER} times",
            f"{peer / least:.2f} times ({len(part) / least:,.0f} bp/s)",
            ratio >= FASTER,
        )
    return rate


def against_flat(figures: Table, model: GeneZip, ids: np.ndarray) -> None:
    """Against flat Mamba-2 of the same depth at the trunk's width, both in the new form."""
    shape = flat_peer()
    flat = compressor(shape, "flat Mamba-2")
    ratio, _, peer = in_turn(stream(model, ids), stream(flat, ids), pairs=3)
    most = operations(shape, len(ids), []) / operations(
        model.network.shape, len(ids), stage_tokens(model, ids)
    )
    figures.row(
        f"{model.name} against flat Mamba-2, {shape.trunk_layers} layers of {shape.d_model[0]}",
        f"{ratio:.2f} times ({len(ids) / peer:,.0f} bp/s)",
        f"at least {FLAT} times",
        f"{most:.2f} times (operations)",
        ratio >= FLAT,
    )
    try:
        llama = LlamaMamba2(shape)
    except ImportError as error:
        figures.note("flat Mamba-2 of that shape in llama.cpp", f"left out: {error}")
        return
    ratio, _, other = in_turn(stream(flat, ids), lambda: llama.read(ids), pairs=3)
    figures.note(
        f"flat Mamba-2 of that shape in llama.cpp ({llama.version}) / here",
        f"{ratio:.2f} times ({len(ids) / other:,.0f} bp/s)",
    )


def training(figures: Table, name: str) -> None:
    """Steps with the windows and the batch of the demo, by the step of a training."""
    ids, _ = markov_dna(BATCH, TRAIN_BP)
    batch = {"ids": ids, "regions": region_runs(*ids.shape)}
    settings = Pretrain(steps=1, batch=BATCH, micro_batch=BATCH, precision="fp32", device="cpu")
    network = build(preset(name)).train()
    optimizer = build_optimizer(network, settings)
    none = np.zeros((0, 1), dtype=np.uint8)
    learner = NextBase(name, name, network, network, settings, targets(), TRAIN_BP, none, none)

    def steps() -> None:
        for _ in range(STEPS):
            learner.minimise(batch)
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    def steps_before() -> None:
        with plain_form():
            steps()

    ratio, own, peer = in_turn(steps, steps_before)
    figures.row(
        f"training genezip-{name}, {BATCH} windows of {TRAIN_BP:,} bp, before / now",
        f"{ratio:.2f} times ({STEPS / peer:.1f} steps/s, now {STEPS / own:.1f})",
        f"at least {STEPS_FASTER} times",
        "",
        ratio >= STEPS_FASTER,
    )


def weigh(who: str) -> int:
    """Print the peak memory (bytes) of this process after a forward pass; for :func:`memory`."""
    shape = held(preset("tiny")) if who == "tiny" else flat_peer()
    network = build(shape).eval()
    ids = torch.from_numpy(random_ids(MEMORY_BP)).unsqueeze(0)
    with torch.inference_mode():
        network(ids)
    print(peak_bytes())
    return 0


def memory(figures: Table) -> None:
    """A forward pass over a whole sequence, against the flat peer."""
    found = []
    for who in ("tiny", "flat"):
        command = [sys.executable, __file__, "--weigh", who]
        found.append(int(subprocess.run(command, check=True, capture_output=True).stdout))
    own, peer = found
    figures.row(
        f"memory of a forward pass over {MEMORY_BP:,} bp, GeneZip-tiny / flat Mamba-2",
        f"{own / peer:.2f} times ({own / 1e9:.2f} GB / {peer / 1e9:.2f} GB)",
        f"at most {MEMORY:g} times",
        "",
        own <= MEMORY * peer,
    )


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Bases per second on a CPU, before and now.")
    parser.add_argument("--weigh", choices=("tiny", "flat"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main() -> int:
    """Print the table; the exit code is that of :mod:`peers`."""
    given = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if given.weigh:
        return weigh(given.weigh)
    figures = Table()
    rates = f"{product_rate() / 1e9:.0f} GFLOP/s in a 512 x 512 product, "
    rates += f"{4 * copy_rate(1 << 26) / 1e9:.1f} GB/s in a large copy"
    print(f"{processor()}, torch {torch.__version__}, 1 thread, {rates}, {PAIRS} pairs,", end=" ")
    print(f"allocator {malloc_settings()}\n\n{HEADER}")
    ids = random_ids(STREAM_BP)
    tiny = compressor(held(preset("tiny")), "GeneZip-tiny")
    inference(figures, tiny, ids)
    small = load("genezip-small", "cpu")
    assert isinstance(small, GeneZip)
    rate = inference(figures, small, ids)
    hours = ", ".join(f"{GENOME_BP / rate / cores / 3600:.2g} h on {cores}" for cores in CORES)
    figures.note(f"{GENOME_BP:.2g} bp with {small.name}, by that rate", f"{hours} cores")
    against_flat(figures, tiny, ids)
    for name in ("tiny", "small"):
        training(figures, name)
    memory(figures)
    return figures.exit_status()


if __name__ == "__main__":
    restart_with_malloc()
    sys.exit(main())
