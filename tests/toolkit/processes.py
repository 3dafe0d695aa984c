"""Python programs in processes of their own, without the time that their libraries take to load.

A server process imports libraries once. Each program runs in a copy of it (``os.fork``), with its
own folder, environment, streams and exit, so that it is a process as any other: it can be
interrupted, and what it does to its memory is gone with it. The package is not among what the
server imports; every program imports it anew, from its own ``PYTHONPATH``.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

SETTINGS = ("numpy", "pydantic", "yaml")
COMMANDS = (
    *SETTINGS, "pandas", "pyarrow.parquet", "typer", "torch", "safetensors.torch", "pysam",
    "pyfaidx", "pyBigWig", "Bio.Seq",
)  # fmt: skip
PLANS = (
    *SETTINGS, "snakemake.cli", "snakemake.workflow", "requests", "smart_open", "pygments",
    "jinja2", "docutils.core", "yte",
)  # fmt: skip


class Program:
    """A running copy of the server, with those methods of ``Popen`` that tests use."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self.pid = int(server.recv(64))
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Exit status; None while the program runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0.001)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, negative for the signal that ended the program."""
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                self.returncode = int(self._server.recv(64))
            except TimeoutError:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            finally:
                self._server.settimeout(None)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the program, if it still runs."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End the program at once."""
        self.send_signal(signal.SIGKILL)


_server: socket.socket | None = None
_last: Program | None = None


def _connected() -> socket.socket:
    """The connection to the server of this test process, free for another program."""
    global _server
    if _server is None:
        _server, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {key: text for key, text in os.environ.items() if key != "PYTHONPATH"}
        process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**environment, "OMP_NUM_THREADS": "1"},  # threads do not survive a fork
            stdin=subprocess.DEVNULL,
        )
        theirs.close()

        def end(server: socket.socket = _server) -> None:
            _ended()
            server.close()
            process.wait()

        atexit.register(end)
    _ended()
    return _server


def _ended() -> None:
    """A test that failed may have left its program running."""
    if _last is not None and _last.returncode is None:
        _last.kill()
        _last.wait()


def start(
    words: Iterable[str | Path],
    cwd: Path,
    environment: Mapping[str, str],
    out: IO[Any],
    err: IO[Any],
    given: IO[Any] | None = None,
    libraries: Sequence[str] = COMMANDS,
) -> "Program | subprocess.Popen[bytes]":
    """Start ``python`` with some words: ``-m module``, ``-c code`` or a file, and arguments.

    One program runs at a time; an earlier one is ended.

    Parameters
    ----------
    out, err, given : open files or pipes
        Standard output, error and input of the program; by default the input is empty.
    libraries : sequence of str
        Modules that the server imports once, for this program and all later ones.
    """
    global _last
    words = list(map(str, words))
    if not sys.platform.startswith("linux"):  # elsewhere libraries may not survive a fork
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=cwd, env=environment, stdin=given or subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
    server = _connected()
    request = {
        "words": words, "cwd": str(cwd), "environment": dict(environment),
        "libraries": list(libraries),
    }  # fmt: skip
    with open(os.devnull, "rb") as nothing:
        streams = [stream.fileno() for stream in (given or nothing, out, err)]
        socket.send_fds(server, [json.dumps(request).encode()], streams)
    _last = Program(server)
    return _last


def run(
    words: Iterable[str | Path],
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    *,
    together: bool = False,
    libraries: Sequence[str] = COMMANDS,
    timeout: float = 300,
) -> "subprocess.CompletedProcess[str]":
    """Run ``python`` with some words to its end; ``together`` gives both streams as ``stdout``."""
    words = list(map(str, words))
    environment = os.environ if environment is None else environment
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = (out, out if together else err)
        program = start(words, cwd, environment, *streams, libraries=libraries)
        try:
            status = program.wait(timeout)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
            raise subprocess.TimeoutExpired(words, timeout, _text(out), _text(err)) from None
        return subprocess.CompletedProcess(words, status, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


# --- in the server


def _serve(client: socket.socket) -> tuple[str, str]:
    """Tell the client the id and the end of each program; return in the copies, with theirs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest
    while True:
        message, streams, _, _ = socket.recv_fds(client, 1 << 20, 3)
        if not message:
            sys.exit()
        request = json.loads(message)
        for name in request["libraries"]:
            with contextlib.suppress(ImportError):  # the program itself tells what is missing
                __import__(name)
        gc.freeze()  # a collection in a copy would touch, and so copy, all memory
        pid = os.fork()
        if pid == 0:
            client.close()
            return _become(request, streams)
        for stream in streams:
            os.close(stream)
        client.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        client.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: dict[str, Any], streams: Sequence[int]) -> tuple[str, str]:
    """Make this process what a new one is at its first line; return the kind and the program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    way, *rest = request["words"]
    if way not in ("-m", "-c"):
        way, rest = "", [way, *rest]
    of_file = Path(rest[0]).resolve().parent
    folder = {"-c": "", "-m": str(Path.cwd()), "": str(of_file)}[way]
    named = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [folder, *named]
    sys.argv = [way or rest[0], *rest[1:]]
    return way, rest[0]


def _end(status: object) -> None:
    """End as Python does, but leave the libraries in memory: to clear them takes long."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    if status is not None and not isinstance(status, int):
        print(status, file=sys.stderr)
        status = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status or 0)


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    way, what = _serve(socket.socket(fileno=int(sys.argv[1])))
    status: object = None
    try:
        if way == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        elif way == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_path(what, run_name="__main__")
    except SystemExit as stop:
        status = stop.code
    _end(status)
