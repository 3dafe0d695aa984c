"""Tokens of equal length."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.compressed import joined
from genezip.models.fixed.compressor import Fixed


@pytest.mark.parametrize("stride", [1, 3, 6, 7, 500])
def test_a_token_every_so_many_bases(stride: int) -> None:
    for length in (1, stride, stride + 1, 100):
        (found,) = load(f"fixed:{stride}").encode([random_dna(length, length)])
        assert found.token_starts.tolist() == list(range(0, length, stride))
        assert (found.token_ids is None) == (stride > 6)


@pytest.mark.parametrize("stride", [1, 2, 3, 6])
def test_ids_are_numbers_of_kmers(stride: int) -> None:
    """Spelled letter by letter; one more id is for what is no whole k-mer."""
    text = random_dna(200, 1, "ACGTN", [0.22, 0.22, 0.22, 0.22, 0.12]) + "A"
    model = Fixed(stride)
    digits = str.maketrans("ACGT", "0123")
    tokens = [text[at : at + stride] for at in range(0, len(text), stride)]
    expected = [
        4**stride if "N" in token or len(token) < stride else int(token.translate(digits), 4)
        for token in tokens
    ]
    (found,) = model.encode([text])
    assert found.token_ids.tolist() == expected
    assert model.vocabulary == 4**stride + 1
    assert max(expected) == 4**stride


def test_a_stream_gives_a_token_where_it_begins() -> None:
    stream = load("fixed:8").stream()
    found = [
        stream.feed(block).token_starts.tolist() for block in ("ACGTACGTA", "C", "", "GTACGTAC")
    ]
    assert found == [[0, 8], [], [], [6]]
    assert stream.feed("ACGTACG").token_starts.tolist() == [6]


def test_tokens_with_ids_go_in_windows_that_cut_none() -> None:
    model, text = load("fixed:6"), random_dna(100)
    assert not model.streams and model.window_multiple == 6
    with pytest.raises(GenezipError, match="fixed-6 gives no stream"):
        model.stream()
    (whole,) = model.encode([text])
    windows = joined(model.encode([text[at : at + 12] for at in range(0, 100, 12)]))
    assert windows.token_ids.tolist() == whole.token_ids.tolist()
    assert windows.token_starts.tolist() == whole.token_starts.tolist()


def test_a_folder(tmp_path: Path) -> None:
    Fixed(16, "ruler", 0, {"scale": "test"}).save(tmp_path)
    model = load(tmp_path)
    assert isinstance(model, Fixed)
    assert (model.stride, model.name, model.vocabulary) == (16, "ruler", None)
    assert model.facts == {"compressor": "fixed", "name": "ruler", "seed": 0, "stride": 16}
    assert model.metadata == {"model": "ruler", "seed": 0, "stride": 16, "scale": "test"}
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "stride": "x"}))
    with pytest.raises(GenezipError, match="is not a genezip model configuration"):
        load(tmp_path)


@pytest.mark.parametrize("settings", ["", "0", "-3", "3.5", "x", "²"])
def test_a_stride_is_a_whole_number(settings: str) -> None:
    with pytest.raises(GenezipError, match=r"stride.*; give"):
        load(f"fixed:{settings}")


def test_nothing_is_multiplied() -> None:
    flops = Fixed(16).flops(np.array([100, 200]), np.array([[7], [13]]))
    assert flops.tolist() == [0, 0]
