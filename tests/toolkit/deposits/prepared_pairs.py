"""A deposit of gene pairs on disk that a test may change before it is prepared."""

import csv
from pathlib import Path
from typing import Any

from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.pairs.deposit import ELEMENTS, VARIANTS
from genezip.tasks.pairs.examples import PairExamples, prepare_pairs
from toolkit.deposits.pairs import EQTL_FASTA, ETGP_FASTA, SCREEN, TISSUE, write_eqtl, write_etgp


class PairsOnDisk:
    """The files of :func:`write_eqtl` or :func:`write_etgp`, and where they are prepared."""

    def __init__(self, folder: Path, task: str = "eqtl", more: int = 0) -> None:
        self.folder, self.task = folder, task
        write = write_eqtl if task == "eqtl" else write_etgp
        self.listing = write(folder, more=more)
        self.fasta = folder / (EQTL_FASTA if task == "eqtl" else ETGP_FASTA)
        self.subset = TISSUE if task == "eqtl" else SCREEN
        self.manifest = folder / "data" / "manifest.json"
        self.genome = ReferenceGenome  # how the FASTA is opened

    def replace(self, name: str, old: str, new: str, count: int = -1) -> None:
        path = self.folder / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, count))

    def prepare(self, folds: int = 5, seed: int = 0) -> Prepared:
        files, genome = TaskFiles.load(self.listing), self.genome(self.fasta)
        kind = {one.task: one for one in (VARIANTS, ELEMENTS)}[self.task]
        return prepare_pairs(kind, self.subset, files, genome, self.manifest, folds, seed)

    def examples(self) -> PairExamples:
        self.prepare()
        return PairExamples.load(self.manifest, self.fasta)

    def rows(self) -> list[dict[str, Any]]:
        (path,) = self.folder.glob("*/ta*/*.data.tsv")
        with open(path) as handle:
            return list(csv.DictReader(handle, delimiter="\t"))


def read_fasta(path: Path) -> dict[str, str]:
    """Record -> upper-case bases."""
    found = {}
    for record in path.read_text().split(">")[1:]:
        name, *lines = record.split("\n")
        found[name.split()[0]] = "".join(lines).upper()
    return found
