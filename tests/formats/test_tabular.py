"""Tables: the fast reader, the sentence that explains its failures, and line numbers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from genezip.errors import GenezipError
from genezip.formats import lines
from genezip.formats.tabular import TabularFormat

TYPES = {"chrom": pa.string(), "start": pa.int64(), "score": pa.float64(), "note": None}


def wrong(fields: list[str]) -> str | None:
    return "chrom '?' (column 1) is not a name" if fields[0] == "?" else None


FORMAT = TabularFormat(TYPES, wrong)
WITH_FASTA = TabularFormat(TYPES, wrong, fasta=True)


@pytest.fixture(params=[4, 1 << 20])
def small_blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row in a block of its own, and all rows in one."""
    monkeypatch.setattr(lines, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("a\t5.0\t1\tx", "start '5.0' (column 2) is not a whole number of at most 18 digits"),
        ("a\t5\tmany\tx", "score 'many' (column 3) is not a number"),
        ("a\t5\tnan\tx", "score 'nan' (column 3) is not a number"),
        ("a\t5\t-inf\tx", "score '-inf' (column 3) is not a number"),
        ("a\t5\t\tx", "score '' (column 3) is not a number"),
        ("a\t5\t1", "it has 3 tab-separated columns instead of 4"),
        ("a\t5\t1\tx\t", "it has 5 tab-separated columns instead of 4"),
        ("a", "it has 1 tab-separated columns instead of 4"),
    ],
)
def test_a_malformed_row_is_named_by_line_and_column(
    tmp_path: Path, row: str, sentence: str
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"# head\nb\t1\t2.5\t\n\n#a\t?\t?\t?\n{row}\nb\t1\n")
    with pytest.raises(GenezipError) as caught:
        FORMAT.read(path)
    assert str(caught.value) == f"line 5 of {path} is malformed: {sentence}; fix or remove it"


@pytest.mark.usefixtures("small_blocks")
def test_rows_keep_the_numbers_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("# head\na\t5\t1\tx\n\n#\tmore\tcells\t\nb\t7\t2\ty\nc\t8\t3\tz\n>x\nAC\t\n")

    def late(batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.filter(pc.greater(batch["start"], 5))

    table = WITH_FASTA.read(path, numbered=True)
    assert table.to_pydict() == {
        "chrom": ["a", "b", "c"],
        "start": [5, 7, 8],
        "score": [1.0, 2.0, 3.0],
        "line": [2, 5, 6],
    }
    assert table["line"].type == pa.int64()
    kept = WITH_FASTA.read(path, late, numbered=True)
    assert kept["line"].to_pylist() == [5, 6]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("# nothing\n")
    table = FORMAT.read(tmp_path / "a.tsv", numbered=True)
    assert table.schema == pa.schema(
        [("chrom", "string"), ("start", "int64"), ("score", "float64"), ("line", "int64")]
    )
    assert table.num_rows == 0


def test_a_row_longer_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1 << 10)
    (tmp_path / "a.tsv").write_text("a\t5\t1\t" + "x" * 10_000 + "\nb\t6\t1\t\n")
    assert FORMAT.read(tmp_path / "a.tsv")["start"].to_pylist() == [5, 6]


def test_explain_says_what_only_the_check_knows(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\t5\t1\t\n#?\t5\t1\t\n?\t5\t1\t\n")
    with pytest.raises(GenezipError, match=r"line 3 of .* chrom '\?' \(column 1\) is not a name"):
        FORMAT.explain(tmp_path / "a.tsv")
