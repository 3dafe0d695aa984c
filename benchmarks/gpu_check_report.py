"""What a GPU check found: a budget of minutes, figures beside goals, one JSON file.

The file is written at the start, when a part begins and after every figure, so that a run that is
cut leaves a valid one that says how far it came; its ``exit_status`` is null until it is known.
"""

import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from peers import Outcome

from genezip.artifacts.files import write_json

# What of the minutes a part may use; what it leaves, the next ones have.
SHARES = {"tests": 0.2, "latency": 0.47, "training": 0.28}  # the rest is reserve
NO_TIME = "not run: time"


class Budget:
    """Seconds that are left to a part, by shares of the whole.

    Parameters
    ----------
    minutes : for all parts together
    spent : seconds of them that are over already
    clock : seconds, never going back
    """

    def __init__(
        self, minutes: float, spent: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.minutes, self.clock = minutes, clock
        self.began = clock() - spent
        self._end = self.began

    def open(self, part: str) -> None:
        """Begin a part: it ends where its share and those of the parts before it end."""
        parts = list(SHARES)
        share = sum(SHARES[name] for name in parts[: parts.index(part) + 1])
        self._end = self.began + 60 * self.minutes * share

    def left(self) -> float:
        """Seconds until the part has to end; never negative."""
        return max(0.0, self._end - self.clock())


class Report:
    """Figures, what was left out and why, and how the check ends.

    Attributes
    ----------
    facts : what stands at the head of the file
    parts : what every part came to, by its name
    figures : name, value, unit, goal and whether it was met (None without a goal)
    outcome : the exit code (:mod:`peers`)
    """

    def __init__(self, path: Path, facts: dict[str, Any], budget: Budget, judged: bool) -> None:
        self.path, self.budget, self.judged = path, budget, judged
        self.facts = {**facts, "exit_status": None}
        self.parts: dict[str, dict[str, Any]] = {}
        self.figures: list[dict[str, Any]] = []
        self.left_out: list[dict[str, str]] = []
        self.outcome = Outcome()
        self.write()  # in the place of a file of an earlier run

    @contextmanager
    def part(self, name: str) -> Iterator[dict[str, Any]]:
        """A part of the check; its dict is filled inside. A defect ends this part alone."""
        self.budget.open(name)
        began = self.budget.clock()
        found: dict[str, Any] = {"status": "running"}
        self.parts[name] = found
        self.write()
        print(f"== {name}: {self.budget.left():.0f} s", flush=True)
        try:
            yield found
            found["status"] = "done"
        except Exception as error:  # whatever it is, the other parts are still worth their time
            traceback.print_exc()
            found["status"] = "failed"
            self.failed(name, error)
        finally:
            found["seconds"] = round(self.budget.clock() - began, 2)
            self.write()

    def figure(
        self,
        name: str,
        value: float | None,
        unit: str,
        goal: str | None = None,
        met: bool | None = None,
    ) -> None:
        """Add a figure to the report and print it beside its goal.

        Parameters
        ----------
        value : None where nothing could be measured
        goal : what the value should be, in words; None where nothing is asked of it
        met : whether the value reaches the goal; only False counts as missed
        """
        self.figures.append({"name": name, "value": value, "unit": unit, "goal": goal, "met": met})
        shown = "-" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        beside = "no goal" if goal is None else f"goal: {goal}: {'met' if met else 'MISSED'}"
        print(f"{name}: {shown} {unit} ({beside})", flush=True)
        self.outcome.count(met is not False)
        self.write()

    def leave_out(self, what: str, reason: str) -> None:
        """Remember what was not run or not compared; a dry run leaves out by design."""
        self.left_out.append({"what": what, "reason": reason})
        if self.judged:
            self.outcome.leave_out(f"{what}: {reason}")
        else:
            print(f"left out: {what}: {reason}", flush=True)
            self.outcome.count(True)
        self.write()

    def failed(self, what: str, error: Exception) -> None:
        """A defect: it counts as a missed goal."""
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        self.figure(what, None, "", "no error", False)
        self.figures[-1]["error"] = said
        print(f"{what} failed: {said}", flush=True)
        self.write()

    def counts(self) -> dict[str, int]:
        """How many figures there are, with and without goals, and what was left out."""
        met = [figure["met"] for figure in self.figures]
        return {
            "figures": len(met),
            "met": met.count(True),
            "missed": met.count(False),
            "without_goal": met.count(None),
            "left_out": len(self.left_out),
            "not_run_for_time": sum(item["reason"] == NO_TIME for item in self.left_out),
        }

    def write(self) -> None:
        """The whole report as JSON, replacing the one before."""
        write_json(
            self.path,
            {
                **self.facts,
                "seconds": round(self.budget.clock() - self.budget.began, 2),
                "counts": self.counts(),
                "parts": finite(self.parts),
                "figures": finite(self.figures),
                "left_out": self.left_out,
            },
        )


def finite(value: Any) -> Any:
    """The same with None for NaN and infinities, which JSON has not."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
