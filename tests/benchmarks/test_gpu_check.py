"""The GPU check: a dry run of all parts, its budget of minutes, and its report."""

import json
import shutil
from pathlib import Path
from typing import Any

import gpu_check
import gpu_check_training
import peers
import pytest
import torch
from gpu_check_report import SHARES, Budget, Report
from latency_case import COLUMNS
from toolkit.gpu_report import Clock, written

# -- the whole -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The file of a dry run that ended with 0."""
    path = tmp_path_factory.mktemp("gpu") / "folder" / "check.json"
    assert gpu_check.main(["--dry-run", "--out", str(path)]) == peers.MET
    return dict(json.loads(path.read_text()))


@pytest.mark.slow
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


@pytest.mark.slow
def test_every_cuda_test_of_the_suite_is_counted(dry: dict[str, Any]) -> None:
    tests = dry["parts"]["tests"]
    assert (tests["passed"], tests["failed"]) == (0, 0)
    assert tests["skipped"] == len(tests["skips"]) > 40
    assert {skip["reason"] for skip in tests["skips"]} == {"needs a CUDA device"}
    files = {skip["test"].split("::")[0] for skip in tests["skips"]}
    assert files == {"tests.models.test_causal_bound", "tests.models.test_cuda"}


@pytest.mark.slow
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
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # also where there is one
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
    ("program", "version"),
    [
        ("#!/bin/sh\necho 570.86.15\n", "570.86.15"),
        ("#!/bin/sh\nexit 9\n", None),
        ("#!/bin/sh\n", None),
        ("#!/bin/sh\nsleep 60\n", None),
        ("#!/none\n", None),
        (None, None),
    ],
    ids=["answers", "fails", "silent", "hangs", "cannot be run", "absent"],
)
def test_a_driver_that_says_nothing_has_no_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str | None, version: str | None
) -> None:
    if program is not None:
        (tmp_path / "nvidia-smi").write_text(program)
        (tmp_path / "nvidia-smi").chmod(0o755)
        sleep = shutil.which("sleep")
        assert sleep is not None
        (tmp_path / "sleep").symlink_to(sleep)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_check.driver(seconds=60 if version else 0.5) == version


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
