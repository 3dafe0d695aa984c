"""Names of tasks and subsets, and features of any system."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toolkit.command_line import succeed
from toolkit.deposits import cmp, pairs, rsap, tisp
from toolkit.dna import random_ids

from genezip.alphabet import encode
from genezip.config import TASK_SECTIONS
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.models import load
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.tasks import compute_features, known_task, prepare_task


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


@pytest.mark.parametrize("name", ["fixed-3", "bpe"])
def test_a_probe_on_token_counts_finds_a_planted_effect(tmp_path: Path, name: str) -> None:
    """Twelve G or twelve A in the alternative; from a system without vectors to a score."""
    model = "fixed:3"
    if name == "bpe":
        stock = np.tile(encode("GGGAAATTCCGT"), 300)
        BPE(fit_tokenizer([stock, random_ids(9_000)], 60, 512), 512).save(tmp_path / name)
        model = str(tmp_path / name)
    listing = pairs.write_eqtl(tmp_path, more=90, reach=9_000, cases=False)
    genome = tmp_path / pairs.EQTL_FASTA
    data, features = (tmp_path / part / "manifest.json" for part in ("data", "features"))
    files, reference = TaskFiles.load(listing), ReferenceGenome(genome)
    prepare_task("eqtl", pairs.TISSUE, files, reference, data, TASK_SECTIONS["eqtl"](), 0)
    task = ("dnalongbench", "features", "eqtl", "--data", data, "--genome", genome)
    succeed(*task, "--model", model, "--out", features)
    facts = json.loads(features.read_text())
    assert facts["model"]["name"] == name and facts["model"]["vectors"] == "token-id counts"
    out = tmp_path / "predictions.parquet"
    task = ("dnalongbench", "predict", "eqtl", "--data", data, "--genome", genome)
    of = ("--subset", "blood", "--official", pairs.TISSUE, "--model", name, "--input", "contrast")
    succeed(*task, *of, "--features", features, "--out", out)
    found = pd.read_parquet(out).query("rule == 'paper' and split == 'test'")
    assert roc_auc_score(found["target"], found["prediction"]) > 0.9


def test_a_system_with_neither_vectors_nor_ids_has_no_features(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="fixed-16 gives no vectors and no token ids; name a"):
        compute_features("eqtl", load("fixed:16"), tmp_path, tmp_path, "full", None, tmp_path)
