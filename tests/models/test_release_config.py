"""``hydra_cfg.yaml`` of the release: references, bounds, targets and what contradicts."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from toolkit.networks import SMALL

from genezip.errors import GenezipError
from genezip.models.genezip.release_config import ReleaseConfig, described, read_beside
from genezip.models.hnet.architecture import load_architecture
from genezip.region_classes import CLASSES

# As the release saves it: with references, of which some lead to others.
HYDRA: dict[str, Any] = {
    "model_name": "toy",
    "_model_lookup": {
        "toy": {
            "k_min_list": [8, 8],
            "k_max_list": [0, 0],
            "model_cfg": {
                "arch_layout": ["m1", ["m1", ["m1"], "m1"], "m1"],
                "d_model": [16, 16, 24],
                "d_intermediate": [0, 0, 2048],
                "vocab_size": 12,
                "ssm_cfg": {
                    "chunk_size": 256, "head_dim": 8, "d_conv": 4, "d_state": 8, "expand": 2,
                },
                "tie_embeddings": True,
                "k_min_list": "${k_min_list}",
                "k_max_list": "${k_max_list}",
            },
        }
    },
    "k_min_list": "${_model_lookup.${model_name}.k_min_list}",
    "k_max_list": [300, 0],
    "model_cfg": "${_model_lookup.${model_name}.model_cfg}",
    "use_routing_floor": True,
    "use_routing_ceiling": True,
    "regions": "promoter1_cds16_utr2",
    "region_info": "${regions}_exon4_intron2_nig2.5_dig4",
    "bp_per_token": 64,
    "alpha": 0.03,
    "max_len": 12800,
    "hf_cache": "${oc.env:HF_HOME,/nowhere}",
}  # fmt: skip


def written(folder: Path, **changes: object) -> ReleaseConfig:
    (folder / "hydra_cfg.yaml").write_text(
        "# @package _global_\n" + yaml.safe_dump({**HYDRA, **changes}, sort_keys=False)
    )
    config = read_beside(folder / "pytorch_model.bin")
    assert config is not None
    return config


def test_references_are_followed(tmp_path: Path) -> None:
    config = written(tmp_path)
    config.check(SMALL)
    assert config.model("d_model") == [16, 16, 24]
    assert config.model("ssm_cfg.d_conv") == 4
    assert config.bounds(2) == {"k_min": [8, 8], "k_max": [300, None]}
    assert config.get("nothing") is None
    targets = config.target_bpt()
    assert targets is not None
    assert [targets[name] for name in CLASSES] == [64, 1024, 128, 256, 128, 160, 256]
    facts = config.facts()
    assert facts["region_info"] == "promoter1_cds16_utr2_exon4_intron2_nig2.5_dig4"
    assert (facts["bp_per_token"], facts["alpha"], facts["max_len"]) == (64, 0.03, 12800)


@pytest.mark.parametrize("section", ["model_cfg", "model.config", "top"])
def test_places_of_the_layout(tmp_path: Path, section: str) -> None:
    values: dict[str, Any] = {"d_model": [1, 2, 3]}
    if section == "model_cfg":
        values = {"model_cfg": values, "model": {"config": {"d_model": [9]}}}
    elif section == "model.config":
        values = {"model": {"config": values}, "d_model": [9]}
    (tmp_path / "hydra_cfg.yaml").write_text(yaml.safe_dump(values))
    config = read_beside(tmp_path / "model.bin")
    assert config is not None
    assert config.model("d_model") == [1, 2, 3]


def test_layout_in_the_words_of_the_release(repo: Path) -> None:
    shape = load_architecture("genezip-70m")
    assert described(shape) == {
        "arch_layout": ["m2", ["m2", ["m15"], "m2"], "m2"],
        "d_model": [512, 512, 768],
        "vocab_size": 12,
        "tie_embeddings": True,
        "ssm_cfg.d_state": 64,
        "ssm_cfg.d_conv": 4,
        "ssm_cfg.expand": 2,
        "ssm_cfg.head_dim": 64,
    }


@pytest.mark.parametrize(
    ("changes", "k_min", "k_max"),
    [
        ({"use_routing_floor": False}, [None, None], [300, None]),
        ({"use_routing_ceiling": False}, [8, 8], [None, None]),
        ({"k_min_list": [0, 3]}, [None, 3], [300, None]),
        ({"k_max_list": [30, 10, 5]}, [8, 8], [30, 10]),
    ],
)
def test_bounds(
    tmp_path: Path, changes: dict[str, Any], k_min: list[int | None], k_max: list[int | None]
) -> None:
    assert written(tmp_path, **changes).bounds(2) == {"k_min": k_min, "k_max": k_max}


def test_uniform_control(tmp_path: Path) -> None:
    config = written(tmp_path, region_info=None, bp_per_token=128)
    assert config.target_bpt() == dict.fromkeys(CLASSES, 128.0)
    assert written(tmp_path, bp_per_token=None).target_bpt() is None


def test_only_checkpoint_folders_look_above(tmp_path: Path) -> None:
    written(tmp_path)
    for name, found in {"checkpoint-30": True, "last-checkpoint": True, "other": False}.items():
        (tmp_path / name).mkdir()
        assert (read_beside(tmp_path / name / "model.bin") is not None) == found


@pytest.mark.parametrize(
    ("section", "key", "value", "sentence"),
    [
        ("model", "arch_layout", ["m1", ["m2"], "m1"], "have ['m1', ['m1', ['m1'], 'm1'], 'm1']"),
        ("model", "tie_embeddings", False, "has tie_embeddings: False"),
        ("model", "vocab_size", 256, "has vocab_size: 256, but the tensors have 12"),
        ("ssm", "head_dim", 16, "has ssm_cfg.head_dim: 16, but the tensors have 8"),
        ("ssm", "d_state", 16, "has ssm_cfg.d_state: 16, but the tensors have 8"),
        ("top", "region_info", "promoter1_cds1", "promoter1_cds1; write every class once"),
        ("top", "region_info", "${regions}_exon4_intron2_nig2_dig", "write every class once"),
        ("top", "region_info", "${nowhere}", "refers to ${nowhere}, which has no value"),
        ("top", "region_info", "${region_info}", "refers to ${region_info}"),
        ("top", "bp_per_token", -1, "bp_per_token: -1"),
        ("top", "k_max_list", [300], "needs one number for each of 2 stages"),
        ("top", "k_max_list", ["many", 0], "has k_max_list with 'many'"),
    ],
)
def test_contradictions(
    tmp_path: Path, section: str, key: str, value: object, sentence: str
) -> None:
    changed = copy.deepcopy(HYDRA)
    model = changed["_model_lookup"]["toy"]["model_cfg"]
    {"top": changed, "model": model, "ssm": model["ssm_cfg"]}[section][key] = value
    config = written(tmp_path, **changed)
    with pytest.raises(GenezipError) as error:
        config.check(SMALL)
        config.bounds(2)
        config.target_bpt()
    said = str(error.value)
    assert said.startswith(str(config.path))
    assert sentence in said
