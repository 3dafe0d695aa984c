"""The training stream: every window once an epoch, and exact resumption."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from genezip.data.batches import WindowStream
from genezip.data.build import build_corpus
from genezip.data.corpus import CorpusReader
from genezip.errors import GenezipError


@pytest.fixture
def reader(world, settings, tmp_path: Path) -> CorpusReader:
    build_corpus(world, world.region_map, settings, tmp_path / "corpus")
    return CorpusReader(tmp_path / "corpus" / "manifest.json")  # 40 windows: 16 + 16 + 8


def batches(stream: WindowStream, count: int) -> list[np.ndarray]:
    return [batch["ids"] for batch in islice(stream, count)]


def test_an_epoch_holds_every_window_once(reader) -> None:
    ids, regions, _ = reader.load("train")
    stream = WindowStream(reader, batch=8, seed=3)
    first, second = (list(islice(stream, 5)) for _ in range(2))
    for epoch in (first, second):
        seen = np.concatenate([np.hstack([b["ids"], b["regions"]]) for b in epoch])
        assert sorted(map(bytes, seen)) == sorted(map(bytes, np.hstack([ids, regions])))
    assert [b["ids"].tolist() for b in first] != [b["ids"].tolist() for b in second]
    assert stream.state_dict()["epoch"] == 2
    assert first[0]["ids"].dtype == first[0]["regions"].dtype == np.uint8


@pytest.mark.parametrize("batch", [1, 7, 16, 40, 100])
def test_batches_span_shards_and_epochs(reader, batch) -> None:
    one = np.concatenate(batches(WindowStream(reader, 1, seed=1), 3 * batch))
    many = batches(WindowStream(reader, batch, seed=1), 3)
    assert all(len(part) == batch for part in many)
    assert np.array_equal(np.concatenate(many), one)


@pytest.mark.parametrize("done", [0, 1, 4, 5, 6, 13])
def test_resume_continues_with_the_next_window(reader, done) -> None:
    stream = WindowStream(reader, batch=7, seed=2)
    batches(stream, done)
    state = stream.state_dict()
    rest = batches(stream, 9)
    resumed = WindowStream(reader, batch=7, seed=2)
    resumed.load_state_dict(state)
    assert all(np.array_equal(a, b) for a, b in zip(rest, batches(resumed, 9), strict=True))


def test_the_seed_decides_the_order(reader) -> None:
    a, b, c = (np.stack(batches(WindowStream(reader, 8, seed=s), 5)) for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_a_checkpoint_of_other_windows(reader) -> None:
    state = WindowStream(reader, 8, seed=0).state_dict()
    with pytest.raises(GenezipError, match="another seed"):
        WindowStream(reader, 8, seed=1).load_state_dict(state)
    with pytest.raises(GenezipError, match="another corpus"):
        WindowStream(reader, 8).load_state_dict({**state, "corpus": "0"})
