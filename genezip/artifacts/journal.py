"""Long jobs in parts: a record of the finished parts, and requests to stop between two."""

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any

from genezip.artifacts.files import atomic_path

logger = logging.getLogger(__name__)


class Journal:
    """The finished parts of a long job, noted in one JSON file; the next call goes on from there.

    A note is made after the data of its part are on the disk, and is whole or not there. Parts of
    a job with another identity, or in a file that cannot be read, count as not done.

    Parameters
    ----------
    path : the file; nothing is written before the first part is noted
    identity : JSON value
        Everything that decides the content of the parts.

    Attributes
    ----------
    done : name of a part -> what was noted of it (JSON values)
    """

    def __init__(self, path: str | Path, identity: Any) -> None:
        self.path = Path(path)
        self._key = json.loads(json.dumps(identity))  # as a file gives it back
        self.done = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            noted = json.loads(self.path.read_text(encoding="utf-8"))
            key, done = noted["key"], dict(noted["done"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError):
            logger.warning(f"{self.path} is damaged or of an older version; the job begins anew")
            return {}
        return done if key == self._key else {}

    def note(self, part: str, facts: Mapping[str, Any], data: IO[bytes]) -> None:
        """Note that a part is finished, replacing an earlier note of it.

        Parameters
        ----------
        data : open file that the part was written into; it is on the disk before the note is
        """
        data.flush()
        os.fsync(data.fileno())
        self.done[part] = dict(facts)
        self._write()

    def forget(self, part: str) -> None:
        """Count a part as not done, on the disk too: its data are about to be overwritten."""
        if self.done.pop(part, None) is not None:
            self._write()

    def _write(self) -> None:
        with atomic_path(self.path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump({"key": self._key, "done": self.done}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Remove the file: the job begins anew or is finished."""
        self.done = {}
        self.path.unlink(missing_ok=True)


class StopRequest:
    """Whether a stop was asked for; true from then on."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stop_request(again_at_once: bool = True) -> Iterator[StopRequest]:
    """Turn Ctrl-C and a scheduler's SIGTERM into a request, obeyed between two steps of a run.

    A second one stops at once. Among several processes it must not (``again_at_once`` is
    False): terminal and launcher both pass a signal on, and the launcher kills what does not
    end by itself.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.asked and again_at_once:
            raise KeyboardInterrupt
        request.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return
    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
