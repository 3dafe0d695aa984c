"""Presets by name, files of the user by path, and what is said of a wrong one."""

from pathlib import Path

import pytest

from genezip.config import (
    check_presets,
    load,
    of_user,
    parse_layers,
    preset_file,
    preset_files,
    read_yaml,
    region_preset,
)
from genezip.errors import GenezipError


def test_a_name_is_a_preset_and_a_path_a_file_of_the_user(tmp_path: Path) -> None:
    assert preset_file("models", "genezip-tiny").parts[-3:] == (
        "config",
        "models",
        "genezip-tiny.yaml",
    )
    mine = tmp_path / "genezip-tiny.yaml"
    mine.write_text("a: 1\n")
    assert preset_file("models", mine) == mine
    assert not of_user("genezip-tiny") and of_user("mine.yaml") and of_user("a/b")
    assert region_preset("uniform").target_bpt()["cds"] == 32


@pytest.mark.parametrize(
    ("kind", "name", "advice"),
    [
        (
            "models",
            "genezip-tyni",
            r"genezip-tyni is neither an architecture .* did you mean genezip",
        ),
        (
            "regions",
            "config/regions/unifrom.yaml",
            "neither a region budget .* did you mean uniform",
        ),
        ("regions", "zzz", "there are cis_regulatory, intergenic"),
    ],
)
def test_a_wrong_name_is_told_the_nearest(kind: str, name: str, advice: str) -> None:
    with pytest.raises(GenezipError, match=advice) as error:
        preset_file(kind, name)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_folder_without_presets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="holds no preset"):
        preset_files("models", tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"models": {"genezip-70m": {"architecture": "nobody"}}}, "nobody is neither"),
        ({"models": {"genezip-70m": {"architecture": "mine/no.yaml"}}}, "no.yaml is neither"),
        (
            {"models": {"hnet-128bpt-70m": {"uniform_bpt": None, "match_bpt": "nobody"}}},
            "nobody is neither",
        ),
        (
            {"regions": {"classes": [{"name": "loop", "bed": "x", "before": "nig"}]}},
            "models.genezip-70m: the region class 'loop' has no target",
        ),
    ],
)
def test_presets_are_checked_before_anything_runs(
    repo: Path, changes: dict[str, object], sentence: str
) -> None:
    layers = [read_yaml(repo / "config" / "config.yaml"), changes]
    with pytest.raises(GenezipError, match=sentence):
        check_presets(parse_layers(layers), repo)


def test_files_of_the_user_start_from_the_repository(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(preset_file("models", "genezip-tiny").read_text())
    changes = {"models": {"genezip-70m": {"architecture": "mine.yaml"}}}
    config = parse_layers([read_yaml(repo / "config" / "config.yaml"), changes])
    check_presets(config, tmp_path)
    with pytest.raises(GenezipError, match=r"mine\.yaml is neither"):
        check_presets(config, repo)
    check_presets(load(repo / "config" / "config.yaml"), tmp_path)
