"""The task classification, from files of a set to scores: probes, networks, baselines, marks."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import matthews_corrcoef
from toolkit.dna import random_ids
from toolkit.networks import FREE, save_toy, small_network

from genezip.alphabet import decode, encode, reverse_complement
from genezip.artifacts.files import sha256_file
from genezip.artifacts.scores import FLOOR_SHARE
from genezip.config import Classification
from genezip.errors import GenezipError
from genezip.models import load
from genezip.tasks import TASKS, run
from genezip.tasks.base import CNN, Job, Method, NotMeasured, Predictions, baseline_method
from genezip.tasks.classification.baselines import class_shares
from genezip.tasks.classification.network import Learner, SequenceCNN, SequenceModel
from genezip.tasks.classification.probe import linear_probe
from genezip.tasks.classification.rows_zero import rows_zero
from genezip.tasks.classification.sets import read_sequences
from genezip.tasks.classification.task import Labelled, LabelledSequences
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.features import FeatureStore, write_store
from genezip.tasks.measure import measure
from genezip.tasks.predictions import PredictionFile

SIZES = {"train": 120, "dev": 40, "test": 60}
PLANTED = encode("GGGCGGGGC")


def sequence(seed: int, positive: bool, length: int = 60) -> str:
    """Random bases, G and C in the middle of a positive."""
    ids = random_ids(length, seed)
    if positive:
        ids[20 : 20 + len(PLANTED)] = PLANTED
    return decode(ids).decode()


def write_set(folder: Path, twins: bool = False) -> TaskFiles:
    """A set whose positives have a motif; with ``twins`` one of shuffles and nothing else.

    Of two shuffles one is then a training row and the other, with the other label, a test row.
    """
    rows: dict[str, list[tuple[str, int]]] = {split: [] for split in SIZES}
    seed = 0
    for split, count in SIZES.items():
        for number in range(count // 2):
            seed += 2
            pair = [(sequence(seed, True), 1), (sequence(seed + 1, False), 0)]
            if twins:
                pair = [(text, 1 - place) for place, text in enumerate(shuffles(seed))]
            if twins and split == "test":
                rows["train"].append(pair.pop(number % 2))
            rows[split] += pair
    for split, found in rows.items():
        lines = ["sequence,label", *(f"{text},{label}" for text, label in found)]
        (folder / f"toy.{split}.csv").write_text("\n".join(lines) + "\n")
    listing = folder / "files.json"
    names = sorted(path.name for path in folder.glob("*.csv"))
    listing.write_text(json.dumps({"files": [{"path": each} for each in names]}))
    return TaskFiles.load(listing)


def measured(folder: Path, files: TaskFiles, *models: str, **changes: Any) -> pd.DataFrame:
    """Score table of the set, by one call."""
    out = folder / "out.tsv"
    task, chosen = TASKS["classification"], settings(**changes)
    measure(task, files, None, models, None, chosen, "test", out, folder / "p.parquet")
    return pd.read_csv(out, sep="\t")


def shuffles(seed: int) -> tuple[str, str]:
    """A sequence and another one of equal dinucleotide counts: two stretches between A change."""
    parts = ["A" + decode(random_ids(18, 1000 * seed + part)).decode() + "A" for part in range(3)]
    return "".join(parts), "".join([parts[0], parts[2], parts[1]])


def settings(**changes: Any) -> Classification:
    values = {"subsets": {"toy": "toy"}, "device": "cpu", "bootstrap": 50, "epochs": 2, "batch": 8}
    return Classification(**{**values, "evaluate_every": 5, "learning_rate": 0.01, **changes})


def prepared(folder: Path, files: TaskFiles, **changes: Any) -> Path:
    manifest = folder / "data" / "manifest.json"
    run.prepare("classification", "toy", files, Path(), manifest, settings(**changes), 0)
    return manifest


def opened(folder: Path, **changes: Any) -> Labelled:
    found = TASKS["classification"].open(prepared(folder, write_set(folder), **changes), Path())
    assert isinstance(found, Labelled)
    return found


def test_prepared_folds_are_those_of_the_scheme(tmp_path: Path) -> None:
    found = opened(tmp_path, schemes=["official", "unseen", "family"], folds=3)
    split = found.table["split"]
    (official,) = found.folds["official"]
    for name, rows in (
        ("train", official.train),
        ("valid", official.valid),
        ("test", official.test),
    ):
        assert rows.tolist() == np.flatnonzero(split == name).tolist()
    (unseen,) = found.folds["unseen"]
    assert set(unseen.test) <= set(official.test) and len(unseen.train) == len(official.train)
    tested = np.concatenate([fold.test for fold in found.folds["family"]])
    assert sorted(tested) == list(range(len(found.table)))
    for fold in found.folds["family"]:
        assert not set(found.units[fold.train]) & set(found.units[fold.test])


def test_all_in_one_call_finds_a_motif_and_begins_with_rows_zero(tmp_path: Path) -> None:
    files, out = write_set(tmp_path), tmp_path / "out.tsv"
    predictions = tmp_path / "predictions.parquet"
    models = ["fixed:3", "fixed:6"]
    task = TASKS["classification"]
    measure(task, files, None, models, "fixed-6", settings(), "test", out, predictions)
    found = pd.read_csv(out, sep="\t")
    assert list(dict.fromkeys(found["model"]))[:4] == [
        "nearest", "twin", "position_motif", "class_prior",
    ]  # fmt: skip
    mcc = found[(found["metric"] == "mcc") & (found["rule"] == "official")].set_index("model")
    assert mcc.loc["position_motif", "value"] > 0.8
    assert mcc.loc["kmer4", "value"] > 0.5 and abs(mcc.loc["class_prior", "value"]) < 1e-12
    assert mcc.loc["gc_cpg", "ci_low"] < mcc.loc["gc_cpg", "value"] < mcc.loc["gc_cpg", "ci_high"]
    # the same number from the file by another library
    rows = [
        row
        for row in PredictionFile.open(predictions).rows()
        if row.method.model == "kmer4" and row.rule == "official"
    ]
    truth, given = ([int(row[name].argmax()) for row in map(vars, rows)] for name in NAMES)
    assert mcc.loc["kmer4", "value"] == pytest.approx(matthews_corrcoef(truth, given), abs=1e-5)
    facts = found[found["metric"] == "bpt"].set_index(["model", "rule"])["value"]
    assert facts["fixed-3", "official"] == pytest.approx(3.0)
    assert FLOOR_SHARE not in set(found["metric"])  # a fixed length says nothing of why
    against = found[found["metric"] == "mcc_minus_control"]
    assert set(against["model"]) == {"fixed-3"} and "against fixed-6" in against["note"].iloc[0]
    # the motif stands at one place, which a table of positions sees
    scored = found[found["metric"] != "bpt"]
    assert scored["note"].str.startswith("solved by position_motif").all()
    assert not list(tmp_path.glob(".*"))


NAMES = ("target", "prediction")


def test_a_set_of_shuffles_is_marked_in_every_row(tmp_path: Path) -> None:
    found = measured(tmp_path, write_set(tmp_path, twins=True), schemes=["official"])
    twin = found[(found["model"] == "twin") & (found["metric"] == "mcc")].iloc[0]
    assert twin["value"] == 1.0 and "whose label is inverted" in twin["note"]
    assert found["note"].str.startswith("solved by twin: MCC 1.000").all()


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_few_errors_do_not_open_the_interval(tmp_path: Path, wrong: int) -> None:
    """A resample without any error tells nothing of the spread of MCC and F1."""
    task, truth = TASKS["classification"], np.arange(200) % 2
    found = truth.copy()
    found[np.flatnonzero(truth == 0)[:wrong]] = 1
    names = np.arange(200).astype(str)
    given = Predictions(
        "test", np.arange(200), names, list(np.eye(2)[truth]), list(np.eye(2)[found]), "official"
    )
    path = tmp_path / "p.parquet"
    run.write_predictions(task, path, Method(task.name, "toy", "m", 0, "full", "frozen"), [given])
    scores = run.score([path], 4000, 0, "test").set_index("metric")
    for metric in task.metrics:
        assert scores.loc[metric, "ci_low"] > scores.loc[metric, "value"] - 0.05


def test_a_task_whose_reader_gives_no_table_is_refused(tmp_path: Path) -> None:
    class Bare(LabelledSequences):
        name = "bare"

    class Rows(Bare):
        def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> Any:
            return [{"sequence": "AC", "label": 1}]

    files = write_set(tmp_path)
    for task, told in ((Bare(), "has no method read"), (Rows(), "gave a list without classes")):
        with pytest.raises(GenezipError, match=told):
            task.prepare(files, Path(), "toy", settings(), 0, tmp_path / "m.json")


def test_a_floor_that_forces_tokens_is_counted(tmp_path: Path) -> None:
    """Tokens and the forced share are those of a pass of the model's own bound."""
    folder = save_toy(tmp_path / "m", small_network(bound="sequence"), seed=0, name="tiny")
    model = load(folder)
    examples = opened(tmp_path)
    store = tmp_path / "features" / "manifest.json"
    write_store(store, TASKS["classification"].features(model, examples, "full", settings()))
    features = FeatureStore.load(store)
    (fold,) = examples.folds["official"]
    tokens, forced = (features.block(name)[:, 0] for name in ("tokens", "forced"))
    for row in fold.test[:5]:
        (one,) = model.encode([examples.ids[row]])
        assert tokens[row] == len(one.token_starts)
        assert forced[row] == bool((one.kept_by >= 1).any())  # type: ignore[operator]
    assert not tokens[fold.train].any()


@pytest.mark.parametrize("mode", ["head_only", "full"])
def test_a_network_learns_with_its_head(tmp_path: Path, mode: str) -> None:
    folder = save_toy(tmp_path / "m", small_network(**FREE), seed=0, name="tiny")
    manifest = prepared(tmp_path, write_set(tmp_path))
    method = Method("classification", "toy", "tiny", 0, "full", mode)
    out = tmp_path / "p.parquet"
    arguments = ("classification", manifest, Path(), method, "toy", settings(), 0, out)
    run.predict(*arguments, model=folder)
    rows = list(PredictionFile.open(out).rows())
    assert {row.rule for row in rows} == {"official", "unseen"}
    official = [row for row in rows if row.rule == "official"]
    assert len(official) == SIZES["test"]
    assert all(row.prediction.sum() == pytest.approx(1) for row in rows)
    first = np.stack([row.prediction for row in rows])
    out.unlink()
    run.predict(*arguments, model=folder)
    again = np.stack([row.prediction for row in PredictionFile.open(out).rows()])
    np.testing.assert_array_equal(first, again)


def test_the_cnn_learns_the_motif(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    out = tmp_path / "p.parquet"
    torch.manual_seed(7)
    chosen = settings(epochs=6)
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out)
    scores = run.score([out], 20, 0, "test")
    mcc = scores[(scores["metric"] == "mcc") & (scores["rule"] == "official")]["value"].item()
    assert mcc > 0.4


def test_networks_need_the_official_split(tmp_path: Path) -> None:
    manifest = prepared(tmp_path, write_set(tmp_path), schemes=["family"], folds=3)
    method = Method("classification", "toy", CNN, 0, "full", "full")
    arguments = (manifest, Path(), method, "toy", settings(), 0, tmp_path / "p.parquet")
    with pytest.raises(GenezipError, match="a network is trained on the official split alone"):
        run.predict("classification", *arguments)
    assert not (tmp_path / "p.parquet").exists()


def test_a_split_without_test_rows_has_its_reason_in_every_cell(tmp_path: Path) -> None:
    """Each test row is in training, so that `unseen` has none left."""
    write_set(tmp_path)
    lines = (tmp_path / "toy.test.csv").read_text().splitlines(keepends=True)
    with (tmp_path / "toy.train.csv").open("a") as train:
        train.writelines(lines[1:])
    files = TaskFiles.load(tmp_path / "files.json")
    found = measured(tmp_path, files, "fixed:3")
    unseen = found[found["rule"] == "unseen"]
    assert sorted(unseen["metric"].unique()) == ["accuracy", "f1_macro", "mcc"]
    models = found.loc[(found["rule"] == "official") & (found["metric"] == "mcc"), "model"]
    assert len(unseen) == 3 * len(models) and set(unseen["model"]) == set(models)
    assert unseen["value"].isna().all() and unseen["n"].isna().all()
    why = "no row is left to learn from, or none to test (split unseen, 0 of 60 test rows, without"
    assert unseen["note"].str.startswith(why).all()
    manifest = prepared(tmp_path, files)
    method = Method("classification", "toy", CNN, 0, "full", "full")
    out = tmp_path / "cnn.parquet"
    chosen = settings(epochs=1)
    run.predict("classification", manifest, Path(), method, "toy", chosen, 0, out)
    scores = run.score([out], 20, 0, "test").set_index(["rule", "metric"])
    assert np.isfinite(scores.loc[("official", "mcc"), "value"])
    assert scores.loc[("unseen", "mcc"), "note"].startswith(why)


@pytest.mark.parametrize(
    ("label", "why"),
    [
        (lambda number: number % 2 if number < 2 else 0, "a class lies in too few groups"),
        (
            lambda number: number % 2,
            "a probe needs training rows in 3 groups and of 2 classes, and has 2 and 2",
        ),
    ],
)
def test_a_set_that_no_probe_can_learn_is_not_measured(
    tmp_path: Path, label: Callable[[int], int], why: str
) -> None:
    few = 2 if "a probe needs" in why else 12
    for split in ("train", "test"):
        rows = [f"{sequence(len(split) * 50 + n, False)},{label(n)}" for n in range(few)]
        (tmp_path / f"toy.{split}.csv").write_text("\n".join(["sequence,label", *rows]) + "\n")
    (row,) = measured(tmp_path, listed(tmp_path), "fixed:3").to_dict("records")
    assert (row["model"], row["value"]) == ("labels", 0)
    assert f"{why} (split official, {few} of {few} test rows); {why} (split unseen" in row["note"]


def listed(folder: Path, *more: str, **facts: Any) -> TaskFiles:
    """A list of the tables of a folder."""
    names = [*sorted(path.name for path in folder.glob("*.csv")), *more]
    entries = [{"path": name} for name in names]
    (folder / "files.json").write_text(json.dumps({"files": entries, **facts}))
    return TaskFiles.load(folder / "files.json")


def test_only_listed_files_are_read_and_recorded(
    tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    write_set(tmp_path)
    (tmp_path / "toy.dev.csv").unlink()
    (tmp_path / "other.bw").touch()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "toy.test.txt").touch()
    files = listed(tmp_path, "other.bw", "deep/toy.test.txt")
    (tmp_path / "toy.dev.csv").write_text("sequence,label\nACGT,1\n")  # there and not listed
    manifest = prepared(tmp_path, files)
    assert set(json.loads(manifest.read_text())["inputs"]) == {"toy.train.csv", "toy.test.csv"}
    found = TASKS["classification"].open(manifest, Path())
    assert "valid" not in set(found.table["split"])
    assert any(text.endswith("lists no toy.dev.csv") for text in messages())
    (tmp_path / "toy.test.csv.gz").touch()
    with pytest.raises(GenezipError, match=r"toy.test.csv and .*toy.test.csv.gz are both the test"):
        prepared(tmp_path, listed(tmp_path, "toy.test.csv.gz"))


def test_files_of_equal_names_are_both_recorded(tmp_path: Path) -> None:
    class Both(LabelledSequences):
        name = "both"

        def read(self, files: TaskFiles, genome: Path, subset: str, settings: Any) -> pd.DataFrame:
            return read_sequences(files.paths)

    write_set(tmp_path)
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / f"toy.{split}.csv").rename(tmp_path / split / f"rows.{split}.csv")
    twice = [tmp_path / "train" / "rows.csv", tmp_path / "test" / "rows.csv"]
    for path in twice:
        text = (path.parent / f"rows.{path.parent.name}.csv").read_text().splitlines()
        rows = [f"{line},{path.parent.name}" for line in text[1:]]
        path.write_text("\n".join(["sequence,label,split", *rows]) + "\n")
    files = TaskFiles(tmp_path / "files.json", tuple(twice), {})
    manifest = tmp_path / "data" / "manifest.json"
    Both().prepare(files, Path(), "all", settings(), 0, manifest)
    inputs = json.loads(manifest.read_text())["inputs"]
    assert inputs == {f"{path.parent.name}/rows.csv": sha256_file(path) for path in twice}


@pytest.mark.parametrize("lacking", ["train", "test"])
def test_a_list_without_a_split_is_refused(tmp_path: Path, lacking: str) -> None:
    write_set(tmp_path)
    (tmp_path / f"toy.{lacking}.csv").rename(tmp_path / f"toy.{lacking}.old")
    with pytest.raises(GenezipError, match=f"lists no file toy.{lacking}.csv .or .csv.gz.; name"):
        prepared(tmp_path, listed(tmp_path))
    files = listed(tmp_path, reasons={"classification": "offline (none)"})
    with pytest.raises(NotMeasured, match="offline"):
        prepared(tmp_path, files)


def test_notes_of_folds_are_one_sentence_of_all_of_them(tmp_path: Path) -> None:
    files = write_set(tmp_path, twins=True)
    found = measured(tmp_path, files, schemes=["family"], folds=3)
    twin = found[(found["model"] == "twin") & (found["metric"] == "mcc")].iloc[0]
    told = "of 220 rows have a training row of equal counts, whose label is inverted in"
    assert told in twin["note"] and twin["n"] == 220
    nearest = found[(found["model"] == "nearest") & (found["metric"] == "mcc")].iloc[0]
    assert "of 220 rows share a k-mer with a training row" in nearest["note"]


def test_rows_zero_of_equal_training_rows_are_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, calls = opened(tmp_path), []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return rows_zero(*given)

    monkeypatch.setattr("genezip.tasks.classification.task.rows_zero", counted)
    chosen = baseline_method("", "classification", "toy")
    job = Job(chosen, "toy", examples, settings(), 0)
    found = list(TASKS["classification"].baselines(job, None))
    assert len(calls) == 1
    (fold,) = examples.folds["unseen"]
    for slow in rows_zero(examples.ids, examples.truth, fold, 2):
        (one,) = (
            each
            for each in found
            if isinstance(each, Predictions) and (each.model, each.rule) == (slow.name, "unseen")
        )
        assert np.stack(list(one.prediction)).argmax(axis=1).tolist() == slow.predicted.tolist()


def test_probes_and_class_shares_learn_from_validation_rows_too(tmp_path: Path) -> None:
    """Labels of validation rows change what they predict; those of test rows do not."""
    examples = opened(tmp_path, schemes=["official"])
    (fold,) = examples.folds["official"]
    x = random_features(len(examples.ids))
    first = linear_probe(x, examples.truth, examples.units, fold, 2)
    for rows, same in ((fold.valid, False), (fold.test, True)):
        truth = examples.truth.copy()
        truth[rows[: len(rows) // 2]] = 1
        other = linear_probe(x, truth, examples.units, fold, 2)
        assert np.array_equal(first, other) == same
        shares = [class_shares(labels, fold, 2)[0, 1] for labels in (examples.truth, truth)]
        assert (shares[0] == shares[1]) == same


def random_features(rows: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 4))


def test_probabilities_of_a_network_do_not_depend_on_the_strand(tmp_path: Path) -> None:
    examples = opened(tmp_path)
    turned = replace(examples, ids=[reverse_complement(one) for one in examples.ids])
    torch.manual_seed(3)
    models = (SequenceCNN(2), SequenceModel(small_network(**FREE), 2, 0))
    rows = np.arange(5)
    for model in models:
        one, other = (
            Learner(model, each, settings(), torch.device("cpu")) for each in (examples, turned)
        )
        np.testing.assert_allclose(one.probabilities(rows), other.probabilities(rows), atol=1e-12)
        np.testing.assert_allclose(one.probabilities(rows).sum(axis=1), 1)


def test_other_classes_of_equal_examples_are_refused(tmp_path: Path) -> None:
    first = prepared(tmp_path, write_set(tmp_path))
    paths = [tmp_path / "one.parquet", tmp_path / "cnn.parquet"]
    run.baselines("classification", first, Path(), "toy", "toy", settings(), 0, paths[0])
    test = tmp_path / "toy.test.csv"
    lines = test.read_text().splitlines(keepends=True)
    text, label = lines[1].strip().split(",")
    test.write_text("".join([lines[0], f"{text},{1 - int(label)}\n", *lines[2:]]))
    other = prepared(tmp_path, TaskFiles.load(tmp_path / "files.json"))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    chosen = settings(epochs=1)
    run.predict("classification", other, Path(), method, "toy", chosen, 0, paths[1])
    with pytest.raises(GenezipError, match="has other classes of toy than nearest"):
        run.score(paths, 20, 0, "test")


def test_other_test_rows_are_refused(tmp_path: Path) -> None:
    full = prepared(tmp_path, write_set(tmp_path))
    paths = [tmp_path / "baselines.parquet", tmp_path / "cnn.parquet"]
    run.baselines("classification", full, Path(), "toy", "toy", settings(), 0, paths[0])
    test = tmp_path / "toy.test.csv"
    lines = test.read_text().splitlines(keepends=True)
    test.write_text("".join([*lines[:1], *lines[3:]]))
    fewer = prepared(tmp_path, TaskFiles.load(tmp_path / "files.json"))
    method = Method("classification", "toy", CNN, 0, "full", "full")
    chosen = settings(epochs=1)
    run.predict("classification", fewer, Path(), method, "toy", chosen, 0, paths[1])
    with pytest.raises(GenezipError, match=r"predicted different examples \(official, test\)"):
        run.score(paths, 20, 0, "test")


def test_a_list_without_the_set_says_why(tmp_path: Path) -> None:
    listing = tmp_path / "files.json"
    listing.write_text(json.dumps({"files": [], "reasons": {"classification": "offline (none)"}}))
    out = tmp_path / "out.tsv"
    files = TaskFiles.load(listing)
    task = TASKS["classification"]
    measure(task, files, None, [], None, settings(), "test", out, tmp_path / "p.parquet")
    (row,) = pd.read_csv(out, sep="\t").to_dict("records")
    assert (row["model"], row["value"], row["note"]) == ("labels", 0, "offline (none)")
