"""Processes that a launcher starts: their environment, and where they meet."""

import os
import random
import socket
from contextlib import suppress
from pathlib import Path

FOLDERS = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")]  # the toolkit's first
ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, FOLDERS)),
}  # fmt: skip


def free_port() -> int:
    """A port below those that the system gives to anyone while the processes still start."""
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as free, suppress(OSError):
            free.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 20000 and 30000")
