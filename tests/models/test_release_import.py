"""Import of published weights: where they lie, what lies beside them, and all that is refused."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toolkit.networks import published_weights

from genezip.errors import GenezipError
from genezip.models.genezip import release
from genezip.models.genezip.release import import_release
from genezip.models.pretrained import load_card, load_network
from genezip.region_classes import CLASSES

State = dict[str, torch.Tensor]
INNER = "backbone.main_network.main_network"


def small(seed: int = 0) -> State:
    """A checkpoint of the layout in small.yaml."""
    state = published_weights(seed)
    state["lm_head.weight"] = state["embeddings.weight"].clone()
    return state


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "GeneZip-toy"
    folder.mkdir()
    torch.save(small(), folder / "pytorch_model.bin")
    return folder


def refused(source: str | Path, out: Path, **options: Any) -> str:
    """The sentence of an import that must fail and leave nothing."""
    with pytest.raises(GenezipError) as error:
        import_release(source, out, **options)
    said = str(error.value)
    assert "\n" not in said
    assert not list(out.parent.glob(f"*{out.name}*"))
    return said


def embedding_of(folder: Path) -> torch.Tensor:
    return load_network(folder)[0].embedding.detach()


# -- what is written ----------------------------------------------------------------------


def test_model_folder(source: Path, tmp_path: Path) -> None:
    import_release(source, tmp_path / "out")
    again = load_card(tmp_path / "out")
    assert again.name == "GeneZip-toy"
    assert again.architecture.d_model == (16, 16, 24)
    assert again.architecture.k_min == (8, 8)
    assert again.architecture.k_max == (None, None)
    assert again.architecture.logit_scale == "none"
    facts = again.training
    assert facts["scale"] == "full"
    assert facts["source"] == "imported"
    assert facts["imported_from"] == "pytorch_model.bin"
    assert facts["source_sha256"] == release.sha256_file(source / "pytorch_model.bin")
    assert facts["embedding_rows"] == list(range(12))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md", "config.json", "model.safetensors",
    ]  # fmt: skip
    assert facts["source_sha256"] in (tmp_path / "out" / "README.md").read_text()
    assert str(tmp_path) not in (tmp_path / "out" / "config.json").read_text()


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "pytorch_model.safetensors"])
def test_every_file_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    write: Callable[..., object] = save_file if name.endswith("tensors") else torch.save
    write(small(), tmp_path / "in" / name)
    import_release(tmp_path / "in", tmp_path / "out")
    assert embedding_of(tmp_path / "out").equal(small()["embeddings.weight"])


def test_search_order(tmp_path: Path) -> None:
    """Root, last-checkpoint, highest step (as a number), and the names in turn."""
    places = [
        "checkpoint-900/model.bin",
        "checkpoint-3000/model.bin",
        "checkpoint-3000/pytorch_model.bin",
        "last-checkpoint/model.bin",
        "model.bin",
    ]
    for seed, place in enumerate(places):
        path = tmp_path / "in" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(small(seed), path)
        card = import_release(tmp_path / "in", tmp_path / "out")
        assert card.training["imported_from"] == place
        assert card.name == "in"
        assert embedding_of(tmp_path / "out").equal(small(seed)["embeddings.weight"])


def test_head_may_be_absent(source: Path, tmp_path: Path) -> None:
    state = small()
    del state["lm_head.weight"]
    torch.save(state, source / "pytorch_model.bin")
    import_release(source / "pytorch_model.bin", tmp_path / "out", name="own")
    assert load_card(tmp_path / "out").name == "own"


def test_tensors_may_be_views_of_one_memory(source: Path, tmp_path: Path) -> None:
    state = small()
    flat = torch.cat([value.flatten() for value in state.values()])
    parts = flat.split([value.numel() for value in state.values()])
    views = {
        name: part.view(value.shape)
        for (name, value), part in zip(state.items(), parts, strict=True)
    }
    torch.save(views, source / "pytorch_model.bin")
    import_release(source, tmp_path / "out")
    assert embedding_of(tmp_path / "out").equal(state["embeddings.weight"])


def test_an_imported_model_is_replaced_and_nothing_else(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    import_release(source, out)
    torch.save(small(1), source / "pytorch_model.bin")
    import_release(source, out)
    assert embedding_of(out).equal(small(1)["embeddings.weight"])
    (out / "best.safetensors").write_bytes(b"the weights of a training run")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(GenezipError, match=r"holds best\.safetensors, which would be lost"):
        import_release(source, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_failed_import_keeps_the_old_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    import_release(source, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "save_pretrained", full)
    with pytest.raises(GenezipError, match="No space left on device"):
        import_release(source, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["GeneZip-toy", "out"]


# -- hydra_cfg.yaml (its reading is tested in test_release_config.py) ---------------------


def test_configuration_beside_the_weights(source: Path, tmp_path: Path) -> None:
    text = "d_model: [16, 16, 24]\nk_min_list: [5, 6]\nk_max_list: [300, 0]\nbp_per_token: 64\n"
    (source / "hydra_cfg.yaml").write_text(text)
    card = import_release(source, tmp_path / "out")
    assert card.architecture.k_min == (5, 6)
    assert card.architecture.k_max == (300, None)
    assert card.target_bpt == dict.fromkeys(CLASSES, 64.0)
    assert card.training["hydra_cfg"]["bp_per_token"] == 64
    assert load_card(tmp_path / "out").training["bounds"] == "hydra_cfg.yaml"


def test_configuration_above_a_checkpoint_folder(source: Path, tmp_path: Path) -> None:
    (source / "checkpoint-30").mkdir()
    (source / "pytorch_model.bin").rename(source / "checkpoint-30" / "pytorch_model.bin")
    (source / "hydra_cfg.yaml").write_text("k_max_list: [300, 0]")
    card = import_release(source / "checkpoint-30" / "pytorch_model.bin", tmp_path / "out")
    assert card.architecture.k_max == (300, None)
    assert card.name == "GeneZip-toy"
    (source / "checkpoint-30" / "hydra_cfg.yaml").write_text("k_max_list: [200, 0]")
    assert import_release(source, tmp_path / "out").architecture.k_max == (200, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("d_model: [16, 16, 32]", "[16, 16, 32], but the tensors have [16, 16, 24]"),
        ("{k_min_list: [8, 8], k_max_list: [4, 300]}", "k_max 4 is below k_min 8"),
        ("- 1", "is no mapping of keys"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_configuration_that_disagrees(
    source: Path, tmp_path: Path, text: str, sentence: str
) -> None:
    (source / "hydra_cfg.yaml").write_text(text)
    said = refused(source, tmp_path / "out")
    assert "hydra_cfg.yaml" in said
    assert sentence in said


def test_targets_without_a_configuration(source: Path, tmp_path: Path) -> None:
    given = dict.fromkeys(CLASSES, 100.0)
    card = import_release(source, tmp_path / "out", target_bpt=given)
    assert card.target_bpt == given
    (source / "hydra_cfg.yaml").write_text("bp_per_token: 64")
    said = refused(source, tmp_path / "other", target_bpt=given)
    assert "has 64 bp per token for promoter, the region preset 100; leave the preset out" in said


# -- refused weights ----------------------------------------------------------------------


def test_first_wrong_shape_is_named_with_both(source: Path, tmp_path: Path) -> None:
    state = small()
    state["backbone.encoder.layers.0.mixer.A_log"] = torch.randn(5)
    state["backbone.decoder.layers.0.mixer.D"] = torch.randn(7)
    torch.save(state, source / "pytorch_model.bin")
    said = refused(source, tmp_path / "out")
    assert "backbone.encoder.layers.0.mixer.A_log has shape (5,) where (4,) is expected" in said


@pytest.mark.parametrize(
    ("missing", "added", "sentence"),
    [
        ("backbone.residual_proj.bias", None, "proj.bias, of shape (16,), is missing"),
        (f"{INNER}.pad_dimension", None, "pad_dimension, of shape (8,), is missing"),
        (f"{INNER}.main_network.rmsnorm.weight", None, "is missing"),
        (None, "score.weight", "score.weight, of shape (2,), is not expected"),
        (None, "backbone.main_network.pad_dimension", "is not expected"),
        (None, "backbone.encoder.layers.2.norm1.weight", "layers.1.norm1.weight, of"),
        (None, "backbone.encoder.layers.999999999.norm1.weight", "layers.1.norm1.weight, of"),
        (None, "backbone.encoder.layers.0.norm2.weight", "is an H-Net text model"),
        (None, f"{INNER}.main_network.layers.0.mlp.fc1.weight", "is an H-Net text model"),
        (None, f"{INNER}.main_network.layers.0.mixer.Wqkv.weight", "is an H-Net text model"),
        ("embeddings.weight", None, "embeddings.weight, of shape (12, 16), is missing"),
    ],
)  # fmt: skip
def test_wrong_names(
    source: Path, tmp_path: Path, missing: str | None, added: str | None, sentence: str
) -> None:
    state = small()
    if missing is not None:
        del state[missing]
    if added is not None:
        state[added] = torch.randn(2)
    torch.save(state, source / "pytorch_model.bin")
    assert sentence in refused(source, tmp_path / "out")


def test_own_head(source: Path, tmp_path: Path) -> None:
    state = small()
    state["lm_head.weight"][0, 0] += 1
    torch.save(state, source / "pytorch_model.bin")
    assert "its lm_head.weight differs from" in refused(source, tmp_path / "out")


def test_not_finite(source: Path, tmp_path: Path) -> None:
    state = small()
    state["backbone.residual_proj.bias"][3] = torch.nan
    torch.save(state, source / "pytorch_model.bin")
    assert "backbone.residual_proj.bias with values that are not finite" in refused(
        source, tmp_path / "out"
    )


class Runs:
    """A pickle that would write a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "run")


@pytest.mark.parametrize("plain", [False, True], ids=["saved by torch", "plain pickle"])
def test_arbitrary_pickle_is_not_run(source: Path, tmp_path: Path, plain: bool) -> None:
    value = {**small(), "config": Runs(tmp_path / "trace")}
    if plain:
        (source / "pytorch_model.bin").write_bytes(pickle.dumps(value, protocol=2))
    else:
        torch.save(value, source / "pytorch_model.bin")
    said = refused(source, tmp_path / "out")
    assert "could run code" in said or "no weight file" in said
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ([1, 2], "holds no dictionary of tensors"),
        ({}, "holds no dictionary of tensors"),
        ({"state_dict": 3}, "holds no dictionary of tensors"),
        ({"epoch": 3}, "holds epoch of type int, which is no floating"),
        ({"ids": torch.arange(3)}, "holds ids of type torch.int64"),
        ({"a": torch.ones(1), "module.a": torch.ones(1)}, "holds a twice"),
        ({"weight": torch.ones(1)}, "is no GeneZip of the release"),
    ],
)
def test_no_state_dict(source: Path, tmp_path: Path, value: object, sentence: str) -> None:
    torch.save(value, source / "pytorch_model.bin")
    assert sentence in refused(source, tmp_path / "out")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_truncated_file(source: Path, tmp_path: Path, name: str, keep: int) -> None:
    (source / "pytorch_model.bin").unlink()
    write: Callable[..., object] = save_file if name.endswith("tensors") else torch.save
    write(small(), source / name)
    (source / name).write_bytes((source / name).read_bytes()[:keep])
    assert f"{name} is broken or no weight file" in refused(source, tmp_path / "out")


def test_no_source(tmp_path: Path) -> None:
    assert "nowhere does not exist" in refused(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    assert "holds no weight file" in refused(tmp_path / "empty", tmp_path / "out")


def test_out_is_a_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(GenezipError, match="out is a file"):
        import_release(source, tmp_path / "out")
