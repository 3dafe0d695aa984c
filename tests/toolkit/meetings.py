"""A model in several processes that wait for each other, so that each of them has work."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from genezip.errors import GenezipError
from genezip.models.base import Sequences
from genezip.models.compressed import Compressed
from genezip.models.genezip.compressor import GeneZip

MODEL = "toolkit.meetings:Meeting"
"""Its name for ``--model``."""


def invite(
    model: Path, folder: Path, count: int = 2, pace: float = 0, fails: bool = False
) -> dict[str, str]:
    """Variables of the environment for processes that meet.

    Each opens ``model``; none reads its first block before ``count`` have begun, each of which
    leaves a file named by its process id in ``folder``. Every block takes ``pace`` seconds longer.
    If it ``fails``, a process that the command has started refuses its first block.
    """
    folder.mkdir()
    given = {"MODEL": model, "FOLDER": folder, "COUNT": count, "PACE": pace, "FAILS": int(fails)}
    return {f"MEETING_{name}": str(value) for name, value in given.items()}


def met(folder: Path) -> list[int]:
    """Ids of the processes that have begun."""
    return [int(path.name) for path in folder.iterdir()]


class Meeting:
    """The model of ``MEETING_MODEL``, which reads when all have come."""

    def __init__(self) -> None:
        self.model = GeneZip.from_pretrained(os.environ["MEETING_MODEL"])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode(self, sequences: Sequences) -> list[Compressed]:
        self.meet()
        return self.model.encode(sequences)

    def stream(self) -> "MeetingStream":
        return MeetingStream(self)

    def meet(self) -> None:
        """Wait for the others."""
        folder, late = Path(os.environ["MEETING_FOLDER"]), time.monotonic() + 120
        (folder / str(os.getpid())).touch()
        while len(met(folder)) < int(os.environ["MEETING_COUNT"]):
            assert time.monotonic() < late, "the others have not come"
            time.sleep(0.01)
        if int(os.environ["MEETING_FAILS"]) and sys.argv == ["-c"]:
            raise GenezipError("this process does not like its block; give it another")
        time.sleep(float(os.environ["MEETING_PACE"]))


class MeetingStream:
    """A stream of the model."""

    def __init__(self, meeting: Meeting) -> None:
        self.meeting, self.inner = meeting, meeting.model.stream()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def feed(self, sequence: Any, vectors: bool = False) -> Compressed:
        self.meeting.meet()
        return self.inner.feed(sequence, vectors)
