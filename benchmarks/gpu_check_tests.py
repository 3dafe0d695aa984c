"""The tests of the suite that need a CUDA device, run by pytest in a process of its own.

They carry the marker ``cuda``. Only files that name it are collected, so that nothing else has
to be importable.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu_check_report import NO_TIME, Report
from latency_models import ROOT

MARKER = re.compile(r"^(pytestmark = |@)pytest\.mark\.cuda$", re.MULTILINE)
GRACE = 10.0  # seconds to write the results down
NO_MODULE = re.compile(r"No module named '[\w.]+'")


def files(tests: Path) -> list[Path]:
    """Files with a test of the marker ``cuda``."""
    found = tests.rglob("test_*.py")
    return sorted(path for path in found if MARKER.search(path.read_text(encoding="utf-8")))


def run_tests(report: Report, found: dict[str, Any], on_gpu: bool, tests: Path) -> None:
    """Run the tests and count them: ``passed``, ``failed``, ``skipped``, each with its reason.

    Parameters
    ----------
    report : counts what skipped, by reason; its budget is the time limit
    found : the part of the report, which is filled
    on_gpu : whether a CUDA device may be seen; without one every test skips
    tests : folder of the tests
    """
    if find_spec("pytest") is None:
        report.leave_out("CUDA tests", "No module named 'pytest'")
        return
    if not files(tests):
        report.leave_out("CUDA tests", f"no file of {tests.name} names the marker cuda")
        return
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [
            sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider",
            "--continue-on-collection-errors", f"--junitxml={results}",
            *(str(path) for path in files(tests)),
        ]  # fmt: skip
        code, said = in_time(command, environment(on_gpu), max(1.0, report.budget.left()))
        print(said[-4000:], flush=True)
        if not results.exists():
            if code is None:
                report.leave_out("CUDA tests", NO_TIME)
                return
            lacking = NO_MODULE.search(said)
            if lacking:  # of conftest.py or a plugin, so no test was collected
                report.leave_out("CUDA tests", lacking[0])
                return
            raise RuntimeError(f"pytest ended with {code}: {said[-2000:]}")
        found.update(counted(results))
    if code is not None and not found["passed"] + found["failed"] + found["skipped"]:
        raise RuntimeError(f"pytest ended with {code} and ran nothing: {said[-2000:]}")
    reasons = Counter(skipped["reason"] for skipped in found["skips"])
    for reason, number in reasons.items():
        report.leave_out(f"CUDA tests, {number} of them", reason)
    report.figure("CUDA tests passed", found["passed"], "tests")
    report.figure("CUDA tests failed", found["failed"], "tests", "none", not found["failed"])
    if code is None:
        report.leave_out("the other CUDA tests", NO_TIME)


def in_time(
    command: list[str], environment: dict[str, str], seconds: float
) -> tuple[int | None, str]:
    """Exit code and output of a program; the code is None where it had to be interrupted.

    It is interrupted as by Ctrl-C, upon which pytest still writes down what it has. It leads a
    group of processes of its own, which is killed where this one is interrupted.
    """
    with tempfile.TemporaryFile("w+") as output:
        program = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        code: int | None = None
        try:
            code = program.wait(seconds)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGINT)
            try:
                program.wait(GRACE)
            except subprocess.TimeoutExpired:
                end_group(program)
        except BaseException:  # Ctrl-C, or the exit that SIGTERM asks for
            end_group(program)
            raise
        output.seek(0)
        return code, output.read()


def end_group(program: subprocess.Popen[bytes]) -> None:
    """Kill a program that leads a group of processes, and the group."""
    with suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


def environment(on_gpu: bool) -> dict[str, str]:
    """Of the process: this checkout first, no settings of another pytest around it."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    paths = [str(ROOT), *filter(None, [mine.get("PYTHONPATH")])]
    mine["PYTHONPATH"] = os.pathsep.join(paths)
    return mine if on_gpu else {**mine, "CUDA_VISIBLE_DEVICES": ""}


def counted(results: Path) -> dict[str, Any]:
    """What a JUnit file says. A test that lacks a package is skipped, not failed."""
    passed, failures, skips = 0, [], []
    for case in ElementTree.parse(results).iter("testcase"):
        if case.get("name") is None:  # the one that was interrupted
            continue
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        skip = case.find("skipped")
        # two tests: an element without children is false
        broken = case.find("failure") if case.find("failure") is not None else case.find("error")
        if skip is not None:
            skips.append({"test": name, "reason": str(skip.get("message"))})
        elif broken is not None:
            said = f"{broken.get('message')}\n{broken.text}"
            lacking = NO_MODULE.search(said) if broken.tag == "error" else None
            if lacking:
                skips.append({"test": name, "reason": lacking[0]})
            else:
                failures.append({"test": name, "error": said[:2000]})
        else:
            passed += 1
    counts = {"passed": passed, "failed": len(failures), "skipped": len(skips)}
    return {**counts, "failures": failures, "skips": skips}
