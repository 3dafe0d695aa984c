"""All verbs in one call: what is refused before work begins, and what an interruption leaves."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genezip.artifacts.scores import Row
from genezip.config import EQTL, Labels
from genezip.errors import GenezipError
from genezip.tasks import TASKS
from genezip.tasks.base import Found, Job, Layout, NotMeasured, Predictions, Task
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.features import Extraction, FeatureStore, StorePlan
from genezip.tasks.measure import measure
from genezip.tasks.scores import row

N = 6


class Toy(Task[Prepared]):
    """A task whose models predict the mean of their only feature; what is computed is counted."""

    name = "toy"
    settings = Labels
    metrics = dict.fromkeys(["mean"], "examples")
    layout = Layout("scalar")

    def __init__(self) -> None:
        self.made: list[str] = []

    def subsets(self, settings: Any) -> dict[str, str]:
        return {"one": "one", "two": "two", "lost": "lost"}

    def prepare(
        self, files: Any, genome: Path, subset: str, settings: Any, seed: int, manifest: Path
    ) -> Prepared:
        if subset == "lost":
            raise NotMeasured("it was lost")
        with preparing(manifest, self.name, subset, {}) as draft:
            draft.write_examples(pd.DataFrame({"example": np.arange(N), "split": "test"}))
        return Prepared.load(manifest)

    def open(self, manifest: Path, genome: Path) -> Prepared:
        return Prepared.load(manifest)

    def features(
        self, compressor: Any, examples: Prepared, input: Any, settings: Any
    ) -> Extraction:
        self.made.append(f"{compressor.name} {examples.subset}")
        plan = StorePlan(
            self.name, examples.subset, input, "states", compressor.facts,
            examples.folder / "manifest.json", np.arange(N), (), {"x": 1},
        )  # fmt: skip
        return Extraction(plan, lambda rows: (np.ones((len(rows), 1)), 1), N)

    def fit(self, features: FeatureStore, job: Job[Prepared]) -> Iterator[Found]:
        assert job.identity["features"] and job.identity["subset"] == job.method.subset
        yield self._all(float(features.array.mean()))

    def baselines(self, job: Job[Prepared], tss: Any) -> Iterator[Found]:
        self.made.append(f"baselines {job.method.subset}")
        yield self._all(0.5, "half")

    def scores(self, files: Any, bootstrap: int, seed: int, control: str | None) -> list[Row]:
        found = files[0].frame().groupby(["subset", "model"], sort=False)["prediction"].mean()
        methods = {(method.subset, method.model): method for method in files[0].methods}
        return [row(methods[key], metric="mean", value=value) for key, value in found.items()]

    @staticmethod
    def _all(value: float, model: str | None = None) -> Predictions:
        truth = np.arange(N) % 2
        return Predictions("test", np.arange(N), truth, truth, np.full(N, value), model=model)


def run(task: Toy, folder: Path, models: tuple[str, ...] = ("fixed:3", "fixed:6")) -> pd.DataFrame:
    listing = folder / "files.json"
    listing.write_text('{"files": []}')
    files, places = TaskFiles.load(listing), (folder / "scores.tsv", folder / "p.parquet")
    measure(task, files, folder, models, None, Labels(bootstrap=10), "test", *places)
    return pd.read_csv(places[0], sep="\t")


def test_every_set_and_model_is_scored_and_what_was_lost_says_why(tmp_path: Path) -> None:
    found = run(Toy(), tmp_path)
    assert found[["subset", "model", "value"]].to_numpy().tolist() == [
        ["one", "half", 0.5], ["one", "fixed-3", 1.0], ["one", "fixed-6", 1.0],
        ["two", "half", 0.5], ["two", "fixed-3", 1.0], ["two", "fixed-6", 1.0],
        ["lost", "labels", 0.0],
    ]  # fmt: skip
    assert found["note"].iloc[-1] == "it was lost"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "files.json", "p.parquet", "scores.tsv",
    ]  # fmt: skip


def test_an_interrupted_call_goes_on_after_what_was_finished(
    tmp_path: Path, at_message: Callable[..., AbstractContextManager[None]]
) -> None:
    whole = run(Toy(), tmp_path)
    (tmp_path / "scores.tsv").unlink()
    first, second = Toy(), Toy()

    def stop() -> None:
        if first.made[-1] == "fixed-3 two":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), at_message("features of 6 examples", stop):
        run(first, tmp_path)
    assert not (tmp_path / "scores.tsv").exists()
    pd.testing.assert_frame_equal(run(second, tmp_path), whole)
    assert first.made == ["baselines one", "baselines two", "fixed-3 one", "fixed-3 two"]
    assert second.made == ["fixed-3 two", "fixed-6 one", "fixed-6 two"]
    assert not list(tmp_path.glob(".*"))


def test_models_measured_apart_are_scored_as_in_one_call(tmp_path: Path) -> None:
    """Each call without a table of scores makes the predictions of its model and no baseline."""
    (tmp_path / "together").mkdir()
    whole = run(Toy(), tmp_path / "together")
    listing = tmp_path / "files.json"
    listing.write_text('{"files": []}')
    files, settings = TaskFiles.load(listing), Labels(bootstrap=10)
    parts = []
    for model in ("fixed:3", "fixed:6"):
        task, path = Toy(), tmp_path / f"{model}.parquet"
        measure(task, files, tmp_path, [model], None, settings, "test", None, path)
        assert not any(name.startswith("baselines") for name in task.made)
        parts.append(path)
    task, out, joined = Toy(), tmp_path / "scores.tsv", tmp_path / "p.parquet"
    measure(task, files, tmp_path, [], None, settings, "test", out, joined, (), parts)
    assert task.made == ["baselines one", "baselines two"]
    keys = ["subset", "model"]
    found = pd.read_csv(out, sep="\t").sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(found, whole.sort_values(keys, ignore_index=True))
    assert not list(tmp_path.glob(".*"))


def test_predictions_that_do_not_belong_here_are_refused(tmp_path: Path) -> None:
    run(Toy(), tmp_path)
    files, settings = TaskFiles.load(tmp_path / "files.json"), Labels(bootstrap=10)
    whole, own = tmp_path / "p.parquet", tmp_path / "own.parquet"

    def again(task: Toy, models: list[str], out: Path | None, measured: list[Path]) -> None:
        joined = tmp_path / "joined.parquet"
        measure(task, files, tmp_path, models, None, settings, "test", out, joined, (), measured)

    with pytest.raises(GenezipError, match=r"p\.parquet holds baselines, which this call makes"):
        again(Toy(), [], tmp_path / "s.tsv", [whole])
    measure(Toy(), files, tmp_path, ["fixed:3"], None, settings, "test", None, own)
    with pytest.raises(GenezipError, match=r"fixed-3 is in --model and in .*own\.parquet; name"):
        again(Toy(), ["fixed:3"], tmp_path / "s.tsv", [own])
    other = Toy()
    other.name = "other"
    with pytest.raises(GenezipError, match=r"own\.parquet holds .* the task toy, not of other"):
        again(other, [], tmp_path / "s.tsv", [own])
    with pytest.raises(GenezipError, match="without --out the predictions of models are written"):
        again(Toy(), [], None, [])
    assert not (tmp_path / "s.tsv").exists() and not (tmp_path / "joined.parquet").exists()


def test_two_models_of_one_name_are_refused_before_any_is_read(tmp_path: Path) -> None:
    task = Toy()
    with pytest.raises(GenezipError, match=r"fixed:3 and fixed:3 are both called fixed-3; name"):
        run(task, tmp_path, ("fixed:3", "fixed:3"))
    assert not any(name.startswith("fixed") for name in task.made)


def test_tasks_of_many_files_are_not_measured_in_one_call(tmp_path: Path) -> None:
    places = (tmp_path / "scores.tsv", tmp_path / "p.parquet")
    files = TaskFiles(tmp_path / "x.json", (), {})
    with pytest.raises(GenezipError, match="eqtl is not measured in one call; use prepare"):
        measure(TASKS["eqtl"], files, tmp_path, [], None, EQTL(), "test", *places)
    with pytest.raises(GenezipError, match="elements reads a genome; name its source"):
        measure(TASKS["elements"], files, None, [], None, Labels(), "test", *places)
