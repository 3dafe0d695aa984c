"""The learning curve: one JSON line per step and validation, and TensorBoard scalars beside it.

A resumed run cuts both at its checkpoint, so no step appears twice. A validation after that
checkpoint is repeated, and its first line dropped.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genezip.artifacts.files import write_text
from genezip.errors import GenezipError

CURVE = "curve.jsonl"
TENSORBOARD = "tensorboard"


class Curve:
    """Open logs of a run in its checkpoint folder.

    Lines of steps after ``step`` (optimiser steps done), and of validations after ``validated``
    (the step of the last one), are dropped. ``classes`` names the region classes, by id.
    """

    def __init__(self, folder: Path, step: int, validated: int, classes: Sequence[str]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.classes = classes
        _cut(folder / CURVE, step, validated)
        if step == 0:
            shutil.rmtree(folder / TENSORBOARD, ignore_errors=True)
        self.lines = open(folder / CURVE, "a", encoding="utf-8")  # noqa: SIM115
        self.scalars = SummaryWriter(str(folder / TENSORBOARD), purge_step=step + 1)

    def step(self, step: int, line: dict[str, Any]) -> None:
        """Log an optimiser step."""
        self.lines.write(json.dumps({"step": step, **line}) + "\n")
        for name, value in line.items():
            if isinstance(value, float) and name != "seconds":
                self._scalar(f"train/{name}", value, step)
        for letter in ("F", "G"):
            for stage, row in enumerate(line.get(letter, [])):
                for name, value in zip(self.classes, row, strict=True):
                    self._scalar(f"{letter}_stage{stage}/{name}", value, step)

    def valid(self, step: int, metrics: dict[str, Any]) -> None:
        """Log a validation."""
        self.lines.write(json.dumps({"step": step, "valid": metrics}) + "\n")
        for name, value in metrics.items():
            if isinstance(value, dict):
                for part, number in value.items():
                    self._scalar(f"valid/{name}/{part}", number, step)
            else:
                self._scalar(f"valid/{name}", value, step)

    def _scalar(self, name: str, value: float | None, step: int) -> None:
        if value is not None:  # an absent class has no value
            self.scalars.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write all buffered lines to disk."""
        self.lines.flush()
        self.scalars.flush()

    def close(self) -> None:
        """Write and close."""
        self.scalars.close()
        self.lines.close()


@contextmanager
def open_curve(folder: Path, step: int, validated: int, classes: Sequence[str]) -> Iterator[Curve]:
    """Open a curve for the block; a full disk raises one clear error."""
    try:
        curve = Curve(folder, step, validated, classes)
        try:
            yield curve
        finally:
            curve.close()
    except OSError as error:
        raise GenezipError(
            f"cannot write {folder / CURVE}: {error.strerror}; free space, then run the same "
            "command to resume from the last checkpoint"
        ) from error


def _cut(curve: Path, step: int, validated: int) -> None:
    """Cut the log after a step and a validation, where a resumed run continues it."""
    lines = curve.read_text(encoding="utf-8").splitlines() if curve.exists() else []
    kept = []
    for line in lines:
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            break  # a line cut off by a crash
        if step > 0 and values["step"] <= (validated if "valid" in values else step):
            kept.append(line)
    write_text(curve, "".join(f"{line}\n" for line in kept))
