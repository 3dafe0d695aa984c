"""Architectures: what cannot be is refused in one sentence."""

from pathlib import Path

import pytest
from toolkit.networks import CAUSAL, SMALL

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import architecture, load_architecture

KEYS = SMALL.to_dict()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"k_min": (20, 8), "k_max": (10, 8)}, "k_max 10 is below k_min 20"),
        ({"k_max": (0, 8)}, "k_max 0 is below 1"),
        ({"k_min": (0, 8)}, "k_min 0 is below 1"),
        ({**CAUSAL, "max_chunk": (0, 5)}, r"max_chunk \(G\) is 0; give at least 1"),
        ({**CAUSAL, "burst": (4, 0)}, r"burst \(beta\) is 0; give at least 1"),
        ({**CAUSAL, "rate": ((3, 2), (1, 2))}, "rate is 3/2; give a/b from 0 to 1"),
        ({**CAUSAL, "burst": None}, "burst must have 2 values"),
        ({"router": ("stride", "learned")}, "stride None does not fit router stride"),
        ({"stride": (4, None)}, "stride 4 does not fit router learned"),
        ({"router": ("stride",) * 2, "stride": (4, 0)}, "stride 0 is below 1"),
        (
            {"router": ("block", "stride"), "stride": (4, 4)},
            "router block fits no other router",
        ),
        ({"router": ("learned", "magic")}, r"router\.1: .*'learned', 'stride', 'random', 'cpg'"),
        ({"router": ("learned",)}, "router must have 2 values, one per stage"),
        ({"d_model": ()}, "d_model must have at least one width"),
        ({"heads": 3}, "heads"),
    ],
)
def test_wrong_architectures_are_one_sentence(changes: dict, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence) as error:
        architecture({**KEYS, **changes}, "odd.yaml")
    assert str(error.value).startswith("odd.yaml: ")
    assert "\n" not in str(error.value) and "Value error" not in str(error.value)


def test_a_router_of_bases_belongs_to_the_first_stage() -> None:
    with pytest.raises(GenezipError, match="router cpg reads bases, so it is of stage 0 only"):
        architecture({**KEYS, "router": ("stride", "cpg"), "stride": (4, None)})


def test_the_sentence_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text("d_model: [64, 64, 96]\nencoder_layers: [1]\n")
    with pytest.raises(GenezipError, match=r"odd\.yaml"):
        load_architecture(path)
