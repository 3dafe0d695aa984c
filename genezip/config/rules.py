"""Where the workflow lies, what a rule of it needs, and what comes before its command.

Each rule has one default of threads, GPUs, memory, time and environment, a function of the scale,
which a profile, ``--set-resources`` and ``--set-threads`` override. The numbers are for a full-size
run on one GPU. Memory and time of rules that need no GPU and are part of the paper run are those of
a rehearsal (``make rehearsal``) with a margin, which a test holds; the others are generous
estimates. The prefix of every shell command chooses the Python and writes the log.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from genezip.config.section import Scale
from genezip.errors import GenezipError

PACKAGE = Path(__file__).resolve().parents[1]


def workflow_home() -> Path:
    """The folder with ``workflow/``, ``config/`` and ``envs/``.

    An installed package holds them in ``genezip/_workflow`` (``setup.py`` puts them there); a
    checkout and an editable install have them beside the package.
    """
    for folder in (PACKAGE / "_workflow", PACKAGE.parent):
        if (folder / "workflow" / "rules" / "config.smk").is_file():
            return folder
    raise GenezipError(
        f"{PACKAGE} has no workflow beside it; install genezip again, from its wheel or a clone"
    )


def beside_workflow(path: str | Path, root: Path = Path()) -> Path:
    """A file of the user below ``root``, or a file ``config/...`` of :func:`workflow_home`.

    Outside a checkout ``config/demo.yaml`` is the file of the package, unless the user has one. A
    path that neither has is the user's.
    """
    own = root / path
    if own.exists() or Path(path).parts[:1] != ("config",):
        return own
    packaged = workflow_home() / path
    return packaged if packaged.exists() else own


@dataclass(frozen=True)
class Needs:
    """Needs of one job of a rule.

    Attributes
    ----------
    threads : CPU cores
    gpu : GPUs
    mem_mb : memory (MB)
    runtime : wall time (minutes)
    """

    threads: int = 1
    gpu: int = 0
    mem_mb: int = 8_000
    runtime: int = 240

    @property
    def environment(self) -> str:
        """File of the conda environment, in ``envs``."""
        return "genezip-gpu.yaml" if self.gpu else "genezip.yaml"

    @property
    def resources(self) -> dict[str, int]:
        """Values of the directive ``resources``: GPUs are on one node, each with its cores."""
        found = {"gpu": self.gpu, "mem_mb": self.mem_mb, "runtime": self.runtime}
        return {**found, "nodes": 1, "cpus_per_gpu": self.threads} if self.gpu else found


OTHER = Needs()
FULL = {
    "pretrain": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "compress": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=720),
    "features": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=2_880),
    "predict": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "label_predictions": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "labels": Needs(mem_mb=16_000),
    "codon_phase": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "masked": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "masked_markov": Needs(mem_mb=16_000),
    "ggrams": Needs(mem_mb=32_000, runtime=480),
    "pretrain_words": Needs(threads=8, gpu=1, mem_mb=64_000, runtime=2_880),
    "masked_words": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "word_floors": Needs(mem_mb=16_000),
    "word_vocabulary": Needs(mem_mb=32_000, runtime=480),
    "alignment": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "recall": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "recall_mixing": Needs(mem_mb=16_000),
    "arena": Needs(mem_mb=16_000),
    "arena_probes": Needs(mem_mb=16_000),
    "markov_elsewhere": Needs(mem_mb=16_000),
    "compress_elsewhere": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=720),
    "latency": Needs(threads=8, mem_mb=64_000, runtime=240),
    "stability": Needs(threads=8, gpu=1, mem_mb=32_000, runtime=240),
    "fetch": Needs(mem_mb=4_000),
    "regions": Needs(mem_mb=6_000, runtime=60),
    "corpus_plan": Needs(mem_mb=6_000, runtime=60),
    "corpus_shards": Needs(mem_mb=4_000, runtime=60),
    "homology": Needs(mem_mb=6_000, runtime=60),
    "compress_trivially": Needs(mem_mb=6_000, runtime=60),
    "markov": Needs(mem_mb=12_000, runtime=120),
    "compression": Needs(mem_mb=8_000, runtime=60),
    "locus": Needs(mem_mb=8_000, runtime=60),
    "tracks": Needs(mem_mb=8_000, runtime=60),
    "repeats": Needs(mem_mb=10_000, runtime=120),
    "benchmark_genome": Needs(mem_mb=4_000),
    "prepare": Needs(mem_mb=4_000, runtime=720),
    "task_baselines": Needs(mem_mb=6_000, runtime=720),
    "score": Needs(mem_mb=6_000),
    "score_one": Needs(mem_mb=4_000),
}
"""Rule -> its needs at full scale; other rules have :data:`OTHER`."""
SMALL = 60  # most minutes of a job at a small scale


def needs(rule: str, scale: Scale) -> Needs:
    """Needs of a rule at a scale.

    At small scales models are trained side by side on CPUs, with one thread each.
    """
    found = FULL.get(rule, OTHER)
    if scale == "full":
        return found
    return replace(found, threads=1, gpu=0, mem_mb=min(found.mem_mb, OTHER.mem_mb), runtime=SMALL)


# Large buffers stay mapped between steps instead of being returned to the system after each
# operation: on CPU the same training runs about a third faster (glibc 2.35 or newer; other systems
# ignore it).
MALLOC = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8589934592:"
    "glibc.malloc.trim_threshold=17179869184:glibc.malloc.top_pad=268435456"
)

# A rule fails if its command does, although `tee` copies the output to log and terminal. After
# SIGTERM (which all processes of a job receive) shell and `tee` wait until the program has written
# its checkpoint. On several nodes a program that crashed is started once more on all of them; a
# node that is lost ends the job, which the scheduler starts again. An agent that comes to a later
# meeting finds rank 0 only if torch does not keep the address of the first one.
FUNCTIONS = """
set -euo pipefail
genezip() { exec PYTHON -m genezip "$@"; }
torchrun() { exec PYTHON -m torch.distributed.run "$@"; }
on_nodes() {
local nodes="$1" gpus="$2" first; shift 2
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
exec srun --nodes "$nodes" --ntasks "$nodes" --ntasks-per-node 1 PYTHON -m torch.distributed.run \
--nnodes "$nodes" --nproc-per-node "$gpus" --max-restarts 1 \
--rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \
--rdzv-endpoint "$first:$((20000 + SLURM_JOB_ID % 10000))" "$@"
}
program() { exec PYTHON "$@"; }
logged() {
local log="$1"; shift; trap : TERM
"$@" 2>&1 | (trap '' TERM; exec tee -i "$log") >&2
}
"""


def shell_prefix(deployed: bool, workdir: Path, root: Path | None = None) -> str:
    """Prefix that Snakemake puts before every command.

    Rules call ``logged LOG genezip COMMAND ...``, which runs the Python of Snakemake or, in a
    software environment, the environment's ``python``. That has the libraries but not this package,
    which it imports from a folder with nothing else.

    Parameters
    ----------
    deployed : whether rules run in conda environments or containers
    workdir : folder of the run
    root : folder in which paths of the user start, where their own compressors lie

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
    paths = [str(folder.absolute()), *([str(root.absolute())] if root else [])]
    python = "python" if deployed else quote(sys.executable)
    lines = FUNCTIONS.replace("PYTHON", python).strip().splitlines()
    found = [
        f"export PYTHONPATH={quote(os.pathsep.join(dict.fromkeys(paths)))} GLIBC_TUNABLES={MALLOC}",
        *lines,
    ]
    return "\n".join(found).replace("{", "{{").replace("}", "}}") + "\n"
