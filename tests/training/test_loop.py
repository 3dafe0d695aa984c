"""Training: the loss falls, a stopped run goes on without a seam, NaN stops the run."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from genezip.config import Pretrain
from genezip.errors import GenezipError
from genezip.models.architecture import load_architecture
from genezip.models.device import choose_device
from genezip.models.pretrained import load_network
from genezip.taxonomy import CLASSES
from genezip.training import loop
from genezip.training.loop import Run, pretrain

SHAPE = load_architecture(Path(__file__).parents[1] / "small.yaml")


class Batches:
    """ACGT repeated, from a random phase: easy to learn."""

    def __init__(self, seed: int = 0) -> None:
        self.count, self.seed = 0, seed

    def next_batch(self) -> dict[str, np.ndarray]:
        random = np.random.default_rng([self.seed, self.count])
        self.count += 1
        ids = (np.arange(128) + random.integers(4, size=(2, 1))) % 4 + 3
        return {"ids": ids.astype(np.uint8), "regions": np.full((2, 128), 5, dtype=np.uint8)}

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


def run_of(**changes: object) -> Run:
    values = {
        "steps": 12, "batch": 2, "micro_batch": 2, "warmup_steps": 2, "learning_rate": 3e-3,
        "precision": "fp32", "device": "cpu", "validate_every": 4, "checkpoint_every": 5,
        "rar_mask": "pre", "alpha": 0.1, "clip_norm": 1.0, **changes,
    }  # fmt: skip
    drawn = Batches(9).next_batch()
    return Run(
        "toy", 0, SHAPE, Pretrain(**values), dict.fromkeys(CLASSES, 16.0), "hash",
        drawn["ids"], drawn["regions"],
        {"scale": "test", "source": "simulated"},
    )  # fmt: skip


def curve(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]


def test_loss_falls_and_the_folder_is_whole(tmp_path: Path) -> None:
    pretrain(run_of(steps=40), Batches(), tmp_path / "model", tmp_path / "checkpoints")
    lines = curve(tmp_path / "model")
    steps = [line for line in lines if "lm_loss" in line]
    assert [line["step"] for line in steps] == list(range(1, 41))
    assert steps[-1]["lm_loss"] < 0.5 * steps[0]["lm_loss"]
    assert sum("valid" in line for line in lines) == 10
    network, card = load_network(tmp_path / "model")
    assert card.name == "toy"
    assert card.training["best_valid_ppl"] < 4
    load_network(tmp_path / "model", "best.safetensors")
    assert (
        network.count_parameters()
        == json.loads((tmp_path / "model" / "config.json").read_text())["parameters"]
    )
    assert not (tmp_path / "checkpoints" / "state.pt").exists()


def test_failure_at_the_very_end_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step is a checkpoint; the next start only writes the folder."""
    out, kept = tmp_path / "model", tmp_path / "kept"

    def full(*arguments: object) -> None:
        raise GenezipError("cannot write: no space")

    with monkeypatch.context() as patch, pytest.raises(GenezipError, match="no space"):
        patch.setattr(loop, "save_pretrained", full)
        pretrain(run_of(), Batches(), out, kept)
    assert not out.exists()
    said: list[str] = []
    pretrain(run_of(), Batches(), out, kept, said.append)
    assert said[0] == "toy: resuming at step 12 of 12"
    assert {path.name for path in out.iterdir()} == set(loop.FILES)
    load_network(out, "best.safetensors")


class StopsAt(Batches):
    """Raises a real SIGINT while the batch of one step is drawn."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.step = step

    def next_batch(self) -> dict[str, np.ndarray]:
        import signal

        if self.count == self.step:
            signal.raise_signal(signal.SIGINT)
        return super().next_batch()


def test_interrupted_run_goes_on_exactly(tmp_path: Path) -> None:
    whole, parts, kept = tmp_path / "whole", tmp_path / "parts", tmp_path / "kept"
    pretrain(run_of(), Batches(), whole, tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_of(), StopsAt(6), parts, kept)
    assert not parts.exists()
    said: list[str] = []
    pretrain(run_of(), Batches(), parts, kept, said.append)
    assert said[0] == "toy: resuming at step 7 of 12"
    one, other = load_network(whole)[0], load_network(parts)[0]
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    drop = "seconds"
    assert [{k: v for k, v in line.items() if k != drop} for line in curve(whole)] == [
        {k: v for k, v in line.items() if k != drop} for line in curve(parts)
    ]


def test_other_settings_start_anew(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_of(), StopsAt(6), tmp_path / "model", tmp_path / "kept")
    said: list[str] = []
    pretrain(run_of(alpha=0.2), Batches(), tmp_path / "model", tmp_path / "kept", said.append)
    assert not any("resuming" in line for line in said)
    assert [line["step"] for line in curve(tmp_path / "model") if "lr" in line] == list(
        range(1, 13)
    )


def test_nan_stops_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "lm_loss", lambda logits, ids, n: logits.sum() * float("nan"))
    with pytest.raises(GenezipError, match=r"not finite \(NaN\) at step 0"):
        pretrain(run_of(), Batches(), tmp_path / "model", tmp_path / "checkpoints")
    assert not (tmp_path / "model").exists()


def test_micro_batches_give_the_same_gradient() -> None:
    grads = []
    for micro in (2, 1):
        run = run_of(micro_batch=micro)
        network = loop.build(run.architecture, 0).train()
        ids, regions = (torch.from_numpy(a) for a in Batches().next_batch().values())
        loop.training_step(network, ids, regions, torch.full((7,), 16.0), run.settings)
        grads.append([p.grad.clone() for p in network.parameters()])
    for one, other in zip(*grads, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_cuda_asked_for_but_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GenezipError, match="cuda is asked for, but none is there"):
        choose_device("cuda")
    assert choose_device("auto").type == "cpu"
