"""The GPU check: a dry run of all parts, a budget that is kept, memory that runs out."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from genezip.alphabet import encode
from genezip.training.objectives import NextBase

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "benchmarks"))

import gpu_check  # noqa: E402
import gpu_check_latency  # noqa: E402
import gpu_check_tests  # noqa: E402
import gpu_check_training  # noqa: E402
import peers  # noqa: E402
from gpu_check_report import NO_TIME, SHARES, Budget, Report  # noqa: E402
from latency_case import COLUMNS  # noqa: E402

NO_ROOM = "CUDA out of memory. Tried to allocate 78 GiB"
MARK = "pytestmark = pytest.mark." + "cuda\n"  # in one piece, this file would be one of them
TESTS = f"""
import pytest

{MARK}

def test_good(): pass

def test_bad(): assert 1 + 1 == 3

@pytest.mark.skip(reason="no kernel")
def test_skipped(): pass
"""


class Clock:
    """Seconds that pass only where a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """A real run's report of nine minutes, in its last part."""
    made = Report(tmp_path / "out.json", {"date": "today"}, Budget(9.0, clock=Clock()), True)
    made.budget.open("training")
    return made


def written(report: Report) -> dict[str, Any]:
    return dict(json.loads(report.path.read_text()))


def no_time_left(report: Report) -> None:
    report.budget.clock.now = 60 * report.budget.minutes  # type: ignore[attr-defined]


def raising(error: Exception) -> Callable[..., Any]:
    def run(*_: object, **__: object) -> None:
        raise error

    return run


def left_out(report: Report) -> dict[str, str]:
    return {item["what"]: item["reason"] for item in report.left_out}


# -- the whole -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file of a dry run that ended with 0."""
    path = tmp_path_factory.mktemp("gpu") / "folder" / "check.json"
    assert gpu_check.main(["--dry-run", "--out", str(path)]) == peers.MET
    return dict(json.loads(path.read_text()))


def test_a_dry_run_has_all_parts_and_counts(dry: dict[str, Any]) -> None:
    assert list(dry["parts"]) == list(SHARES)
    assert {part["status"] for part in dry["parts"].values()} == {"done"}
    assert all(part["seconds"] >= 0 for part in dry["parts"].values())
    assert dry["exit_status"] == 0
    assert dry["counts"]["missed"] == 0 < dry["counts"]["met"]
    assert dry["counts"]["figures"] == len(dry["figures"])
    assert dry["counts"]["left_out"] == len(dry["left_out"]) > 0
    assert dry["missing_packages_count"] == len(dry["missing_packages"])
    assert {"torch", "cuda", "driver", "mamba-ssm", "causal-conv1d"} <= set(dry["versions"])


def test_every_cuda_test_of_the_suite_is_counted(dry: dict[str, Any]) -> None:
    tests = dry["parts"]["tests"]
    assert (tests["passed"], tests["failed"]) == (0, 0)
    assert tests["skipped"] == len(tests["skips"]) > 40
    assert {skip["reason"] for skip in tests["skips"]} == {"needs a CUDA device"}
    files = {skip["test"].split("::")[0] for skip in tests["skips"]}
    assert files == {"tests.models.test_causal_bound", "tests.models.test_cuda"}


def test_a_dry_run_times_and_trains(dry: dict[str, Any]) -> None:
    rows = dry["parts"]["latency"]["rows"]
    assert {"genezip", "flat"} <= {row["role"] for row in rows}
    for row in rows:
        assert set(COLUMNS) <= set(row)
        assert row["median_ms"] > 0 and row["peak_mb"] > 0
    for row in dry["parts"]["training"]["rows"]:
        assert row["steps"] == gpu_check.DRY_RUNS.steps == len(row["losses"])
        assert row["last_nats"] < row["first_nats"]
        assert row["bases_per_second"] > 0 and row["estimated_mb"] > 0
    assert 0.3 < dry["parts"]["training"]["source_nats"] < 1.38


def test_without_a_device_it_compares_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main(["--out", str(tmp_path / "x.json")]) == peers.MISSING
    assert "no CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


def test_a_real_run_has_the_asked_lengths_and_batches() -> None:
    lengths = gpu_check.GRID.lengths
    assert (lengths[0], lengths[-1], len(lengths)) == (16_384, 1_048_576, 7)
    assert gpu_check.GRID.presets == ("70m", "636m")
    assert set(gpu_check.RUNS.cases) == {(12_800, 2), (12_800, 8), (12_800, 32), (128_000, 1)}
    shortest = min(window for window, _ in gpu_check.RUNS.cases)
    for window, _ in gpu_check.RUNS.cases:
        assert gpu_check.RUNS.pool * shortest % window == 0
    settings = gpu_check_training.settings_of(gpu_check.RUNS, 32)
    assert settings.checkpoint_activations and settings.precision == "bf16"


@pytest.mark.parametrize(
    "error", [OSError("not to be run"), subprocess.TimeoutExpired("nvidia-smi", 60)]
)
def test_a_driver_that_says_nothing_has_no_version(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(gpu_check.shutil, "which", lambda _: "/bin/nvidia-smi")
    monkeypatch.setattr(gpu_check.subprocess, "run", raising(error))
    assert gpu_check.driver() is None


# -- budget and report ---------------------------------------------------------------------


def test_a_part_inherits_what_the_ones_before_left() -> None:
    budget = Budget(10.0, spent=30.0, clock=Clock())
    budget.open("tests")
    assert budget.left() == pytest.approx(600 * SHARES["tests"] - 30)
    budget.open("training")
    assert budget.left() == pytest.approx(600 * sum(SHARES.values()) - 30)
    assert sum(SHARES.values()) < 1
    budget.clock.now = 1e6  # type: ignore[attr-defined]
    assert budget.left() == 0


def test_a_cut_run_leaves_a_valid_file_after_every_figure(report: Report) -> None:
    assert written(report)["exit_status"] is None and not written(report)["parts"]
    with pytest.raises(KeyboardInterrupt), report.part("latency"):
        assert written(report)["parts"] == {"latency": {"status": "running"}}
        report.figure("time", 2.0, "ms")
        assert written(report)["parts"]["latency"]["status"] == "running"
        raise KeyboardInterrupt
    assert written(report)["counts"]["figures"] == 1


def test_a_defect_ends_one_part_and_is_a_miss(report: Report) -> None:
    with report.part("latency"):
        raise RuntimeError("shapes do not match\nand more")
    with report.part("training") as found:
        found["rows"] = [{"loss": float("nan")}]
    said = written(report)
    assert [part["status"] for part in said["parts"].values()] == ["failed", "done"]
    assert said["figures"][0]["error"] == "RuntimeError: shapes do not match"
    assert said["parts"]["training"]["rows"] == [{"loss": None}]
    assert report.outcome.exit_status() == peers.MISSED


def test_figures_stand_beside_goals(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    report.figure("speed", 12_345.6, "bases/s")
    report.figure("loss", 1.25, "nats", "below 1", False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["speed: 12,346 bases/s (no goal)", "loss: 1.25 nats (goal: below 1: MISSED)"]
    assert report.outcome.exit_status() == peers.MISSED


# -- tests of the suite --------------------------------------------------------------------


def test_passed_failed_skipped_and_lacking_packages(report: Report, tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_lacking.py").write_text(f"import pytest, lacking_package\n{MARK}")
    (tmp_path / "test_other.py").write_text("raise RuntimeError('not to be collected')\n")
    found: dict[str, Any] = {}
    gpu_check_tests.run_tests(report, found, False, tmp_path)
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 2)
    assert "test_bad" in found["failures"][0]["test"]
    assert "1 + 1" in found["failures"][0]["error"]
    reasons = {skip["reason"] for skip in found["skips"]}
    assert reasons == {"no kernel", "No module named 'lacking_package'"}
    assert {item["reason"] for item in report.left_out} == reasons
    assert report.outcome.exit_status() == peers.MISSED


def test_a_package_that_all_tests_lack_is_left_out(report: Report, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("import lacking_package\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    gpu_check_tests.run_tests(report, {}, False, tmp_path)
    assert left_out(report) == {"CUDA tests": "No module named 'lacking_package'"}
    assert report.outcome.exit_status() == peers.MISSING


def test_tests_that_take_too_long_are_interrupted(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeps = "def test_long():\n    __import__('time').sleep(60)\n"
    (tmp_path / "test_slow.py").write_text(TESTS + "\n" + sleeps)
    monkeypatch.setattr(Budget, "left", lambda _: 8.0)
    found: dict[str, Any] = {}
    gpu_check_tests.run_tests(report, found, False, tmp_path)
    assert NO_TIME in left_out(report).values()
    if found:  # on a busy machine not even the first ones were reached
        assert (found["passed"], found["failed"]) == (1, 1)


def test_sigterm_ends_the_tests_too(tmp_path: Path) -> None:
    """The check itself writes its report; of its tests no process is left."""
    (tmp_path / "test_slow.py").write_text(
        f"import os, time, pytest\nfrom pathlib import Path\n{MARK}\n"
        f"Path({str(tmp_path / 'half')!r}).write_text(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'half')!r}, {str(tmp_path / 'pid')!r})\n"
        "time.sleep(300)\n"
    )
    out = tmp_path / "check.json"
    script = REPO / "benchmarks" / "gpu_check.py"
    command = ["--dry-run", "--parts", "tests", "--tests", str(tmp_path), "--out", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    check = subprocess.Popen([sys.executable, str(script), *command], env=environment)
    try:
        for _ in range(600):
            if (tmp_path / "pid").exists():
                break
            time.sleep(0.1)
        child = psutil.Process(int((tmp_path / "pid").read_text()))
        check.terminate()
        assert check.wait(30) == 128 + signal.SIGTERM
        assert not child.is_running()
    finally:
        check.kill()
        check.wait()
    said = json.loads(out.read_text())
    assert said["exit_status"] is None and said["parts"]["tests"]["status"] == "running"


def test_without_pytest_or_marked_tests(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_check_tests.run_tests(report, {}, False, tmp_path)
    assert "names the marker" in left_out(report)["CUDA tests"]
    monkeypatch.setattr(gpu_check_tests, "find_spec", lambda _: None)
    gpu_check_tests.run_tests(report, {}, False, tmp_path)
    assert "No module named 'pytest'" in report.outcome.missing[-1]


# -- latency -------------------------------------------------------------------------------

GRID = gpu_check_latency.Grid(("70m",), (524_288, 1_048_576), "cuda", 2.0)


def row_of(case: Any, milliseconds: float | None = 50.0) -> dict[str, Any]:
    shape = {"genezip": "2x512 [2x512 [15x768] 2x512] 2x512", "flat": "23x768"}
    return {
        **dict.fromkeys(COLUMNS), "model": case.role, "role": case.role, "device": "NVIDIA H200",
        "layout": shape.get(case.role, "9x768"), "length_bp": case.length,
        "median_ms": milliseconds, "peak_mb": 9.0, "note": "" if milliseconds else "out of memory",
    }  # fmt: skip


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model, and transformers is there."""
    monkeypatch.setattr(gpu_check_latency, "measure", row_of)
    monkeypatch.setattr(gpu_check_latency, "measure_llama", row_of)
    monkeypatch.setattr(gpu_check_latency, "find_spec", lambda _: object())


@pytest.mark.usefixtures("timed")
def test_only_genezip_at_a_million_bases_has_a_goal(report: Report) -> None:
    found: dict[str, Any] = {}
    gpu_check_latency.run_latency(report, found, GRID)
    assert [row["role"] for row in found["rows"]] == ["genezip"] * 2 + ["flat"] * 2 + ["llama"] * 2
    with_goal = [figure for figure in report.figures if figure["goal"]]
    assert [figure["name"] for figure in with_goal] == ["genezip, 1,048,576 bp: time"]
    assert with_goal[0]["met"] and "49 ms" in with_goal[0]["goal"]
    assert found["rows"][3]["times_floor"] == pytest.approx(50 / (298 * 1.048576))
    assert {(ratio["peer"], ratio["times"]) for ratio in found["ratios"]} == {
        ("flat", 1.0), ("llama", 1.0),
    }  # fmt: skip


@pytest.mark.usefixtures("timed")
def test_what_does_not_fit_the_time_is_listed(report: Report) -> None:
    no_time_left(report)
    found: dict[str, Any] = {}
    gpu_check_latency.run_latency(report, found, GRID)
    assert found["rows"] == []
    assert len(report.left_out) == 6 and set(left_out(report).values()) == {NO_TIME}
    assert report.counts()["not_run_for_time"] == 6
    assert report.outcome.exit_status() == peers.MISSING


def test_the_next_length_is_foreseen_from_the_last() -> None:
    short = {"length_bp": 1000, "median_ms": 2000.0}
    case = gpu_check_latency.Case("70m", "flat", "", 2000, None, "cuda", 1, 2.0, 128.0)
    llama = gpu_check_latency.Case("70m", "llama", "", 2000, None, "cuda", 1, 2.0, 128.0)
    assert gpu_check_latency.expected_seconds(short, case) == 4 * 2.0 * 2
    assert gpu_check_latency.expected_seconds(short, llama) == 4 * 2.0 * 4
    assert gpu_check_latency.expected_seconds(None, case) == gpu_check_latency.LOADING


@pytest.mark.usefixtures("timed")
def test_memory_that_runs_out_is_a_row_and_a_defect_a_miss(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check_latency, "measure", lambda case: row_of(case, None))
    monkeypatch.setattr(
        gpu_check_latency, "measure_llama", raising(torch.OutOfMemoryError(NO_ROOM))
    )
    found: dict[str, Any] = {}
    gpu_check_latency.run_latency(report, found, GRID)
    assert [row["note"] for row in found["rows"]] == ["out of memory"] * 6
    missed = [figure["name"] for figure in report.figures if figure["met"] is False]
    assert missed == ["genezip, 1,048,576 bp: time (out of memory)"]  # its goal is not reached
    monkeypatch.setattr(gpu_check_latency, "measure_llama", raising(RuntimeError("shapes")))
    gpu_check_latency.run_latency(report, found, GRID)
    assert [f["error"] for f in report.figures if "error" in f] == ["RuntimeError: shapes"] * 2


@pytest.mark.usefixtures("timed")
def test_without_transformers_there_is_no_llama(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_check_latency, "find_spec", lambda _: None)
    found: dict[str, Any] = {}
    gpu_check_latency.run_latency(report, found, GRID)
    assert {row["role"] for row in found["rows"]} == {"genezip", "flat"}
    assert left_out(report) == {"Llama beside GeneZip-70m": "No module named 'transformers'"}


@pytest.mark.parametrize(("name", "layers"), [("70m", 9), ("636m", 22)])
def test_the_llama_has_the_size_of_genezip(name: str, layers: int) -> None:
    shape = gpu_check_latency.llama_beside(name)
    assert shape.layers == layers
    wanted = gpu_check_latency.parameters(gpu_check_latency.preset(name))
    assert shape.parameters() == pytest.approx(wanted, rel=0.06)


def test_the_llama_has_the_parameters_that_are_counted() -> None:
    pytest.importorskip("transformers")
    shape = gpu_check_latency.LlamaShape(96, 2)
    model = shape.build(64, "cpu")
    assert sum(parameter.numel() for parameter in model.parameters()) == shape.parameters()


def test_sixmers_are_numbers_in_base_four() -> None:
    ids = torch.from_numpy(encode("AAAAAC" + "TTTTTT" + "ACG")).unsqueeze(0)
    assert gpu_check_latency.sixmers(ids).tolist() == [[1, 4**6 - 1]]


# -- training ------------------------------------------------------------------------------


def test_the_chain_is_the_same_every_time_and_its_entropy_true() -> None:
    ids, nats = gpu_check_training.markov_dna(40, 600)
    again, _ = gpu_check_training.markov_dna(40, 600)
    assert np.array_equal(ids, again)
    digits = ids.astype(int) - 3
    counts = np.zeros((64, 4))
    contexts = digits[:, :-3] * 16 + digits[:, 1:-2] * 4 + digits[:, 2:-1]
    np.add.at(counts, (contexts.ravel(), digits[:, 3:].ravel()), 1)
    chances = counts / counts.sum(1, keepdims=True).clip(1)
    seen = counts > 0
    assert nats == pytest.approx(-(counts[seen] * np.log(chances[seen])).sum() / counts.sum(), 0.02)


def test_memory_that_runs_out_in_training_is_a_row(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    # what the package itself says of it: a sentence in the place of the library's error
    monkeypatch.setattr(
        "genezip.training.objectives.next_base_loss", raising(torch.OutOfMemoryError(NO_ROOM))
    )
    found: dict[str, Any] = {}
    gpu_check_training.run_training(report, found, gpu_check.DRY_RUNS)
    assert [row["note"] for row in found["rows"]] == ["out of memory"] * 3
    assert report.outcome.exit_status() == peers.MISSING
    monkeypatch.setattr(NextBase, "minimise", raising(RuntimeError("shapes")))
    gpu_check_training.run_training(report, found, gpu_check.DRY_RUNS)
    assert report.outcome.exit_status() == peers.MISSED


def test_training_stops_where_the_time_ends(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, taken = NextBase.minimise, []

    def counted(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        taken.append(1)
        if len(taken) == 5:
            no_time_left(report)
        return step(*given)

    monkeypatch.setattr(NextBase, "minimise", counted)
    found: dict[str, Any] = {}
    gpu_check_training.run_training(report, found, gpu_check.DRY_RUNS)
    assert [row["steps"] for row in found["rows"]] == [5, 0, 0]
    assert found["rows"][0]["bases_per_second"] > 0
    assert list(left_out(report)) == [
        "training at 400 bp, micro-batch 2, steps 6 to 12",
        "training at 400 bp, micro-batch 4",
        "training at 2,000 bp, micro-batch 1",
    ]


def test_a_slow_first_step_does_not_end_a_run_early(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It compiles, and takes ten times as long as the others."""
    clock, step, taken = report.budget.clock, NextBase.minimise, []

    def timed(*given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        taken.append(1)
        clock.now += 10.0 if len(taken) == 1 else 1.0  # type: ignore[attr-defined]
        return step(*given)

    monkeypatch.setattr(NextBase, "minimise", timed)
    monkeypatch.setattr(gpu_check_training.time, "perf_counter", clock)
    report.budget._end = 36.0
    runs = replace(gpu_check.DRY_RUNS, cases=gpu_check.DRY_RUNS.cases[:1])
    found: dict[str, Any] = {}
    gpu_check_training.run_training(report, found, runs)
    assert found["rows"][0]["steps"] == runs.steps
    assert not report.left_out


def test_a_loss_that_does_not_fall_misses_its_goal(report: Report) -> None:
    row = {"bases_per_second": 1.0, "peak_mb": 1.0, "estimated_mb": 2.0, "first_nats": 1.0}
    gpu_check_training.tell(report, "training", {**row, "last_nats": 0.9}, 0.5)
    assert report.outcome.exit_status() == peers.MET
    for last in (1.0, float("nan")):
        gpu_check_training.tell(report, "training", {**row, "last_nats": last}, 0.5)
    assert report.counts()["missed"] == 2
