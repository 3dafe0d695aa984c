"""Opening a compressor of any system, by folder, hub id or name and settings."""

import json
from pathlib import Path

import pytest
from toolkit.networks import save_toy, small_network

from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.genezip.compressor import GeneZip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_toy(tmp_path / "model", small_network())


def test_a_folder_without_a_system_is_of_a_network(folder: Path) -> None:
    model = load(folder, bound="none")
    assert isinstance(model, GeneZip) and model.bound == "none"


def test_the_system_of_a_folder_is_named_in_its_configuration(folder: Path) -> None:
    config = folder / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "compressor": "genezip"}))
    assert isinstance(load(folder), GeneZip)
    config.write_text(json.dumps({**values, "compressor": "zip"}))
    with pytest.raises(GenezipError, match="of the compressor 'zip', which is not known; use one"):
        load(folder)


def test_what_cannot_be_opened_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    for source, options, message in (
        (tmp_path / "nothing", {}, "does not exist|is missing"),
        (folder, {"stride": 3}, "the compressor genezip has no option stride; leave it out"),
        ("genezip:tiny", {}, "a model of genezip needs a folder; name one in place of genezip:"),
    ):
        with pytest.raises(GenezipError, match=message):
            load(source, **options)


def test_an_option_that_is_none_counts_as_absent(folder: Path) -> None:
    assert load(folder, stride=None).name == "toy"


OUTSIDE = """
import genezip as gz

class Halves(gz.PlainCompressor):
    name = "halves"

    @classmethod
    def from_pretrained(cls, folder, device="cpu", revision=None):
        return cls()

    def encode(self, sequences):
        return [gz.tokens_at(len(ids), [0, len(ids) // 2]) for ids in gz.ids_of(sequences)]
"""


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "outside_halves.py").write_text(OUTSIDE)
    monkeypatch.syspath_prepend(tmp_path)
    return "outside_halves:Halves"


def test_a_system_from_outside_is_named_by_its_class(outside: str, tmp_path: Path) -> None:
    assert load(outside).encode(["ACGTA"])[0].chunk_bp.tolist() == [2, 3]
    config = {"format_version": 1, "compressor": outside}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load(tmp_path).name == "halves"


def test_a_system_from_outside_that_is_not_there(outside: str) -> None:
    with pytest.raises(GenezipError, match="nowhere:Zip is no module on Python's path; add its"):
        load("nowhere:Zip")
    with pytest.raises(GenezipError, match="outside_halves has no class Thirds"):
        load("outside_halves:Thirds")
    with pytest.raises(GenezipError, match=r"outside_halves:Halves has no option bound; leave"):
        load(outside, bound="none")
