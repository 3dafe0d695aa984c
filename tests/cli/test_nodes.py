"""Training on two nodes: agents that meet, of which one is lost and comes back."""

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import load_file
from toolkit.launched import ENVIRONMENT, free_port
from toolkit.own_dna import train_arguments
from torch import Tensor

STEPS = 400
SILENCE = 4  # seconds until the host takes a node for lost (two attempts of one second)


def agent(port: int, log: Path, arguments: list[str], host: bool) -> subprocess.Popen[bytes]:
    """torchrun on a node, with its processes in a group of their own; they meet at the host."""
    call = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
        "--rdzv-backend", "c10d", "--rdzv-id", "toy", "--rdzv-endpoint", f"127.0.0.1:{port}",
        "--rdzv-conf", f"is_host={int(host)},keep_alive_interval=1,keep_alive_max_attempt=2",
        "--max-restarts", "5", "--local-addr", "127.0.0.1", "-m", "genezip", *arguments,
    ]  # fmt: skip
    with log.open("ab") as errors:
        return subprocess.Popen(
            call,
            env={**ENVIRONMENT, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
            stdout=errors,
            stderr=errors,
            start_new_session=True,
        )


def lose_all_of(process: subprocess.Popen[bytes]) -> None:
    """Kill an agent and its programs, which have sessions of their own, as a node is lost."""
    programs = psutil.Process(process.pid).children(recursive=True)
    for one in (process, *programs):
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait()


def trained(folder: Path, corpus: Path, repo: Path, *, lose: bool) -> tuple[dict[str, Tensor], str]:
    """Weights of a run of two agents, and what the first said; one may be lost on the way."""
    folder.mkdir()
    out, log = folder / "models" / "toy", folder / "first.log"
    arguments = train_arguments(
        corpus, repo, out, steps=STEPS, batch=2, micro_batch=1, checkpoint_every=20,
        validate_every=STEPS,
    )  # fmt: skip
    state = folder / "models" / "checkpoints" / "toy" / "state.pt"
    port = free_port()
    first = agent(port, log, arguments, host=True)
    second = agent(port, folder / "second.log", arguments, host=False)
    try:
        deadline = time.monotonic() + 300
        if lose:
            while not state.exists():
                assert time.monotonic() < deadline and first.poll() is None, log.read_text()
                time.sleep(0.05)
            lose_all_of(second)
            time.sleep(SILENCE)
            second = agent(port, folder / "second.log", arguments, host=False)
        assert first.wait(300) == 0, log.read_text()
        assert second.wait(60) == 0, (folder / "second.log").read_text()
    finally:
        for process in (first, second):
            if process.poll() is None:
                lose_all_of(process)
    return load_file(out / "model.safetensors"), log.read_text()


@pytest.mark.slow
def test_a_node_that_is_lost_and_comes_back_changes_nothing(
    corpus: Path, repo: Path, tmp_path: Path
) -> None:
    calm, said = trained(tmp_path / "calm", corpus, repo, lose=False)
    assert "resuming" not in said
    disturbed, said = trained(tmp_path / "disturbed", corpus, repo, lose=True)
    assert "resuming" in said
    assert calm.keys() == disturbed.keys()
    assert all(torch.equal(calm[name], disturbed[name]) for name in calm)
