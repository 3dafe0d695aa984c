"""Models trained elsewhere, and classes of the user, under a name of their own."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.command_line import succeed
from toolkit.networks import save_toy, small_network

from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.adopted import adopt
from genezip.models.fixed.compressor import Fixed

OWN = """
import numpy as np
import genezip as gz

class Halves(gz.PlainCompressor):
    name = "halves"
    causal = True

    def encode(self, sequences):
        return [gz.tokens_at(n, np.array([0, n // 2])) for n in map(len, gz.ids_of(sequences))]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_halves.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "own_halves:Halves"


def test_a_network_keeps_its_weights_and_has_another_name(tmp_path: Path) -> None:
    old = save_toy(tmp_path / "old", small_network())
    (old / "notes.txt").write_text("kept")
    succeed("weights", "adopt", old, "--name", "new", "--out", tmp_path / "new")
    first, second = load(old, bound="none"), load(tmp_path / "new", bound="none")
    assert (first.name, second.name) != (first.name, first.name) and second.name == "new"
    dna = "ACGTTGCA" * 40
    ours, theirs = (one.encode([dna])[0] for one in (first, second))
    assert np.array_equal(ours.boundary_prob, theirs.boundary_prob)
    assert (tmp_path / "new" / "notes.txt").read_text() == "kept"
    assert not (tmp_path / "new" / "README.md").exists()  # it would have the old name


def test_a_class_gets_a_folder_and_its_name(tmp_path: Path, own: str) -> None:
    adopt(own, "mine", tmp_path / "mine")
    model = load(tmp_path / "mine")
    assert model.name == "mine" and model.facts["class"] == "own_halves:Halves"
    assert model.encode(["ACGTAC"])[0].chunk_bp.tolist() == [3, 3]
    assert load(own).name == "halves"  # of other instances it is unchanged


def test_a_vocabulary_is_adopted_as_well(tmp_path: Path) -> None:
    Fixed(5, "five").save(tmp_path / "five")
    adopt(str(tmp_path / "five"), "other", tmp_path / "other")
    assert load(tmp_path / "other").encode(["ACGTACGT"])[0].chunk_bp.tolist() == [5, 3]
    assert json.loads((tmp_path / "other" / "config.json").read_text())["name"] == "other"


def test_what_cannot_be_opened_is_refused_and_nothing_is_written(tmp_path: Path, own: str) -> None:
    for source, message in (
        (str(tmp_path / "nowhere"), "there is no model"),
        ("own_halves:Thirds", "own_halves has no class Thirds"),
        ("fixed:16", "fixed:16 is neither a model folder nor a class"),
    ):
        with pytest.raises(GenezipError, match=message):
            adopt(source, "x", tmp_path / "x")
        assert not (tmp_path / "x").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(GenezipError, match="thesis"):
        adopt(own, "x", tmp_path / "full")
