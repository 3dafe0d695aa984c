"""Rehearse the paper run: made-up files of its size through every rule, and what each took.

    PYTHONPATH=benchmarks:tests python -m rehearsal runs/rehearsal --data ../shared/data

Some 75 minutes on two cores and 25 GB of disk. A call that was interrupted goes on where it ended.
Exit codes are those of :mod:`peers`: 1 where a rule needs more memory or time than the workflow
asks a cluster for, or the run took more disk than it may.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from peers import MISSED, MISSING, Outcome

from genezip.artifacts.files import atomic_path, write_json
from genezip.disk import GB, size_of

from . import deposits, genome, table

ROOT = Path(__file__).resolve().parents[2]
BED12 = Path("annotation/refseq_refGene.hg38.bed12.gz")
AKITA = Path("labels/splits/akita_sequences.hg38.bed.gz")
"""Real files, below the folder of data."""
LAYERS = ("config/config.yaml", "config/rehearsal.yaml")
# Networks of the rehearsal are small: one core each, two at once.
SMALL = ("pretrain", "compress", "features", "predict", "latency", "stability")
DISK_GB = 25


class Rehearsal:
    """A folder with everything: ``fetched`` (made-up downloads), ``resources``, ``results``."""

    def __init__(self, folder: Path, data: Path, jobs: int) -> None:
        self.folder, self.data, self.jobs = folder.absolute(), data.absolute(), jobs
        self.fetched = self.folder / "fetched"
        self.sizes = self.folder / "sizes.json"

    def run(self) -> int:
        """Everything that is not there yet; the exit code."""
        if not (self.data / BED12).exists() or not (self.data / AKITA).exists():
            print(f"left out: {self.data} lacks {BED12} or {AKITA}", file=sys.stderr)
            return MISSING
        self.folder.mkdir(parents=True, exist_ok=True)
        self.make_downloads()
        listing = self.folder / "resources" / "dnalongbench"
        self.snakemake("resources/source.json", "resources/dnalongbench/cmp.intervals.json")
        self.make_deposits(listing)
        corpora = ("human-12.8k", "human-128k")
        proofs = [f"results/corpus/{c}/{p}.tsv" for c in corpora for p in ("leakage", "homology")]
        trained = [
            f"results/pretrain/{name}.seed0/model.safetensors"
            for name in ("genezip-rehearsal", "hnet-rehearsal")
        ]
        self.snakemake(*proofs, *trained)
        self.drop_training_shards()
        self.snakemake("all")
        return self.tell()

    def make_downloads(self) -> None:
        """What the source ``download`` reads, and Akita's list of windows."""
        genome.write_all(self.fetched, self.data / BED12, self.jobs)
        akita = self.fetched / "contact_map_prediction" / "sequences.bed"
        if not akita.exists():
            akita.parent.mkdir(exist_ok=True)
            with atomic_path(akita) as part:
                part.write_bytes(gzip.decompress((self.data / AKITA).read_bytes()))
        kept = {f"{chrom}.fa.gz" for chrom in (*deposits.CHROMS, deposits.LARGEST)}
        for member in (self.fetched / "members").glob("*.fa.gz"):
            if member.name not in kept:
                member.write_bytes(b"")  # the joined file has them; an empty one is not made again

    def make_deposits(self, folder: Path) -> None:
        """Deposits that are not there yet; intervals of all but cmp are in the same files."""
        fasta = Path(json.loads((folder.parent / "source.json").read_text())["fasta"])
        fasta = fasta if fasta.is_absolute() else folder.parent / fasta
        members = [self.fetched / "members" / f"{chrom}.fa.gz" for chrom in deposits.CHROMS]
        largest = self.fetched / "members" / f"{deposits.LARGEST}.fa.gz"
        of_hg19 = genome.write_members(self.fetched / "hg19", deposits.hg19(), self.jobs)
        akita = self.fetched / "contact_map_prediction" / "sequences.bed"
        for task, write in (
            ("cmp", lambda: deposits.write_contacts(folder, fasta, akita)),
            ("eqtl", lambda: deposits.write_variants(folder, fasta, members)),
            ("etgp", lambda: deposits.write_elements(folder, of_hg19)),
            ("tisp", lambda: deposits.write_initiation(folder)),
            ("rsap", lambda: deposits.write_activity(folder, fasta, [largest, *members])),
        ):
            listing = folder / f"{task}.json"
            if not listing.exists():
                write()
            intervals = folder / f"{task}.intervals.json"
            if task != "cmp" and not intervals.exists():
                with atomic_path(intervals) as part:
                    part.write_text(listing.read_text())
                    os.utime(part, (1, 1))  # older than the list that is made from it

    def snakemake(self, *targets: str) -> None:
        """Results of the workflow, made from the made-up downloads."""
        subprocess.run(**self.call(*targets), check=True)
        self.note_sizes(targets[-1])

    def call(self, *targets: str) -> dict[str, Any]:
        """Command, folder and environment of Snakemake."""
        words = [
            *("--snakefile", ROOT / "workflow" / "Snakefile", "--directory", self.folder),
            *("--cores", self.jobs, "--benchmark-extended", "--rerun-incomplete"),
            # after an interruption there may be a lock; training shards are not made twice
            *("--nolock", "--rerun-triggers", "mtime"),
            *("--quiet", "host", "reason"),
            *("--set-threads", *(f"{rule}=1" for rule in SMALL)),
            *("--configfile", *(ROOT / layer for layer in LAYERS), "--", *targets),
        ]
        environment = {**os.environ, "GENEZIP_FETCHED": str(self.fetched)}
        environment.pop("GENEZIP_MIRROR", None)
        command = [sys.executable, "-m", "snakemake", *map(str, words)]
        return {"args": command, "cwd": ROOT, "env": environment}

    def drop_training_shards(self) -> None:
        """Delete shards, which only proofs and training read; their size is kept."""
        for corpus in sorted((self.folder / "results" / "corpus").iterdir()):
            shards = list((corpus / "train").glob("shard-*.parquet"))
            if shards:
                self.note(f"corpus {corpus.name}", size_of(corpus))
            for shard in shards:
                shard.unlink()

    def note_sizes(self, moment: str) -> None:
        """Keep the size of the folder at a moment."""
        self.note(f"disk {moment}", size_of(self.folder))

    def note(self, what: str, n_bytes: int) -> None:
        """Keep a number of bytes; of two for one thing the larger."""
        known = json.loads(self.sizes.read_text()) if self.sizes.exists() else {}
        known[what] = max(n_bytes, known.get(what, 0))
        write_json(self.sizes, known)

    def tell(self) -> int:
        """Write the table, print it with verdicts, and say the exit code."""
        asked = self.call("all")
        asked["args"].insert(3, "--summary")
        told = subprocess.run(**asked, check=True, capture_output=True, text=True)
        sizes = json.loads(self.sizes.read_text())
        corpora = sum(n for what, n in sizes.items() if what.startswith("corpus "))
        rows = table.measured(self.folder, told.stdout, corpora)
        outcome = Outcome()
        for line in table.lines(rows):
            print(line)
        for met in rows["enough"]:
            outcome.count(bool(met))
        rows.to_csv(self.folder / "rehearsal.tsv", sep="\t", index=False)
        (self.folder / "paper_run.md").write_text(table.paper_run(rows))
        most = max(sizes.values()) / GB
        print(f"disk: {most:.1f} GB at most at the end of a stage, goal {DISK_GB}")
        outcome.count(most <= DISK_GB)
        print(f"the tables are {self.folder}/rehearsal.tsv and {self.folder}/paper_run.md")
        return outcome.exit_status()


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="rehearsal", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of the rehearsal")
    parser.add_argument("--data", type=Path, required=True, help="folder with real annotation")
    parser.add_argument("--jobs", type=int, default=2, help="cores (default 2)")
    given = parser.parse_args()
    try:
        return Rehearsal(given.folder, given.data, given.jobs).run()
    except subprocess.CalledProcessError as error:
        print(f"the workflow ended with {error.returncode}; see above", file=sys.stderr)
        return MISSED


if __name__ == "__main__":
    sys.exit(main())
