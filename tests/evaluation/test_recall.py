"""Recall of copies, by systems whose memory is known."""

from typing import Any

import numpy as np
import pytest
from toolkit.dna import random_dna

from genezip.alphabet import is_base
from genezip.artifacts.scores import Metric
from genezip.config import Arena, parse
from genezip.errors import GenezipError
from genezip.evaluation.arena.recall import (
    LEAD_BP,
    mixing_rows,
    recall_rows,
    shared_cuts,
    subset_of,
    trials,
)
from genezip.evaluation.mixing import MixingModel
from genezip.models.base import PlainCompressor, ids_of
from genezip.models.compressed import Compressed, Likelihood, tokens_at
from genezip.models.fixed.compressor import Fixed

SETTINGS = Arena(recall_bp=[512, 4096], recall_copies=6, bootstrap=200)
CONTEXT = 12


class Remembers(PlainCompressor):
    """It expects what followed the same 12 bases, if these end at most ``reach`` bases back."""

    name, causal = "remembers", True
    likelihood: Any = "exact"

    def __init__(self, reach: int, step: int = 1) -> None:
        self.reach, self.step = reach, step

    def encode(self, sequences: Any) -> list[Compressed]:
        step = self.step
        return [tokens_at(len(ids), np.arange(0, len(ids), step)) for ids in ids_of(sequences)]

    def log_likelihood(self, sequences: Any) -> list[Likelihood]:
        found = []
        for ids in ids_of(sequences):
            last: dict[bytes, int] = {}
            share = np.full(len(ids), 0.25)
            for at in range(CONTEXT, len(ids)):
                word = ids[at - CONTEXT : at].tobytes()
                if word in last and at - last[word] <= self.reach:
                    share[at] = 0.97 if ids[last[word]] == ids[at] else 0.01
                last[word] = at
            told = np.log(share).astype(np.float32)
            found.append(
                Likelihood(log_prob=told, kind=self.likelihood, looked_ahead=np.array([False]))
            )
        return found


@pytest.fixture
def assembly(make_assembly):
    text = random_dna(60_000, np.random.default_rng(5))
    text = text[:20_000] + "N" * 500 + text[20_500:]
    return make_assembly({"c": text}, [("c", 0, 60_000, "test")])


def row(rows, metric, distance):
    (found,) = [
        one for one in rows if (one["metric"], one["subset"]) == (metric, subset_of(distance))
    ]
    return found


@pytest.mark.parametrize("distance", [512, 4096])
def test_a_trial_differs_from_its_control_in_the_original_alone(assembly, distance):
    found = list(trials(assembly, distance, SETTINGS))
    assert len(found) == 6
    for one in found:
        assert len(one.copied) == len(one.control) == LEAD_BP + distance + 256
        assert is_base(one.copied).all()
        word = one.copied[-256:]
        original = slice(one.first, one.first + 256)
        assert np.array_equal(one.copied[original], word)
        assert np.array_equal(one.control[-256:], word)
        assert len(one.copied) - 256 - one.first == distance
        outside = np.ones(len(one.copied), dtype=bool)
        outside[original] = False
        assert np.array_equal(one.copied[outside], one.control[outside])
        assert word.tobytes() not in one.control[:-256].tobytes()
    again = trials(assembly, distance, SETTINGS)
    assert all(np.array_equal(a.copied, b.copied) for a, b in zip(found, again, strict=True))


def test_what_is_in_reach_is_recalled_and_nothing_else(assembly):
    rows = recall_rows(Remembers(1_000), assembly, SETTINGS, "test", "files")
    assert not [one for one in rows if one["metric"] == Metric.COPY_CUTS]  # every base is a token
    near, far = (row(rows, Metric.COPY_RECALL, distance) for distance in (512, 4096))
    # of 256 bases the first twelve have no context, each other costs log2(1 / 0.97) bits, not 2
    assert near["value"] == pytest.approx(244 / 256 * (2 + np.log2(0.97)) / 2, abs=0.01)
    assert near["n"] == 6 and near["unit"] == "copies"
    assert far["value"] == pytest.approx(0, abs=0.01)
    saved = row(rows, Metric.COPY_BITS, 512)
    assert saved["value"] == pytest.approx(2 * near["value"], abs=0.01)
    assert saved["ci_low"] <= saved["value"] <= saved["ci_high"]


def test_likelihoods_that_are_not_exact_have_no_bits(assembly):
    system = Remembers(1_000, step=8)
    system.likelihood = "looked_ahead"
    rows = recall_rows(system, assembly, SETTINGS, "test", "files")
    assert {one["metric"] for one in rows} == {Metric.COPY_CUTS}


def test_shared_cuts_by_hand():
    starts = np.array([0, 100, 103, 110, 200, 203, 215, 230])
    # in [100, 120): 3, 10; in [200, 220): 3, 15; the first base of either does not count
    assert shared_cuts(starts, 100, 200, 20) == (1, 3)


@pytest.mark.parametrize(("stride", "share"), [(64, 1.0), (96, 0.0)])
def test_rulers_find_their_cuts_again_where_the_distance_is_a_multiple(assembly, stride, share):
    rows = recall_rows(Fixed(stride), assembly, SETTINGS, "test", "files")
    assert row(rows, Metric.COPY_CUTS, 512)["value"] == share


def test_the_bar_looks_repeats_up(assembly):
    rows = mixing_rows(MixingModel(10_000), assembly, SETTINGS, "test", "files")
    for distance in (512, 4096):
        assert row(rows, Metric.COPY_RECALL, distance)["value"] > 0.7


def test_short_dna_and_overlapping_copies_are_refused(make_assembly):
    short = make_assembly({"c": random_dna(1_500)}, [("c", 0, 1_500, "test")])
    with pytest.raises(GenezipError, match="no held-out segment has 1,792 bases without N"):
        recall_rows(Fixed(8), short, SETTINGS, "test", "files")
    with pytest.raises(GenezipError, match="recall_bp 512 is shorter than copy_bp 600"):
        parse(Arena, {"copy_bp": 600, "recall_bp": [512]}, "arena")
