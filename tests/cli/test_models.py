"""``genezip models``, and presets that do not exist."""

import json
import re
from pathlib import Path

import pytest
from toolkit.command_line import call


def listed(repo: Path) -> list[object]:
    config = repo / "config"
    return ["models", "--folder", config / "models", "--regions", config / "regions"]


def test_every_preset_is_listed(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*listed(repo)) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    said = {words[0]: words for words in lines}
    files = [*(repo / "config/models").iterdir(), *(repo / "config/regions").iterdir()]
    assert {path.stem for path in files} <= set(said)
    assert said["genezip-70m"][1] == "69,810,232"
    assert said["mamba2-84m"][1:4] == ["84,336,632", "m23", "768"]
    assert said["regions"][2:] == ["promoter", "cds", "utr", "exon", "intron", "nig", "dig"]
    assert said["transcript_balanced"][1:] == ["32", "32", "32", "64", "64", "256", "256", "512"]


def test_the_same_as_json(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*listed(repo), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    models = {model["name"]: model for model in found["models"]}
    assert models["genezip-636m"] == {
        "name": "genezip-636m",
        "parameters": 635_941_248,
        "layout": "m2 1024 | m2 1024 | m40 1536 | m2 1024 | m2 1024",
        "routers": "learned, learned",
        "bound": "sequence 8-3000, 8-3000",
    }
    regions = {preset["name"]: preset for preset in found["regions"]}
    assert regions["promoter_distal"]["base_bpt"] == 32
    assert list(regions["promoter_distal"]["target_bpt"].values())[:2] == [32, 512]


def test_a_budget_of_own_classes_is_listed_beside_the_others(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seven = "promoter: 1, cds: 1, utr: 2, exon: 2, intron: 8, nig: 8, dig: 16"
    for name, more in (("mine", ", enhancer: 0.5"), ("plain", "")):
        text = f"base_bpt: 32\nmultipliers: {{{seven}{more}}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    assert call("models", "--folder", repo / "config/models", "--regions", tmp_path) == 0
    said = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [words[0] for words in said] == ["regions", "mine", "plain"]
    assert [words[-2:] for words in said] == [["dig", "enhancer"], ["512", "16"], ["512", "-"]]


def test_no_presets_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("models", "--folder", tmp_path) == 1
    assert "holds no preset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "folder", "wrong", "advice"),
    [
        ("--architecture", "models", "genezip-70", "did you mean .*genezip-70m.yaml"),
        ("--architecture", "models", "transformer", "genezip models lists the presets"),
        ("--region-preset", "regions", "cis_regulatoty", "did you mean .*cis_regulatory.yaml"),
    ],
)
def test_an_unknown_preset(
    repo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    folder: str,
    wrong: str,
    advice: str,
) -> None:
    """One sentence, before anything is read or written."""
    options = {
        "--architecture": repo / "config/models/genezip-tiny.yaml",
        "--region-preset": repo / "config/regions/transcript_balanced.yaml",
        option: repo / "config" / folder / f"{wrong}.yaml",
        "--corpus": tmp_path / "manifest.json",
        "--out": tmp_path / "model",
        "--name": "toy",
    }
    assert call("pretrain", *(part for pair in options.items() for part in pair)) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"genezip: {options[option]} does not exist; ")
    assert re.search(advice, said[0])
    assert list(tmp_path.iterdir()) == []
