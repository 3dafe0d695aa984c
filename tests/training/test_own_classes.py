"""Training with a region class of the user: targets, losses, validation, what is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from toolkit.networks import small_network
from toolkit.region_classes import with_enhancer
from toolkit.training import Batches, curve_of, run_of

from genezip.corpus.shards import SCHEMA_VERSION
from genezip.errors import GenezipError
from genezip.models.hnet.windows import run as run_network
from genezip.models.pretrained import load_card
from genezip.region_classes import CLASSES, GENE7, RegionClasses
from genezip.training.objectives import validate
from genezip.training.setup import pretrain, targets_of

EIGHT = with_enhancer(label="my enhancer")


def corpus_of(folder: Path, region_classes: RegionClasses) -> Path:
    """A manifest with a composition alone: 100 bp of each class."""
    composition = dict.fromkeys(region_classes.names, 100)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "classes": region_classes.to_json(),
        "splits": {"valid": {"windows": 1, "composition": composition}},
    }
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def preset_of(folder: Path, **own: float) -> Path:
    """dig first: the order of a preset is not that of the ids."""
    path = folder / "mine.yaml"
    multipliers = {**dict.fromkeys(reversed(CLASSES), 4), "promoter": 1, **own}
    path.write_text(json.dumps({"base_bpt": 8, "multipliers": multipliers}))
    return path


def test_targets_of_eight_classes(tmp_path: Path) -> None:
    corpus, preset = corpus_of(tmp_path, EIGHT), preset_of(tmp_path, enhancer=2)
    steered = targets_of(corpus, preset, None, None)
    assert list(steered.bpt.items()) == [
        ("promoter", 8), *((name, 32) for name in CLASSES[1:]), ("enhancer", 16),
    ]  # fmt: skip
    assert targets_of(corpus, None, 5.0, None).bpt == dict.fromkeys(EIGHT.names, 5)
    matched = targets_of(corpus, None, None, preset)
    # 800 bp; tokens asked for: 100 / 8 + 6 x 100 / 32 + 100 / 16
    assert matched.bpt == pytest.approx(dict.fromkeys(EIGHT.names, 800 / 37.5))


def test_the_class_brings_the_target_that_a_preset_leaves_out(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, with_enhancer(target_bpt=24))
    found = targets_of(corpus, preset_of(tmp_path), None, None)
    assert found.bpt["enhancer"] == 24
    assert targets_of(corpus, None, None, preset_of(tmp_path)).bpt["enhancer"] < 32


@pytest.mark.parametrize(
    ("region_classes", "own", "uniform", "sentence"),
    [
        (EIGHT, {}, None, r"mine\.yaml gives no target to the region class 'enhancer'; add it"),
        (GENE7, {"enhancer": 1}, None, r"mine\.yaml gives a target to 'enhancer', which is no"),
        (EIGHT, {}, 0.5, "--uniform-bpt gives promoter a target of 0.5 bp per token; a token"),
    ],
)
def test_wrong_targets_are_one_sentence(
    tmp_path: Path, region_classes: RegionClasses, own: dict, uniform: float | None, sentence: str
) -> None:
    corpus = corpus_of(tmp_path, region_classes)
    preset = preset_of(tmp_path, **own) if uniform is None else None
    with pytest.raises(GenezipError, match=sentence):
        targets_of(corpus, preset, uniform, None)
    if preset is not None:
        with pytest.raises(GenezipError, match=sentence):
            targets_of(corpus, None, None, preset)


def test_a_run_of_eight_classes_logs_and_names_all_of_them(tmp_path: Path) -> None:
    class OfEightClasses(Batches):
        """The bases of exons are enhancers here."""

        def next_batch(self) -> dict[str, np.ndarray]:
            drawn = super().next_batch()
            return {**drawn, "regions": np.where(drawn["regions"] == 3, 7, drawn["regions"])}

    targets = {**dict.fromkeys(CLASSES, 16.0), "enhancer": 12.0}
    run = run_of(
        target_bpt=targets,
        region_classes=EIGHT,
        facts={"scale": "test", "source": "simulated", "classes": EIGHT.to_json()},
    )
    pretrain(run, OfEightClasses(), tmp_path / "model", tmp_path / "c")
    lines = [line for line in curve_of(tmp_path / "model") if "F" in line]
    for letter in "FG":
        values = np.array([line[letter] for line in lines], dtype=float)
        assert values.shape == (12, run.architecture.n_stages, 8)
        assert np.isnan(values[..., 3]).all()
        assert np.isfinite(values[:, 0, 7]).any()
    card = load_card(tmp_path / "model")
    assert list(card.target_bpt.items()) == list(targets.items())
    assert RegionClasses.from_json(card.training["classes"]) == EIGHT
    readme = (tmp_path / "model" / "README.md").read_text()
    assert "| distal intergenic | 16.0 |\n| my enhancer | 12.0 |" in readme


def test_validation_equals_a_loop_over_bases() -> None:
    region_classes = with_enhancer(before="cds", group="promoter")
    target = {name: 4.0 + place for place, name in enumerate(region_classes.names)}
    random = np.random.default_rng(3)
    ids = random.integers(3, 7, (3, 96)).astype(np.uint8)
    regions = np.repeat(random.permutation(24) % 8, 12).reshape(3, 96).astype(np.uint8)
    network = small_network(0)
    found = validate(network, ids, regions, target, region_classes)
    bases, tokens, asked = np.zeros(8), np.zeros(8), 0.0
    network.eval()
    for labels, result in zip(regions, run_network(network, list(ids), 1), strict=True):
        bounds = [*result.token_starts.tolist(), 96]
        for base, region in enumerate(labels):
            chunk = next(place for place in range(len(bounds) - 1) if bounds[place + 1] > base)
            bases[region] += 1
            tokens[region] += 1 / (bounds[chunk + 1] - bounds[chunk])
            asked += 1 / target[region_classes.names[region]]
    assert found["bpt"] == pytest.approx(288 / tokens.sum())
    assert found["expected_bpt"] == pytest.approx(288 / asked)
    for group, members in (("promoter", [0, 7]), ("genic", [1, 2, 3]), ("intergenic", [4, 5, 6])):
        share = tokens[members].sum() / tokens.sum()
        wanted = share / (bases[members].sum() / bases.sum())
        assert found[f"{group}_enrichment"] == pytest.approx(wanted), group
