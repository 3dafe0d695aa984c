"""The one-hot CNN on pairs: losses, scores, files, going on after a stop."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from toolkit.dna import random_ids
from toolkit.made_examples import MadePairs

from genezip.config.tasks import ETGP, Pairs
from genezip.tasks import TASKS, run
from genezip.tasks.base import Job, Method
from genezip.tasks.networks import cnn_settings
from genezip.tasks.pairs import network as module
from genezip.tasks.pairs.network import PairsCNN, predict_pairs, train_pairs_cnn
from genezip.tasks.pairs.sequences import PairSequences, padded

CPU = torch.device("cpu")


TABLE = pd.DataFrame(
    {
        "example": np.arange(12) + 50,
        "split": ["train"] * 6 + ["valid"] * 3 + ["test"] * 3,
        "label": [0, 1] * 6,
        "gene_id": [f"gene{number // 2}" for number in range(12)],
    }
)


def sequences(row: int) -> PairSequences:
    alternative = random_ids(60 + row, row)
    reference = alternative.copy()
    reference[20:40] = 7
    return PairSequences(reference, alternative, 20, 40, 40)


def pairs_of(task: str) -> MadePairs:
    return MadePairs(TABLE, sequences, task)


def settings(task: str, **changes: Any) -> Any:
    values = {"steps": 2, "epochs": 1, "batch": 2, "evaluate_every": 2, "device": "cpu"}
    section = TASKS[task].settings  # each has the keys that it reads alone
    values = {key: value for key, value in values.items() if key in section.model_fields}
    return section(**{**values, **changes})


def method(task: str, input: str = "authors") -> Method:
    return Method(task, "x", "cnn", 0, input, "full")


def predicted(folder: Path, task: str, seed: int = 0, **changes: Any) -> Path:
    """Prediction file of a task, trained from nothing on sequences of 64 bp."""
    folder.mkdir(exist_ok=True)
    given, out = method(task), folder / f"{task}.parquet"
    chosen, work = settings(task, **changes), folder / "w"
    job: Job[Any] = Job(given, "x", pairs_of(task), chosen, seed, {}, work)
    found = train_pairs_cnn(job, TASKS[task].selection, padded_bp=64)  # type: ignore[attr-defined]
    run.write_predictions(TASKS[task], out, given, predict_pairs(job.examples, found))
    return out


def test_rate_and_decay_are_the_benchmarks_and_amounts_are_the_tasks() -> None:
    given = ETGP(epochs=7, batch=5, warmup=0.1)
    found = cnn_settings(given)
    assert isinstance(found, Pairs) and (found.epochs, found.batch) == (7, 5)
    assert (found.learning_rate, found.weight_decay, found.warmup) == (0.005, 0.01, 0.0)
    assert given.warmup == 0.1


@pytest.mark.parametrize("task", ["eqtl", "etgp"])
def test_pairs_read_the_padded_alternative_and_the_reference_when_hidden(
    task: str, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    table = pq.read_table(predicted(tmp_path, task)).to_pandas()
    held_out = TABLE[TABLE["split"] != "train"]
    assert table["example"].tolist() == held_out["example"].tolist()
    assert table["group"].tolist() == held_out["gene_id"].tolist()
    assert table["target"].tolist() == held_out["label"].tolist()
    assert table["prediction"].between(0, 1).all() and len(set(table["prediction"])) > 1
    assert (table["hidden"] != table["prediction"]).any()
    assert any({"eqtl": "auroc", "etgp": "auprc"}[task] in text for text in messages())
    pairs = PairsCNN(pairs_of(task), settings(task), 0, CPU, 64)
    pairs.module.eval()
    for hidden in (False, True):
        one = sequences(9)
        ids = padded(one.reference if hidden else one.alternative, 64)
        with torch.no_grad():
            logits = pairs.module(torch.from_numpy(ids)[None])[0]
        score = pairs.scores("test", hidden)[0]
        assert score == pytest.approx(float(logits.double().softmax(0)[1]))


def test_scores_of_pairs_under_autocast_are_as_many_as_the_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.dtype] = []
    pairs = PairsCNN(pairs_of("eqtl"), settings("eqtl"), 0, CPU, 64)
    pairs.rows["test"] = pairs.train = np.arange(12)
    pairs.module.classify.register_forward_hook(lambda net, given, found: seen.append(found.dtype))
    bf16 = torch.autocast("cpu", dtype=torch.bfloat16)
    monkeypatch.setattr(module, "precision", lambda device, chosen: bf16)  # there is no GPU
    with torch.no_grad():
        pairs.module.classify.bias.copy_(torch.tensor([1.5, -1.5]))
    pairs.module.eval()
    assert len(set(pairs.scores("test"))) == 12
    with bf16:
        pairs.loss(np.array([0, 1])).backward()
    assert set(seen) == {torch.float32}


def test_equal_seeds_give_equal_files(tmp_path: Path) -> None:
    one = pq.read_table(predicted(tmp_path / "a", "eqtl"))
    torch.rand(3)
    assert pq.read_table(predicted(tmp_path / "b", "eqtl")).equals(one)
    assert not pq.read_table(predicted(tmp_path / "c", "eqtl", seed=1)).equals(one)
