"""Controls with a guide have its tokens, operations and parameters; others are refused."""

from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_ids
from toolkit.guided import KINDS, control, learned_network, save_control, save_learned
from toolkit.networks import FREE, save_toy, small_network

import genezip as gz
from genezip.errors import GenezipError
from genezip.evaluation.controls import MATCHED, matched_rows
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.flops import flops, guide_flops

TINY = load_architecture("ldarnet-tiny")
WINDOWS = [random_ids(length, length) for length in (90, 40, 90)]


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("arms")
    learned = save_learned(folder / "learned", shape=TINY)
    trained = learned_network(shape=TINY)
    controls = [save_control(folder / k, k, learned, control(k, trained)) for k in KINDS]
    return [*controls, learned]


def test_every_arm_is_beside_its_guide(arms: list[Path]) -> None:
    models = [gz.load(folder) for folder in arms]
    table = matched_rows(models, WINDOWS, "test", "test")
    assert tuple(table.columns) == MATCHED
    assert table["model"].tolist() == [*KINDS, "learned"]
    assert table["router"].tolist() == [*KINDS, "learned"]
    assert table["guide"].tolist()[:3] == ["learned"] * 3 and table["guide"].isna()[3]
    found = models[-1].encode(WINDOWS)
    counts = np.array([[len(one.token_starts)] for one in found])
    assert (table["tokens"] == counts.sum()).all() and (table["windows"] == 3).all()
    assert np.allclose(table["bpt"], 220 / counts.sum())
    lengths = np.array([90, 40, 90])
    own = flops(TINY, lengths, counts).sum()
    assert table["flops_per_bp"][3] == pytest.approx(own / 220)
    assert table["flops_off"][:3].between(-0.01, 0, inclusive="neither").all()
    guide = guide_flops(models[0].network.shape, lengths).sum()
    assert table["guide_flops_per_bp"].tolist() == pytest.approx([guide / 220] * 3 + [0])
    assert (table["tokens_off"][:3] == 0).all() and table["tokens_off"].isna()[3]
    assert table["parameters"].nunique() == 1


def test_an_arm_without_its_guide_is_refused(arms: list[Path]) -> None:
    with pytest.raises(GenezipError, match="was guided by learned seed 0, whose weights are not"):
        matched_rows([gz.load(arms[0])], WINDOWS, "test", "test")
    with pytest.raises(GenezipError, match="no window of split test"):
        matched_rows([gz.load(arms[0])], [], "test", "test")


def test_an_arm_with_other_tokens_is_refused(arms: list[Path], tmp_path: Path) -> None:
    """Its folder names the guide, but it was made with another one."""
    other = control("guided_even", learned_network(seed=9, shape=TINY))
    folder = save_control(tmp_path / "other", "guided_even", arms[-1], other)
    models = [gz.load(one) for one in (folder, arms[-1])]
    with pytest.raises(GenezipError, match=r"tokens of a window of .* differ by .* not matched"):
        matched_rows(models, WINDOWS, "test", "test")


def test_an_arm_with_other_operations_is_refused(tmp_path: Path) -> None:
    """In a very small network the moving average, which a control lacks, is more than 1 %."""
    learned = save_learned(tmp_path / "learned")
    even = control("guided_even", learned_network())
    folder = save_control(tmp_path / "even", "guided_even", learned, even)
    models = [gz.load(one) for one in (folder, learned)]
    with pytest.raises(GenezipError, match=r"operations of guided_even seed 0 differ .* not"):
        matched_rows(models, WINDOWS, "test", "test")


def test_a_network_without_a_guide_is_only_described(tmp_path: Path) -> None:
    model = gz.load(save_toy(tmp_path / "toy", small_network(**FREE)))
    (row,) = matched_rows([model], WINDOWS, "test", "test").to_dict("records")
    assert (row["router"], row["model"]) == ("learned, learned", "toy")
    assert row["guide_flops_per_bp"] == 0
