"""Lines of users' files: the fast blocks see what the line walker sees, on any dirty text."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genezip.errors import GenezipError
from genezip.formats.lines import TextFile, is_row

BITS = [
    b"chr1\t5", b"\t", b" ", b"\x0b", b"#", b"##FASTA", b"##fasta ", b"##FASTA2", b">", b"\n",
    b"\r", b"\r\n", b"\n\n", b"track", b"browser", b"track\t", b"browser_2", b"trac", b"b", b"t",
    b"\xef\xbb\xbf", "é".encode(), b"\xe9", b"\n#x\ty\n", b"\n track \n", b"a", b"\x85", b"\xa0",
]  # fmt: skip
DIRTY = st.lists(st.sampled_from(BITS), max_size=30).map(b"".join)

Seen = tuple[list[tuple[int, str]], str]


def walked(path: Path, fasta: bool, fast: int | None) -> Seen:
    """Rows of a file, and the refusal that ended it if there was one."""
    rows: list[tuple[int, str]] = []
    try:
        with TextFile(path) as file:
            if fast is None:
                rows.extend(file.rows(fasta))
            else:
                for block in file.blocks(fasta, fast):
                    assert len(block.numbers) == block.data.count(b"\n") > 0
                    rows.extend(block.rows())
    except GenezipError as error:
        return rows, str(error)
    return rows, ""


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=DIRTY, size=st.integers(1, 40), fasta=st.booleans(), packed=st.booleans())
def test_blocks_hold_the_rows_of_the_walker(
    tmp_path: Path, data: bytes, size: int, fasta: bool, packed: bool
) -> None:
    path = tmp_path / "dirty"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    assert walked(path, fasta, size) == walked(path, fasta, None)


def rows_of(path: Path, data: bytes, fasta: bool = False) -> list[tuple[int, str]]:
    """Rows as the walker and as blocks of any small size see them."""
    path.write_bytes(data)
    rows, refused = walked(path, fasta, None)
    assert not refused
    for size in (*range(1, 20), 1 << 20):
        assert walked(path, fasta, size) == (rows, "")
    return rows


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a\n#b\tc\nd\n", [(1, "a"), (3, "d")]),  # a commented-out row
        (b"# head\n  # note\n\n \t\na", [(5, "a")]),  # blank lines; no end at the end
        (b"track name=x\nbrowser\ntrack\tx\na\ntrack\n", [(4, "a")]),
        (b"track1\t5\nbrowser_2\t5\ntrack.1\t3\n", [(1, "track1\t5"), (2, "browser_2\t5"),
                                                   (3, "track.1\t3")]),
        (b"tig1\t5\nb\nt\n", [(1, "tig1\t5"), (2, "b"), (3, "t")]),
        (b"\xef\xbb\xbf#a\n\xef\xbb\xbfb\n", [(2, "b")]),  # two files with marks, joined
        (b"a\r\n#b\r\nc\r\n", [(1, "a"), (3, "c")]),
        (b"a\r#b\rc", [(1, "a"), (3, "c")]),
        (b"a\r\r\nb\r\r\n", [(1, "a"), (2, "b")]),
        ("é\tü\n".encode(), [(1, "é\tü")]),
    ],
)  # fmt: skip
def test_what_is_a_row(tmp_path: Path, data: bytes, rows: list[tuple[int, str]]) -> None:
    assert rows_of(tmp_path / "a", data) == rows
    assert rows_of(tmp_path / "a", gzip.compress(data, mtime=0)) == rows
    # members of gzip, and the zeros with which tar fills its last block
    two = gzip.compress(data[:5], mtime=0) + gzip.compress(data[5:])
    assert rows_of(tmp_path / "a", two + bytes(512)) == rows


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"a\n##FASTA\n>x\nACGT\n", [(1, "a")]),
        (b"a\n>x\nACGT\nb\n", [(1, "a")]),
        (b"##FASTA was removed\na\n", [(2, "a")]),
        (b"a\n##FASTA \r\nb\xff\0\n", [(1, "a")]),
    ],
)
def test_rows_end_where_a_fasta_begins(
    tmp_path: Path, data: bytes, rows: list[tuple[int, str]]
) -> None:
    assert rows_of(tmp_path / "a", data, fasta=True) == rows


def test_a_line_that_begins_like_fasta_is_a_row_elsewhere(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "a", b">a\n") == [(1, ">a")]


def test_latin_1_is_read_and_told_once(tmp_path: Path, messages: Callable[[], list[str]]) -> None:
    path = tmp_path / "a.gtf"
    path.write_bytes("é\n".encode() + b"\xe9\n" * 3)
    with TextFile(path) as file:
        assert list(file.rows()) == [(1, "é"), (2, "é"), (3, "é"), (4, "é")]
        assert [row for block in file.blocks(size=4) for row in block.rows()] == list(file.rows())
    assert messages() == [f"line 2 of {path} is not UTF-8; such lines are read as Latin-1"]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty; name a file with rows"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"\n \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        ("a\tb\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("a\tb\n".encode("utf-16-be"), "line 1 of .* has a NUL byte"),
        (b"a\nb\0\n", "line 2 of .* has a NUL byte"),
        (gzip.compress(b"a\n" * 999, mtime=0)[:-9], "is a truncated or broken gzip file"),
        (gzip.compress(b"a\n", mtime=0) + b"rubbish", "is a truncated or broken gzip file"),
        (
            gzip.compress(b"a\n>x\n" + b"AC\n" * 999, mtime=0)[:-1],
            "is a truncated or broken gzip file",
        ),
        (gzip.compress(gzip.compress(b"a\n", mtime=0), mtime=0), "is packed with gzip twice"),
        (b"BZh91AY&SY", "is packed with bzip2"),
        (b"PK\x03\x04", "is a zip archive"),
    ],
)
def test_what_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    read: list[Callable[[TextFile], object]] = [
        lambda file: list(file.rows(fasta=True)),
        lambda file: list(file.blocks(fasta=True, size=3)),
    ]
    for walk in read:
        with TextFile(path) as file, pytest.raises(GenezipError, match=sentence):
            walk(file)


def test_two_walks_at_a_time_keep_their_places(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("".join(f"{number}\n" for number in range(9999)))
    with TextFile(tmp_path / "a") as file:
        one, other = file.rows(), file.rows()
        assert all(next(other) == row for row in one)


@pytest.mark.parametrize("word", ["track", "browser"])
def test_words_of_browsers(word: str) -> None:
    assert not any(map(is_row, (word, f"{word} a", f"{word}\ta")))
    assert all(map(is_row, (f"{word}1", f"{word}-a", f"{word}s\t1", word[:-1], f"a{word} ")))
