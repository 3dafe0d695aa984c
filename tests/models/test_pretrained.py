"""Model folders: round trip, and every way they can be wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from genezip import GeneZip
from genezip.errors import GenezipError
from genezip.models.architecture import load_architecture
from genezip.models.network import build
from genezip.models.pretrained import ModelCard, load_network, save_pretrained
from genezip.taxonomy import CLASSES

SHAPE = load_architecture(Path(__file__).parents[1] / "small.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    card = ModelCard("toy", 1, SHAPE, dict.fromkeys(CLASSES, 16.0), {"scale": "test"})
    save_pretrained(tmp_path / "toy", build(SHAPE, 1), card)
    return tmp_path / "toy"


def test_round_trip(folder: Path) -> None:
    network, card = load_network(folder)
    want = build(SHAPE, 1)
    for (name, one), other in zip(
        network.state_dict().items(), want.state_dict().values(), strict=True
    ):
        assert one.equal(other), name
    assert (card.name, card.seed, card.architecture) == ("toy", 1, SHAPE)


def test_compress_in_five_lines(folder: Path) -> None:
    z = GeneZip.from_pretrained(folder).compress("ACGTNNacgtRY" * 20)
    assert z.chunk_bp.sum() == 240
    assert z.tokens.shape == (len(z.chunk_bp), 24)
    assert z.boundary_prob.shape == (240,)
    assert z.boundary_prob[0] == 1
    assert np.array_equal(np.cumsum(z.chunk_bp)[:-1], z.token_starts[1:])
    assert z.bpt == 240 / len(z.chunk_bp)


def test_one_base(folder: Path) -> None:
    assert GeneZip.from_pretrained(folder).compress("g").chunk_bp.tolist() == [1]


@pytest.mark.parametrize(
    ("sequence", "sentence"),
    [("", "the sequence is empty"), ("ACGJT", r"letter 'J' at position 3"), ("AÇ", "'Ç'")],
)
def test_wrong_sequence(folder: Path, sequence: str, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        GeneZip.from_pretrained(folder).compress(sequence)


def test_annotation_cannot_enter(folder: Path) -> None:
    with pytest.raises(TypeError):
        GeneZip.from_pretrained(folder).compress("ACGT", regions=[0, 0, 0, 0])  # type: ignore[call-arg]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"nowhere is no model folder"):
        load_network(tmp_path / "nowhere")


def test_other_format_version(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["format_version"] = 99
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenezipError, match="format version 99"):
        load_network(folder)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 1}', '{"format_version": 1}'])
def test_no_configuration(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(GenezipError, match="not a genezip model configuration"):
        load_network(folder)


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


def test_weights_of_another_architecture(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["d_state"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(GenezipError, match="does not hold the weights"):
        load_network(folder)


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
        save_pretrained(folder, build(SHAPE, 2), load_card)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    shutil.rmtree(folder)
