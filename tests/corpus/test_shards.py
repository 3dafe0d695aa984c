"""Shards: what is stored is what is read, and every damage is named with the file."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit.region_classes import with_enhancer

from genezip.alphabet import encode
from genezip.artifacts.tables import head_metadata
from genezip.corpus.shards import (
    SHARD_SCHEMA,
    Head,
    RowGroup,
    decode,
    open_shard,
    read_shard,
    row_group_rows,
)
from genezip.errors import GenezipError
from genezip.region_classes import GENE7, RegionClasses

ENHANCER = with_enhancer(target_bpt=32.0)
WINDOWS = {
    "chrom": ["a", "a", "b", "b", "c"],
    "start": [0, 8, 0, 2, 100],
    "end": [8, 16, 8, 10, 104],
    "strand": ["+"] * 5,
    "piece": ["a1", "a1", "b1", "b1", "c1"],
    "split": ["train"] * 5,
    "sampling_mode": ["uniform", "tss", "cds", "tss", "uniform"],
    "n_fraction": [0.125, 0, 0, 0, 0.5],
    "sequence": [b"ACGTNACG", b"AAAAAAAA", b"CCCCCCCC", b"TTTTGGGG", b"GATCNNNN"],
    "region_lengths": [[8], [2, 6], [1, 1, 6], [8], [4, 4]],
    "region_classes": [[5], [0, 1], [0, 4, 3], [2], [6, 6]],
}


def write(
    path: Path,
    known: RegionClasses = GENE7,
    group_rows: int = 2,
    stored: int = 2,
    **columns: list,
) -> Path:
    """The five windows (or changed columns) in row groups of ``stored`` windows."""
    head = Head("train", 8, group_rows, known, "the plan", "the map")
    schema = SHARD_SCHEMA.with_metadata(head_metadata(head.to_json()))
    table = pa.table({**WINDOWS, **columns}, schema=schema)
    pq.write_table(table, path, row_group_size=stored, compression="zstd", write_page_checksum=True)
    return path


def change(name: str, row: int, value: object) -> dict[str, list]:
    cells = list(WINDOWS[name])
    cells[row] = value
    return {name: cells}


def test_a_shard_is_read_as_it_was_written(tmp_path: Path) -> None:
    shard = read_shard(write(tmp_path / "s.parquet"))
    assert shard.ids.tolist() == [
        [3, 4, 5, 6, 7, 3, 4, 5], [3] * 8, [4] * 8, [6] * 4 + [5] * 4, [5, 3, 6, 4] + [7] * 4
    ]  # fmt: skip
    assert shard.regions.tolist() == [
        [5] * 8, [0] * 2 + [1] * 6, [0, 4] + [3] * 6, [2] * 8, [6] * 8
    ]  # fmt: skip
    assert shard.ids.dtype == shard.regions.dtype == np.uint8
    assert shard.table.to_dict("list") == {name: WINDOWS[name] for name in SHARD_SCHEMA.names[:8]}


def test_row_groups_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet")
    shard = read_shard(path)
    with open_shard(path) as file:
        assert (file.rows, file.groups) == (5, 3)
        assert file.head == Head("train", 8, 2, GENE7, "the plan", "the map")
        order = [4, 1, 0, 3, 2, 1]
        ids, regions = decode([(file.read(row // 2), row % 2) for row in order])
        assert [len(file.read(group)) for group in range(3)] == [2, 2, 1]
    assert np.array_equal(ids, shard.ids[order])
    assert np.array_equal(regions, shard.regions[order])
    assert ids.flags.writeable and regions.flags.writeable


@given(seed=st.integers(0, 2**32), rows=st.integers(1, 9), length=st.integers(1, 70))
@settings(deadline=None, max_examples=60)
def test_decoding_equals_letter_by_letter_and_run_by_run(seed: int, rows: int, length: int) -> None:
    rng = np.random.default_rng(seed)
    runs = [np.diff([0, *np.flatnonzero(rng.random(length - 1) < 0.2) + 1, length])] * rows
    group = RowGroup(
        path=Path("s.parquet"),
        codes=np.frombuffer(b"ACGTN", dtype=np.uint8)[rng.integers(5, size=(rows, length))],
        offsets=np.cumsum([0, *map(len, runs)]),
        lengths=np.concatenate(runs).astype(np.int32),
        classes=rng.integers(7, size=sum(map(len, runs))).astype(np.uint8),
    )
    wanted = rng.integers(rows, size=12).tolist()
    ids, regions = decode([(group, row) for row in wanted])
    for line, row in enumerate(wanted):
        assert ids[line].tolist() == encode(group.codes[row].tobytes()).tolist()
        labels: list[int] = []
        for run in range(group.offsets[row], group.offsets[row + 1]):
            labels += [int(group.classes[run])] * int(group.lengths[run])
        assert regions[line].tolist() == labels


def test_a_full_row_group_holds_about_a_megabase() -> None:
    assert [row_group_rows(bp) for bp in (64, 12_800, 1 << 20, 1 << 21)] == [16_384, 81, 1, 1]


def test_classes_are_those_of_the_head(tmp_path: Path) -> None:
    own = change("region_classes", 1, [7, 7])
    assert read_shard(write(tmp_path / "own", ENHANCER, **own)).regions[1].tolist() == [7] * 8
    with open_shard(tmp_path / "own") as file:
        assert file.head.region_classes == ENHANCER
    with pytest.raises(GenezipError, match=r"seven holds region runs that do not tile .* 8 bp"):
        read_shard(write(tmp_path / "seven", GENE7, **own))


@pytest.mark.parametrize(
    ("lengths", "classes"),
    [
        ([7], [5]),  # one base short
        ([8, 1], [5, 5]),  # one too many
        ([4, 0, 4], [5, 4, 5]),  # an empty run
        ([9, -1], [5, 5]),  # a negative one
        ([4, 4], [5]),  # a run without class
        ([4, None, 4], [5, 4, 5]),  # a run without length
        (None, None),
        ([], []),
    ],
)
def test_runs_that_do_not_tile(tmp_path: Path, lengths: list | None, classes: list | None) -> None:
    columns = {**change("region_lengths", 3, lengths), **change("region_classes", 3, classes)}
    with pytest.raises(GenezipError, match=r"s\.parquet holds region runs that do not tile .* 8"):
        read_shard(write(tmp_path / "s.parquet", **columns))


@pytest.mark.parametrize("sequence", [b"ACGT", b"ACGTACGTA", b"", None])
def test_a_sequence_of_another_length(tmp_path: Path, sequence: bytes | None) -> None:
    with pytest.raises(GenezipError, match=r"s\.parquet holds a sequence that is not 8 bp long"):
        read_shard(write(tmp_path / "s.parquet", **change("sequence", 2, sequence)))


@pytest.mark.parametrize("letter", ["X", "a", "R", "\0", "\xff"])
def test_a_letter_that_is_none_of_five(tmp_path: Path, letter: str) -> None:
    sequence = b"ACGTAC" + letter.encode("latin-1") + b"T"
    with pytest.raises(GenezipError, match=r"s\.parquet holds the letter .* none of A, C, G, T, N"):
        read_shard(write(tmp_path / "s.parquet", **change("sequence", 4, sequence)))


@pytest.mark.parametrize("stored", [1, 3, 5])
def test_row_groups_of_another_size(tmp_path: Path, stored: int) -> None:
    with pytest.raises(GenezipError, match=r"s\.parquet has a row group without 2 rows"):
        read_shard(write(tmp_path / "s.parquet", stored=stored))


@pytest.mark.slow
def test_a_bit_turned_over_in_any_page_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet")
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little")
    same = 0
    for place in range(4, len(whole) - 8 - footer, 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            shard = read_shard(path)
        except GenezipError as error:
            assert "s.parquet" in str(error)
        else:  # the bit belongs to a field that no reader needs
            same += 1
            path.write_bytes(whole)
            assert np.array_equal(shard.ids, read_shard(path).ids)
            assert np.array_equal(shard.regions, read_shard(path).regions)
    assert same < 0.5 * len(range(4, len(whole) - 8 - footer, 7))


def test_files_that_are_no_shards(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    with pytest.raises(GenezipError, match=r"s\.parquet does not exist; build"):
        read_shard(path)
    path.write_bytes(b"text")
    with pytest.raises(GenezipError, match=r"s\.parquet cannot be read"):
        read_shard(path)
    old = SHARD_SCHEMA.with_metadata({b"genezip": json.dumps({"schema_version": 1}).encode()})
    other = pa.table({"a": [1]}).replace_schema_metadata(
        head_metadata(Head("train", 8, 2, GENE7, "p", "m").to_json())
    )
    head = Head("train", 8, 2, GENE7, "p", "m").to_json()
    classless, headless = (
        SHARD_SCHEMA.with_metadata(head_metadata(head | {"classes": wrong} if wrong else {}))
        for wrong in ([{"name": 3}], None)
    )
    foreign = "is not a corpus shard; build the corpus again"
    for table, sentence in (
        (pa.table(WINDOWS, schema=old), "has schema_version 1, this genezip reads 2; build"),
        (pa.table(WINDOWS, schema=classless), foreign),
        (pa.table(WINDOWS, schema=headless), foreign),
        (pa.table({"a": [1]}), foreign),
        (other, foreign),
    ):
        pq.write_table(table, path)
        with pytest.raises(GenezipError, match=rf"s\.parquet {sentence}"):
            read_shard(path)
