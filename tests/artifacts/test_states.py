"""Resumable states: whole or refused, and of one run."""

import io
from pathlib import Path

import pytest
import torch

from genezip.artifacts import states
from genezip.artifacts.states import load_state, refuse_other_run, save_state
from genezip.errors import GenezipError

IDENTITY = {"seed": 1, "settings": {"rate": (1, 4), "device": "cpu"}}
VALUES = {"weights": {"a": torch.arange(6.0).view(2, 3)}, "progress": {"step": 3, "best": None}}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    save_state(tmp_path / "state.pt", IDENTITY, VALUES)
    return tmp_path / "state.pt"


def test_a_state_is_read_as_it_was_written(state: Path) -> None:
    found = load_state(state, VALUES)
    assert found is not None and found.keys() == {"identity", *VALUES}
    assert found["identity"] == IDENTITY and found["progress"] == VALUES["progress"]
    assert torch.equal(found["weights"]["a"], VALUES["weights"]["a"])
    assert [path.name for path in state.parent.iterdir()] == ["state.pt"]


@pytest.mark.parametrize("damage", ["half", "a flipped byte", "empty", "text"])
def test_a_damaged_state_is_none(state: Path, damage: str) -> None:
    data = bytearray(state.read_bytes())
    place = data.index(VALUES["weights"]["a"].numpy().tobytes())
    data[place + 5] ^= 1
    contents = {"half": data[: len(data) // 2], "a flipped byte": data, "empty": b"", "text": b"{}"}
    state.write_bytes(contents[damage])
    assert load_state(state, VALUES) is None


@pytest.mark.parametrize("content", [[1], {"weights": {}}, {"identity": {}, "part": {}}])
def test_a_state_of_something_else_is_none(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "other.pt")
    assert load_state(tmp_path / "other.pt", ["weights"]) is None


def test_a_state_that_may_not_be_read_is_one_sentence(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(states.zipfile, "ZipFile", refused)
    with pytest.raises(GenezipError, match=r"state\.pt cannot be read: Permission denied; allow"):
        load_state(state, VALUES)


def test_the_state_before_is_kept_where_it_is_asked_for(state: Path) -> None:
    before = state.read_bytes()
    previous = state.with_name("state.previous.pt")
    save_state(state, IDENTITY, {"progress": {"step": 4}}, previous)
    assert previous.read_bytes() == before
    newest = load_state(state, ["progress"])
    assert newest is not None and newest["progress"]["step"] == 4


def test_a_full_disk_keeps_both(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state.read_bytes()

    def full(path: Path, data: memoryview) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(GenezipError, match="No space left on device"):
        save_state(state, IDENTITY, VALUES, state.with_name("state.previous.pt"))
    assert state.read_bytes() == before
    assert [path.name for path in state.parent.iterdir()] == ["state.pt"]


def test_another_run_is_refused_and_free_keys_are_not(state: Path) -> None:
    found = load_state(state, VALUES)
    assert found is not None
    refuse_other_run(state, "a run", found["identity"], {**IDENTITY, "settings": {
        "rate": [1, 4], "device": "cuda"}}, ["settings.device"])  # fmt: skip
    sentence = rf"{state} holds a run with seed 1, not 2; restore it to continue, or delete {state}"
    with pytest.raises(GenezipError, match=sentence):
        refuse_other_run(state, "a run", found["identity"], {**IDENTITY, "seed": 2})


def test_no_code_is_run(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple:
            return print, ("run",)

    data = io.BytesIO()
    torch.save({"identity": {}, "weights": Code()}, data)
    (tmp_path / "state.pt").write_bytes(data.getvalue())
    assert load_state(tmp_path / "state.pt", ["weights"]) is None
