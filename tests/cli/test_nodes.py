"""Training on two nodes: agents that meet, of which one is lost and comes back."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from toolkit.launched import ENVIRONMENT, free_port
from toolkit.own_dna import train_arguments

STEPS = 300


def agent(port: int, log: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    """torchrun on a node, with its processes in a group of their own."""
    call = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
        "--rdzv-backend", "c10d", "--rdzv-id", "toy", "--rdzv-endpoint", f"127.0.0.1:{port}",
        "--max-restarts", "5", "--local-addr", "127.0.0.1", "-m", "genezip", *arguments,
    ]  # fmt: skip
    with log.open("ab") as errors:
        return subprocess.Popen(
            call, env=ENVIRONMENT, stdout=errors, stderr=errors, start_new_session=True
        )


def trained(folder: Path, corpus: Path, repo: Path, *, lose: bool) -> tuple[dict[str, object], str]:
    """Weights of a run of two agents, and what the first said; one may be lost on the way."""
    folder.mkdir()
    out, log = folder / "models" / "toy", folder / "first.log"
    arguments = train_arguments(
        corpus, repo, out, steps=STEPS, batch=2, micro_batch=1, checkpoint_every=20,
        validate_every=STEPS,
    )  # fmt: skip
    state = folder / "models" / "checkpoints" / "toy" / "state.pt"
    port = free_port()
    first = agent(port, log, arguments)
    second = agent(port, folder / "second.log", arguments)
    try:
        deadline = time.monotonic() + 300
        if lose:
            while not state.exists():
                assert time.monotonic() < deadline and first.poll() is None, log.read_text()
                time.sleep(0.05)
            os.killpg(second.pid, signal.SIGKILL)
            second.wait()
            second = agent(port, folder / "second.log", arguments)
        assert first.wait(300) == 0, log.read_text()
        assert second.wait(60) == 0, (folder / "second.log").read_text()
    finally:
        for process in (first, second):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
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
    assert all((calm[name] == disturbed[name]).all() for name in calm)
