"""Training of controls with the guide of a finished model, and what is refused as a guide."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toolkit.command_line import call
from toolkit.guided import LEARNED, guided, learned_network, save_control, save_learned
from toolkit.guided import control as control_of
from toolkit.networks import save_toy, small_network
from toolkit.training import Batches, StopsAt, run_of

from genezip.errors import GenezipError
from genezip.models.pretrained import load_network
from genezip.region_classes import CLASSES
from genezip.training.setup import Run, guide_weights, pretrain

EVEN = guided("guided_even")


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_learned(tmp_path_factory.mktemp("learned"))


def run_with(guide: Path, **changes: object) -> Run:
    fields = {
        "name": "even", "architecture": EVEN, "compressor": "ldarnet", "steps": 3, "valid_ids": [],
        "target_bpt": dict.fromkeys(CLASSES, 4.0),
    }  # fmt: skip
    return replace(run_of(**{**fields, **changes}), guide=guide_weights(guide, EVEN))


def test_a_control_is_trained_with_the_frozen_first_stage_of_its_guide(
    learned: Path, tmp_path: Path
) -> None:
    pretrain(run_with(learned), Batches(), tmp_path / "even", tmp_path / "c")
    network, card = load_network(tmp_path / "even")
    sha256 = json.loads((learned / "config.json").read_text())["sha256"]["model.safetensors"]
    assert card.training["guide"] == {"name": "learned", "seed": 0, "sha256": sha256}
    trained = learned_network().state_dict()
    state = network.state_dict()
    assert torch.equal(state["routers.0.guide.embedding"], trained["embedding"])
    prefix = "routers.0.guide.encoder."
    encoder = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
    assert len(encoder) > 10
    assert all(torch.equal(value, trained[f"encoders.0.{n}"]) for n, value in encoder.items())
    assert not torch.equal(state["embedding"], trained["embedding"])
    text = (tmp_path / "even" / "README.md").read_text()
    assert f"as many tokens as under learned, seed 0\n(`{sha256}`)" in text


def test_a_resumed_run_must_have_the_same_guide(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        pretrain(run_with(learned), StopsAt(1), tmp_path / "m", tmp_path / "c")
    other = save_toy(tmp_path / "other", learned_network(seed=7), name="learned")
    with pytest.raises(GenezipError, match='guide "'):
        pretrain(run_with(other), Batches(), tmp_path / "m", tmp_path / "c")


def test_altered_weights_of_a_guide_are_refused(learned: Path, tmp_path: Path) -> None:
    shutil.copytree(learned, tmp_path / "copy")
    data = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "copy" / "model.safetensors").write_bytes(data)
    with pytest.raises(GenezipError, match="sha256 differs"):
        pretrain(run_with(tmp_path / "copy"), Batches(), tmp_path / "m", tmp_path / "c")


def test_what_cannot_be_a_guide_is_refused(learned: Path, tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="name its folder with --guide"):
        guide_weights(None, EVEN)
    with pytest.raises(GenezipError, match="the architecture has no guided router for the guide"):
        guide_weights(learned, LEARNED)
    with pytest.raises(GenezipError, match=r"config\.json does not exist"):
        guide_weights(tmp_path / "none", EVEN)
    with pytest.raises(
        GenezipError, match=r"d_model \[8, 16\], this model has \[8, 20\]; only the"
    ):
        guide_weights(learned, replace(EVEN, d_model=(8, 20)))
    with pytest.raises(GenezipError, match=r'encoder_layers \["m1t1"\], this model has \["m1"\]'):
        guide_weights(learned, replace(EVEN, encoder_layers=("m1",)))
    with pytest.raises(GenezipError, match="vocab_size 7, this model has 12"):
        guide_weights(learned, replace(EVEN, vocab_size=12))
    even = control_of("guided_even", learned_network())
    folder = save_control(tmp_path / "even", "guided_even", learned, even)
    with pytest.raises(GenezipError, match="cannot be a guide: its router is guided_even"):
        guide_weights(folder, EVEN)
    causal = save_toy(tmp_path / "causal", small_network(bound="none"))
    with pytest.raises(GenezipError, match="cannot be a guide: its architecture has d_model"):
        guide_weights(causal, EVEN)


@pytest.mark.slow
def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From simulated DNA to the table of matched arms, by hand."""
    source, regions = tmp_path / "source.json", tmp_path / "gene7.bed.gz"
    chromosomes = [part for _ in range(3) for part in ("--chromosome-bp", "30000")]
    settings = {"window_bp": 512, "train_windows": 8, "heldout_window_bp": 2048}
    settings |= {"valid_windows": 0, "validation": "pieces"}
    assert call("simulate", "--out", tmp_path, *chromosomes) == 0
    named = ("--source", source, "--settings")
    summary = ("--bed", regions, "--summary", tmp_path / "gene7.tsv")
    assert call("regions", "build", *named, "{}", *summary) == 0
    built = (json.dumps(settings), "--regions", regions, "--out", tmp_path / "corpus")
    assert call("corpus", "build", *named, *built) == 0
    corpus = ("--corpus", tmp_path / "corpus" / "manifest.json")
    steps = {"steps": 2, "batch": 2, "precision": "fp32", "device": "cpu"}
    common = (
        "pretrain", *corpus, "--compressor", "ldarnet", "--uniform-bpt", 4,
        "--settings", json.dumps(steps), "--scale", "test",
    )  # fmt: skip
    folder = tmp_path / "learned"
    arguments = ("--architecture", "ldarnet-tiny", "--name", "learned", "--out", folder)
    assert call(*common, *arguments) == 0
    arms = [folder]
    for kind in ("even", "random", "shuffled"):
        arms.append(tmp_path / kind)
        layout = ("--architecture", f"ldarnet-tiny-{kind}", "--name", kind, "--out", arms[-1])
        assert call(*common, *layout, "--guide", folder) == 0
    capsys.readouterr()
    assert call(*common, *layout) == 1
    assert "name its folder with --guide" in capsys.readouterr().err
    options = [part for arm in arms for part in ("--model", arm)]
    out = tmp_path / "matched.tsv"
    table = ("evaluate", "matched", *options, *corpus, "--bp", 20_000, "--scale", "test")
    assert call(*table, "--out", out) == 0
    lines = [line.split("\t") for line in out.read_text().splitlines()]
    tokens = lines[0].index("tokens")
    assert len(lines) == 5 and len({line[tokens] for line in lines[1:]}) == 1
    assert {line[lines[0].index("guide")] for line in lines[2:]} == {"learned"}
