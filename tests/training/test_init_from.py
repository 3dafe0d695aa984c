"""The second stage: weights of the first, everything else anew."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from toolkit.command_line import call
from toolkit.networks import SMALL, SMALL_YAML, small_network
from toolkit.training import Batches, StopsAt, curve_of, run_of

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import Architecture, architecture
from genezip.models.pretrained import load_network
from genezip.training.setup import initial_weights, pretrain


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first")
    pretrain(run_of(name="one", seed=4, steps=4), Batches(), folder / "one", folder / "c")
    return folder / "one"


def changed(**keys: object) -> Architecture:
    return architecture({**SMALL.to_dict(), **keys})


def test_stage_two_begins_with_the_weights_of_stage_one(first: Path, tmp_path: Path) -> None:
    """A learning rate of almost zero shows where training began; bounds may differ."""
    shape = changed(k_min=[4, 4], k_max=[64, 32])
    initial = initial_weights(first, shape)
    run = run_of(
        name="two", architecture=shape, initial=initial, steps=2, learning_rate=1e-12, valid_ids=[]
    )
    pretrain(run, Batches(), tmp_path / "two", tmp_path / "c")
    network, card = load_network(tmp_path / "two")
    stage_one, _ = load_network(first)
    fresh = small_network(0)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, stage_one.state_dict()[name], rtol=0, atol=1e-9)
    assert not torch.allclose(network.embedding, fresh.embedding, atol=1e-3)
    sha256 = json.loads((first / "config.json").read_text())["sha256"]["model.safetensors"]
    assert card.training["init_from"] == {"name": "one", "seed": 4, "sha256": sha256}
    assert card.architecture.k_min == (4, 4)
    assert (
        f"from the weights of one, seed 4 (`{sha256}`)" in (tmp_path / "two/README.md").read_text()
    )
    lines = curve_of(tmp_path / "two")
    assert [line["step"] for line in lines] == [1, 2]  # a fresh schedule
    assert lines[0]["lr"] == pytest.approx(0.5e-12)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"d_state": 16}, "d_state 8, this model has 16"),
        ({"d_model": [16, 16, 32]}, r"d_model \[16, 16, 24\], this model has \[16, 16, 32\]"),
        ({"logit_scale": "none"}, 'logit_scale "inverse_sqrt_width", this model has "none"'),
    ],
)
def test_another_layout_is_refused(first: Path, keys: dict, words: str) -> None:
    with pytest.raises(GenezipError, match=words):
        initial_weights(first, changed(**keys))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two stages by hand on simulated DNA; the second on another region budget."""
    source, regions = tmp_path / "source.json", tmp_path / "gene7.bed.gz"
    chromosomes = [part for _ in range(3) for part in ("--chromosome-bp", "30000")]
    corpus = {"window_bp": 512, "train_windows": 8, "heldout_window_bp": 2048}
    corpus |= {"valid_windows": 0, "validation": "pieces"}
    assert call("simulate", "--out", tmp_path, *chromosomes) == 0
    named = ("--source", source, "--settings")
    summary = ("--bed", regions, "--summary", tmp_path / "gene7.tsv")
    assert call("regions", "build", *named, "{}", *summary) == 0
    built = (json.dumps(corpus), "--regions", regions, "--out", tmp_path / "corpus")
    assert call("corpus", "build", *named, *built) == 0
    settings = {"steps": 2, "batch": 2, "precision": "fp32", "device": "cpu"}
    common = (
        "pretrain", "--corpus", tmp_path / "corpus" / "manifest.json", "--architecture",
        SMALL_YAML, "--settings", json.dumps(settings), "--scale", "test",
    )  # fmt: skip
    one, two = tmp_path / "one", tmp_path / "two"
    assert call(*common, "--name", "one", "--uniform-bpt", 16, "--out", one) == 0
    second = ("--name", "two", "--uniform-bpt", 64, "--out", two)
    stages = ("--compressor", "dnahnet", "--stage-bpt", 8, "--stage-bpt", 2)
    assert call(*common, *second, "--init-from", one, *stages) == 0
    config = json.loads((two / "config.json").read_text())
    assert config["training"]["init_from"]["name"] == "one"
    assert (config["compressor"], config["architecture"]["stage_bpt"]) == ("dnahnet", [8, 2])
    assert "8 windows of 512 bp" in (two / "README.md").read_text()
    capsys.readouterr()
    assert call(*common, *second, "--init-from", tmp_path / "none") == 1
    assert "config.json does not exist" in capsys.readouterr().err
    assert call(*common, *second, "--stage-bpt", 8) == 1
    assert "--stage-bpt: stage_bpt must have 2 values, one per stage" in capsys.readouterr().err


def test_a_missing_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"config\.json does not exist"):
        initial_weights(tmp_path / "none", SMALL)


def test_altered_weights_are_refused(first: Path, tmp_path: Path) -> None:
    shutil.copytree(first, tmp_path / "copy")
    initial = initial_weights(tmp_path / "copy", SMALL)
    data = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "copy" / "model.safetensors").write_bytes(data)
    with pytest.raises(GenezipError, match="sha256 differs"):
        initial.load_into(small_network(0))


def test_a_resumed_run_must_have_the_same_initial_weights(first: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_of(), StopsAt(1), tmp_path / "m", tmp_path / "c")
    run = run_of(initial=initial_weights(first, SMALL))
    with pytest.raises(GenezipError, match="init_from null, not"):
        pretrain(run, Batches(), tmp_path / "m", tmp_path / "c")
