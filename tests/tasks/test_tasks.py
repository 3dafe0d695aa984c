"""Names of tasks and subsets."""

from pathlib import Path

import pytest
from toolkit.deposits import cmp, rsap, tisp

from genezip.config import TASK_SECTIONS
from genezip.data.prepared import Prepared
from genezip.data.task_files import TaskFiles
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.tasks import known_task, prepare_task


def prepare(task: str, subset: str, listing: Path, fasta: Path) -> Path:
    manifest = listing.parent / "data" / "all" / "manifest.json"
    values = {"train_windows": 3} if task == "tisp" else {}
    settings = TASK_SECTIONS[task](**values)
    files, genome = TaskFiles.load(listing), ReferenceGenome(fasta)
    prepare_task(task, subset, files, genome, manifest, settings, 0)
    return manifest


def test_a_task_that_does_not_exist_is_one_sentence() -> None:
    assert known_task("cmp") == "cmp"
    with pytest.raises(GenezipError, match="'maps' is no task here; use one of cmp, eqtl, etgp"):
        known_task("maps")


@pytest.mark.parametrize("subset", ["all", "procap", "PRO-cap"])
def test_the_subset_of_initiation_is_all_or_a_known_name(tmp_path: Path, subset: str) -> None:
    listing = tisp.write(tmp_path)
    fasta = tmp_path / tisp.FASTA
    if subset == "PRO-cap":
        sentence = r"tisp has no subset 'PRO-cap'; name one with --subset \(it has all, procap\)"
        with pytest.raises(GenezipError, match=sentence):
            prepare("tisp", subset, listing, fasta)
        assert not (tmp_path / "data").exists()
        return
    assert Prepared.load(prepare("tisp", subset, listing, fasta)).counts["train"] == 3


def test_a_cell_line_that_is_not_deposited_is_refused(tmp_path: Path) -> None:
    listing = cmp.write(tmp_path, train={0: 1}, test={0: 1})
    with pytest.raises(GenezipError, match=r"cmp has no subset 'K562'; .*it has all, HFF, H1hESC"):
        prepare("cmp", "K562", listing, tmp_path / cmp.GENOME)
    assert Prepared.load(prepare("cmp", "HFF", listing, tmp_path / cmp.GENOME)).counts["test"] == 1


def test_regulatory_activity_asks_for_a_species(tmp_path: Path) -> None:
    listing = rsap.write(tmp_path)
    with pytest.raises(GenezipError, match=r"name a species with --subset \(it has human\)"):
        prepare("rsap", "all", listing, rsap.genome_of(listing))
