"""The folder of a run outside a checkout: a Snakefile that loads the workflow, and a config.

``genezip init`` writes it. The Snakefile asks the installed package where its workflow lies, so
the folder can be moved, and an update of the package needs no new one.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

from genezip.artifacts.files import write_text
from genezip.errors import GenezipError

SNAKEFILE = "Snakefile"
CONFIG = "config.yaml"
MARK = "from genezip.config import workflow_home"
"""A line by which a Snakefile of :func:`write_run_folder` is known."""
RunScale = Literal["demo", "full"]
CORES: dict[RunScale, int] = {"demo": 2, "full": 16}
"""Cores that a run is started with, as in the README."""

_SNAKEFILE = f"""\
# The workflow of genezip, from the installed package, with the settings of this folder.
# What would run:  snakemake --cores CORES -n
# Everything:      snakemake --cores CORES
# Where the workflow lies, and what this machine lacks:  genezip doctor

{MARK}

GENEZIP = workflow_home()


# Settings, later ones winning. Others of the package, such as config/tokens.yaml, go before yours.
BASE
configfile: "config.yaml"


module genezip:
    snakefile:
        str(GENEZIP / "workflow" / "Snakefile")
    config:
        config


use rule * from genezip
"""
_BASES: dict[RunScale, tuple[str, ...]] = {"demo": ("config", "demo"), "full": ("config",)}

_BEGIN: dict[RunScale, str] = {
    "demo": """\
# What differs from the demo: a few million bases of GRCh38 and two tiny models, about ten minutes
# on two cores. Without network the DNA is simulated.
scale: demo

pretrain:
  steps: 1200 # of each model, with 2 windows of 4,096 bp
""",
    "full": """\
# What differs from the paper's settings: GRCh38 and the published 70M layout, on a GPU. Models,
# corpora and tasks of these settings are dropped with `NAME: null`.
scale: full

pretrain:
  steps: 30600 # of each model, with 256 windows of 12,800 bp
  micro_batch: 8 # windows at a time: fewer need less memory; same result
""",
}
_OWN_GENOME = """
# Every key is explained by `genezip config docs`; `genezip config show FILES` prints the merged
# settings. Paths are relative to this folder.
#
# Your own genome: remove the # of the lines below, and name your files and held-out chromosomes.
#genome:
#  build: my_build
#  sources: [files]
#  selection: full
#  fasta: my.fa.gz # plain, gzip or bgzip
#  annotation: my.gff3.gz # GTF, GFF3 or BED12
#  chromosomes: null # all contigs of the FASTA
#  valid: [chr4]
#  test: [chr5]
#
#regions:
#  promoter_half_width: 500 # half the distance between neighbouring genes
#  transcripts: all
#  required: [promoter, cds] # classes that must not be empty
#
#leakage: {tasks: []} # tasks of all three sections need the human genome
#benchmarks: {tasks: []}
#labels: {tasks: []}
"""


def write_run_folder(folder: str | Path, scale: RunScale = "demo") -> None:
    """Write Snakefile and config of a run.

    Parameters
    ----------
    folder : path
        A new or empty folder, outside the folders of other runs.
    scale : "demo" or "full"
        The settings that the config is laid over: minutes on a laptop, or the paper's.

    Raises
    ------
    GenezipError
        If the folder has files, lies in another run or has a name that Snakemake misreads, or
        cannot be written.
    """
    folder = Path(folder)
    _refuse(folder)
    base = [f'configfile: GENEZIP / "config" / "{name}.yaml"' for name in _BASES[scale]]
    texts = {
        CONFIG: _BEGIN[scale] + _OWN_GENOME,
        SNAKEFILE: _SNAKEFILE.replace("BASE", "\n".join(base)).replace("CORES", str(CORES[scale])),
    }
    new = not folder.exists()
    try:
        for name, text in texts.items():
            write_text(folder / name, text)
    except GenezipError:
        with suppress(OSError):
            (folder / CONFIG).unlink(missing_ok=True)
            if new:
                folder.rmdir()
        raise


def _refuse(folder: Path) -> None:
    """Raise where a run would lose files of the user, or could not work."""
    there = folder.resolve()
    if odd := re.search(r"[{}\x00-\x1f\x7f]", str(there)):
        what = "Snakemake reads braces as wildcards" if odd[0] in "{}" else "it is in no text file"
        raise GenezipError(
            f"the folder {str(there)!r} has {odd[0]!r} in its path: {what}; choose another name"
        )
    if there.name == "workflow":
        raise GenezipError(
            f"{folder} is named workflow, so Snakemake's paths would start in the folder above it; "
            "choose another name"
        )
    if there.exists() and not there.is_dir():
        raise GenezipError(f"{folder} is a file; name a folder that does not exist yet")
    for above in there.parents:
        if _is_run(above):
            raise GenezipError(f"{folder} lies in the run {above}; choose a folder outside it")
    if _is_run(there):
        raise GenezipError(
            f"{folder} is a run already; edit {folder / CONFIG}, or name another folder"
        )
    try:
        found = next(there.iterdir(), None) if there.exists() else None
    except OSError as error:
        raise GenezipError(f"{folder} cannot be read: {error.strerror}") from None
    if found is not None:
        raise GenezipError(
            f"{folder} is not empty: it has {found.name}; name a folder that does not exist yet"
        )


def _is_run(folder: Path) -> bool:
    """Whether the folder is one of :func:`write_run_folder`, or has the results of a run."""
    if (folder / "resources" / "source.json").is_file():
        return True
    try:
        return MARK in (folder / SNAKEFILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
