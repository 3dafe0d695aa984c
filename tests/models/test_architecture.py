"""Architectures: what cannot be is refused in one sentence."""

from pathlib import Path

import pytest
from toolkit.networks import CAUSAL, SMALL

from genezip.errors import GenezipError
from genezip.models.hnet.architecture import architecture, block_letters, load_architecture

KEYS = SMALL.to_dict()
ATTENTION = {"trunk_layers": "T1", "attention_heads": (None, None, 4)}


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
        ({"trunk_layers": "x4"}, "'x4' is no layout of layers; write a number of Mamba-2 layers"),
        ({"trunk_layers": "T1 m4"}, "'T1 m4' is no layout"),
        ({"encoder_layers": ("m0", 1)}, "'m0' is no layout"),
        ({"trunk_layers": "T1"}, "level 2 has attention of width 24, but attention_heads is null"),
        ({**ATTENTION, "attention_heads": (None, None, 5)}, "attention_heads is 5 there; give a"),
        ({**ATTENTION, "attention_heads": (4,)}, "attention_heads must have 3 values, one per"),
        ({**ATTENTION, "rotary_dims": (None, None, 8)}, "rotary_dims 8 is no even number up to"),
        ({**ATTENTION, "rotary_dims": (None, None, 3)}, "rotary_dims 3 is no even number up to"),
        ({**ATTENTION, "attention_window": (None, None, 0)}, "attention_window must be at least 1"),
        ({"stage_bpt": (3,)}, "stage_bpt must have 2 values, one per stage"),
        ({"stage_bpt": (3, 0.5)}, r"stage_bpt \[3.0, 0.5\] must have numbers from 1 up"),
        ({"stage_bpt": (1, 1)}, "one of them above 1"),
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


def test_letters_of_a_layout() -> None:
    for layers, letters in ((3, "mmm"), ("m3", "mmm"), ("T1m2", "Tmm"), ("Mt2", "Mtt"), (0, "")):
        assert block_letters(layers) == letters


def test_config_json_of_networks_without_attention_has_no_new_key() -> None:
    """Values are as they were, numbers of layers included; new keys appear where they are used."""
    new = {"d_intermediate", "attention_heads", "rotary_dims", "attention_window", "stage_bpt"}
    assert not new & set(KEYS)
    assert (KEYS["trunk_layers"], KEYS["encoder_layers"]) == (1, (1, 1))
    used = architecture({**KEYS, **ATTENTION, "stage_bpt": (3, 2)}).to_dict()
    assert new & set(used) == {"attention_heads", "stage_bpt"}
    assert architecture(used).to_dict() == used
