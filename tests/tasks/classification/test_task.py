"""The task classification from a set to scores: probes, trivial baselines, notes and marks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef
from toolkit.labelled_sets import (
    FEW,
    listed,
    measured,
    opened,
    prepared,
    sequence,
    settings,
    write_set,
)

from genezip.artifacts.scores import FLOOR_SHARE
from genezip.errors import GenezipError
from genezip.tasks import TASKS, run
from genezip.tasks.base import CNN, Job, Method, Predictions, baseline_method
from genezip.tasks.classification.baselines import class_shares
from genezip.tasks.classification.probe import linear_probe
from genezip.tasks.classification.trivial_baselines import trivial_baselines
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.measure import measure
from genezip.tasks.predictions import PredictionFile


def test_all_in_one_call_finds_a_motif_and_begins_with_trivial_baselines(tmp_path: Path) -> None:
    files, out = write_set(tmp_path), tmp_path / "out.tsv"
    predictions = tmp_path / "predictions.parquet"
    models = ["fixed:3", "fixed:2"]
    task = TASKS["classification"]
    measure(task, files, None, models, "fixed-2", settings(), "test", out, predictions)
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
    assert set(against["model"]) == {"fixed-3"} and "against fixed-2" in against["note"].iloc[0]
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


def test_a_split_without_test_rows_has_its_reason_in_every_cell(tmp_path: Path) -> None:
    """Each test row is in training, so that `unseen` has none left."""
    write_set(tmp_path, sizes=FEW)
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
    why = "no row is left to learn from, or none to test (split unseen, 0 of 12 test rows, without"
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


def test_notes_of_folds_are_one_sentence_of_all_of_them(tmp_path: Path) -> None:
    files = write_set(tmp_path, twins=True)
    found = measured(tmp_path, files, schemes=["family"], folds=3)
    twin = found[(found["model"] == "twin") & (found["metric"] == "mcc")].iloc[0]
    told = "of 220 rows have a training row of equal counts, whose label is inverted in"
    assert told in twin["note"] and twin["n"] == 220
    nearest = found[(found["model"] == "nearest") & (found["metric"] == "mcc")].iloc[0]
    assert "of 220 rows share a k-mer with a training row" in nearest["note"]


def test_trivial_baselines_of_equal_training_rows_are_computed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples, calls = opened(tmp_path), []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return trivial_baselines(*given)

    monkeypatch.setattr("genezip.tasks.classification.task.trivial_baselines", counted)
    chosen = baseline_method("", "classification", "toy")
    job = Job(chosen, "toy", examples, settings(), 0)
    found = list(TASKS["classification"].baselines(job, None))
    assert len(calls) == 1
    (fold,) = examples.folds["unseen"]
    for slow in trivial_baselines(examples.ids, examples.truth, fold, 2):
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


def test_other_classes_of_equal_examples_are_refused(tmp_path: Path) -> None:
    first = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
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
    full = prepared(tmp_path, write_set(tmp_path, sizes=FEW))
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
