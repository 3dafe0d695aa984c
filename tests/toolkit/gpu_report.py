"""What the tests of the GPU check share: a report whose clock stands still, and failures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpu_check_report import Budget, Report

NO_ROOM = "CUDA out of memory. Tried to allocate 78 GiB"


class Clock:
    """Seconds that pass only where a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def report_of(folder: Path, part: str = "training", minutes: float = 9.0) -> Report:
    """The report of a real run that has just begun a part."""
    made = Report(folder / "out.json", {"date": "today"}, Budget(minutes, clock=Clock()), True)
    made.budget.open(part)
    return made


def no_time_left(report: Report) -> None:
    """Let all minutes pass."""
    report.budget.clock.now = 60 * report.budget.minutes  # type: ignore[attr-defined]


def written(report: Report) -> dict[str, Any]:
    """The file of a report."""
    return dict(json.loads(report.path.read_text()))


def left_out(report: Report) -> dict[str, str]:
    """Reasons by what was left out."""
    return {item["what"]: item["reason"] for item in report.left_out}


def raising(error: Exception) -> Callable[..., Any]:
    """A function that fails, whatever it is given."""

    def run(*_: object, **__: object) -> None:
        raise error

    return run
