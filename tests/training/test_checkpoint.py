"""Checkpoints of pretraining: the previous one if need be, never those of another run."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from toolkit.networks import small_network
from toolkit.training import Batches, StopsAt, curve_of, run_of

from genezip.artifacts.states import save_state
from genezip.errors import GenezipError
from genezip.models.pretrained import BEST, load_network
from genezip.training import setup
from genezip.training.checkpoint import (
    PREVIOUS,
    STATE,
    Checkpoint,
    TrainingState,
    random_state,
    set_random_state,
)
from genezip.training.optimizer import build_optimizer
from genezip.training.setup import FREE, pretrain


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of a run that was stopped after step 7, and the one before of step 5."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_of(), StopsAt(6), folder / "model", folder / "kept")
    assert not (folder / "model").exists()
    return folder / "kept"


@pytest.fixture
def kept(stopped: Path, tmp_path: Path) -> Path:
    """The same checkpoints, for one test to damage or to go on from."""
    return Path(shutil.copytree(stopped, tmp_path / "kept"))


def state_of(folder: Path, **changes: object) -> TrainingState | None:
    """The state that a run of these settings would go on from."""
    run, network = run_of(**changes), small_network(0)
    checkpoint = Checkpoint(folder, "toy", run.identity(), FREE, folder / BEST, keep_previous=True)
    return checkpoint.load(network, build_optimizer(network, run.settings), Batches())


def damage(path: Path) -> None:
    """Turn over one bit in the middle, as a bad disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


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
        patch.setattr(setup, "save_pretrained", full)
        pretrain(run_of(), Batches(), out, kept)
    assert not out.exists()
    pretrain(run_of(), Batches(), out, kept)
    assert "toy: resuming at step 12 of 12" in messages()
    assert {path.name for path in out.iterdir()} == set(setup.FILES)
    assert load_network(out)[1].training["valid"]["windows"] == 2


def test_a_damaged_checkpoint_gives_way_to_the_previous_one(
    kept: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    pretrain(run_of(), Batches(), tmp_path / "whole", tmp_path / "c")
    damage(kept / STATE)
    pretrain(run_of(), Batches(), tmp_path / "parts", kept)
    assert f"{kept / STATE} is damaged; resuming from the previous checkpoint, step 5" in messages()
    assert "toy: resuming at step 5 of 12" in messages()
    assert curve_of(tmp_path / "whole") == curve_of(tmp_path / "parts")
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_a_damaged_checkpoint_never_replaces_the_good_one(kept: Path) -> None:
    good = (kept / PREVIOUS).read_bytes()
    damage(kept / STATE)
    assert state_of(kept) is not None
    assert not (kept / STATE).exists() and (kept / "state.damaged.pt").exists()
    assert (kept / PREVIOUS).read_bytes() == good


def test_best_weights_of_lost_steps_are_not_taken_for_the_runs_own(
    kept: Path, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    """A crash after a validation, before its checkpoint: the file is of no known perplexity."""
    (kept / BEST).write_bytes(b"weights of a step that was lost")
    result = pretrain(run_of(), Batches(), tmp_path / "model", kept)
    assert any("best is chosen anew" in text for text in messages())
    later = [line["valid"]["ppl"] for line in curve_of(tmp_path / "model")
             if "valid" in line and line["step"] > 7]  # fmt: skip
    assert result["best_valid_ppl"] == min(later)
    load_network(tmp_path / "model", BEST)


def test_a_missing_newest_checkpoint_as_well(kept: Path, messages: Callable[[], list[str]]) -> None:
    """A crash between the two renames of a checkpoint."""
    (kept / STATE).unlink()
    state = state_of(kept)
    assert state is not None and state.step == 5
    missing = f"{kept / STATE} is missing; resuming from the previous checkpoint, step 5"
    assert messages()[-1] == missing


@pytest.mark.parametrize("how", [damage, lambda path: path.write_bytes(b"junk")])
def test_two_damaged_checkpoints_are_one_sentence(kept: Path, tmp_path: Path, how) -> None:
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
    kept: Path, tmp_path: Path, changes: dict, words: str
) -> None:
    before = {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()}
    with pytest.raises(
        GenezipError, match=f"{kept} holds a run .* step 7 with {words}; restore it"
    ):
        pretrain(run_of(**changes), Batches(), tmp_path / "model", kept)
    assert {path.name: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before


def test_settings_that_do_not_change_the_weights_may_differ(kept: Path) -> None:
    changes = {
        "micro_batch": 1, "checkpoint_every": 2, "validate_every": 3,
        "checkpoint_activations": True, "packed_trunk": True, "device": "auto",
    }  # fmt: skip
    assert {f"pretrain.{key}" for key in changes} == set(FREE)
    state = state_of(kept, **changes)
    assert state is not None and state.step == 7


@pytest.mark.parametrize("name", [STATE, "head.pt", "finetune.pt"])
def test_a_run_that_another_version_began_is_refused_in_one_sentence(
    tmp_path: Path, name: str
) -> None:
    values = {"step": 7, "network": {}, "progress": {"step": 7}}
    save_state(tmp_path / name, run_of().identity(), values)
    with pytest.raises(GenezipError) as refusal:
        state_of(tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / name} is of a run of another version of genezip and cannot be "
        f"resumed; delete the folder {tmp_path} to train from the start"
    )
    assert (tmp_path / name).exists()
