"""The GPU check runs the CUDA tests of the suite: counts, missing packages, interruption."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gpu_check_tests
import peers
import psutil
import pytest
from gpu_check_report import NO_TIME, SHARES, Report
from toolkit.gpu_report import left_out, report_of

REPO = Path(__file__).resolve().parents[2]
MARK = "pytestmark = pytest.mark." + "cuda\n"  # in one piece, this file would be one of them
TESTS = f"""
import pytest

{MARK}

def test_good(): pass

def test_bad(): assert 1 + 1 == 3

@pytest.mark.skip(reason="no kernel")
def test_skipped(): pass
"""


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
    tmp_path: Path,
) -> None:
    sleeps = "def test_long():\n    __import__('time').sleep(60)\n"
    (tmp_path / "test_slow.py").write_text(TESTS + "\n" + sleeps)
    report = report_of(tmp_path, "tests", minutes=4 / 60 / SHARES["tests"])  # of four seconds
    found: dict[str, Any] = {}
    gpu_check_tests.run_tests(report, found, False, tmp_path)
    assert NO_TIME in left_out(report).values()
    if found:  # on a busy machine not even the first ones were reached
        assert (found["passed"], found["failed"]) == (1, 1)


@pytest.mark.slow
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
    # a machine without pytest cannot run this test
    monkeypatch.setattr(gpu_check_tests, "find_spec", lambda _: None)
    gpu_check_tests.run_tests(report, {}, False, tmp_path)
    assert "No module named 'pytest'" in report.outcome.missing[-1]
