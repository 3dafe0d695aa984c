"""Memory: the estimate against real processes, and a run that cannot fit is refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toolkit.networks import SMALL_YAML, small_network
from toolkit.training import Batches, next_base, run_of

from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.training import memory, setup
from genezip.training.memory import MemoryEstimate, PeakBytes, available_bytes, estimate

# A fresh process trains two steps of 2 windows of 4,096 bp, with recomputed activations and then
# without, which needs more; it prints the estimate and the growth of both.
PROGRAM = """
import sys
import torch
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.network import build
from genezip.training.memory import estimate
from genezip.training.optimizer import build_optimizer
from toolkit.training import next_base, run_of

torch.set_num_threads(1)
small, large = sys.argv[1:]

def train(path, window_bp, checkpoint=True):
    run = run_of(checkpoint_activations=checkpoint)
    settings = run.settings
    network = build(load_architecture(path), 0).train()
    network.checkpoint_activations(settings.checkpoint_activations)
    need = estimate(network, settings, 2, window_bp)
    optimizer = build_optimizer(network, settings)
    for _ in range(2):
        ids, regions = torch.randint(3, 7, (2, window_bp)), torch.randint(7, (2, window_bp))
        batch = {"ids": ids.byte().numpy(), "regions": regions.byte().numpy()}
        next_base(network, run).minimise(batch)
        optimizer.step()
        optimizer.zero_grad()
    return need.total()

def most():
    # of this program alone; getrusage also counts the process that started it
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) * 1024

train(small, 256)  # libraries are loaded
train(large, 256)  # and kernels compiled
before = most()
for checkpoint in (True, False):
    need = train(large, 8192, checkpoint)
    print(need, most() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="the system does not say what this process alone once held",
)
def test_the_estimate_is_within_a_factor_of_two_of_a_process(repo: Path) -> None:
    paths = [SMALL_YAML, repo / "genezip" / "config" / "models" / "genezip-tiny.yaml"]
    command = [sys.executable, "-c", PROGRAM, *map(str, paths)]
    environment = {**os.environ, "PYTHONPATH": f"{repo / 'tests'}{os.pathsep}{repo}"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=repo, env=environment
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        need, measured = map(int, line.split())
        assert measured > 100e6  # far more than a process grows by chance
        assert measured / 2 < need < measured * 2, lines


def test_peak_bytes_by_hand() -> None:
    known = torch.ones(1000)
    with PeakBytes([known]) as tally:
        a = known + 1  # 4,000 bytes
        view = a[10:]
        a.add_(1)
        del a  # the view keeps it
        b = torch.zeros(500)  # 2,000
        del view
        c = b * 2  # 2,000
        assert tally.now == 4000
        del b, c
    assert (tally.now, tally.peak) == (0, 6000)


def test_the_probe_leaves_no_trace() -> None:
    """Neither gradients nor drawn random numbers: the run after it is the same."""
    network = small_network(0).train()
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    estimate(network, run_of().settings, 2, 1024)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    next_base(network, run_of()).minimise(Batches().next_batch())
    assert any(parameter.grad is not None for parameter in network.parameters())


def test_the_estimate_grows_with_the_bases_in_flight() -> None:
    network = small_network(0).train()
    settings = run_of().settings
    one, four = (estimate(network, settings, windows, 1024) for windows in (1, 4))
    assert one.parameters == four.parameters == 16 * network.count_parameters()
    assert four.total() - four.total(0) == pytest.approx(4 * (one.total() - one.total(0)))
    network.checkpoint_activations(True)
    less = estimate(network, settings, 4, 1024)
    assert less.per_base < four.per_base


def test_a_run_that_cannot_fit_is_refused_with_advice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    # a machine that is nearly full
    monkeypatch.setattr(setup, "available_bytes", lambda device, processes: 1_500_000)
    with pytest.raises(GenezipError) as refusal:
        setup.pretrain(run_of(), Batches(), tmp_path / "m", tmp_path / "c")
    sentence = str(refusal.value)
    assert "lower pretrain.micro_batch" in sentence
    assert "set pretrain.checkpoint_activations" in sentence
    assert "shorter windows" in sentence
    (need,) = messages()
    assert "of 1.5 MB free on cpu" in need and "the first steps keep most tokens" in need
    assert not (tmp_path / "c").exists() and not (tmp_path / "m").exists()


def test_advice_is_only_what_is_left_to_do() -> None:
    need = MemoryEstimate(parameters=600, fixed=0, per_base=1.0, windows=1, window_bp=1000)
    settings = Pretrain(checkpoint_activations=True)
    device = torch.device("cpu")
    with pytest.raises(GenezipError) as refusal:
        memory.check_memory("toy", need, settings, 1000, device)
    assert "micro_batch" not in str(refusal.value)
    assert "checkpoint_activations" not in str(refusal.value)
    memory.check_memory("toy", need, settings, 1800, device)
    memory.check_memory("toy", need, settings, None, device)


def test_windows_that_fit() -> None:
    """600 + 1.2 x (100 + 1000 n) bytes."""
    need = MemoryEstimate(parameters=600, fixed=100, per_base=1.0, windows=8, window_bp=1000)
    assert need.total() == 600 + 120 + 9600
    assert need.fitting(600 + 120 + 3 * 1200 + 1199) == 3
    assert need.fitting(700) == 0
    with pytest.raises(GenezipError, match=r"micro_batch \(2 would fit\)"):  # 3 divide no batch
        memory.check_memory(
            "toy",
            need,
            Pretrain(batch=256, micro_batch=8),
            600 + 120 + 3 * 1200,
            torch.device("cpu"),
        )


def test_free_memory_is_shared_by_the_processes_of_a_machine() -> None:
    one, four = (available_bytes(torch.device("cpu"), processes) for processes in (1, 4))
    assert one is not None and four is not None
    assert 100e6 < four < one


def test_free_memory_needs_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: no file under /proc or /sys can be read."""

    def missing(path: Path, *_: object, **__: object) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(memory.Path, "read_text", missing)
    free = SimpleNamespace(available=6_000)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: free)
    assert available_bytes(torch.device("cpu"), 3) == 2_000


def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> None:
        raise NotImplementedError

    monkeypatch.setattr(memory.psutil, "virtual_memory", unknown)
    assert available_bytes(torch.device("cpu")) is None
