"""Long jobs in parts: a record of the finished parts, and requests to stop between two parts."""

import json
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

from genezip.artifacts.files import atomic_path

logger = logging.getLogger(__name__)


class Journal:
    """Record of the finished parts of a long job in one JSON file, so that a next call can resume.

    A part is recorded, atomically, once its data are on the disk; ``done`` maps its name to its
    facts (JSON values). Parts of a job with another ``identity``, a JSON value with everything that
    decides their content, or in a file that cannot be read, count as not done. The file is first
    written when the first part is noted.
    """

    def __init__(self, path: str | Path, identity: Any) -> None:
        self.path = Path(path)
        self._key = json.loads(json.dumps(identity))  # as read back: tuples become lists
        self.done = self._read()

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            noted = json.loads(self.path.read_text(encoding="utf-8"))
            key, done = noted["key"], dict(noted["done"])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError):
            logger.warning(f"{self.path} is damaged or of an older version; the job starts over")
            return {}
        return done if key == self._key else {}

    def note(self, part: str, facts: Mapping[str, Any], data: IO[bytes]) -> None:
        """Record a finished part, replacing its earlier record.

        ``data`` is the open file of the part, flushed to the disk before the record is written.
        """
        data.flush()
        os.fsync(data.fileno())
        self.done[part] = dict(facts)
        self._write()

    def forget(self, part: str) -> None:
        """Remove a part from the record on disk, before its data are overwritten."""
        if self.done.pop(part, None) is not None:
            self._write()

    def _write(self) -> None:
        with atomic_path(self.path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            json.dump({"key": self._key, "done": self.done}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Remove the file, when the job is finished or starts over."""
        self.done = {}
        self.path.unlink(missing_ok=True)


class StopRequest:
    """A flag that becomes true, and stays true, when a stop is requested."""

    def __init__(self) -> None:
        self.requested = False

    def __bool__(self) -> bool:
        return self.requested


@contextmanager
def stop_request(again_at_once: bool = True) -> Iterator[StopRequest]:
    """Turn Ctrl-C and a scheduler's SIGTERM into a request that a run checks between two steps.

    A second Ctrl-C stops the run at once. With several processes it must not (``again_at_once``
    is False): terminal and launcher both forward a signal, and the launcher kills processes that
    do not stop by themselves. SIGTERM only ever requests: a batch system sends it to every process
    of a job, its starter sends it again, and whoever cannot wait kills.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.requested and again_at_once and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return
    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def stop_now(what: str) -> NoReturn:
    """Say what a run did until it was asked to stop, and that it can resume; then end it."""
    logger.info(f"{what}; run the same command to resume")
    raise KeyboardInterrupt
