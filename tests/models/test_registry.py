"""Opening a compressor of any system, by folder, hub id or name and settings."""

import json
from pathlib import Path

import pytest
from toolkit.networks import save_toy, small_network

from genezip.artifacts.files import sha256_file
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
    with pytest.raises(GenezipError, match="of the unknown compressor 'zip'; use one"):
        load(folder)


def test_what_cannot_be_opened_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    for source, options, message in (
        (tmp_path / "nothing", {}, "there is no model .*nothing'; name a model folder, a hub id"),
        ("", {}, "there is no model ''; name a model folder"),
        (folder / "config.json", {}, "config.json is a file; name the model folder that holds it"),
        (folder, {"device": "abacus"}, "there is no device 'abacus'; use cpu, cuda or auto"),
        ("fixed:" + "9" * 5000, {"device": "x"}, "there is no device"),
        ("os:path", {}, "os:path is no class with a method encode; derive it from"),
        ("builtins:int", {}, "builtins:int is no class with a method encode"),
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
    with pytest.raises(GenezipError, match="outside_halves has no class Thirds; correct the name"):
        load("outside_halves:Thirds")
    with pytest.raises(GenezipError, match=r"outside_halves:Halves has no option bound; leave"):
        load(outside, bound="none")


def test_what_a_system_cannot_heed_does_not_reach_it(outside: str, folder: Path) -> None:
    assert load(outside, "auto", streams=True).name == "halves"
    save_toy(folder, small_network(bound="sequence"))
    assert load(folder, streams=True).streams and not load(folder).streams


def test_an_outside_system_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import genezip as gz

class Wants(gz.PlainCompressor):
    name = "wants"

    def __init__(self, stride):
        self.stride = stride

class Nameless(gz.PlainCompressor):
    pass
"""
    (tmp_path / "outside_faults.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(GenezipError, match="cannot be made without stride; give it a default"):
        load("outside_faults:Wants")
    with pytest.raises(GenezipError, match="outside_faults:Nameless has no name; give its class"):
        load("outside_faults:Nameless")


def test_the_code_of_an_outside_system_is_part_of_what_it_is(outside: str, tmp_path: Path) -> None:
    facts = load(outside).facts
    assert facts["class"] == outside
    assert facts["code_sha256"] == sha256_file(tmp_path / "outside_halves.py")


def test_a_file_from_the_hub_chooses_no_code_of_this_machine(
    outside: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"format_version": 1, "compressor": outside}))
    monkeypatch.setattr("genezip.models.snapshot", lambda *_: tmp_path)
    with pytest.raises(GenezipError, match="owner/name on the hub is of the compressor outside_h"):
        load("owner/name")
