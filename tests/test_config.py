"""Configuration: unknown keys stop, overlays merge, presets are complete."""

from pathlib import Path

import pytest

from genezip import config
from genezip.errors import GenezipError
from genezip.region_classes import CLASSES


def test_demo_overlays_the_paper(repo: Path) -> None:
    paper = config.load(repo / "config/config.yaml")
    demo = config.load(repo / "config/config.yaml", repo / "config/demo.yaml")
    assert (paper.scale, demo.scale) == ("full", "demo")
    assert demo.genome.test == paper.genome.test == ["chr8", "chr9", "chr10"]
    assert set(demo.chosen_models()) == {"genezip-tiny", "hnet-tiny"}
    assert paper.pretrain.alpha == 0.03
    assert paper.corpus.train_windows == 950_000
    assert (paper.corpus.heldout_window_bp, demo.corpus.heldout_window_bp) == (128_000, 12_800)


def test_both_stages_of_the_paper_see_a_hundred_billion_bases(repo: Path) -> None:
    """12,800 bp in batches of 256, then 128,000 bp in batches of 32 from those weights."""
    first = config.load(repo / "config/config.yaml")
    second = config.load(repo / "config/config.yaml", repo / "config/stage-128k.yaml")
    bases = []
    for stage, name in ((first, "genezip-70m"), (second, "genezip-70m-128k")):
        settings = stage.pretrain_of(name)
        window_bp = stage.chosen_corpora()[stage.chosen_models()[name].corpus].window_bp
        bases.append(settings.steps * settings.batch * window_bp)
        assert (settings.learning_rate, settings.warmup_steps) == (1e-3, 500)
    assert second.pretrain_of("genezip-70m-128k").batch == 32
    assert bases == [100_270_080_000, 99_999_744_000]
    for name in set(second.chosen_models()) - set(first.chosen_models()):
        entry = second.chosen_models()[name]
        assert entry.init_from == name.removesuffix("-128k")
        before = first.chosen_models()[name.removesuffix("-128k")]
        assert (entry.architecture, entry.regions, entry.uniform_bpt) == (
            before.architecture, before.regions, before.uniform_bpt
        )  # fmt: skip


MODELS = """
models:
  one: {{architecture: x, uniform_bpt: 8}}
  two: {{architecture: x, uniform_bpt: 8, init_from: {two}, pretrain: {pretrain}}}
  three: {{architecture: x, uniform_bpt: 8, init_from: {three}}}
"""


def with_models(repo: Path, folder: Path, **values: str) -> config.Config:
    values = {"two": "one", "three": "two", "pretrain": "{}", **values}
    (folder / "models.yaml").write_text(MODELS.format(**values))
    return config.load(repo / "config/config.yaml", folder / "models.yaml")


def test_a_model_may_differ_in_some_settings(repo: Path, tmp_path: Path) -> None:
    loaded = with_models(repo, tmp_path, pretrain="{steps: 7, alpha: 0}")
    assert loaded.pretrain_of("two") == loaded.pretrain.model_copy(update={"steps": 7, "alpha": 0})
    assert loaded.pretrain_of("one") == loaded.pretrain


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"two": "nobody"}, r"models\.two\.init_from names 'nobody', not in models"),
        ({"two": "two"}, r"init_from is circular: two from two"),
        ({"two": "three"}, r"init_from is circular: two from three from two"),
        ({"pretrain": "{stepz: 3}"}, r"unknown key 'models\.two\.pretrain\.stepz'"),
        ({"pretrain": "{alpha: -1}"}, r"'models\.two\.pretrain\.alpha'"),
        ({"pretrain": "{micro_batch: 3}"}, r"models\.two\.pretrain.*must divide batch 256"),
    ],
)
def test_wrong_models(repo: Path, tmp_path: Path, values: dict[str, str], sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        with_models(repo, tmp_path, **values)


def test_initial_weights_from_another_run_have_a_path(repo: Path, tmp_path: Path) -> None:
    loaded = with_models(repo, tmp_path, two="results/pretrain/older")
    assert loaded.chosen_models()["two"].init_from == "results/pretrain/older"


def test_the_schema_knows_the_keys_of_one_model(repo: Path) -> None:
    """Snakemake fills in defaults; those of a model must not hide the section's values."""
    schema = config.schema()["$defs"]["ModelEntry"]["properties"]["pretrain"]
    assert set(schema["properties"]) == set(config.Pretrain.model_fields)
    assert not schema["additionalProperties"]
    assert not any("default" in value for value in schema["properties"].values())


def test_every_named_preset_exists(repo: Path) -> None:
    for overlay in ([], [repo / "config/demo.yaml"]):
        config.check_presets(config.load(repo / "config/config.yaml", *overlay), repo)


def test_transcript_balanced_targets() -> None:
    """mu = 1, 1, 2, 2, 8, 8, 16 on B = 32 bp per token."""
    preset = config.region_preset("transcript_balanced")
    assert list(preset.target_bpt().values()) == [32, 32, 64, 64, 256, 256, 512]


@pytest.mark.parametrize(
    ("section", "value", "sentence"),
    [
        (config.Regions, {"promotor_half_width": 5}, "unknown key 'promotor_half_width'"),
        (config.Regions, {"promoter_half_width": 0}, "'promoter_half_width'"),
        (config.Regions, {"required": ["introns"]}, "'introns', which is no region class"),
        (config.Regions, {"promoter_upstream": 5}, "both promoter_upstream and promoter_downs"),
        (
            config.Regions,
            {"classes": [{"name": "cds", "bed": "x", "before": "nig"}]},
            "region class 'cds' is defined twice",
        ),
        (
            config.Regions,
            {"classes": [{"name": "a", "bed": "x", "before": "b"}]},
            "is to come before 'b', which is none of promoter, cds",
        ),
        (
            config.Regions,
            {"classes": [{"name": "a", "bed": "x", "before": "dig", "target_bpt": 0.5}]},
            r"classes\.0\.target_bpt",
        ),
        (config.Regions, {"gene_types": []}, "'gene_types': .* at least 1 item"),
        (config.Corpus, {"seed": -1}, "'seed': .* greater than or equal to 0"),
        (config.Simulation, {"seed": -1}, "'seed'"),
        (config.Evaluation, {"seed": -1}, "'seed'"),
        (
            config.ModelEntry,
            {"architecture": "x", "uniform_bpt": 8, "seeds": [0, -1]},
            r"'seeds\.1'",
        ),
        (config.Corpus, {"validation": "strict", "valid_windows": 0}, "must be at least 1"),
        (config.Sampling, {"uniform": 0.9}, r"uniform \+ tss \+ cds must be 1, not 1.4"),
        (config.ModelEntry, {"architecture": "x"}, "exactly one of regions"),
        (config.ModelEntry, {"regions": "x"}, "key 'architecture' is missing"),
        (config.RegionPreset, {"multipliers": {"cds": 1}}, "lacks promoter, utr"),
        (
            config.RegionPreset,
            {"base_bpt": 2, "multipliers": dict.fromkeys(CLASSES, 1) | {"cds": 0.4}},
            "the target of cds is below 1 bp per token",
        ),
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


def test_the_option_that_was_wrong_is_named() -> None:
    for text in ("{", '{"steps": 0}'):
        with pytest.raises(GenezipError, match=r"^--pretrain"):
            config.settings(config.Pretrain, text, "--pretrain")


def test_broken_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [1\nb: 2\n")
    with pytest.raises(GenezipError, match=r"x\.yaml is not valid YAML"):
        config.read_yaml(tmp_path / "x.yaml")


def test_printed_limits_rest_on_4000_resamples(repo: Path) -> None:
    for files in (["config.yaml"], ["config.yaml", "demo.yaml"]):
        settings = config.load(*(repo / "config" / name for name in files))
        sections = (settings.evaluation, settings.benchmarks, settings.labels)
        assert all(section.bootstrap >= 4000 for section in sections)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("promoter_half_width: 7\n", 7),  # the section alone
        ("regions: {promoter_half_width: 7}\ngenome: {build: x}\n", 7),  # a configuration
        ("genome: {build: x}\n", 1000),  # a configuration that leaves the section as it is
        ("regions:\n", 1000),
    ],
)
def test_settings_come_from_a_section_or_from_a_configuration(tmp_path, text, width):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    assert config.settings(config.Regions, str(path)).promoter_half_width == width


def test_a_key_that_neither_has_is_refused(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("regions: {promoter_half_width: 7}\ngenom: {build: x}\n")
    with pytest.raises(GenezipError, match="unknown key 'regions'"):
        config.settings(config.Regions, str(path))
    path.write_text("models: [a]\n")  # a key of this section, too
    assert config.settings(config.Benchmarks, str(path)).models == ["a"]
