"""Model folders: round trip, and every way they can be wrong."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toolkit.networks import SMALL, save_toy, small_network, toy_card

from genezip import GeneZip
from genezip.errors import GenezipError
from genezip.models.fixed.compressor import Fixed
from genezip.models.hnet.network import build
from genezip.models.pretrained import load_network, save_pretrained, save_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_toy(tmp_path / "toy", small_network(1), seed=1, facts={"scale": "test"})


def test_round_trip(folder: Path) -> None:
    network, card = load_network(folder)
    want = small_network(1)
    for (name, one), other in zip(
        network.state_dict().items(), want.state_dict().values(), strict=True
    ):
        assert one.equal(other), name
    assert (card.name, card.seed, card.architecture) == ("toy", 1, SMALL)


def test_compress_in_five_lines(folder: Path) -> None:
    z = GeneZip.from_pretrained(folder).compress("ACGTNNacgtRY" * 20)
    assert z.chunk_bp.sum() == 240
    assert z.tokens.shape == (len(z.chunk_bp), 24)
    assert z.boundary_prob.shape == (240,)
    assert z.boundary_prob[0] == 1
    assert np.array_equal(np.cumsum(z.chunk_bp)[:-1], z.token_starts[1:])
    assert z.bpt == 240 / len(z.chunk_bp)


def test_shortest_sequence(folder: Path) -> None:
    """One convolution of the model is the least."""
    assert GeneZip.from_pretrained(folder).compress("ggcg").chunk_bp.sum() == 4


@pytest.mark.parametrize(
    ("sequence", "sentence"),
    [
        ("", "has 0 bases, fewer than one convolution"),
        ("ggc", "has 3 bases, fewer than one convolution"),
        ("ACGJT", r"letter 'J' at position 3"),
        ("AÇ", "'Ç'"),
    ],
)
def test_wrong_sequence(folder: Path, sequence: str, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        GeneZip.from_pretrained(folder).compress(sequence)


def test_annotation_cannot_enter(folder: Path) -> None:
    with pytest.raises(TypeError):
        GeneZip.from_pretrained(folder).compress("ACGT", regions=[0, 0, 0, 0])  # type: ignore[call-arg]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"nowhere/config\.json does not exist; name"):
        load_network(tmp_path / "nowhere")


def test_other_format_version(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["format_version"] = 99
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenezipError, match="has format_version 99, this genezip reads 1"):
        load_network(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("[1]", "is not a genezip model configuration"),
        ('{"a": 1}', "is not a genezip model configuration"),
        ('{"format_version": 1}', "lacks name, seed, architecture, target_bpt, sha256, training"),
    ],
)
def test_no_configuration(folder: Path, text: str, sentence: str) -> None:
    (folder / "config.json").write_text(text)
    assert sentence in refused(folder)


@pytest.mark.parametrize("key", ["target_bpt", "sha256", "training"])
def test_configuration_with_values_of_another_kind(folder: Path, key: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, key: [1]}))
    assert "is not a genezip model configuration" in refused(folder)


def test_flipped_byte(folder: Path) -> None:
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(GenezipError, match=r"model\.safetensors is broken"):
        load_network(folder)


def test_truncated_best_weights(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "best.safetensors").write_bytes(data[:100])
    with pytest.raises(GenezipError, match=r"best\.safetensors is broken"):
        load_network(folder, "best.safetensors")


def refused(folder: Path) -> str:
    with pytest.raises(GenezipError) as error:
        load_network(folder)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_configuration_of_another_layout(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["d_state"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    said = refused(folder)
    assert "model.safetensors does not hold the weights of config.json" in said
    assert "encoders.0.blocks.0.mixer.conv_weight has shape (48, 4) where (40, 4)" in said


def test_weights_of_another_layout(folder: Path) -> None:
    """Weights copied from another model: their layout is named before their hash."""
    save_weights(folder / "model.safetensors", build(replace(SMALL, d_model=(16, 16, 32)), 1))
    assert "paddings.1 has shape (16,) where (8,) is expected" in refused(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"trunk_layers": 2}, "trunk.blocks.1.mixer.a_log, of shape (6,), is not expected"),
        ({"encoder_layers": (0, 1)}, "encoders.0.blocks.0.norm_weight, of shape (16,), is missing"),
    ],
)
def test_weights_with_other_layers(folder: Path, change: dict[str, Any], sentence: str) -> None:
    save_weights(folder / "model.safetensors", build(replace(SMALL, **change), 1))
    assert sentence in refused(folder)


def test_weights_of_another_model_of_the_same_layout(folder: Path) -> None:
    save_weights(folder / "model.safetensors", small_network(2))
    assert "its sha256 differs from config.json" in refused(folder)


def test_causal_bound_takes_its_integers_from_the_targets(tmp_path: Path) -> None:
    shape = replace(SMALL, bound="causal", k_min=(None, None))
    card = toy_card(shape, seed=1)
    want = build(shape.resolved([16.0] * 7), 1)
    save_pretrained(tmp_path / "toy", want, card)
    network = load_network(tmp_path / "toy")[0]
    assert network.bound == "causal"
    ids = torch.full((1, 64), 3)
    got, expected = network(ids).routings, want(ids).routings
    for one, other in zip(got, expected, strict=True):
        assert one.boundary_mask.equal(other.boundary_mask)
    assert not got[0].boundary_mask.equal(got[0].provisional)  # the bound bites


def test_weights_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(GenezipError, match=r"model\.safetensors is missing"):
        load_network(folder)


def test_failed_save_keeps_the_old_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from genezip.models import pretrained

    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(tensors: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pretrained, "save", full)
    with pytest.raises(GenezipError, match="No space left on device"):
        load_card = pretrained.load_card(folder)
        save_pretrained(folder, small_network(2), load_card)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    shutil.rmtree(folder)


def test_a_system_that_is_no_network_is_named(tmp_path: Path) -> None:
    Fixed(6).save(tmp_path)
    with pytest.raises(GenezipError, match="of the compressor fixed, which is no network; open it"):
        GeneZip.from_pretrained(tmp_path)
