"""Saving a loaded model with its card, the hub, and models that are opened by name."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from toolkit.networks import save_toy, small_network

from genezip import GeneZip, load
from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError
from genezip.models import hub
from genezip.models.fixed.compressor import Fixed
from genezip.models.pretrained import WEIGHTS

DNA = "ACGTTGCAAC" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_toy(tmp_path / "toy", small_network(1), 1, facts={"scale": "test"})
    return tmp_path / "toy"


def head_of(text: str) -> dict[str, Any]:
    """The YAML head of a card."""
    assert text.startswith("---\n")
    return yaml.safe_load(text.split("---\n")[1])


# -- folders ------------------------------------------------------------------------------


def test_save_pretrained_is_opened_again(folder: Path, tmp_path: Path) -> None:
    model = GeneZip.from_pretrained(folder)
    model.save_pretrained(tmp_path / "copy")
    again = load(tmp_path / "copy")
    assert again.facts == model.facts
    (one,), (other,) = model.encode([DNA]), again.encode([DNA])
    assert (one.token_starts == other.token_starts).all()
    np.testing.assert_array_equal(one.log_prob, other.log_prob)


def test_a_card_has_a_head_for_the_hub(folder: Path, tmp_path: Path) -> None:
    GeneZip.from_pretrained(folder).save_pretrained(tmp_path / "copy")
    head = head_of((tmp_path / "copy" / "README.md").read_text())
    assert head["library_name"] == "genezip"
    assert {"dna", "arxiv:2602.17739"} <= set(head["tags"])
    assert "license" not in head  # whose weights they are, only their owner can say


def test_the_card_stays_while_the_weights_are_the_same(folder: Path, tmp_path: Path) -> None:
    (folder / "README.md").write_text("# measured: 42\n")
    model = GeneZip.from_pretrained(folder)
    model.save_pretrained(tmp_path / "same")
    assert (tmp_path / "same" / "README.md").read_text() == "# measured: 42\n"
    with torch.no_grad():
        next(model.network.parameters()).add_(1)
    model.save_pretrained(tmp_path / "tuned")
    assert "measured" not in (tmp_path / "tuned" / "README.md").read_text()


# -- the hub ------------------------------------------------------------------------------


class Hub:
    """What the client would do, recorded; no network."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def create_repo(self, repo_id: str, private: bool, exist_ok: bool) -> str:
        Hub.created = (repo_id, private, exist_ok, self.token)
        return f"address of {repo_id}"

    def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str) -> None:
        files = {path.name: sha256_file(path) for path in folder_path.iterdir()}
        Hub.uploaded = (repo_id, files, commit_message)

    created: tuple[Any, ...] = ()
    uploaded: tuple[Any, ...] = ()


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    client: SimpleNamespace = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(client, "HfApi", Hub)
    return client


def test_push_to_hub_uploads_the_whole_folder(folder: Path, client: SimpleNamespace) -> None:
    model = GeneZip.from_pretrained(folder)
    assert model.push_to_hub("lab/toy", private=True, token="t") == "address of lab/toy"
    assert Hub.created == ("lab/toy", True, True, "t")
    name, files, message = Hub.uploaded
    assert name == "lab/toy"
    assert message == "Upload a genezip model"
    assert files[WEIGHTS] == sha256_file(folder / WEIGHTS)
    assert set(files) == {WEIGHTS, "config.json", "README.md"}


def test_a_system_without_weights_is_shared_too(client: SimpleNamespace) -> None:
    Fixed(16).push_to_hub("lab/ruler")
    assert set(Hub.uploaded[1]) == {"config.json", "README.md"}


@pytest.mark.parametrize("name", ["toy", "a/b/c", "lab/toy@v1", ""])
def test_no_repository(folder: Path, client: SimpleNamespace, name: str) -> None:
    with pytest.raises(GenezipError, match="is no repository of the hub; give owner/name"):
        GeneZip.from_pretrained(folder).push_to_hub(name)


def test_refused_by_the_hub(
    folder: Path, client: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(Hub, "create_repo", offline)
    with pytest.raises(GenezipError, match=r"did not take lab/toy \(ConnectionError\); check name"):
        GeneZip.from_pretrained(folder).push_to_hub("lab/toy")


# -- names --------------------------------------------------------------------------------


@pytest.fixture
def shipped(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that has one model, and an empty working folder."""
    monkeypatch.setattr(hub, "shipped_models", lambda: {"genezip-toy": folder})
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return folder


def test_a_shipped_model_is_opened_by_its_name(shipped: Path) -> None:
    assert load("genezip-toy").facts == load(shipped).facts
    assert GeneZip.from_pretrained("genezip-toy").facts == load(shipped).facts


def test_a_folder_of_that_name_is_preferred(shipped: Path) -> None:
    save_toy(Path("genezip-toy"), small_network(7), 7, facts={"scale": "test"})
    assert load("genezip-toy").facts["seed"] == 7


def test_an_unknown_name_is_answered_with_those_that_exist(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "cached_models", lambda: ["lab/a", "lab/b"])
    with pytest.raises(GenezipError) as error:
        load("genezip-smal")
    assert str(error.value) == (
        "there is no model 'genezip-smal'; name a model folder, a hub id owner/name, or a system "
        "such as fixed:16 (genezip-toy comes with genezip; the local cache of the hub has lab/a, "
        "lab/b)"
    )


def test_models_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    assert hub.cached_models() == []
    commit = "f" * 40
    snapshot = tmp_path / "hub" / "models--lab--toy" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = tmp_path / "hub" / "models--lab--toy" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    assert hub.cached_models() == ["lab/toy"]
