"""The model that comes with the package: small, complete, opened by name, what its card says."""

import re

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip import GeneZip, load
from genezip.artifacts.files import sha256_file
from genezip.cli.options import SHIPPED
from genezip.models import CARD
from genezip.models.pretrained import CONFIG, WEIGHTS, load_card
from genezip.models.shipped import shipped_models

FOLDER = shipped_models()[SHIPPED]


def test_the_folder_is_complete_and_small() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {CONFIG, WEIGHTS, CARD}
    assert (FOLDER / WEIGHTS).stat().st_size < 9_000_000
    assert load(SHIPPED).metadata["parameters"] <= 2_200_000


def test_it_is_opened_by_its_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    model = GeneZip.from_pretrained(SHIPPED)
    assert model.facts == load(SHIPPED).facts
    assert (model.name, model.bound, model.streams) == (SHIPPED, "causal", True)


def test_the_card_is_of_these_weights() -> None:
    text = (FOLDER / CARD).read_text(encoding="utf-8")
    assert sha256_file(FOLDER / WEIGHTS) in text
    assert load_card(FOLDER).training["sha256"][WEIGHTS] == sha256_file(FOLDER / WEIGHTS)
    assert f"{load(SHIPPED).metadata['parameters']:,} parameters" in text
    difference = re.search(r"minus that of genezip-tiny.*?\| (\S+) \((\S+) to (\S+)\)", text)
    assert difference and float(difference[3]) < 0  # the interval is below 0


def test_it_tells_promoter_like_dna_from_other() -> None:
    """CpG-rich DNA gets more tokens than AT-rich; what is learned of genes is in the card."""
    rng = np.random.default_rng(0)
    rich = "".join(rng.choice(["CG", "GC", "G", "C", "A", "T"], 3000))
    poor = "".join(rng.choice(list("AATTGC"), 4500))
    model = load(SHIPPED)
    dense, sparse = (one.bpt for one in model.encode([rich, poor]))
    assert dense < sparse / 2


@pytest.mark.parametrize("length", [4, 1000])
def test_it_reads_any_length(length: int) -> None:
    (z,) = load(SHIPPED).encode([random_dna(length, 0)])
    assert z.length == length and z.token_starts[0] == 0
