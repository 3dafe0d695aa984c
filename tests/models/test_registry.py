"""Opening a compressor of any system, by folder, hub id or name and settings."""

import json
from pathlib import Path

import pytest
from toolkit.networks import save_toy, small_network

from genezip import models
from genezip.errors import GenezipError
from genezip.models import REGISTRY, load, register
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


def test_a_system_from_outside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "REGISTRY", dict(REGISTRY))
    register("mine", "genezip.models.genezip.compressor:GeneZip")
    register("mine", "genezip.models.genezip.compressor:GeneZip")  # twice is no fault
    with pytest.raises(GenezipError, match=r"'genezip' is genezip\.models\..*; choose another"):
        register("genezip", "elsewhere:Zip")
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "compressor": "mine"}))
    assert isinstance(load(folder), GeneZip)


class Ruler:
    """A system with settings of its own, and neither a device nor a way to stream."""

    def __init__(self, settings: str) -> None:
        self.settings = settings

    @classmethod
    def from_settings(cls, settings: str) -> "Ruler":
        return cls(settings)


def test_what_a_system_cannot_heed_does_not_reach_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "REGISTRY", {**REGISTRY, "ruler": f"{__name__}:Ruler"})
    ruler = load("ruler:7", "auto", streams=True)
    assert isinstance(ruler, Ruler) and ruler.settings == "7"
    with pytest.raises(GenezipError, match="the compressor ruler has no option bound; leave it"):
        load("ruler:7", bound="none")
    save_toy(folder, small_network(bound="sequence"))
    assert load(folder, streams=True).streams and not load(folder).streams
