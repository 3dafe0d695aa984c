"""The beginning of every shell command of the workflow: which Python runs, and how it is logged."""

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

# A rule fails with its command, although `tee` copies the output to log and terminal. A job that
# is asked to end (SIGTERM goes to all of its processes) ends when its program has written what it
# goes on from: shell and `tee` wait for it.
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
    """What Snakemake puts before every command.

    Rules call ``logged LOG genezip COMMAND ...``. Without a software environment that is the Python
    that runs Snakemake; in one it is the environment's ``python``, which has the libraries but not
    this package: it finds it in a folder that holds nothing else.

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
