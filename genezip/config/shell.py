"""Prefix of every shell command of the workflow: choice of the Python, and the log."""

import sys
from pathlib import Path
from shlex import quote

PACKAGE = Path(__file__).resolve().parents[1]

# Large buffers stay mapped between steps instead of being returned to the system after each
# operation: on CPU the same training runs about a third faster (glibc 2.35 or newer; other systems
# ignore it).
MALLOC = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592:"
    "glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456"
)

# A rule fails if its command does, although `tee` copies the output to log and terminal. After
# SIGTERM (which all processes of a job receive) shell and `tee` wait until the program has written
# its checkpoint.
FUNCTIONS = """
set -euo pipefail
genezip() { exec PYTHON -m genezip "$@"; }
torchrun() { exec PYTHON -m torch.distributed.run "$@"; }
logged() {
local log="$1"; shift; trap : TERM
"$@" 2>&1 | (trap '' TERM; exec tee -i "$log") >&2
}
"""


def shell_prefix(deployed: bool, workdir: Path) -> str:
    """Prefix that Snakemake puts before every command.

    Rules call ``logged LOG genezip COMMAND ...``, which runs the Python of Snakemake or, in a
    software environment, the environment's ``python``. That has the libraries but not this package,
    which it imports from a folder with nothing else.

    Parameters
    ----------
    deployed : whether rules run in conda environments or containers
    workdir : folder of the run

    Returns
    -------
    str, with braces doubled, as Snakemake formats it
    """
    folder = PACKAGE.parent
    if deployed:
        folder = workdir / ".snakemake" / "package"
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / PACKAGE.name
        if link.resolve() != PACKAGE:
            link.unlink(missing_ok=True)
            link.symlink_to(PACKAGE, target_is_directory=True)
    python = "python" if deployed else quote(sys.executable)
    lines = FUNCTIONS.replace("PYTHON", python).strip().splitlines()
    found = [
        f"export PYTHONPATH={quote(str(folder.absolute()))} GLIBC_TUNABLES={MALLOC}",
        *lines,
    ]
    return "\n".join(found).replace("{", "{{").replace("}", "}}") + "\n"
