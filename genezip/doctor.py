"""What this machine has, what is missing with the command that gets it, and what can run here.

``genezip doctor`` prints it. A part of the paper run is possible where the machine has the memory
and the GPU that its rules ask for (:mod:`genezip.config.rules`).
"""

import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from genezip.config.rules import PACKAGE, needs, workflow_home
from genezip.errors import GenezipError

GB = 1e9
HOST = "hgdownload.soe.ucsc.edu"
"""A server of the download table, to see whether this machine reaches the network."""
SECONDS = 3.0  # to wait for it


@dataclass(frozen=True)
class Finding:
    """One thing that the machine has or lacks.

    Attributes
    ----------
    name : what it is
    found : its version or amount; empty where it is missing
    for_what : what is not possible without it
    remedy : command or advice that gets it
    """

    name: str
    found: str
    for_what: str
    remedy: str


@dataclass(frozen=True)
class Part:
    """A part of the paper run: its rules, and whether they download."""

    name: str
    rules: tuple[str, ...]
    network: bool = False


PARTS = (
    Part(
        "genome, region map and corpus",
        ("fetch", "regions", "corpus_plan", "corpus_shards", "homology"),
        True,
    ),
    Part("training", ("pretrain",)),
    Part("held-out compression", ("compress", "compress_trivially", "markov", "compression")),
    Part("repeats, loci, stability", ("repeats", "locus", "stability", "tracks")),
    Part(
        "DNALongBench",
        (
            *("benchmark_genome", "prepare", "features", "predict"),
            *("task_baselines", "score", "score_one"),
        ),
        True,
    ),
    Part("report", ("report",)),
)
TOOLS = (
    ("bedtools", "genezip regions verify", "apt-get install bedtools, or conda: bedtools"),
    ("trf", "results/repeats/tandem.tsv", "apt-get install trf, or bioconda: trf"),
    ("conda", "snakemake --use-conda", "install Miniforge, or leave --use-conda out"),
    ("apptainer", "containers", "ask the administrator, or use conda"),
    ("sbatch", "the profile for SLURM", "run on one machine, or log in to a cluster"),
)
LIBRARIES = (
    ("snakemake", "the workflow", "pip install 'genezip[workflow]'"),
    ("huggingface_hub", "models from a hub id", "pip install 'genezip[hub]'"),
    ("pybedtools", "genezip regions verify", "pip install 'genezip[verify]'"),
)


def memory_bytes() -> int:
    """Physical memory of the machine (bytes)."""
    import psutil

    return int(psutil.virtual_memory().total)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus() -> list[tuple[str, int]]:
    """Name and memory (bytes) of each CUDA device that torch sees."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [torch.cuda.get_device_properties(index) for index in range(count)]
    return [(one.name, one.total_memory) for one in found]


def online(host: str = HOST) -> bool:
    """Whether a server of the download table answers within some seconds."""
    try:
        socket.create_connection((host, 443), SECONDS).close()
    except OSError:
        return False
    return True


def workflow_folder() -> str:
    """Where workflow, config and envs lie: a checkout or the package; empty where they are lost."""
    try:
        return str(workflow_home())
    except GenezipError:
        return ""


def _library(name: str) -> str:
    """Version of a Python package, empty where it is not installed."""
    if find_spec(name) is None:
        return ""
    try:
        return version(name)
    except PackageNotFoundError:
        return "installed"


def examine(
    folder: Path, reach: Callable[[], bool] = online, devices: list[tuple[str, int]] | None = None
) -> list[Finding]:
    """All findings; ``folder`` is where a run would be written.

    ``reach`` tells whether the network is there, ``devices`` are the GPUs, by default those that
    torch sees.
    """
    import torch

    from genezip import __version__

    devices = gpus() if devices is None else devices
    free = shutil.disk_usage(folder).free
    found = [
        Finding("Python", platform.python_version(), "", ""),
        Finding("genezip", f"{__version__} in {PACKAGE}", "", ""),
        Finding(
            "workflow",
            workflow_folder(),
            "snakemake and genezip init",
            "install genezip again, from its wheel or a clone",
        ),
        Finding("cores", str(cores()), "", ""),
        Finding("memory", f"{memory_bytes() / GB:.0f} GB", "", ""),
        Finding("free disk", f"{free / GB:,.0f} GB in {folder.resolve()}", "", ""),
        Finding("torch", torch.__version__, "", ""),
        Finding(
            "CUDA GPU",
            ", ".join(f"{name} ({size / GB:.0f} GB)" for name, size in devices),
            "training at the published size",
            "use a machine with an NVIDIA GPU and a CUDA build of torch"
            if torch.version.cuda is None
            else "look at nvidia-smi: the driver may be missing or too old",
        ),
        Finding(
            "fused scan (mamba-ssm)",
            _library("mamba_ssm"),
            "the fastest scan on a GPU; plain torch serves as well",
            "pip install --no-build-isolation 'genezip[gpu]', beside a CUDA build of torch",
        ),
        Finding(
            "network",
            f"{HOST} answers" if reach() else "",
            "downloads",
            "fetch the files elsewhere: genezip fetch --help tells how a folder of them is used",
        ),
    ]
    for name, for_what, remedy in TOOLS:
        others = ("mamba", "micromamba") if name == "conda" else ()
        paths = [path for one in (name, *others) if (path := shutil.which(one))]
        found.append(Finding(name, paths[0] if paths else "", for_what, remedy))
    found += [Finding(name, _library(name), what, remedy) for name, what, remedy in LIBRARIES]
    return found


def possible(findings: list[Finding]) -> Iterator[tuple[str, list[str]]]:
    """Each part of the paper run, with what is lacking for it; an empty list means that it runs."""
    there = {one.name: bool(one.found) for one in findings}
    for part in PARTS:
        asked = [needs(rule, "full") for rule in part.rules]
        memory = max(one.mem_mb for one in asked) * 1e6
        lacking = []
        if any(one.gpu for one in asked) and not there["CUDA GPU"]:
            lacking.append("a CUDA GPU")
        if memory > memory_bytes():
            lacking.append(f"{memory / GB:.0f} GB of memory")
        if part.network and not there["network"]:
            lacking.append("the network, or a folder of downloaded files")
        yield part.name, lacking


def in_words(findings: list[Finding]) -> str:
    """The findings, and which parts of the paper run are possible, as text for a terminal."""
    width = max(len(one.name) for one in findings)
    lines = [f"{one.name:<{width}}  {one.found}" for one in findings if one.found]
    missing = [one for one in findings if not one.found]
    if missing:
        lines += ["", "Missing:"]
        lines += [
            f"{one.name:<{width}}  needed for {one.for_what}; {one.remedy}" for one in missing
        ]
    lines += ["", "The paper run on this machine:"]
    parts = list(possible(findings))
    width = max(len(name) for name, _ in parts)
    lines += [
        f"{name:<{width}}  {'needs ' + ' and '.join(lacking) if lacking else 'possible'}"
        for name, lacking in parts
    ]
    if workflow_folder() == str(PACKAGE.parent):
        lines += ["", "`make demo` and `genezip compress` need none of what is missing."]
    else:
        lines += ["", "`genezip compress` needs none of what is missing."]
        if not {"workflow", "snakemake"} & {one.name for one in missing}:
            lines += ["`genezip init my-run` writes a folder in which snakemake runs the workflow."]
    return "\n".join(lines)
