"""The latency figure: what it compares and counts, and that table and figure are written."""

import re
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from genezip.alphabet import encode
from genezip.models.hnet.architecture import load_architecture
from genezip.models.hnet.network import build
from genezip.models.layers.fused import plain_form
from genezip.models.pretrained import ModelCard, save_pretrained
from genezip.models.routing import learned
from genezip.report.chapters.cost.latency import ticks_of

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "benchmarks"))

import allocator  # noqa: E402
import latency  # noqa: E402
import latency_case  # noqa: E402
import latency_floors  # noqa: E402
import latency_goals  # noqa: E402
import latency_models  # noqa: E402
import latency_sequence  # noqa: E402
from peers import Outcome  # noqa: E402

ROLES = ["genezip", "flat", "hnet", "unet", "flat-equal"]


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter per case: ten of them would take longer than all the rest."""
    monkeypatch.setattr(latency, "in_own_process", latency_case.measure)


def case(role: str, length: int = 512, **changes: object) -> latency_case.Case:
    plain = latency_case.Case(
        "tiny", role, latency.REPEATED, length, None, "cpu", 1, 0.0, latency_models.GENEZIP_BPT
    )
    return replace(plain, **changes)


@pytest.mark.parametrize("values", [(275, 308), (9.3, 128), (8.9, 45_000)])
def test_an_axis_has_numbers_whatever_its_range(values: tuple[float, float]) -> None:
    low, high = values
    ticks = [tick for tick in ticks_of(pd.Series(values)) if low <= tick <= high]
    assert len(ticks) > 1


@pytest.mark.slow
@pytest.mark.usefixtures("in_this_process")
def test_table_and_figure_are_written(tmp_path: Path) -> None:
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">a\n" + "N" * 40 + "ACGTTGCA" * 100 + "\n")
    out = tmp_path / "out"
    status = latency.main(
        ["--lengths", "1024", "512", "--seconds", "0", "--no-goals",
         "--fasta", str(fasta), "--out", str(out)]
    )  # fmt: skip
    assert status == 0
    table = pd.read_csv(out / "latency.tsv", sep="\t")
    assert list(table.columns) == latency_case.COLUMNS
    assert list(dict.fromkeys(table["role"])) == ROLES
    assert len(table) == 5 * 2 * 2
    long_real = (table["input"] == latency.REAL) & (table["length_bp"] == 1024)
    assert table.loc[long_real, "note"].str.contains("800 bases in a row without N").all()
    assert table.loc[long_real, "median_ms"].isna().all()
    timed = table[~long_real].set_index(["role", "input", "length_bp"])
    assert timed["note"].isna().all()
    assert (timed[["median_ms", "mean_ms", "peak_mb", "loaded_mb"]] > 0).all(axis=None)
    assert (timed["warm_ups"] == 0).all() and (timed["repeats"] == 1).all()
    for source in (latency.REPEATED, latency.REAL):  # 512 / 11.7 and 512 / 137.6; 512 / 3
        assert timed.loc[("genezip", source, 512), "tokens_per_stage"] == "44,4"
        assert timed.loc[("hnet", source, 512), "tokens_per_stage"] == "296,171"
        assert timed.loc[("unet", source, 512), "tokens_per_stage"] == "64,4"
    picture = (out / "latency.svg").read_text(encoding="utf-8")
    for name in ("GeneZip-tiny", "Mamba2-363k", "H-Net-3BPT", "U-Net", "equal size"):
        assert name in picture
    assert (out / "latency.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == [
        "latency.png", "latency.svg", "latency.tsv",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_case_runs_in_a_process_of_its_own() -> None:
    row = latency.in_own_process(case("unet"))
    assert row["tokens_per_stage"] == "64,4"
    # an interpreter with torch, and not what this process holds
    assert 50 < row["loaded_mb"] <= row["peak_mb"] < 2000


def test_a_trained_model_routes_by_itself(tmp_path: Path) -> None:
    shape = latency_models.preset("tiny")
    save_pretrained(tmp_path, build(shape), ModelCard("mine", 0, shape, {"cds": 32.0}, {}))
    row = latency_case.measure(case("genezip", model=str(tmp_path)))
    assert (row["model"], row["weights"]) == ("mine", "trained")
    assert row["tokens_by"] == "trained weights, bound sequence"
    # untrained weights: the router alone keeps far more than one in twelve
    assert int(row["tokens_per_stage"].split(",")[0]) > 100


def test_lack_of_memory_is_a_row_and_a_defect_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(message: str) -> None:
        def forward(*_: object) -> None:
            raise RuntimeError(message)

        monkeypatch.setattr(latency_case, "forward", forward)

    fail("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
    row = latency_case.measure(case("flat"))
    assert row["note"] == "out of memory" and row["median_ms"] is None
    fail("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes"):
        latency_case.measure(case("flat"))


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, (0, 1)), (0.5, (1, 3)), (1e9, (5, 20))])
def test_passes_follow_the_rule(
    seconds: float, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass takes 0.4 s by this clock."""
    clock = iter(float(tick) * 0.2 for tick in range(10_000))
    monkeypatch.setattr(latency_case.time, "perf_counter", lambda: next(clock))

    def run() -> float:
        next(clock)
        return 0.4

    warm_ups, times = latency_case.timed(run, seconds)
    assert (warm_ups, len(times)) == expected


@pytest.mark.parametrize(
    ("name", "role", "preset"),
    [
        ("70m", "flat", "mamba2-84m"),
        ("tiny", "flat", "mamba2-tiny"),
        ("70m", "unet", "unet-70m"),
        ("tiny", "unet", "unet-tiny"),
    ],
)
def test_peers_are_the_presets(name: str, role: str, preset: str) -> None:
    derived = latency_case.contenders(name, 128.0, None)[role].shape
    assert derived == load_architecture(f"{preset}")


@pytest.mark.parametrize("name", ["tiny", "70m", "636m"])
def test_the_second_flat_model_has_the_size_of_genezip(name: str) -> None:
    members = latency_case.contenders(name, 128.0, None)
    shape = members["genezip"].shape
    count = latency_models.parameters
    layer = count(latency_models.flat(shape, 2)) - count(latency_models.flat(shape, 1))
    assert abs(count(members["flat-equal"].shape) - count(shape)) <= layer / 2


@pytest.mark.parametrize(
    ("preset", "role"),
    [*(("tiny", role) for role in ROLES), ("dnahnet-tiny", "dnahnet"), ("dnahnet-tiny", "fixed")],
)
def test_operations_are_those_that_torch_counts(
    preset: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Matrix products of a real forward pass at the tokens that are foretold."""
    # the router reads the last position of a segment once more, which is not counted
    monkeypatch.setattr(learned, "SEGMENT", {})
    length = 2048
    contender = latency_case.contenders(preset, 64.0, None)[role]
    network = contender.load()
    latency_models.hold_to(network, length, contender.bpt)
    ids = torch.full((1, length), 3, dtype=torch.uint8)
    plain = sdpa_kernel(SDPBackend.MATH)  # torch cannot count the attention kernel of a CPU
    with plain, plain_form(), FlopCounterMode(display=False) as counter, torch.inference_mode():
        output = network(ids)
    tokens = [int(kept.valid.sum()) for kept in output.chunks]
    foretold = latency_models.expected_tokens(contender, length)
    assert tokens == foretold or role == "fixed"  # a grid ends with an incomplete block
    assert counter.get_total_flops() == latency_models.operations(contender.shape, length, tokens)


def test_dnahnet_is_compared_with_its_grid_and_a_flat_network() -> None:
    members = latency_case.contenders("dnahnet-tiny", 64.0, None)
    assert list(members) == ["dnahnet", "fixed", "flat"]
    assert latency_models.expected_tokens(members["dnahnet"], 6000) == [2000, 1000]
    assert members["fixed"].tokens_by == "blocks of 3 x 2"
    assert members["flat"].shape == load_architecture("dnahnet-tiny-flat")


def test_goals_know_their_limits() -> None:
    found = {goal.title: goal for goal in latency_goals.goals(["tiny", "70m", "636m"])}
    depth, growth, large = found.values()
    assert [goal.goal for goal in found.values()] == [3.0, 8.8, 5.0]
    assert depth.limit() == pytest.approx(4.6, abs=0.1)
    assert large.limit() == pytest.approx(9.7, abs=0.1)
    assert growth.limit() == pytest.approx(8.0, abs=0.01)
    assert depth.met(3.0) and not depth.met(2.99)
    assert growth.met(8.8) and not growth.met(8.81)
    assert growth.share() == pytest.approx(8.0 / 8.8, abs=0.01)


def test_a_missed_goal_and_a_goal_beyond_reason_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(latency_goals, "ratios", lambda _: ([2.0, 9.0, 2.5], [4.0]))
    outcome = Outcome()
    latency_goals.run_goals(["tiny"], outcome)
    assert (outcome.rows, outcome.missed) == (2, 1)  # 2.5 is below 3, but also below 8.8
    assert outcome.exit_status() == 1
    lines = capsys.readouterr().out.splitlines()
    assert allocator.malloc_settings() in lines[1]
    assert "2.50 (goal at least 3, ceiling 4.60" in lines[2] and lines[2].endswith("MISSED")
    assert "by CPU time 4.00" in lines[2]
    assert lines[3].endswith("91% of its floor, more than 80%: a defect of the goal")
    monkeypatch.setattr(latency, "run_goals", lambda _, outcome: outcome.count(False))
    assert latency.main(["--goals-only"]) == 1


def test_pairs_are_interleaved(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def runner(side: latency_goals.Side) -> object:
        return lambda: (calls.append(side.length), (float(side.length), 1.0))[1]

    monkeypatch.setattr(latency_goals.Side, "runner", runner)
    goal = replace(latency_goals.goals(["tiny"])[1], pairs=2)
    wall, cpu = latency_goals.ratios(goal)
    assert calls == [128_000, 1_024_000, 128_000, 1_024_000, 128_000]
    assert (wall, cpu) == ([8.0, 8.0], [1.0, 1.0])
    assert goal.met(statistics.median(wall))


def test_the_distance_to_the_floors_is_told() -> None:
    row = {
        "model": "GeneZip-70m", "role": "genezip", "input": latency.REAL, "scan": "mamba-ssm",
        "device": "NVIDIA H200", "layout": latency_models.layout(latency_models.preset("70m")),
    }  # fmt: skip
    lengths = pd.DataFrame([{"length_bp": 1024, "median_ms": 9.0},
                            {"length_bp": 1_000_000, "median_ms": 141.0}])  # fmt: skip
    (line,) = latency_floors.distances(lengths.assign(**row))
    assert "3.0 times the floor of 47 ms, 1.9 times 73 ms" in line
    assert latency_floors.distances(lengths.assign(**{**row, "device": "AMD EPYC"})) == []


def test_the_longest_run_without_n() -> None:
    ids = encode("ACGNNACGTTNRACG")
    assert np.array_equal(latency_sequence.longest_run(ids), encode("ACGTT"))
    assert len(latency_sequence.longest_run(encode("NNN"))) == 0
    assert len(latency_sequence.longest_run(encode("NACGT"))) == 4


def test_impossible_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, words in (
        (["--max-length", "10"], "no length is left"),
        (["--lengths", "0"], "no length is left"),
        (["--device", "cuda", "--goals-only"], "cuda|goals"),
    ):
        with pytest.raises(SystemExit):
            latency.arguments(wrong)
        assert re.search(words, capsys.readouterr().err)
