"""Further processes of a command: new Pythons that wait for work over a link.

They import nothing of the program that called them; a fork would not survive the threads of torch.
This module imports nothing that takes time, so a command can start them before its own imports:
:func:`ahead` does, and :func:`take` hands them out.
"""

import fcntl
import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

STOPS = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask to stop; a worker takes them only when it can heed them."""

HIGH = 256
"""Lowest descriptor of a worker's link: a file of the first process may get its own number."""

Worker = tuple[Connection, "subprocess.Popen[bytes]"]

_waiting: list[Worker] = []


def ahead(count: int) -> None:
    """Start workers that :func:`take` will return, no more than there are other cores."""
    with suppress(OSError):  # take() meets it again, and says so
        for _ in range(min(count, (os.cpu_count() or 1) - 1)):
            _waiting.append(_started())


def take() -> Worker:
    """The link to a worker, and its process; raises OSError if it cannot be started."""
    return _waiting.pop(0) if _waiting else _started()


def dismiss() -> None:
    """End the workers that nobody took."""
    while _waiting:
        link, process = _waiting.pop()
        process.kill()
        process.wait()
        link.close()


def _started() -> Worker:
    link, its = Pipe()
    program = f"from genezip.inference.workers import main; main({its.fileno()})"
    path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
    # blocked before it can heed them: Ctrl-C would end it with a traceback
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=(its.fileno(),),
            env={**os.environ, "PYTHONPATH": path},
        )
    except BaseException:
        link.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        its.close()
    return link, process


def main(descriptor: int) -> None:
    """What a worker does, with the inherited descriptor of its end of the link."""
    link = Connection(fcntl.fcntl(descriptor, fcntl.F_DUPFD, HIGH))
    os.close(descriptor)
    from genezip.inference.processes import work

    work(link)
