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
from genezip.config import Section
from genezip.errors import GenezipError
from genezip.models import load
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.tasks import TASKS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.run import features
from genezip.tasks.run import prepare as run_prepare


def prepare(task: str, subset: str, listing: Path, fasta: Path) -> Path:
    manifest = listing.parent / "data" / "all" / "manifest.json"
    values = {"train_windows": 3} if task == "tisp" else {}
    settings = TASKS[task].settings(**values)
    run_prepare(task, subset, TaskFiles.load(listing), fasta, manifest, settings, 0)
    return manifest


def test_a_task_that_does_not_exist_is_one_sentence() -> None:
    assert "maps" not in TASKS
    with pytest.raises(GenezipError, match="'maps' is no task here; use one of cmp, eqtl, etgp"):
        TASKS["maps"]


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


@pytest.mark.parametrize("name", ["fixed-3", pytest.param("bpe", marks=pytest.mark.slow)])
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
    settings = TASKS["eqtl"].settings()
    run_prepare("eqtl", pairs.TISSUE, TaskFiles.load(listing), genome, data, settings, 0)
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
        features("eqtl", load("fixed:16"), tmp_path, tmp_path, "full", None, tmp_path)


def test_there_are_no_features_of_the_input_contrast(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="no features of the input contrast; use authors or"):
        features("eqtl", load("fixed:3"), tmp_path, tmp_path, "contrast", None, tmp_path)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_says_what_it_is(name: str) -> None:
    task = TASKS[name]
    assert task.name == name and task.metrics and task.modes
    assert (task.layout.kind == "scalar") == (task.layout.shape == ())
    assert issubclass(task.settings, Section)
    if task.deposit is not None:
        assert task.deposit.doi.startswith("doi:10.7910/DVN/")


def test_a_task_whose_deposit_has_a_fasta_knows_its_name() -> None:
    """The rule that unpacks it asks for these four (workflow/rules/benchmarks.smk)."""
    assert {name for name, task in TASKS.items() if task.fasta} == {"eqtl", "etgp", "rsap", "tisp"}
    assert tisp.FASTA.endswith(TASKS["tisp"].fasta)
