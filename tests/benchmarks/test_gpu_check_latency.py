"""The GPU check times GeneZip and its peers: goals, time that ends, memory that runs out."""

from collections.abc import Callable
from typing import Any

import peers
import pytest
import torch
from gpu_check_latency import (
    LLAMA,
    LOADING,
    Case,
    Grid,
    LlamaShape,
    expected_seconds,
    llama_beside,
    parameters,
    preset,
    run_latency,
    sixmers,
)  # fmt: skip
from gpu_check_report import NO_TIME, Report
from latency_case import COLUMNS
from toolkit.gpu_report import NO_ROOM, left_out, no_time_left

from genezip.alphabet import encode

GRID = Grid(("70m",), (524_288, 1_048_576), "cuda", 2.0)


def row_of(case: Case, milliseconds: float | None = 50.0) -> dict[str, Any]:
    shape = {"genezip": "2x512 [2x512 [15x768] 2x512] 2x512", "flat": "23x768"}
    return {
        **dict.fromkeys(COLUMNS), "model": case.role, "role": case.role, "device": "NVIDIA H200",
        "layout": shape.get(case.role, "9x768"), "length_bp": case.length,
        "median_ms": milliseconds, "peak_mb": 9.0, "note": "" if milliseconds else "out of memory",
    }  # fmt: skip


def test_only_genezip_at_a_million_bases_has_a_goal(report: Report) -> None:
    found: dict[str, Any] = {}
    run_latency(report, found, GRID, row_of)
    assert [row["role"] for row in found["rows"]] == ["genezip"] * 2 + ["flat"] * 2 + ["llama"] * 2
    with_goal = [figure for figure in report.figures if figure["goal"]]
    assert [figure["name"] for figure in with_goal] == ["genezip, 1,048,576 bp: time"]
    assert with_goal[0]["met"] and "49 ms" in with_goal[0]["goal"]
    assert found["rows"][3]["times_floor"] == pytest.approx(50 / (298 * 1.048576))
    assert {(ratio["peer"], ratio["times"]) for ratio in found["ratios"]} == {
        ("flat", 1.0), ("llama", 1.0),
    }  # fmt: skip


def test_what_does_not_fit_the_time_is_listed(report: Report) -> None:
    no_time_left(report)
    found: dict[str, Any] = {}
    run_latency(report, found, GRID, row_of)
    assert found["rows"] == []
    assert len(report.left_out) == 6 and set(left_out(report).values()) == {NO_TIME}
    assert report.counts()["not_run_for_time"] == 6
    assert report.outcome.exit_status() == peers.MISSING


def test_the_next_length_is_foreseen_from_the_last() -> None:
    short = {"length_bp": 1000, "median_ms": 2000.0}
    case = Case("70m", "flat", "", 2000, None, "cuda", 1, 2.0, 128.0)
    llama = Case("70m", "llama", "", 2000, None, "cuda", 1, 2.0, 128.0)
    assert expected_seconds(short, case) == 4 * 2.0 * 2
    assert expected_seconds(short, llama) == 4 * 2.0 * 4
    assert expected_seconds(None, case) == LOADING


def no_room_for_the_llama(error: Exception) -> Callable[[Case], dict[str, Any]]:
    """Timings that memory does not allow; the Llama fails as a whole."""

    def timer(case: Case) -> dict[str, Any]:
        if case.role == LLAMA:
            raise error
        return row_of(case, None)

    return timer


@pytest.mark.slow
def test_memory_that_runs_out_is_a_row_and_a_defect_a_miss(report: Report) -> None:
    found: dict[str, Any] = {}
    run_latency(report, found, GRID, no_room_for_the_llama(torch.OutOfMemoryError(NO_ROOM)))
    assert [row["note"] for row in found["rows"]] == ["out of memory"] * 6
    missed = [figure["name"] for figure in report.figures if figure["met"] is False]
    assert missed == ["genezip, 1,048,576 bp: time (out of memory)"]  # its goal is not reached
    run_latency(report, found, GRID, no_room_for_the_llama(RuntimeError("shapes")))
    assert [f["error"] for f in report.figures if "error" in f] == ["RuntimeError: shapes"] * 2


def test_without_transformers_there_is_no_llama(report: Report) -> None:
    lacking = ModuleNotFoundError("No module named 'transformers'")
    found: dict[str, Any] = {}
    run_latency(report, found, GRID, no_room_for_the_llama(lacking))
    assert {row["role"] for row in found["rows"]} == {"genezip", "flat"}
    assert left_out(report) == {"Llama beside GeneZip-70m": "No module named 'transformers'"}


@pytest.mark.parametrize(("name", "layers"), [("70m", 9), ("636m", 22)])
def test_the_llama_has_the_size_of_genezip(name: str, layers: int) -> None:
    shape = llama_beside(name)
    assert shape.layers == layers
    wanted = parameters(preset(name))
    assert shape.parameters() == pytest.approx(wanted, rel=0.06)


def test_the_llama_has_the_parameters_that_are_counted() -> None:
    pytest.importorskip("transformers")
    shape = LlamaShape(96, 2)
    model = shape.build(64, "cpu")
    assert sum(parameter.numel() for parameter in model.parameters()) == shape.parameters()


def test_sixmers_are_numbers_in_base_four() -> None:
    ids = torch.from_numpy(encode("AAAAAC" + "TTTTTT" + "ACG")).unsqueeze(0)
    assert sixmers(ids).tolist() == [[1, 4**6 - 1]]
