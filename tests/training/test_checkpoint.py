"""Resuming: exact to the bit, from the previous checkpoint if need be, never another run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.training import Batches, StopsAt, curve_of, run_of

from genezip.artifacts.manifest import first_difference
from genezip.errors import GenezipError
from genezip.models.pretrained import BEST, load_network
from genezip.training import fit as loop
from genezip.training import step
from genezip.training.checkpoint import (
    FREE,
    PREVIOUS,
    STATE,
    load_checkpoint,
    random_state,
    set_random_state,
)
from genezip.training.fit import pretrain


def stopped(folder: Path, at: int = 7, **changes: object) -> Path:
    """Checkpoints of a run that was stopped after a step (earlier ones at step 5)."""
    with pytest.raises(KeyboardInterrupt):
        batches = StopsAt(at - 1)
        pretrain(run_of(**changes), batches, folder / "model", folder / "kept")
    assert not (folder / "model").exists()
    return folder / "kept"


def damage(path: Path) -> None:
    """Turn over one bit in the middle, as a bad disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_two_halves_equal_the_whole_bit_for_bit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    """Weights, optimiser, data position and random numbers, also those drawn in training."""
    lm_loss = step.lm_loss

    def noisy(*arguments: torch.Tensor) -> torch.Tensor:
        return lm_loss(*arguments) * (1 + 0.1 * torch.rand(()) + 0.1 * float(np.random.rand()))

    monkeypatch.setattr(step, "lm_loss", noisy)
    finals = []
    finish = loop._finish

    def keep(progress: object, *rest: object) -> None:
        finals.append((progress, random_state(torch.device("cpu"))))
        finish(progress, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_finish", keep)
    pretrain(run_of(), Batches(), tmp_path / "whole", tmp_path / "c")
    kept = stopped(tmp_path)
    torch.rand(3), np.random.rand(3)  # another process would have another state
    pretrain(run_of(), Batches(), tmp_path / "parts", kept)
    assert "toy: resuming at step 7 of 12" in messages()

    (whole, random), (parts, other_random) = finals
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(one, other)
        for key, value in whole.optimizer.state[one].items():
            assert torch.equal(value, parts.optimizer.state[other][key]), key
    assert whole.batches.state_dict() == parts.batches.state_dict() == {"count": 12}
    assert torch.equal(random["torch"], other_random["torch"])
    assert first_difference(plain(random["numpy"]), plain(other_random["numpy"])) is None
    assert curve_of(tmp_path / "whole") == curve_of(tmp_path / "parts")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def plain(state: dict) -> dict:
    return {**state, "state": {**state["state"], "key": state["state"]["key"].tolist()}}


def test_random_numbers_go_on() -> None:
    cpu = torch.device("cpu")
    state = random_state(cpu)
    first = torch.rand(4), np.random.rand(4), np.random.randn()
    set_random_state(state, cpu)
    again = torch.rand(4), np.random.rand(4), np.random.randn()
    assert torch.equal(first[0], again[0])
    assert np.array_equal(first[1], again[1]) and first[2] == again[2]


def test_failure_at_the_very_end_loses_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    messages: Callable[[], list[str]],
) -> None:
    """The last step is a checkpoint; the next start only writes the folder."""
    out, kept = tmp_path / "model", tmp_path / "kept"

    def full(*arguments: object) -> None:
        raise GenezipError("cannot write: no space")

    with monkeypatch.context() as patch, pytest.raises(GenezipError, match="no space"):
        patch.setattr(loop, "save_pretrained", full)
        pretrain(run_of(), Batches(), out, kept)
    assert not out.exists()
    pretrain(run_of(), Batches(), out, kept)
    assert "toy: resuming at step 12 of 12" in messages()
    assert {path.name for path in out.iterdir()} == set(loop.FILES)
    assert load_network(out)[1].training["valid"]["windows"] == 2


def test_a_damaged_checkpoint_gives_way_to_the_previous_one(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    pretrain(run_of(), Batches(), tmp_path / "whole", tmp_path / "c")
    kept = stopped(tmp_path)
    damage(kept / STATE)
    pretrain(run_of(), Batches(), tmp_path / "parts", kept)
    assert f"{kept / STATE} is damaged; going on from the previous checkpoint, step 5" in messages()
    assert "toy: resuming at step 5 of 12" in messages()
    assert curve_of(tmp_path / "whole") == curve_of(tmp_path / "parts")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_damaged_checkpoint_never_replaces_the_good_one(tmp_path: Path) -> None:
    kept = stopped(tmp_path)
    good = (kept / PREVIOUS).read_bytes()
    damage(kept / STATE)
    assert load_checkpoint(kept, run_of().identity()) is not None
    assert not (kept / STATE).exists() and (kept / "state.damaged.pt").exists()
    assert (kept / PREVIOUS).read_bytes() == good


def test_best_weights_of_lost_steps_are_not_taken_for_the_runs_own(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """A crash after a validation, before its checkpoint: the file is of no known perplexity."""
    kept = stopped(tmp_path)
    (kept / BEST).write_bytes(b"weights of a step that was lost")
    result = pretrain(run_of(), Batches(), tmp_path / "model", kept)
    assert any("best is chosen anew" in text for text in messages())
    later = [line["valid"]["ppl"] for line in curve_of(tmp_path / "model")
             if "valid" in line and line["step"] > 7]  # fmt: skip
    assert result["best_valid_ppl"] == min(later)
    load_network(tmp_path / "model", BEST)


def test_a_missing_newest_checkpoint_as_well(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """A crash between the two renames of a checkpoint."""
    kept = stopped(tmp_path)
    (kept / STATE).unlink()
    state = load_checkpoint(kept, run_of().identity())
    assert state is not None and state.step == 5
    missing = f"{kept / STATE} is missing; going on from the previous checkpoint, step 5"
    assert messages()[-1] == missing


@pytest.mark.parametrize("how", [damage, lambda path: path.write_bytes(b"junk")])
def test_two_damaged_checkpoints_are_one_sentence(tmp_path: Path, how) -> None:
    kept = stopped(tmp_path)
    for name in (STATE, PREVIOUS):
        how(kept / name)
    with pytest.raises(GenezipError, match=f"delete the folder {kept} to train from the start"):
        pretrain(run_of(), Batches(), tmp_path / "model", kept)
    assert (kept / STATE).exists() and (kept / PREVIOUS).exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"alpha": 0.2}, r"pretrain\.alpha 0\.1, not 0\.2"),
        ({"steps": 20}, r"pretrain\.steps 12, not 20"),
        ({"validate_windows": 7}, r"pretrain\.validate_windows 3000, not 7"),
        ({"corpus_sha256": "other"}, 'corpus_sha256 "hash", not "other"'),
        ({"seed": 3}, "seed 0, not 3"),
    ],
)
def test_other_settings_are_refused_and_nothing_is_lost(
    tmp_path: Path, changes: dict, words: str
) -> None:
    kept = stopped(tmp_path)
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}
    with pytest.raises(GenezipError, match=f"{kept} holds a run .* step 7 with {words}; set"):
        pretrain(run_of(**changes), Batches(), tmp_path / "model", kept)
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before


def test_settings_that_do_not_change_the_weights_may_differ(tmp_path: Path) -> None:
    kept = stopped(tmp_path)
    changes = {
        "micro_batch": 1, "checkpoint_every": 2, "validate_every": 3,
        "checkpoint_activations": True, "packed_trunk": True, "device": "auto",
    }  # fmt: skip
    assert {f"pretrain.{key}" for key in changes} == set(FREE)
    state = load_checkpoint(kept, run_of(**changes).identity())
    assert state is not None and state.step == 7
