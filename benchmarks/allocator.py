"""The memory allocator of every timing: the settings the workflow trains and compresses with.

Large buffers stay mapped between operations instead of being returned to the system after
each one. That alone is worth up to a factor of two on a CPU, so two figures compare only if
both were taken with the same settings. glibc reads them when a process starts.
"""

import os
import sys

from genezip.config.rules import MALLOC

TUNABLES = "GLIBC_TUNABLES"


def restart_with_malloc() -> None:
    """Start this program anew with :data:`MALLOC`, unless it runs with it already."""
    if sys.platform == "linux" and os.environ.get(TUNABLES) != MALLOC:
        os.environ[TUNABLES] = MALLOC
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def malloc_settings() -> str:
    """The settings of this process, for the table; ``default`` where there are none."""
    return os.environ.get(TUNABLES) or "default"
