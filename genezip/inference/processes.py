"""Processes that compress stretches of one FASTA at once, each with the model in its own memory.

The first process hands out stretches, compresses some itself and counts what all have done. Each
writes its own parts. A further process (:mod:`genezip.inference.workers`) gets the open FASTA and
stretches from the first.
"""

import os
import signal
import subprocess
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, Self

import torch

from genezip import log
from genezip.artifacts.journal import StopRequest, stop_request
from genezip.errors import GenezipError
from genezip.inference import workers
from genezip.inference.stretches import Reading, Stretch, compress_stretches
from genezip.models import load
from genezip.models.base import Compressor


@dataclass(frozen=True)
class Opening:
    """How every process opens the model, and what its metadata must then be."""

    model: str
    bound: str | None
    metadata: dict[str, Any]
    threads: int


class Processes:
    """The processes of one run, of which this is the first; on exit the others are ended.

    Attributes
    ----------
    finished : start and end of every part that was written
    """

    def __init__(
        self, reading: Reading, stretches: Iterable[Stretch], stop: StopRequest, shown: log.Progress
    ) -> None:
        self.finished: list[tuple[int, int]] = []
        self._reading, self._stop, self._shown = reading, stop, shown
        self._waiting = deque(stretches)
        self._others: dict[Connection, subprocess.Popen[bytes]] = {}
        self._dismissed: list[tuple[Connection, subprocess.Popen[bytes]]] = []
        self._asked_to_stop = False
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for link, process in [*self._others.items(), *self._dismissed]:
            process.kill()
            process.wait()
            link.close()

    def start(self, opening: Opening, count: int) -> None:
        """Start further processes, fewer than there are stretches; each gets one to begin with."""
        for _ in range(count):
            try:
                link, process = workers.take()
            except OSError as error:
                raise GenezipError(
                    f"a process of --jobs cannot be started: {error.strerror}; give fewer"
                ) from error
            self._others[link] = process
            with suppress(OSError):  # that it has ended is noticed later
                fasta = self._reading.fasta.fileno()
                link.send(fasta)
                send_handle(link, fasta, process.pid)
                link.send((self._reading, opening))
                link.send(self._waiting.popleft())

    def run(self, compressor: Compressor) -> None:
        """Compress all stretches, or stop on a request; raise what ended another process.

        What was finished by then is on the disk in either case.
        """
        compress_stretches(
            self._reading, compressor, self._own(), self._stop, self._advance, self.finished.append
        )
        while self._others:
            self._attend(0.5)  # after a signal the request to stop is seen
        if self._failure is not None:
            raise self._failure

    def _own(self) -> Iterator[Stretch]:
        """Stretches of this process."""
        while self._waiting:
            yield self._waiting.popleft()

    def _advance(self, bases: int) -> None:
        self._shown.advance(bases)
        self._attend(0)

    def _attend(self, seconds: float) -> None:
        """Answer the other processes; the first message is awaited for so long."""
        if self._stop and not self._asked_to_stop:
            self._asked_to_stop = True
            for process in self._others.values():
                process.terminate()
        for link in wait(list(self._others), seconds) if self._others else ():
            assert isinstance(link, Connection)
            try:
                while link in self._others and link.poll():
                    self._answer(link, link.recv())
            except (EOFError, OSError):
                self._ended(link)

    def _answer(self, link: Connection, message: Any) -> None:
        match message:
            case int(bases):
                self._shown.advance(bases)
            case (start, end):
                self.finished.append((start, end))
            case None if self._waiting and not self._stop:
                link.send(self._waiting.popleft())
            case None:  # it has written all its parts, so nobody waits until it has ended
                self._dismissed.append((link, self._others.pop(link)))
            case Exception() as error:
                self._fail(error)

    def _ended(self, link: Connection) -> None:
        process = self._others.pop(link)
        link.close()
        status = process.wait()
        if status == 0:  # it alone was asked to stop
            self._stop.requested = True
            return
        how, perhaps = f"ended with status {status}", ""
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
            perhaps = ", perhaps for lack of memory"
        self._fail(
            GenezipError(
                f"a process of --jobs {how}{perhaps}; the others have written what they had: run "
                "the same command to resume, with fewer --jobs if memory is short"
            )
        )

    def _fail(self, error: Exception) -> None:
        """Remember why another process failed, and stop all."""
        self._failure = self._failure or error
        self._stop.requested = True


def work(link: Connection) -> None:
    """What a further process does, linked to the first.

    It sends the bases of each block, start and end of each part, None at the end of a stretch to
    get another, and what it fails with. It ends with the first process.
    """
    with suppress(EOFError, ConnectionError), _requests() as stop:
        fasta = link.recv()  # its number in the first process, by which the reading knows it
        os.dup2(recv_handle(link), fasta)
        reading, opening = link.recv()
        try:
            compressor = _opened(opening)
            compress_stretches(reading, compressor, _handed(link), stop, link.send, link.send)
        except (EOFError, ConnectionError):
            raise
        except Exception as error:
            error.add_note(traceback.format_exc())
            link.send(error)


@contextmanager
def _requests() -> Iterator[StopRequest]:
    """Signals as requests to stop; they are blocked before and after, while Python comes and goes.

    The first process passes on a signal that a terminal may have sent to all.
    """
    with stop_request(again_at_once=False) as stop:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, workers.STOPS)
        try:
            yield stop
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, workers.STOPS)


def _handed(link: Connection) -> Iterator[Stretch]:
    """Stretches that the first process hands out."""
    while (stretch := link.recv()) is not None:
        yield stretch
        link.send(None)


def _opened(opening: Opening) -> Compressor:
    torch.set_num_threads(opening.threads)
    with log.quiet():  # the first process has shown the messages
        compressor = load(opening.model, "cpu", bound=opening.bound)
    if dict(compressor.metadata) != opening.metadata:
        raise GenezipError(
            f"the model {opening.model} was changed while the run began; run the same command again"
        )
    return compressor
