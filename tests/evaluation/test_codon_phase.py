"""Codon phase: what it says of compressors whose boundaries are known."""

import numpy as np
import pandas as pd
import pytest
from toolkit.coding_genome import AfterG, EveryBase, bacterium
from toolkit.command_line import call, succeed

from genezip.artifacts.published import published_table
from genezip.artifacts.scores import CODON_POSITIONS, DNA_SCORES
from genezip.errors import GenezipError
from genezip.evaluation.boundaries import BoundaryTrack
from genezip.evaluation.genes.codon_phase import (
    PROFILE_COLUMNS,
    PhaseSettings,
    amplitude,
    codon_phase,
    count_phases,
    phase_metrics,
    published_rows,
    shift_phases,
)
from genezip.evaluation.genes.gene_windows import (
    FEATURES,
    WindowSettings,
    chosen_organisms,
    read_windows,
)
from genezip.metrics.bootstrap import BlockBootstrap
from genezip.models.fixed.compressor import Fixed

SETTINGS = PhaseSettings(shifts=199, bootstrap=50, reach=20)
READ = WindowSettings(genes=40, flank=60, windows=3, window_bp=2000)


def random_tracks(genes, rng, bias=(0.3, 0.3, 0.3)):
    """Two stages of random boundaries, the first with a rate by codon position."""
    tracks = []
    for _ in range(genes):
        codons = int(rng.integers(30, 60))
        first = rng.random(3 * codons) < np.tile(bias, codons)
        second = first & (rng.random(3 * codons) < 0.5)
        tracks.append(BoundaryTrack(np.stack([first, second]), rng.random(3 * codons)))
    return tracks


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The test half of the made-up bacterium."""
    source = bacterium(tmp_path_factory.mktemp("phase") / "source")
    (found,) = read_windows(source, chosen_organisms(source, ["bug"]), READ, "test")
    return found


def scores(found):
    """(strand, metric, region) -> value."""
    table = DNA_SCORES.frame(found.rows)
    keys = zip(table["strand"], table["metric"], table["region"], strict=True)
    assert not table.duplicated(["strand", "metric", "region"]).any()
    return dict(zip(keys, table["value"], strict=True))


def test_amplitude_by_hand() -> None:
    assert amplitude(np.array([0.3, 0.3, 0.3])) == pytest.approx(0, abs=1e-15)
    assert amplitude(np.array([1.0, 0.0, 0.0])) == pytest.approx(2 / 3)
    x = np.arange(3)
    wave = 0.4 + 0.25 * np.cos(2 * np.pi * x / 3 + 1)
    assert amplitude(wave) == pytest.approx(0.25)


def test_counts_against_loops_over_bases() -> None:
    tracks = random_tracks(5, np.random.default_rng(0))
    counts = count_phases(tracks)
    vectors = counts.vectors()
    for number, track in enumerate(tracks):
        length = track.hard.shape[1]
        for stage in range(2):
            can = [stage == 0 or bool(track.hard[0, x]) for x in range(length)]
            hard = track.hard[stage]
            rate = sum(hard) / sum(can)
            signal = [float(h) - rate * c for h, c in zip(hard, can, strict=True)]
            vector = sum(s * np.exp(-2j * np.pi * x / 3) for x, s in enumerate(signal))
            assert vectors[number, stage] == pytest.approx(vector)
            assert counts.power[number, stage] == pytest.approx(abs(vector) ** 2)
            near = [
                abs(sum(s * np.exp(-2j * np.pi * x * (length // 3 + k) / length)
                        for x, s in enumerate(signal))) ** 2
                for k in (-6, -5, -4, -3, -2, 0, 2, 3, 4, 5, 6)
            ]  # fmt: skip
            assert counts.near[number, stage] == pytest.approx(sum(near))
            for position in range(3):
                assert counts.hard[number, stage, position] == hard[position::3].sum()
                assert counts.eligible[number, stage, position] == sum(can[position::3])
    assert counts.prob is not None
    np.testing.assert_allclose(counts.prob[0, 1], tracks[0].prob[1::3].sum())


def test_shifts_against_rolled_boundaries() -> None:
    tracks = random_tracks(6, np.random.default_rng(1), (0.5, 0.2, 0.3))
    counts = count_phases(tracks)
    found = shift_phases(counts, 8, np.random.default_rng(5))
    offsets = np.random.default_rng(5).integers(0, counts.length, (8, 6))
    for number, row in enumerate(offsets):
        rolled = [
            BoundaryTrack(np.roll(track.hard, int(by), axis=1))
            for track, by in zip(tracks, row, strict=True)
        ]
        again = count_phases(rolled)
        rates = again.hard.sum(0) / again.eligible.sum(0)
        np.testing.assert_allclose(found.amplitude[number], amplitude(rates))
        lock = np.abs(again.directions().mean(axis=0))
        np.testing.assert_allclose(found.lock[number], lock, atol=1e-12)


def test_values_of_metrics_are_those_of_the_pooled_counts() -> None:
    counts = count_phases(random_tracks(20, np.random.default_rng(2), (0.6, 0.2, 0.3)))
    found = phase_metrics(counts, BlockBootstrap(np.arange(20), 100, 0))
    regions, rates, _ = found["boundary_rate_stage1"]
    pooled = counts.hard.sum(0)[1] / counts.eligible.sum(0)[1]
    assert regions == ("codon_1", "codon_2", "codon_3")
    np.testing.assert_allclose(rates.value, pooled)
    assert (rates.low < rates.value).all() and (rates.value < rates.high).all()
    _, lock, genes = found["phase_lock_stage0"]
    assert lock.value == pytest.approx(abs(counts.directions()[:, 0].mean())) and genes == 20
    _, power, _ = found["period3_power_stage0"]
    assert power.value == pytest.approx(counts.power[:, 0].sum() / counts.near[:, 0].sum())


def test_boundaries_of_codons_have_a_period_and_one_phase(read) -> None:
    found = scores(codon_phase(AfterG(), read, SETTINGS, "test", "simulated"))
    assert found["+", "boundary_rate_stage0", "codon_1"] == pytest.approx(1)
    assert found["+", "boundary_rate_stage0", "codon_2"] == 0
    assert found["+", "boundary_rate_stage0", "codon_3"] == 0
    assert found["+", "period3_amplitude_stage0", "coding"] == pytest.approx(2 / 3)
    assert found["+", "phase_lock_stage0", "coding"] == pytest.approx(1)
    for metric in ("period3_amplitude_stage0_p", "phase_lock_stage0_p"):
        assert found["+", metric, "coding"] == 1 / 200
    assert found["+", "phase_lock_stage0_shifted", "coding"] < 0.5
    # every second boundary: its parity is that of the window, not of the codon
    assert found["+", "phase_lock_stage1_p", "coding"] > 0.05
    # shuffled dinucleotides: the frame of a gene is lost
    assert found["+", "phase_lock_stage0_shuffled_dna", "coding"] < 0.5
    assert found["+", "boundary_prob", "codon_1"] == pytest.approx(0.9)
    # against the gene G is C, which is at the first two positions of codons, never the third
    assert found["-", "boundary_rate_stage0", "codon_3"] > 0.2
    assert found["-", "phase_lock_stage0_p", "coding"] == 1 / 200
    # the windows: G before a coding base at each third base, and at one in four between genes
    assert found["+", "boundary_rate_stage0", "coding"] == pytest.approx(1 / 3, abs=0.02)
    assert found["+", "boundary_rate_stage0", "intergenic"] == pytest.approx(0.25, abs=0.06)
    assert found["+", "boundary_rate_stage0", "stop_codon"] == pytest.approx(1 / 3)
    assert found["+", "boundary_rate_stage0_p", "coding"] <= 0.05


def test_a_grid_of_three_has_a_period_but_no_phase(read) -> None:
    found = scores(codon_phase(Fixed(3), read, SETTINGS, "test", "simulated"))
    for strand in "+-":
        assert found[strand, "period3_power_stage0", "coding"] == pytest.approx(1)
        assert found[strand, "phase_lock_stage0", "coding"] < 0.1
        assert found[strand, "phase_lock_stage0_p", "coding"] > 0.05
        assert found[strand, "period3_amplitude_stage0_p", "coding"] > 0.05
        assert found[strand, "boundary_rate_stage0", "all"] == pytest.approx(1 / 3, abs=0.001)
    assert ("+", "boundary_prob", "codon_1") not in found
    in_frame = [BoundaryTrack(np.tile([True, False, False], 40)[None]) for _ in range(10)]
    counts = count_phases(in_frame)
    assert abs(counts.directions().mean()) == pytest.approx(1)  # what the random flank prevents


def test_the_profile_around_start_and_stop(read) -> None:
    table = codon_phase(AfterG(), read, SETTINGS, "test", "simulated").profile
    assert tuple(table.columns) == PROFILE_COLUMNS
    assert len(table) == 2 * 2 * 2 * 41  # strands, stages, sites, distances
    first = table[(table["strand"] == "+") & (table["stage"] == 0)].set_index(["site", "offset"])
    assert first.loc[("start", 0), "n"] == 30
    rates = first.loc["start", "rate"]
    assert rates[3] == 1 and rates[6] == 1 and rates[4] == 0 and rates[2] == 0
    assert 0.05 < rates[:-1].mean() < 0.5
    rates = first.loc["stop", "rate"]
    assert rates[0] == 1 and rates[-3] == 1 and rates[1] == 0
    assert first.loc[("start", 3), "prob"] == pytest.approx(0.9)
    second = table[(table["strand"] == "+") & (table["stage"] == 1) & (table["site"] == "start")]
    n = second.set_index("offset")["n"]
    assert n[3] == 30 and n[4] == 0  # tokens of the stage before


def test_a_model_without_boundaries_is_one_sentence(read) -> None:
    with pytest.raises(GenezipError, match="flat has no boundaries, as every base is a token; na"):
        codon_phase(EveryBase(), read, SETTINGS, "test", "simulated")


def test_the_command(tmp_path, capsys) -> None:
    bacterium(tmp_path / "source", 12)
    words = [
        "evaluate", "codon-phase", "--model", "toolkit.coding_genome:AfterG",
        "--source", tmp_path / "source" / "source.json", "--scale", "test",
        "--out", tmp_path / "phase.tsv", "--profile", tmp_path / "profile.tsv",
        "--windows", 1, "--window-bp", 500, "--shifts", 19, "--bootstrap", 20,
    ]  # fmt: skip
    succeed(*words)
    table = DNA_SCORES.read(tmp_path / "phase.tsv")
    assert len(table[table["source"] == "paper"]) == 15
    table = table[table["source"] == "simulated"]
    assert set(table["split"]) == {"train", "test"} and set(table["subset"]) == {"bug"}
    assert set(table["model"]) == {"after-g"} and set(table["task"]) == {"codon_phase"}
    assert set(table["unit"]) == {"genes", "shifts", "blocks"}
    profile = pd.read_csv(tmp_path / "profile.tsv", sep="\t")
    assert list(profile.columns) == list(PROFILE_COLUMNS) and profile["offset"].max() == 60
    before = (tmp_path / "phase.tsv").read_bytes()
    assert call(*words, "--organism", "cat") == 1
    assert "the source has no organism 'cat'; it has bug, dark" in capsys.readouterr().err
    assert (tmp_path / "phase.tsv").read_bytes() == before


def test_the_published_profile() -> None:
    path = published_table("sister_dnahnet_boundaries")
    assert path is not None
    table = pd.read_csv(path).set_index("feature")
    assert table["source"].str.startswith("arXiv:2602.10603").all()
    found = DNA_SCORES.frame(published_rows("demo")).set_index(["metric", "region"])
    first = found.loc["boundary_rate_stage0", "value"]
    assert first[list(CODON_POSITIONS)].tolist() == [0.065, 0.426, 0.584]
    assert first[list(CODON_POSITIONS)].mean() == pytest.approx(first["coding"], abs=0.001)
    second = found.loc["boundary_rate_stage1", "value"]
    assert second.to_dict() == {
        "all": 0.513, "promoter": 0.715, "start_codon": 0.813, "coding": 0.484,
        "stop_codon": 0.517, "intergenic": 0.746,
    }  # fmt: skip
    assert set(found["source"]) == {"paper"} and set(found["note"]) == {"arXiv:2602.10603v3"}
    assert set(first.index) <= {"all", *CODON_POSITIONS, *FEATURES}
