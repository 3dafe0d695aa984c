"""Token ids, cost and bits of systems in the arena."""

import json

import numpy as np
import pytest
from toolkit.crafted import Crafted
from toolkit.dna import random_dna

from genezip.artifacts.scores import MIXING, Metric, difference_of
from genezip.config import Arena
from genezip.errors import GenezipError
from genezip.evaluation.arena.cost import cost_rows
from genezip.evaluation.arena.pairs import bits_rows
from genezip.evaluation.arena.vocabulary import entropy, vocabulary_rows
from genezip.evaluation.baselines import BaselineWindows
from genezip.evaluation.windows import collect, read_facts
from genezip.models import KIND
from genezip.models.fixed.compressor import Fixed

SETTINGS = Arena(bootstrap=200, block_bp=512, speed_bp=2_048, speed_repeats=1)


def by_metric(rows):
    return {row["metric"]: row for row in rows}


@pytest.fixture
def genome(toy):
    rng = np.random.default_rng(1)
    toy.tile(toy.add_segment("p", random_dna(4_096, rng), np.full(4_096, 5)), 256)
    return toy


def test_entropy_by_hand():
    found = entropy(np.array([[1, 1, 0], [2, 1, 1], [0, 0, 0]]))
    assert found[:2].tolist() == [1, 1.5] and np.isnan(found[2])


def test_ids_of_single_bases(genome):
    rows = by_metric(vocabulary_rows(Fixed(1), genome.reader(), SETTINGS, "test"))
    share = np.array([genome.dna["p"].count(base) for base in "ACGT"]) / 4_096
    bits = -(share * np.log2(share)).sum()
    assert rows[Metric.TOKEN_ENTROPY]["value"] == pytest.approx(bits)
    assert rows[Metric.TOKEN_BITS]["value"] == pytest.approx(bits)
    assert rows[Metric.UNUSED_IDS]["value"] == 1 / 5  # that of N
    assert rows[Metric.VOCABULARY]["value"] == 5
    assert rows[Metric.TOKEN_BITS]["ci_low"] < bits < rows[Metric.TOKEN_BITS]["ci_high"]


def test_bits_of_ids_are_per_base(genome):
    rows = by_metric(vocabulary_rows(Fixed(4), genome.reader(), SETTINGS, "test"))
    assert rows[Metric.TOKEN_BITS]["value"] == pytest.approx(
        rows[Metric.TOKEN_ENTROPY]["value"] / 4
    )


def test_a_system_without_ids_has_no_rows(genome):
    assert vocabulary_rows(Fixed(16), genome.reader(), SETTINGS, "test") == []


class Trained(Crafted):
    """A token every 8 bases; an operation per base and ten per token."""

    @property
    def metadata(self):
        return {"parameters": 77}

    def flops(self, lengths, tokens):
        return lengths + 10.0 * tokens[:, 0]


@pytest.fixture
def folder(tmp_path):
    settings = {"steps": 30, "batch": 4}
    training = {"settings": settings, "windows": {"window_bp": 64}}
    (tmp_path / "config.json").write_text(json.dumps(KIND.head(name="x", training=training)))
    return tmp_path


def test_operations_of_the_training_are_three_passes_over_its_bases(folder, make_assembly):
    assembly = make_assembly({"c": random_dna(3_000)}, [("c", 0, 3_000, "test")])
    rows = by_metric(
        cost_rows(Trained("x", token_bp=8), folder, assembly, SETTINGS, "test", "files", "moon")
    )
    assert rows[Metric.TRAINING_BASES]["value"] == 30 * 4 * 64
    assert rows[Metric.OPERATIONS]["value"] == 1 + 10 / 8
    assert rows[Metric.TRAINING_OPERATIONS]["value"] == 3 * 30 * 4 * 64 * (1 + 10 / 8)
    assert rows[Metric.PARAMETERS]["value"] == 77
    assert rows[Metric.TRAINED_ON]["note"] == "moon"
    assert rows[Metric.BASES_PER_SECOND]["value"] > 1_000
    assert rows[Metric.PEAK_BYTES]["value"] >= 0


def test_dna_shorter_than_the_timed_sequence_is_refused(folder, make_assembly):
    assembly = make_assembly({"c": random_dna(1_000)}, [("c", 0, 1_000, "test")])
    with pytest.raises(GenezipError, match="no held-out segment has 2,048 bases"):
        cost_rows(Trained("x", token_bp=8), folder, assembly, SETTINGS, "test", "files")


@pytest.fixture
def compared(genome, settings, save, compressed_window):
    """Function: rows of systems with so many nats per base (a number per window, or one)."""
    facts = read_facts(genome.reader(), settings.model_copy(update={"block_bp": 512}))

    def run(systems, beside=None, bar=None, seeds=(0,), kinds=None):
        files = []
        for name, nats in systems.items():
            for seed in seeds:
                windows = []
                for number, place in enumerate(genome.corpus):
                    nll = np.full(256, nats(number) if callable(nats) else nats, dtype=np.float32)
                    nll[0] = np.nan
                    kind = (kinds or {}).get(name, "exact")
                    windows.append(compressed_window(place, [0], nll=nll, nll_kind=kind))
                files.append(collect(save(name, windows, seed=seed), facts))
        baselines = None
        if bar is not None:
            nll, predicted = np.zeros((2, len(facts.cells), len(facts.region_classes)))
            nll[:, 5], predicted[:, 5] = 255 * bar, 255
            baselines = BaselineWindows({MIXING: {"nll": nll, "predicted": predicted}})
        return bits_rows(files, facts, baselines, beside or {}, "test", "files")

    return run


def bits(rows, model, seed=0):
    (found,) = [row for row in rows if row["model"] == model and row["seed"] == seed]
    return found


def test_bits_stand_beside_the_bar_and_the_twin(compared):
    rows = compared(
        {"a": lambda number: 1.2 + 0.01 * number, "b": lambda number: 1.3 + 0.01 * number},
        {"a": ["b"]},
        bar=1.25,
    )
    mean = 1.2 + 0.01 * 7.5
    assert bits(rows, "a")["value"] == pytest.approx(mean / np.log(2))
    assert bits(rows, MIXING, None)["value"] == pytest.approx(1.25 / np.log(2))
    found = bits(rows, difference_of("a", MIXING))
    assert found["metric"] == Metric.BITS_DIFFERENCE
    assert found["value"] == pytest.approx((mean - 1.25) / np.log(2), abs=1e-6)
    assert found["ci_low"] < found["value"] < found["ci_high"]
    paired = bits(rows, difference_of("a", "b"))
    # the difference is the same in every window, whatever the windows are
    for name in ("value", "ci_low", "ci_high"):
        assert paired[name] == pytest.approx(-0.1 / np.log(2), abs=1e-5)
    assert not [row for row in rows if row["model"] == difference_of("b", "a")]


def test_runs_are_paired_by_seed_and_only_exact_ones_count(compared):
    rows = compared(
        {"a": 1.2, "b": 1.3, "c": 1.0}, {"a": ["b", "c"]}, seeds=(0, 1), kinds={"c": "pseudo"}
    )
    pair = difference_of("a", "b")
    assert {row["seed"] for row in rows if row["model"] == pair} == {0, 1, None}
    assert not [row for row in rows if "c" in row["model"].split(" - ")]
