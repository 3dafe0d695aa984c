"""Several processes train as one: the same weights, one voice, and nobody waits for ever."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toolkit.launched import ENVIRONMENT, free_port
from toolkit.networks import SMALL_YAML, small_network
from toolkit.training import FIVE_STEPS, Batches, curve_of, double_network, next_base, run_of

from genezip.errors import GenezipError
from genezip.training import fit, setup
from genezip.training.checkpoint import STATE, Checkpoint
from genezip.training.optimizer import build_optimizer
from genezip.training.ranks import Ranks
from genezip.training.setup import pretrain

PATIENCE = 600.0  # seconds; only a hang takes this long, however busy the machine


def start(rank: int, port: int, log: Path, *command: str | Path) -> subprocess.Popen[bytes]:
    """One of two processes, as torchrun starts them."""
    given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
    given |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environment = ENVIRONMENT | {name: str(value) for name, value in given.items()}
    call = [sys.executable, *map(str, command)]
    with log.open("wb") as errors:  # a pipe that nobody reads yet could stop one, and so the other
        return subprocess.Popen(call, env=environment, stderr=errors)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two real processes went through the scenarios of ``ranks_program.py``."""
    out, program = tmp_path_factory.mktemp("two"), Path(__file__).with_name("ranks_program.py")
    port, other = free_port(), str(free_port())
    logs = [out / f"errors{rank}.txt" for rank in (0, 1)]
    processes = [start(rank, port, logs[rank], program, out, other) for rank in (0, 1)]
    try:
        patience = time.monotonic() + PATIENCE
        while any(process.poll() is None for process in processes):
            if any(process.poll() for process in processes) or time.monotonic() > patience:
                break  # one alone would wait for the other
            time.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
    errors = [log.read_text() for log in logs]
    assert [process.returncode for process in processes] == [0, 0], errors
    return out


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run by one process: at once (``whole``) and in four micro-batches (``parts``)."""
    out = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "build", double_network)
        for name, micro_batch in (("whole", 4), ("parts", 1)):
            run = run_of(**{**FIVE_STEPS, "micro_batch": micro_batch})
            batches = Batches(windows=4, unknown=True)
            pretrain(run, batches, out / name, out / f"{name}.checkpoints")
    return out


def assert_same_weights(one: Path, other: Path) -> None:
    weights, others = (load_file(folder / "model.safetensors") for folder in (one, other))
    for name, value in weights.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(value, others[name], rtol=0, atol=1e-9, msg=name)


def outcomes(two: Path) -> list[dict[str, str]]:
    return [json.loads((two / f"rank{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_one_two_or_four_parts_of_a_batch_train_the_same_weights(one: Path, two: Path) -> None:
    """1 x 4, 2 x 2 and 4 micro-batches of 1, float64, 5 steps; windows with unequal N."""
    drawn = Batches(windows=4, unknown=True).next_batch()
    known = (drawn["ids"] < 7).sum(axis=1)
    assert known[:2].sum() != known[2:].sum()  # the two processes see unequal numbers of targets
    assert_same_weights(one / "whole", one / "parts")
    for name in ("whole", "recomputed"):  # the second in micro-batches of 1
        assert_same_weights(one / "whole", two / name)
    start = small_network(0).double().state_dict()
    moved = load_file(one / "whole" / "model.safetensors")
    assert any(((start[name] - moved[name]).abs() > 1e-3).any() for name in start)
    for line, other in zip(curve_of(one / "whole"), curve_of(two / "whole"), strict=True):
        for key, value in line.items():
            if key == "valid":
                assert other[key]["ppl"] == pytest.approx(value["ppl"], rel=1e-6)
                assert all(other[key][name] == value[name] for name in ("bpt", "windows"))
            elif key in ("lm_loss", "rar_loss", "grad_norm"):
                assert other[key] == pytest.approx(value, rel=1e-6)
            else:
                assert other[key] == value, key


@pytest.mark.slow
def test_all_stop_at_the_step_where_one_was_asked_and_another_number_goes_on(
    one: Path,
    two: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    first, second = outcomes(two)
    assert first["stopped"] == "KeyboardInterrupt"
    assert second["stopped"] == "SystemExit"
    kept = two / "stopped.checkpoints"
    assert (kept / STATE).exists()
    monkeypatch.setattr(setup, "build", double_network)
    batches = Batches(windows=4, unknown=True)
    pretrain(run_of(**FIVE_STEPS), batches, two / "stopped", kept)
    assert messages()[1] == "toy: resuming at step 3 of 5"
    assert_same_weights(one / "whole", two / "stopped")


@pytest.mark.slow
def test_the_clock_of_the_first_decides_on_a_checkpoint_for_all(
    one: Path, two: Path, monkeypatch: pytest.MonkeyPatch, messages: Callable[[], list[str]]
) -> None:
    """Without it there is none before the last step; going on from it trains the same weights."""
    first, second = outcomes(two)
    assert (first["clock"], second["clock"]) == ("a shard is damaged", "SystemExit")
    monkeypatch.setattr(setup, "build", double_network)
    batches = Batches(windows=4, unknown=True)
    pretrain(run_of(**FIVE_STEPS), batches, two / "clock", two / "clock.checkpoints")
    assert messages()[1] == "toy: resuming at step 3 of 5"
    assert_same_weights(one / "whole", two / "clock")


@pytest.mark.slow
def test_an_error_of_one_ends_all_and_is_said_once(two: Path) -> None:
    first, second = outcomes(two)
    assert first["one fails"] == "the second cannot read"
    assert "no longer finite (loss nan, gradient nan) at step 0" in first["nan"]
    assert "batch 3 cannot be shared equally by 2 processes" in first["uneven"]
    assert {second[name] for name in ("one fails", "nan", "uneven")} == {"SystemExit"}
    assert "stopped at step 3" in first["said"] and second["said"] == ""


@pytest.mark.slow
def test_wrong_input_of_the_command_is_one_sentence(two: Path) -> None:
    first, second = (one["command"] for one in outcomes(two))
    assert first.startswith("1 genezip: ") and first.count("genezip: ") == 1
    assert "none.json" in first and second == "1 "


@pytest.mark.slow
def test_torchrun_starts_the_command(tmp_path: Path) -> None:
    """The launcher that users call, given wrong input."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "genezip", "pretrain", "--corpus", tmp_path / "none.json", "--name", "toy",
        "--architecture", SMALL_YAML, "--uniform-bpt", "16", "--out", tmp_path / "model",
    ]  # fmt: skip
    done = subprocess.run(
        [*map(str, command)], env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode != 0
    sentences = [line for line in done.stderr.splitlines() if line.startswith("genezip: ")]
    assert len(sentences) == 1 and "none.json" in sentences[0]


def test_validation_windows_are_shared_in_whole_batches() -> None:
    for count in (0, 1, 7, 8, 23):
        for world in (1, 2, 3, 5):
            parts = [Ranks(rank, world).consecutive(count, 4) for rank in range(world)]
            items = [list(range(count))[part] for part in parts]
            assert list(chain(*items)) == list(range(count))
            assert all(part.start % 4 == 0 for part in parts)


def test_rows_cover_the_batch_once() -> None:
    rows = [Ranks(rank, 4).rows(8) for rank in range(4)]
    assert [index for row in rows for index in range(8)[row]] == list(range(8))
    with pytest.raises(GenezipError, match=r"pretrain\.batch 6 cannot be shared equally by 4"):
        Ranks(0, 4).rows(6)


def test_more_processes_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "0")  # as torchrun does
    with pytest.raises(GenezipError, match="4 processes share 2 GPUs"):
        Ranks(0, 4, 0, 4).device("auto")


def test_the_best_weights_of_one_process_cannot_serve_several(tmp_path: Path) -> None:
    network, run = small_network(0), run_of()
    optimizer = build_optimizer(network, run.settings)
    schedule = fit.Schedule(12, 0, lambda step: 1e-3, 1.0, validate_every=4, select="best")
    kept = Checkpoint(tmp_path, "toy", {})
    with pytest.raises(AssertionError, match="the best weights are selected from the state"):
        fit.fit(next_base(network, run), Batches(), optimizer, schedule, kept, Ranks(0, 2))
