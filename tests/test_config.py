"""Configuration: unknown keys stop, overlays merge, presets are complete."""

from pathlib import Path

import pytest

from genezip import config
from genezip.errors import GenezipError


def test_demo_overlays_the_paper(repo: Path) -> None:
    paper = config.load(repo / "config/config.yaml")
    demo = config.load(repo / "config/config.yaml", repo / "config/demo.yaml")
    assert (paper.scale, demo.scale) == ("full", "demo")
    assert demo.genome.test == paper.genome.test == ["chr8", "chr9", "chr10"]
    assert set(demo.chosen_models()) == {"genezip-tiny", "hnet-tiny"}
    assert paper.pretrain.alpha == 0.03
    assert paper.corpus.train_windows == 950_000
    assert (paper.corpus.heldout_window_bp, demo.corpus.heldout_window_bp) == (128_000, 12_800)


def test_every_named_preset_exists(repo: Path) -> None:
    for overlay in ([], [repo / "config/demo.yaml"]):
        chosen = config.load(repo / "config/config.yaml", *overlay).chosen_models()
        for entry in chosen.values():
            assert (repo / f"config/models/{entry.architecture}.yaml").exists()
            preset = entry.regions or entry.match_bpt
            assert preset is None or (repo / f"config/regions/{preset}.yaml").exists()


def test_transcript_balanced_targets(repo: Path) -> None:
    """mu = 1, 1, 2, 2, 8, 8, 16 on B = 32 bp per token."""
    path = repo / "config/regions/transcript_balanced.yaml"
    preset = config.parse(config.RegionPreset, config.read_yaml(path))
    assert list(preset.target_bpt().values()) == [32, 32, 64, 64, 256, 256, 512]


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        (config.Regions, {"promotor_half_width": 5}, "unknown key 'promotor_half_width'"),
        (config.Regions, {"promoter_half_width": 0}, "'promoter_half_width'"),
        (config.Regions, {"required": ["introns"]}, r"'required\.0'"),
        (config.Sampling, {"uniform": 0.9}, r"uniform \+ tss \+ cds must be 1, not 1.4"),
        (config.ModelEntry, {"architecture": "x"}, "exactly one of regions"),
        (config.ModelEntry, {"regions": "x"}, "key 'architecture' is missing"),
        (config.RegionPreset, {"multipliers": {"cds": 1}}, "lacks promoter, utr"),
    ],
)
def test_wrong_values(section: type[config.Section], value: dict, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        config.parse(section, value)


def test_reference_must_be_a_model(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("report: {reference: nobody}\n")
    with pytest.raises(GenezipError, match="'nobody', which is not in models"):
        config.load(repo / "config/config.yaml", tmp_path / "x.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("no-such.yaml", "no-such.yaml does not exist"),
        ('{"steps": 0}', "'steps'"),
    ],
)
def test_wrong_settings_option(text: str, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        config.settings(config.Pretrain, text)


def test_broken_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [1\nb: 2\n")
    with pytest.raises(GenezipError, match=r"x\.yaml is not valid YAML"):
        config.read_yaml(tmp_path / "x.yaml")
