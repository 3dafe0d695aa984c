"""Empty sections and names of the configuration, over every section that there is."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic.fields import FieldInfo

from genezip import config
from genezip.config.section import without_empty
from genezip.errors import GenezipError


def sections(section: type[config.Section], path: tuple[str, ...] = ()) -> Iterator[tuple]:
    """Path, class and holder of every section inside another, found in the models."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, config.Section):
            yield (*path, name), kind, section
            yield from sections(kind, (*path, name))


NESTED = {".".join(path): (path, kind) for path, kind, _ in sections(config.Config)}
OPTIONAL = {name: at for name, at in NESTED.items() if at[0][0] != "report"}


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(path):
        value = {key: value}
    return value


def found(loaded: config.Config, path: tuple[str, ...]) -> Any:
    value: Any = loaded
    for key in path:
        value = getattr(value, key)
    return value


@pytest.fixture
def load(repo: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    def loaded(*layers: Any) -> config.Config:
        paths = []
        for number, layer in enumerate(layers):
            paths.append(tmp_path / f"{number}.yaml")
            paths[-1].write_text(layer if isinstance(layer, str) else yaml.safe_dump(layer))
        return config.load(*paths)

    return loaded


LEAST = {
    "models": {"one": {"architecture": "x", "uniform_bpt": 8}},
    "report": {"reference": "one", "control": "one"},
}


def test_there_are_sections_within_sections() -> None:
    assert {"leakage", "genome.simulation", "corpus.sampling", "benchmarks.eqtl"} < set(NESTED)


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_section_means_its_defaults(load, name: str) -> None:  # type: ignore[no-untyped-def]
    path, kind = NESTED[name]
    loaded = load({**LEAST, **nested(path, None)})
    assert found(loaded, path) == kind.model_validate({}) == config.parse(kind, None)
    assert loaded == load(LEAST)


@pytest.mark.parametrize("name", NESTED)
def test_an_empty_section_of_an_overlay_changes_nothing(  # type: ignore[no-untyped-def]
    repo: Path, load, name: str
) -> None:
    paper = (repo / "config" / "config.yaml").read_text()
    assert load(paper, nested(NESTED[name][0], None)) == load(paper)


def test_comments_alone(load) -> None:  # type: ignore[no-untyped-def]
    text = yaml.safe_dump(LEAST)
    loaded = load(f"{text}leakage:\n  # tasks: [cmp]\ngenome:\n  build: x\n  simulation:\n")
    assert loaded.leakage == config.Leakage() and loaded.genome.build == "x"


@pytest.mark.parametrize("key", ["models", "corpora", "benchmarks.comparators"])
def test_empty_mappings_of_names(load, key: str) -> None:  # type: ignore[no-untyped-def]
    assert load(LEAST, nested(tuple(key.split(".")), None)) == load(LEAST)


def test_an_empty_section_of_one_corpus_or_model_is_that_of_all(load) -> None:  # type: ignore[no-untyped-def]
    sampling = {"uniform": 1.0, "tss": 0.0, "cds": 0.0}
    more = {"corpus": {"sampling": sampling}, "corpora": {"a": {"sampling": None}}}
    loaded = load({**LEAST, **more})
    assert loaded.chosen_corpora()["a"].sampling == config.Sampling(**sampling)
    models = {"one": {**LEAST["models"]["one"], "pretrain": None}}
    assert load({**LEAST, "models": models}) == load(LEAST)


def nullable(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def test_a_null_that_is_a_value_stays(load) -> None:  # type: ignore[no-untyped-def]
    kept = {
        ".".join((*path, name)): (*path, name)
        for path, kind, _ in sections(config.Config)
        for name, field in kind.model_fields.items()
        if nullable(field)
    }
    assert {"genome.chromosomes", "corpus.homology_k", "regions.gene_types"} < set(kept)
    for path in kept.values():
        assert without_empty(config.Config, nested(path, None)) == nested(path, None)
    layer = {"models": {"two": LEAST["models"]["one"]}}
    assert set(load(LEAST, layer, {"models": {"two": None}}).chosen_models()) == {"one"}


def test_a_null_drops_a_set_of_a_lower_layer(load) -> None:  # type: ignore[no-untyped-def]
    subsets = {"tf_2": "tf_2", "H3": "nt_H3"}
    layers = [{"benchmarks": {"classification": {"subsets": one}}}
              for one in (subsets, {"tf_2": None, "H4": "nt_H4"})]  # fmt: skip
    chosen = load(LEAST, *layers).benchmarks.classification.subsets
    assert chosen == {"H3": "nt_H3", "H4": "nt_H4"}
    with pytest.raises(GenezipError, match=r"classification\.subsets.*at least 1"):
        load(
            LEAST,
            layers[0],
            nested(("benchmarks", "classification", "subsets"), {"tf_2": None, "H3": None}),
        )


def test_an_empty_required_section_names_its_keys(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match=r"key 'report' is missing"):
        load({**LEAST, "report": None})


def test_an_empty_list_is_no_section(load) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match=r"leakage\.tasks.*valid list"):
        load({**LEAST, "leakage": {"tasks": None}})


WRONG = ["a b", "a/b", "..", ".a", "-a", "a{b}", "a'b", 'a"b', "a`b", "a$b", "é", "", "a\n", "a*"]
RIGHT = ["a", "A.b_c-1", "0", "_x", "human-12.8k", "a..b"]


def renamed(key: str, name: str) -> dict[str, Any]:
    entry = LEAST["models"]["one"]
    tree: dict[str, Any] = {**LEAST}
    if key == "models":
        tree["models"] = {**LEAST["models"], name: entry}
    elif key == "corpora":
        tree["corpora"] = {name: {}}
    elif key in ("architecture", "regions", "match_bpt"):
        own = {"architecture": "x", "match_bpt": "x"}
        if key == "regions":
            own = {"architecture": "x"}
        tree["models"] = {**LEAST["models"], "two": {**own, key: name}}
    elif key == "comparators":
        tree["benchmarks"] = {key: {name: {"kind": "caduceus", "source": "x"}}}
    else:
        tree["benchmarks"] = {key: {"subsets": {name: "x y"}}}
    return tree


KEYS = [
    "models",
    "corpora",
    "comparators",
    *["cmp", "eqtl"],
]


@pytest.mark.parametrize("key", KEYS)
def test_names_that_become_files(load, key: str) -> None:  # type: ignore[no-untyped-def]
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(config.schema())
    for name in RIGHT:
        load(renamed(key, name))
        assert schema.is_valid(renamed(key, name)), name
    for name in WRONG:
        with pytest.raises(GenezipError, match=r"letters, digits, `\.`, `_` and `-`.* file names"):
            load(renamed(key, name))
        assert not schema.is_valid(renamed(key, name)), name


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("models", "untrained"),
        ("comparators", "cnn"),
        ("models", "baselines"),
        ("corpora", "exclusions.tsv"),
        ("eqtl", "all"),
    ],
)
def test_names_of_the_workflow_are_taken(load, key: str, name: str) -> None:  # type: ignore[no-untyped-def]
    from jsonschema import Draft202012Validator

    with pytest.raises(GenezipError, match=f"{name}: the workflow has results"):
        load(renamed(key, name))
    assert not Draft202012Validator(config.schema()).is_valid(renamed(key, name))


@pytest.mark.parametrize("key", ["models", "comparators"])
def test_names_that_differ_in_case_alone(load, key: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match=r"(?i)has one and one, which are one file name"):
        load(renamed(key, "ONE"))


TOKENS = {
    "ruler": {"compressor": "fixed", "stride": 6},
    "words": {"compressor": "bpe", "vocabulary": 64, "seed": 3},
}


def test_an_entry_is_of_its_compressor(load) -> None:  # type: ignore[no-untyped-def]
    loaded = load(LEAST, {"models": {**TOKENS, "two": {**LEAST["models"]["one"]}}})
    kinds = {name: type(entry) for name, entry in loaded.chosen_models().items()}
    assert kinds == {
        "one": config.ModelEntry,
        "two": config.ModelEntry,
        "ruler": config.FixedEntry,
        "words": config.BPEEntry,
    }
    assert loaded.chosen_models()["words"].block_bp == 4096
    assert set(loaded.networks()) == {"one", "two"}
    again = config.parse(config.Config, loaded.model_dump())  # as `config show` prints it
    assert again == loaded


def test_every_kind_of_network_has_the_keys_of_one(load) -> None:  # type: ignore[no-untyped-def]
    """A second kind is trained, compared and checked by the schema as the first is."""
    from jsonschema import Draft202012Validator

    entry = {"compressor": "dnahnet", "architecture": "dnahnet-tiny", "uniform_bpt": 4}
    layer = {"models": {"x": {**entry, "stage_bpt": [2, 2]}}, "report": {"control": "x"}}
    loaded = load(LEAST, layer)
    assert loaded.networks()["x"].stage_bpt == [2, 2]
    assert loaded.runs("x") == ["x.seed0"]
    checker, tree = Draft202012Validator(config.schema()), loaded.model_dump(mode="json")
    assert checker.is_valid(tree)
    tree["models"]["x"]["stride"] = 3
    assert not checker.is_valid(tree)
    for wrong, sentence in (
        ({"stage_bpt": [3, 0.5]}, r"'models\.x\.stage_bpt\.1': Input should be greater"),
        ({"stage_bpt": []}, r"'models\.x\.stage_bpt': .* at least 1 item"),
        ({"stride": 3}, r"unknown key 'models\.x\.stride'"),
    ):
        with pytest.raises(GenezipError, match=sentence):
            load(LEAST, {"models": {"x": {**entry, **wrong}}})


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"compressor": "fixed"}, r"key 'models\.x\.stride' is missing"),
        ({"compressor": "fixed", "stride": 0}, r"'models\.x\.stride': Input should be greater"),
        ({"compressor": "fixed", "stride": 6, "seeds": [1]}, r"unknown key 'models\.x\.seeds'"),
        ({"compressor": "bpe", "stride": 6}, r"unknown key 'models\.x\.stride'"),
        (
            {"compressor": "bpe", "block_bp": 200_000},
            r"'models\.x\.block_bp': Input should be less",
        ),
        (
            {"compressor": "zip"},
            r"'models\.x': compressor must be one of genezip, dnahnet, ldarnet, fixed, bpe",
        ),
        ({"stride": 6}, r"key 'models\.x\.architecture' is missing"),
        ({"compressor": "bpe", "corpus": "other"}, r"models\.x\.corpus names 'other'"),
    ],
)
def test_a_wrong_entry(load, entry: dict[str, Any], sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match=sentence):
        load(LEAST, {"models": {"x": entry}})


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ({"report": {"control": "words"}}, "report.control names 'words', a bpe; name a network"),
        ({"report": {"reference": "ruler"}}, "report.reference names 'ruler', a fixed; name a net"),
    ],
)
def test_what_needs_a_network(load, layer: dict[str, Any], sentence: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(GenezipError, match=sentence):
        load(LEAST, {"models": TOKENS}, layer)
