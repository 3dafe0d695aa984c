"""Parquet with a head, and TSV."""

import gzip

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.artifacts.manifest import Kind
from genezip.artifacts.tables import (
    add_head,
    open_parquet,
    parquet_writer,
    read_head,
    read_parquet,
    read_tsv,
    write_parquet,
    write_tsv,
)
from genezip.errors import GenezipError

KIND = Kind("table of fruit", 1, "pick some first", "pick again")
TABLE = pa.table({"name": ["apple", "pear"], "n": [1, 2]})


def test_a_table_comes_back_with_its_head(tmp_path):
    path = tmp_path / "split=train" / "fruit.parquet"  # no partition, whatever the name says
    write_parquet(path, TABLE, KIND.head(colour="red"))
    table, head = read_parquet(path, KIND)
    assert table.to_pydict() == TABLE.to_pydict()
    assert head == {"schema_version": 1, "colour": "red"}
    assert read_parquet(path, KIND, ["n"])[0].column_names == ["n"]


def test_tables_one_after_the_other(tmp_path):
    path = tmp_path / "fruit.parquet"
    with parquet_writer(path, TABLE.schema, KIND.head()) as writer:
        writer.write_table(TABLE)
        writer.write_table(TABLE)
        assert not path.exists()
    assert read_parquet(path, KIND)[0].num_rows == 4


def test_a_head_that_is_known_at_the_end(tmp_path):
    path = tmp_path / "fruit.parquet"
    with parquet_writer(path, TABLE.schema, None) as writer:
        writer.write_table(TABLE)
        add_head(writer, KIND.head(colour="red"))
    assert read_head(path, KIND) == {"schema_version": 1, "colour": "red"}


def test_a_failed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "fruit.parquet"
    write_parquet(path, TABLE, KIND.head())
    before = path.read_bytes()
    with pytest.raises(RuntimeError), parquet_writer(path, TABLE.schema, KIND.head()) as writer:
        writer.write_table(TABLE)
        raise RuntimeError
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


def test_wrong_files_are_one_sentence(tmp_path):
    path = tmp_path / "fruit.parquet"
    with pytest.raises(GenezipError, match="does not exist; pick some first"):
        read_head(path, KIND)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(GenezipError, match=r"cannot be read .*; pick again"):
        read_head(path, KIND)
    pq.write_table(TABLE, path)
    with pytest.raises(GenezipError, match="is not a table of fruit; pick again"):
        read_head(path, KIND)
    write_parquet(path, TABLE, {"schema_version": 7})
    with pytest.raises(GenezipError, match="has schema_version 7, this genezip reads 1"):
        read_parquet(path, KIND)
    write_parquet(path, TABLE, KIND.head())
    with pytest.raises(GenezipError, match="lacks the column colour; pick again"):
        read_parquet(path, KIND, ["colour"])


def test_another_file_that_is_missing_is_not_blamed_on_the_table(tmp_path):
    path = tmp_path / "fruit.parquet"
    write_parquet(path, TABLE, KIND.head())
    with pytest.raises(FileNotFoundError), open_parquet(path, KIND):
        (tmp_path / "other").read_bytes()


def test_tsv(tmp_path):
    path = tmp_path / "fruit.tsv"
    write_tsv(path, pd.DataFrame({"name": ["1", None], "n": [1 / 3, 2.0]}))
    assert path.read_text() == "name\tn\n1\t0.333333\n\t2\n"
    frame = read_tsv(path, {"n"}, text=("name",))
    assert frame["name"][0] == "1" and frame["name"].isna()[1]
    with pytest.raises(GenezipError, match="lacks the columns colour; write it again"):
        read_tsv(path, {"n", "colour"})
    assert read_tsv(path, text=None)["n"].tolist() == ["0.333333", "2"]
    (tmp_path / "fruit.csv").write_text("name,n\nplum,3\n")
    assert read_tsv(tmp_path / "fruit.csv", {"n"}, separator=",")["n"].tolist() == [3]
    cut = tmp_path / "fruit.tsv.gz"
    cut.write_bytes(gzip.compress(path.read_bytes())[:-9])
    with pytest.raises(GenezipError, match=r"gz is not a readable table .*; write it again"):
        read_tsv(cut)
    path.write_text("")
    with pytest.raises(GenezipError, match=r"fruit\.tsv is empty; write it again"):
        read_tsv(path)
    path.unlink()
    with pytest.raises(GenezipError, match="does not exist; run the stage"):
        read_tsv(path)
