"""A corpus that version 0.1 built is read as that version read it.

``built_by_0.1`` is the corpus of the tiny genome in ``toolkit/corpora.py``, written before
manifests, plans and shards went through :mod:`genezip.artifacts`. The hashes are what that version
read from it.
"""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genezip.corpus.corpus import CorpusReader, check_corpus
from genezip.corpus.leakage import prove
from genezip.corpus.plan import read_plan
from genezip.corpus.stream import WindowStream

FOLDER = Path(__file__).with_name("built_by_0.1")
READ = {
    "train": ((40, 64), "e2421bec6f2efde26b1a528d8ff9811625c17f891351b13dfedafbdcb7666eac"),
    "valid": ((5, 128), "70865e119c11cf0f6f2603ea17c3d6a3111b289dffe14a70ec28d02e6e9dcd84"),
    "test": ((7, 128), "17b66f8814a30ae93a6c2b4e4b745bfd680d411584b4a0deadca61df25fc04d3"),
}
BATCHES = "71b4f4df4482a6455fda52638c781be149162b1e9cfa627f0072c11c0629e560"
STATE = {
    "epoch": 1,
    "window": 14,
    "shard": "train/shard-00000.parquet",
    "row_group": 0,
    "row": 27,
    "seed": 3,
    "split": "train",
    "reverse_complement": True,
    "corpus": "139e0cb42f61c915a698f3a5ece933963e8b7e486825b6d50b87da6975c6f913",
}


@pytest.fixture
def reader() -> CorpusReader:
    return CorpusReader(FOLDER / "manifest.json")


@pytest.mark.parametrize("split", READ)
def test_windows(reader: CorpusReader, split: str) -> None:
    ids, regions, table = reader.load(split)
    assert (ids.shape, sha256(ids.tobytes() + regions.tobytes()).hexdigest()) == READ[split]
    assert set(table["split"]) == {split}


def test_checks(reader: CorpusReader) -> None:
    assert check_corpus(reader) == 52
    excluded = pd.DataFrame({"chrom": ["a"], "start": [200], "end": [300]})
    table, offender = prove(reader, excluded.assign(task="bed", split="all", reason="a gap"))
    assert offender is None
    assert table["verdict"].eq("ok").all()


def test_plan(reader: CorpusReader) -> None:
    plan = read_plan(FOLDER / "plan.parquet")
    assert plan.sha256 == reader.manifest["plan"]
    assert plan.counts() == [("train", 0, 40), ("valid", 0, 5), ("test", 0, 7)]
    assert plan.head["settings"] == reader.manifest["settings"]


def test_batches_and_the_state_of_a_checkpoint(reader: CorpusReader) -> None:
    stream = WindowStream(reader, 6, seed=3, reverse_complement=True)
    ids = np.concatenate([stream.next_batch()["ids"] for _ in range(9)])
    assert sha256(ids.tobytes()).hexdigest() == BATCHES
    assert stream.state_dict() == STATE
    again = WindowStream(reader, 6, seed=3, reverse_complement=True)
    again.load_state_dict(STATE)
    assert np.array_equal(again.next_batch()["ids"], stream.next_batch()["ids"])
