"""The training stream: one order for all, every window once an epoch, exact resumption."""

import json
import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from genezip.alphabet import is_base
from genezip.artifacts.tables import head_metadata
from genezip.corpus import stream as streams
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.shards import SHARD_SCHEMA, Head, read_shard
from genezip.corpus.stream import Order, WindowStream, prefetched, sampled
from genezip.errors import GenezipError
from genezip.region_classes import GENE7

LENGTH = 16  # of a window; a row group holds 3 of them, a buffer 2 row groups
ROWS = (7, 6, 1)  # windows of the three shards: 14 in 3 + 2 + 1 row groups, 3 buffers
WINDOWS = sum(ROWS)


def write_corpus(folder: Path, group_rows: int = 3) -> Path:
    """A corpus of 14 windows that all differ; returns its manifest."""
    rng = np.random.default_rng(0)
    head = Head("train", LENGTH, group_rows, GENE7, "plan", "map")
    files = []
    for number, rows in enumerate(ROWS):
        path = folder / f"shard-{number}.parquet"
        letters = [bytes(rng.choice(list(b"ACGTN"), LENGTH).tolist()) for _ in range(rows)]
        cuts = [int(rng.integers(1, LENGTH)) for _ in range(rows)]
        columns: dict[str, list] = {
            name: ["x"] * rows for name in ("chrom", "strand", "piece", "split", "sampling_mode")
        }
        columns |= {"start": [0] * rows, "end": [LENGTH] * rows, "n_fraction": [0.0] * rows}
        columns |= {
            "sequence": letters,
            "region_lengths": [[cut, LENGTH - cut] for cut in cuts],
            "region_classes": [rng.integers(7, size=2).tolist() for _ in range(rows)],
        }
        table = pa.table(columns, schema=SHARD_SCHEMA.with_metadata(head_metadata(head.to_json())))
        pq.write_table(table, path, row_group_size=group_rows)
        entry = {"path": path.name, "split": "train", "rows": rows, "row_group_rows": group_rows}
        files.append({**entry, "sha256": str(number)})
    manifest = {
        "schema_version": 2, "window_bp": LENGTH, "classes": [], "plan": "plan",
        "regions": "map", "files": files,
        "splits": {"train": {"windows": WINDOWS, "window_bp": LENGTH}, "test": {"window_bp": 1}},
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder / "manifest.json"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BUFFER_BP", 2 * 3 * LENGTH)
        yield CorpusReader(write_corpus(tmp_path_factory.mktemp("corpus")))


def rows_of(batches: Any, count: int) -> np.ndarray:
    """Ids and regions side by side of all windows of some batches, in order."""
    return np.concatenate(
        [np.hstack([b["ids"], b["regions"]]) for b in (batches.next_batch() for _ in range(count))]
    )


def one_by_one(reader: CorpusReader, seed: int, epochs: int) -> np.ndarray:
    """The definition of the order with plain loops over decoded shards."""
    shards = [read_shard(reader.path.parent / entry["path"]) for entry in reader.files("train")]
    groups = [
        [(file, row) for row in range(begin, min(begin + 3, rows))]
        for file, rows in enumerate(ROWS)
        for begin in range(0, rows, 3)
    ]
    found = []
    for epoch in range(epochs):
        shuffled = np.random.default_rng([seed, epoch, 1]).permutation(len(groups))
        for buffer in range(3):
            members = [w for g in shuffled[2 * buffer : 2 * buffer + 2] for w in groups[g]]
            for index in np.random.default_rng([seed, epoch, 2, buffer]).permutation(len(members)):
                file, row = members[index]
                found.append(np.hstack([shards[file].ids[row], shards[file].regions[row]]))
    return np.stack(found)


def test_the_order_is_that_of_the_definition(reader: CorpusReader) -> None:
    found = rows_of(WindowStream(reader, batch=7, seed=5), 6)
    assert np.array_equal(found, one_by_one(reader, 5, 3))
    assert found.dtype == np.uint8


def test_an_epoch_holds_every_window_once(reader: CorpusReader) -> None:
    ids, regions, _ = reader.load("train")
    stream = WindowStream(reader, batch=7, seed=3)
    first, second = (rows_of(stream, 2) for _ in range(2))
    for epoch in (first, second):
        assert sorted(map(bytes, epoch)) == sorted(map(bytes, np.hstack([ids, regions])))
    assert first.tolist() != second.tolist()
    assert stream.state_dict()["epoch"] == 2


@given(
    rows=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    group=st.integers(1, 9),
    buffer=st.integers(1, 200),
    seed=st.integers(0, 2**40),
)
@hypothesis(deadline=None, max_examples=30)
def test_buffers_part_an_epoch(rows: list[int], group: int, buffer: int, seed: int) -> None:
    """Any corpus: buffers follow each other without a gap and hold every row of every file once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BUFFER_BP", buffer)
        found = Order(rows, [group] * len(rows), 1, seed)
    for epoch in (0, 1):
        rows_read, window = [], 0
        while window < found.windows:
            part = found.buffer(epoch, found.buffer_at(epoch, window))
            assert part.begin == window < part.end
            assert part.end - part.begin <= max(group, buffer)
            assert all(found.buffer_at(epoch, w) == part.number for w in range(window, part.end))
            for address in map(part.address, range(part.begin, part.end)):
                rows_read.append((address.file, address.group * group + address.row))
                assert address.row < group
            window = part.end
        assert sorted(rows_read) == [(f, row) for f, n in enumerate(rows) for row in range(n)]


@given(
    ranks=st.sampled_from([1, 2, 3, 4]),
    share=st.integers(1, 5),
    workers=st.integers(0, 3),
    depth=st.integers(1, 4),
    stops=st.lists(st.integers(0, 5), max_size=3),
    seed=st.integers(0, 3),
    flip=st.booleans(),
)
@hypothesis(deadline=None, max_examples=25)
def test_ranks_threads_and_interruptions_change_nothing(
    reader: CorpusReader,
    ranks: int,
    share: int,
    workers: int,
    depth: int,
    stops: list[int],
    seed: int,
    flip: bool,
) -> None:
    """The rows of all ranks, put together, are the order of one: nothing lost or repeated."""
    batch, last = ranks * share, 4
    one = rows_of(
        WindowStream(reader, 1, seed, reverse_complement=flip), (sum(stops) + last) * batch
    )
    parts = []
    for rank in range(ranks):
        rows, state, seen = slice(rank * share, (rank + 1) * share), None, []
        for count in [*stops, last]:
            stream = WindowStream(reader, batch, seed, rows=rows, reverse_complement=flip)
            with prefetched(stream, workers, depth) as batches:
                if state is not None:
                    batches.load_state_dict(state)
                if count:
                    seen.append(rows_of(batches, count).reshape(count, share, -1))
                state = json.loads(json.dumps(batches.state_dict()))
        parts.append(np.concatenate(seen))
    together = np.concatenate(parts, axis=1).reshape(one.shape)
    assert np.array_equal(together, one)
    position = (sum(stops) + last) * batch
    assert (state["epoch"], state["window"]) == divmod(position, WINDOWS)


def test_the_state_names_the_next_window(reader: CorpusReader) -> None:
    stream = WindowStream(reader, batch=1, seed=2)
    for _ in range(2 * WINDOWS):
        state = stream.state_dict()
        shard = read_shard(reader.path.parent / state["shard"])
        row = 3 * state["row_group"] + state["row"]
        assert np.array_equal(stream.next_batch()["ids"][0], shard.ids[row])


def test_the_seed_decides_the_order(reader: CorpusReader) -> None:
    a, b, c = (rows_of(WindowStream(reader, 7, seed=s), 2) for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_the_other_strand_is_read_of_about_every_other_window(reader: CorpusReader) -> None:
    """By hand: complement A 3 - T 6, C 4 - G 5, N 7 stays; labels stay on their bases."""
    epochs, flips = 40, []
    plain = WindowStream(reader, WINDOWS, seed=1)
    both = WindowStream(reader, WINDOWS, seed=1, reverse_complement=True)
    other = {3: 6, 4: 5, 5: 4, 6: 3, 7: 7}
    for before, after in islice(zip(plain, both, strict=True), epochs):
        for ids, regions, new, labels in zip(
            *before.values(), *after.values(), strict=True
        ):  # ids and regions of both
            flipped = [other[base] for base in ids[::-1].tolist()]
            flips.append(new.tolist() != ids.tolist())
            assert new.tolist() == (flipped if flips[-1] else ids.tolist())
            assert labels.tolist() == (regions[::-1] if flips[-1] else regions).tolist()
    share = np.mean(flips)  # of 560 windows, four standard deviations around 1/2
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(flips))
    of_window = np.reshape(flips, (epochs, WINDOWS))
    assert len({tuple(row) for row in of_window.tolist()}) == epochs  # drawn anew every epoch


def test_only_one_buffer_is_read_at_a_time(
    reader: CorpusReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three buffers of an epoch is read once, also by several threads."""
    for workers in (0, 1, 3):
        stream, read = WindowStream(reader, batch=1), []
        load = stream._load
        monkeypatch.setattr(
            stream, "_load", lambda plan, load=load, read=read: read.append(plan) or load(plan)
        )
        with prefetched(stream, workers, depth=1) as batches:
            rows_of(batches, WINDOWS)
            assert len(stream._buffers) <= 2
        assert [(p.epoch, p.number) for p in read][:3] == [(0, 0), (0, 1), (0, 2)]
        assert len(read) <= 4  # the fourth where the next epoch was read ahead


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_error_of_a_thread_arrives_with_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(streams, "BUFFER_BP", 2 * 3 * LENGTH)
    stream = WindowStream(CorpusReader(write_corpus(tmp_path)), batch=1, seed=1)
    buffers = [stream.order.buffer(0, number) for number in range(3)]
    first = next(b for b in buffers if 2 in b.files)
    path = tmp_path / "shard-2.parquet"
    data = path.read_bytes()
    path.unlink()
    with prefetched(stream, workers, depth=2) as batches:
        rows_of(batches, first.begin) if first.begin else None
        for _ in range(2):  # the same again, no window is skipped
            with pytest.raises(GenezipError, match=r"shard-2\.parquet does not exist"):
                batches.next_batch()
            assert batches.state_dict()["window"] == first.begin
        path.write_bytes(data)
        rest = rows_of(batches, WINDOWS - first.begin)
    whole = rows_of(WindowStream(stream.reader, 1, seed=1), WINDOWS)
    assert np.array_equal(rest, whole[first.begin :])


@pytest.mark.parametrize("error", [KeyboardInterrupt, GenezipError])
def test_no_thread_outlives_its_block(reader: CorpusReader, error: type[BaseException]) -> None:
    before = threading.active_count()
    with (
        pytest.raises(error),
        prefetched(WindowStream(reader, batch=2), workers=3, depth=8) as batches,
    ):
        batches.next_batch()
        assert threading.active_count() > before
        raise error
    assert threading.active_count() == before


def test_a_checkpoint_of_other_windows(reader: CorpusReader) -> None:
    state = WindowStream(reader, 8, seed=0).state_dict()
    with pytest.raises(GenezipError, match="another seed of training windows"):
        WindowStream(reader, 8, seed=1).load_state_dict(state)
    with pytest.raises(GenezipError, match="another reverse_complement of"):
        WindowStream(reader, 8, reverse_complement=True).load_state_dict(state)
    for name, value in (("corpus", "0"), ("split", "valid")):
        with pytest.raises(GenezipError, match=f"another {name} of"):
            WindowStream(reader, 8).load_state_dict({**state, name: value})
    stream = WindowStream(reader, 8)
    stream.next_batch()
    for name, value in (("row", state["row"] + 1), ("shard", "?"), ("window", WINDOWS)):
        with pytest.raises(GenezipError, match="another order of"):
            stream.load_state_dict({**state, name: value})
    assert stream.state_dict()["window"] == 8  # it stays where it was
    before_this_version = {"epoch": 0, "position": 8, "seed": 0, "split": "train", "corpus": "old"}
    with pytest.raises(GenezipError, match="another corpus of"):
        stream.load_state_dict(before_this_version)


def test_a_shard_of_another_corpus(tmp_path: Path) -> None:
    path = write_corpus(tmp_path)
    for change, message in (
        ({"rows": 5}, "7 rows, the manifest lists 5"),
        ({"row_group_rows": 2}, "3 rows in a row group, the manifest lists 2"),
    ):
        manifest = json.loads(path.read_text())
        manifest["files"][0] |= change
        (tmp_path / "other.json").write_text(json.dumps(manifest))
        with pytest.raises(GenezipError, match=rf"shard-0\.parquet has {message}"):
            WindowStream(CorpusReader(tmp_path / "other.json"), 14).next_batch()
    (tmp_path / "other.json").write_text(path.read_text().replace('"plan"', '"plan": "b", "x"', 1))
    with pytest.raises(GenezipError, match=r"shard-\d\.parquet was written from another plan"):
        WindowStream(CorpusReader(tmp_path / "other.json"), 14).next_batch()


def test_a_split_without_windows(reader: CorpusReader) -> None:
    with pytest.raises(GenezipError, match="has no test windows"):
        WindowStream(reader, 8, split="test")
    with pytest.raises(ValueError, match="batch must be at least 1"):
        WindowStream(reader, 0)


@pytest.mark.parametrize("bases", [1, 15, 16, 100, 10_000])
def test_a_sample_has_so_many_known_bases(reader: CorpusReader, bases: int) -> None:
    """In the order of training, no window twice; the last window ends with the last base."""
    found = list(sampled(reader, bases, seed=5))
    together = np.concatenate(found)
    order = rows_of(WindowStream(reader, batch=1, seed=5), WINDOWS)[:, :LENGTH].reshape(-1)
    assert together.tolist() == order[: len(together)].tolist()
    known = is_base(together).sum()
    assert known == min(bases, is_base(order).sum())
    assert bases > known or is_base(together[-1])
    assert any(is_base(one).sum() != LENGTH for one in sampled(reader, 10_000, 5))  # there is N


def test_another_seed_is_another_sample(reader: CorpusReader) -> None:
    one, other = (np.concatenate(list(sampled(reader, 100, seed))) for seed in (0, 1))
    assert one.tolist() != other.tolist()
