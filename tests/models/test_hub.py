"""Hub ids: what is one, what is a path, and reading without any network from a local cache."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toolkit.networks import published_weights, save_toy, small_network

from genezip.errors import GenezipError
from genezip.models.genezip.release import import_release
from genezip.models.hub import HubId
from genezip.models.pretrained import load_network

MAIN, OLD = "0123456789abcdef" * 2 + "01234567", "f" * 40


def write_model(folder: Path, seed: int) -> None:
    save_toy(folder, small_network(seed), seed, facts={"scale": "test"})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache as the hub's client keeps it, with two commits of one model; no network."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "hub" / "models--lab--toy"
    for seed, commit in enumerate([MAIN, OLD]):
        write_model(repository / "snapshots" / commit, seed)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(MAIN)
    (repository / "refs" / "v1").write_text(OLD)
    monkeypatch.chdir(tmp_path)
    return repository


# -- ids and paths ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "revision"),
    [
        ("lab/toy", "lab/toy", None),
        ("lab/toy@v1", "lab/toy", "v1"),
        ("a-b/GeneZip-70M_x.2@refs/pr/1", "a-b/GeneZip-70M_x.2", "refs/pr/1"),
    ],
)
def test_ids(text: str, name: str, revision: str | None) -> None:
    assert HubId.parse(text) == HubId(name, revision)
    assert str(HubId.parse(text)) == text


@pytest.mark.parametrize("text", ["toy", "./lab/toy", "/lab/toy", "a/b/c", "../toy", "lab/", ""])
def test_no_ids(text: str) -> None:
    assert HubId.parse(text) is None


def test_what_exists_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert HubId.parse(Path("models/toy")) is None
    assert HubId.parse("models/toy") == HubId("models/toy")
    write_model(tmp_path / "models" / "toy", 3)
    assert HubId.parse("models/toy") is None
    assert load_network("models/toy")[1].seed == 3
    with pytest.raises(GenezipError, match="models/toy is a local path; leave the revision out"):
        load_network("models/toy", revision="v1")


def test_one_revision() -> None:
    assert HubId.parse("lab/toy@v1", "v1") == HubId("lab/toy", "v1")
    with pytest.raises(GenezipError, match="give one revision"):
        HubId.parse("lab/toy@v1", "v2")


# -- reading from the cache ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("revision", "seed", "commit"),
    [(None, 0, MAIN), ("main", 0, MAIN), ("v1", 1, OLD), (OLD, 1, OLD)],
)
def test_pinned_revision(cache: Path, revision: str | None, seed: int, commit: str) -> None:
    network, card = load_network("lab/toy", revision=revision)
    assert card.seed == seed
    assert card.training["hub"] == {"id": "lab/toy", "commit": commit}
    assert network.embedding.equal(small_network(seed).embedding)


@pytest.mark.slow  # a process of its own
def test_environment_alone_is_enough(cache: Path) -> None:
    """A fresh interpreter, nothing patched: HF_HUB_CACHE and HF_HUB_OFFLINE as users set them."""
    program = (
        "from genezip.models.pretrained import load_network; "
        "print(load_network('lab/toy', revision='v1')[1].training['hub']['commit'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "HF_HUB_CACHE": str(cache.parent), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == OLD


def sentence(source: str, revision: str | None = None) -> str:
    with pytest.raises(GenezipError) as error:
        load_network(source, revision=revision)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_not_in_the_cache_and_no_network(cache: Path) -> None:
    said = sentence("lab/other")
    assert "lab/other is no folder here and cannot be fetched from the hub" in said
    assert "lab/toy@v9 is no folder here" in sentence("lab/toy", revision="v9")


def test_unknown_on_the_hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client says of an unknown repository or revision, without asking the hub."""
    import huggingface_hub
    from huggingface_hub import errors

    def answer(kind: type[Exception]) -> None:
        def refuse(*arguments: object, **options: object) -> str:
            raise kind.__new__(kind)

        monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)

    answer(errors.RepositoryNotFoundError)
    assert "neither a folder here nor a model on the hub" in sentence("lab/other")
    answer(errors.RevisionNotFoundError)
    assert "lab/toy on the hub has no revision v9" in sentence("lab/toy", revision="v9")


def test_client_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # Python's way to say: not there
    assert "run pip install 'genezip[hub]' or name a folder" in sentence("lab/toy")


def test_a_checkpoint_of_the_release_is_to_be_imported(cache: Path) -> None:
    (cache / "snapshots" / MAIN / "config.json").unlink()
    assert "run genezip weights import lab/toy --out FOLDER" in sentence("lab/toy")


def test_broken_download(cache: Path) -> None:
    path = cache / "snapshots" / MAIN / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "sha256": {"model.safetensors": "0" * 64}}))
    assert "model.safetensors is broken" in sentence("lab/toy")


# -- import -------------------------------------------------------------------------------


def test_import_from_the_hub(cache: Path, tmp_path: Path) -> None:
    """Weights in a checkpoint folder of an older commit, with their configuration above it."""
    snapshot = cache / "snapshots" / OLD
    for path in snapshot.iterdir():
        path.unlink()
    (snapshot / "checkpoint-30").mkdir()
    torch.save(published_weights(), snapshot / "checkpoint-30" / "pytorch_model.bin")
    (snapshot / "hydra_cfg.yaml").write_text("k_min_list: [5, 6]\nbp_per_token: 64\n")
    card = import_release("lab/toy@v1", tmp_path / "out")
    assert card.name == "toy"
    assert card.architecture.k_min == (5, 6)
    assert card.training["imported_from"] == "checkpoint-30/pytorch_model.bin"
    assert card.training["hub"] == {"id": "lab/toy", "commit": OLD}
    assert OLD in (tmp_path / "out" / "README.md").read_text()


def test_import_of_a_repository_without_weights(cache: Path, tmp_path: Path) -> None:
    for path in (cache / "snapshots" / MAIN).iterdir():
        path.unlink()
    with pytest.raises(GenezipError, match="lab/toy on the hub holds no weight file"):
        import_release("lab/toy", tmp_path / "out")
    assert not (tmp_path / "out").exists()
