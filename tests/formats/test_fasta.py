"""FASTA streams: any packing, any line length, constant windows."""

import gzip
import hashlib
from pathlib import Path

import pytest

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.formats import fasta as fasta_module
from genezip.formats.fasta import FastaStream, read_records

TEXT = b">one first record\nACGT\nacgn\nRY\n\n>two\nTTTTTTTTTTT\n"


def windows(path: Path, window_bp: int) -> list[tuple[str, int, bytes]]:
    with FastaStream(path) as fasta:
        return [(name, start, decode(ids)) for name, start, ids in fasta.windows(window_bp)]


@pytest.mark.parametrize("packing", ["plain", "gzip", "two gzip members"])
def test_windows_by_hand(tmp_path: Path, packing: str) -> None:
    path = tmp_path / "x.fa"
    data = {
        "plain": TEXT,
        "gzip": gzip.compress(TEXT),
        "two gzip members": gzip.compress(TEXT[:20]) + gzip.compress(TEXT[20:]),  # as bgzip
    }[packing]
    path.write_bytes(data)
    with FastaStream(path) as fasta:
        assert fasta.lengths == {"one": 10, "two": 11}
        assert fasta.sha256() == hashlib.sha256(data).hexdigest()
    assert windows(path, 4) == [
        ("one", 0, b"ACGT"),
        ("one", 4, b"ACGN"),
        ("one", 8, b"NN"),
        ("two", 0, b"TTTT"),
        ("two", 4, b"TTTT"),
        ("two", 8, b"TTT"),
    ]
    assert windows(path, 100) == [("one", 0, b"ACGTACGNNN"), ("two", 0, b"TTTTTTTTTTT")]


def test_long_lines_come_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(b">a\n" + b"ACGGT" * 100 + b"\n")
    whole = windows(path, 37)
    monkeypatch.setattr(fasta_module, "BLOCK_BYTES", 7)
    assert windows(path, 37) == whole
    assert b"".join(bases for _, _, bases in whole) == b"ACGGT" * 100


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 13, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_blocks_end_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int, end: bytes
) -> None:
    monkeypatch.setattr(fasta_module, "BLOCK_BYTES", block)
    path = tmp_path / "x.fa"
    for text in (TEXT, TEXT.rstrip()):
        path.write_bytes(b"\n \n" + text.replace(b"\n", end))
        assert list(read_records(path)) == [("one", b"ACGTacgnRY"), ("two", b"T" * 11)]
        assert windows(path, 5) == [
            ("one", 0, b"ACGTA"),
            ("one", 5, b"CGNNN"),
            ("two", 0, b"TTTTT"),
            ("two", 5, b"TTTTT"),
            ("two", 10, b"T"),
        ]


def test_a_part_of_a_long_line_is_no_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.fa").write_bytes(b">a\n" + b"AC>GT" * 9 + b"\n>b\nC\n")
    for block in range(1, 60):
        monkeypatch.setattr(fasta_module, "BLOCK_BYTES", block)
        assert list(read_records(tmp_path / "x.fa")) == [("a", b"AC>GT" * 9), ("b", b"C")]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "holds no FASTA record"),
        (b"ACGT\n", "does not begin with '>'"),
        (b">a\nACGT\n>a\nAC\n", "two records named 'a'"),
        (b">a\n>b\nAC\n", "record 'a' .* has no bases"),
        (b">a\nACGT\nAC!T\n", r"record 'a' .* from base 4, has the letter '!' at position 2"),
        (gzip.compress(TEXT * 50, mtime=0)[:-30], "truncated or broken gzip"),
        (b">\nACGT\n", "record without a name"),
    ],
)
def test_wrong_files(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "x.fa"
    path.write_bytes(data)
    with pytest.raises(GenezipError, match=sentence):
        FastaStream(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match="does not exist"):
        FastaStream(tmp_path / "no.fa")
    with pytest.raises(GenezipError, match="is a folder"):
        FastaStream(tmp_path)
