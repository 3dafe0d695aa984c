"""The verbs: which data, features and method belong together, and what is written."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from genezip.artifacts.files import sha256_json
from genezip.artifacts.tables import HEAD
from genezip.config.tasks import EQTL, ETGP, Activity, ContactMaps, Initiation
from genezip.errors import GenezipError
from genezip.tasks.base import Method
from genezip.tasks.examples import preparing
from genezip.tasks.features import Extraction, StorePlan, write_store
from genezip.tasks.run import predict as run_predict
from genezip.tasks.run import score

FULL = [
    f"{strand}.{summary}.{allele}"
    for strand in ("forward", "reverse")
    for summary in ("last", "mean")
    for allele in ("reference", "alternative")
]
AUTHORS = ["forward.mean.reference", "forward.mean.alternative"]
WINDOWS = ["train"] * 4 + ["valid"] * 2 + ["test"] * 3
CONTACT_BINS = 6


def prepare_pairs(folder: Path, task: str = "eqtl", subset: str = "Whole_Blood") -> Path:
    rows = 60
    table = pd.DataFrame(
        {
            "example": np.arange(rows) * 2,
            "split": np.resize(["train", "train", "valid", "test"], rows),
            "label": np.resize(np.array([0, 1, 1, 0, 0], dtype=np.int8), rows),
            "gene_id": [f"G{row // 2}" for row in range(rows)],
            "fold_gene": np.int8(np.arange(rows) // 2 % 3),
            "fold_chromosome": np.int8(np.zeros(rows) - 1),
        }
    )
    with preparing(folder / "manifest.json", task, subset, {}) as draft:
        draft.write_examples(table)
        draft.facts = {"sizes_sha256": sha256_json({"chr1": 100})}
    return folder / "manifest.json"


def prepare_windows(folder: Path, task: str) -> Path:
    random = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "example": [*range(4), *range(2), *range(3)],
            "split": WINDOWS,
            "chrom": "chr1",
            "start": np.arange(9) * 10,
            "end": np.arange(9) * 10 + 10,
            "locus": np.arange(9),
        }
    )
    files = tuple(f"targets.{split}.npy" for split in ("train", "valid", "test"))
    with preparing(folder / "manifest.json", task, "all", {}, more=files) as draft:
        draft.write_examples(table)
        for split in ("train", "valid", "test"):
            count = WINDOWS.count(split)
            shape = (count, 2, 10) if task == "cmp" else (count, 5, 2)
            values = random.random(shape).astype(np.float16)
            np.save(draft.folder / f"targets.{split}.npy", values)
        draft.facts = {"tracks": ["HFF", "GM12878"], "chromosome_bp": {"chr1": 100}}
        draft.facts["species"] = "human"
    return folder / "manifest.json"


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\n" + "ACGTACGTAC" * 10 + "\n")
    return path


def store(prepared: Path, folder: Path, task: str, input: str, **keys: Any) -> Path:
    table = pd.read_parquet(prepared.parent / "examples.parquet")
    inner = {"cmp": (CONTACT_BINS,), "rsap": (5,)}.get(task, ())
    blocks = ["forward", "reverse"] if inner else AUTHORS if input == "authors" else FULL
    plan = StorePlan(
        task,
        "all",
        input,
        "states",
        keys.get("model", {"name": "tiny", "seed": 0}),
        prepared,
        keys.get("examples", table["example"].to_numpy()),
        inner,
        dict.fromkeys(blocks, 3),
    )
    values = np.random.default_rng(6).normal(size=plan.shape).astype(np.float32)
    extraction = Extraction(plan, lambda r: (values[r.start : r.stop], 1), 50)
    write_store(folder / "manifest.json", extraction)
    return folder / "manifest.json"


def predict(
    task: str,
    prepared: Path,
    genome: Path,
    features: Path,
    out: Path,
    input: str = "full",
    official: str = "Whole_Blood",
    **keys: Any,
) -> pd.DataFrame:
    small: dict[str, Any] = {"device": "cpu"}
    if task in ("cmp", "rsap"):
        small |= {"steps": 4, "batch": 2, "evaluate_every": 2}
    sections = {"cmp": ContactMaps, "eqtl": EQTL, "etgp": ETGP, "rsap": Activity}
    method = Method(task, "short", "tiny", 0, input, "frozen")
    settings = sections.get(task, Initiation)(**{**small, **keys})
    run_predict(task, prepared, genome, method, official, settings, 0, out, features)
    return pq.read_table(out).to_pandas()


@pytest.mark.parametrize("input", ["authors", "full", "contrast"])
def test_pairs_are_scored_under_every_rule_with_and_without_the_variant(
    tmp_path: Path, genome: Path, input: str, messages: Callable[[], list[str]]
) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", "authors" if input == "authors" else "full")
    out = tmp_path / "p.parquet"
    found = predict("eqtl", prepared, genome, features, out, input)
    table = pd.read_parquet(prepared.parent / "examples.parquet").set_index("example")
    assert found.groupby(["rule", "split"]).size().to_dict() == {
        ("paper", "valid"): 15,
        ("paper", "test"): 15,
        ("gene", "test"): 60,
    }
    assert found["target"].tolist() == table["label"][found["example"]].tolist()
    assert found["group"].tolist() == table["gene_id"][found["example"]].tolist()
    assert np.isfinite(found[["prediction", "hidden"]].to_numpy()).all()
    assert (found["prediction"] != found["hidden"]).all()
    assert set(found["input"]) == {input} and set(found["mode"]) == {"frozen"}
    assert messages()[-1] == "chromosome: the data have no folds by chromosome; no predictions"
    fits = found.groupby(["rule", "fold"])["hidden"].nunique()
    assert (fits == 1).all() == (input == "contrast")


def test_probes_of_pairs_repeat_themselves(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_pairs(tmp_path / "data", "etgp", "K562")
    features = store(prepared, tmp_path / "f", "etgp", "full")
    one, two = (
        predict("etgp", prepared, genome, features, tmp_path / name, official="K562")
        for name in ("a.parquet", "b.parquet")
    )
    pd.testing.assert_frame_equal(one, two)


def test_contact_maps_of_one_cell_line_are_written(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_windows(tmp_path / "data", "cmp")
    features = store(prepared, tmp_path / "f", "cmp", "full")
    out = tmp_path / "p.parquet"
    found = predict("cmp", prepared, genome, features, out, official="GM12878")
    assert found["split"].tolist() == ["valid"] * 2 + ["test"] * 3
    assert found["example"].tolist() == [0, 1, 0, 1, 2]
    stored = np.load(prepared.parent / "targets.test.npy")[:, 1]
    assert list(found["target"][2:]) == [row.tobytes() for row in stored]
    facts = json.loads(pq.ParquetFile(out).metadata.metadata[HEAD])
    assert facts["kind"] == "array" and facts["shape"] == [10] and facts["dtype"] == "<f4"
    assert not (tmp_path / ".p.work").exists()


def test_activity_of_all_tracks_is_written(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_windows(tmp_path / "data", "rsap")
    features = store(prepared, tmp_path / "f", "rsap", "full")
    out = tmp_path / "p.parquet"
    found = predict("rsap", prepared, genome, features, out, official="human")
    assert found["split"].tolist() == ["test"] * 3 and found["example"].tolist() == [0, 1, 2]
    stored = np.load(prepared.parent / "targets.test.npy")
    assert list(found["target"]) == [row.tobytes() for row in stored]
    facts = json.loads(pq.ParquetFile(out).metadata.metadata[HEAD])
    assert facts["shape"] == [5, 2]
    assert not (tmp_path / ".p.work").exists()


def test_a_checkpoint_of_other_features_is_refused(
    tmp_path: Path, genome: Path, at_message: Callable[..., AbstractContextManager[None]]
) -> None:
    prepared = prepare_windows(tmp_path / "data", "cmp")
    features = store(prepared, tmp_path / "f", "cmp", "full")

    def stop() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    arguments = ("cmp", prepared, genome, features, tmp_path / "p.parquet")
    with pytest.raises(KeyboardInterrupt), at_message("step 2/4", stop):
        predict(*arguments, official="HFF")
    manifest = json.loads(features.read_text())
    manifest["files"][0]["sha256"] = "0" * 64
    features.write_text(json.dumps(manifest))
    with pytest.raises(GenezipError, match="stopped at step 2 with features"):
        predict(*arguments, official="HFF")
    assert not (tmp_path / "p.parquet").exists()


def test_features_of_other_data_are_refused(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    other = prepare_pairs(tmp_path / "other", subset="Thyroid")
    features = store(other, tmp_path / "f", "eqtl", "full")
    with pytest.raises(GenezipError, match="holds features of other data than"):
        predict("eqtl", prepared, genome, features, tmp_path / "p.parquet")


def test_features_of_another_order_are_refused(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    reversed_ = np.arange(60)[::-1] * 2
    features = store(prepared, tmp_path / "f", "eqtl", "full", examples=reversed_)
    with pytest.raises(GenezipError, match="of other examples than the prepared data; compute"):
        predict("eqtl", prepared, genome, features, tmp_path / "p.parquet")


@pytest.mark.parametrize(("input", "stored"), [("contrast", "authors"), ("authors", "full")])
def test_features_of_another_input_are_refused(
    tmp_path: Path, genome: Path, input: str, stored: str
) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", stored)
    wanted = "full" if input == "contrast" else input
    with pytest.raises(GenezipError, match=f"of the input {stored}, not {wanted}; name those"):
        predict("eqtl", prepared, genome, features, tmp_path / "p.parquet", input)
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        ({"name": "other", "seed": 0}, "features of the model other, not tiny; name those"),
        ({"name": "tiny", "seed": 7}, "features of the training seed 7, not 0; name those"),
        ({"name": "other", "seed": None}, "features of the model other, not tiny; name those"),
    ],
)
def test_features_of_another_model_are_refused(
    tmp_path: Path, genome: Path, model: dict, sentence: str
) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", "full", model=model)
    with pytest.raises(GenezipError, match=sentence):
        predict("eqtl", prepared, genome, features, tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


def test_a_comparator_has_no_training_seed(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", "full", model={"name": "tiny", "seed": None})
    found = predict("eqtl", prepared, genome, features, tmp_path / "p.parquet")
    assert set(found["seed"]) == {0}


def test_a_rule_without_folds_leaves_visible_empty_cells(tmp_path: Path, genome: Path) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", "full")
    out = tmp_path / "p.parquet"
    predict("eqtl", prepared, genome, features, out)
    found = score([out], 10, 0, "test").set_index(["rule", "split", "metric"])
    for metric in ("auroc", "auprc", "auprc_sorted", "auroc_hidden", "auroc_gain"):
        empty = found.loc[("chromosome", "test", metric)]
        assert np.isnan(empty["value"])
        assert empty["note"] == "the data have no folds by chromosome"
        assert np.isfinite(found.loc[("gene", "test", metric), "value"])


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        ("eqtl", "holds the subset Whole_Blood of eqtl, not Thyroid; prepare that one"),
        ("rsap", "holds the subset human of rsap, not Thyroid; prepare that one"),
        ("cmp", "has no maps of Thyroid, only of HFF, GM12878; name one of those"),
    ],
)
def test_a_subset_that_the_data_lack_is_refused(
    tmp_path: Path, genome: Path, task: str, sentence: str
) -> None:
    folder = tmp_path / "data"
    prepared = prepare_pairs(folder) if task == "eqtl" else prepare_windows(folder, task)
    features = store(prepared, tmp_path / "f", task, "full")
    with pytest.raises(GenezipError, match=sentence):
        predict(task, prepared, genome, features, tmp_path / "p.parquet", official="Thyroid")


def test_data_of_another_task_and_a_task_without_features_are_refused(
    tmp_path: Path, genome: Path
) -> None:
    prepared = prepare_pairs(tmp_path / "data")
    features = store(prepared, tmp_path / "f", "eqtl", "full")
    with pytest.raises(GenezipError, match="holds the task eqtl, not etgp"):
        predict("etgp", prepared, genome, features, tmp_path / "p.parquet")
    with pytest.raises(GenezipError, match="tisp has no cached features; use the mode head_only"):
        predict("tisp", prepared, genome, features, tmp_path / "p.parquet")
