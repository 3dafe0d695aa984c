"""A FASTA of any packing becomes a plain one with its index."""

import gzip
import os
from pathlib import Path

import pyfaidx
import pytest
from Bio import bgzf

from genezip.errors import GenezipError
from genezip.formats import fasta
from genezip.formats.fasta import open_fasta, unpack_fasta

# two chromosomes of 70 and 7 letters, mixed case, an ambiguity code
TEXT = b">chr1 first\n" + b"ACGTacgtnN" * 5 + b"\n" + b"ACGTacgtRN" * 2 + b"\n>chr2\nacgtnnA\n"
CHR1 = "ACGTacgtnN" * 5 + "ACGTacgtRN" * 2


def gz(text: bytes) -> bytes:
    """Gzip without a date: equal text is equal bytes, also as the name of a test."""
    return gzip.compress(text, mtime=0)


def packed(path: Path, kind: str) -> Path:
    if kind == "gzip":
        path.write_bytes(gz(TEXT))
    elif kind == "bgzip":
        with bgzf.BgzfWriter(str(path)) as handle:
            handle.write(TEXT)
    else:
        path.write_bytes(TEXT)
    return path


@pytest.mark.parametrize("kind", ["gzip", "bgzip", "plain"])
def test_letters_keep_their_case_and_the_index_is_right(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "new" / "hg38.fa"
    unpack_fasta(packed(tmp_path / "hg38.fa.gz", kind), out)
    names = {path.name for path in out.parent.iterdir()}
    assert names == {"hg38.fa", "hg38.fa.fai"}
    found = open_fasta(out)
    assert found["chr1"][:] == CHR1
    assert found["chr2"][:] == "acgtnnA"
    written = (tmp_path / "new" / "hg38.fa.fai").read_bytes()
    (tmp_path / "new" / "hg38.fa.fai").unlink()
    pyfaidx.Faidx(str(out))  # the same index from the file itself
    assert (tmp_path / "new" / "hg38.fa.fai").read_bytes() == written


def test_a_plain_fasta_is_linked_and_not_copied(tmp_path: Path) -> None:
    source = packed(tmp_path / "source.fa", "plain")
    out = tmp_path / "new" / "hg38.fa"
    unpack_fasta(source, out)
    assert out.is_symlink() and out.resolve() == source.resolve()
    assert not out.readlink().is_absolute()
    unpack_fasta(source, out)  # again, over the link
    assert out.resolve() == source.resolve() and source.read_bytes() == TEXT


def test_a_link_to_another_file_is_not_written_through(tmp_path: Path) -> None:
    """It may be one that was made here for an earlier deposit."""
    old, new = packed(tmp_path / "old.fa", "plain"), packed(tmp_path / "new.fa.gz", "gzip")
    out = tmp_path / "out.fa"
    unpack_fasta(old, out)
    other = tmp_path / "other.fa"
    other.write_bytes(b">x\nACGT\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for source in (new, other):
        with pytest.raises(GenezipError, match=r"out.fa is a link to .*old.fa; remove it"):
            unpack_fasta(source, out)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert out.is_symlink()


@pytest.mark.parametrize("kind", ["gzip", "plain"])
def test_a_dangling_link_is_followed(tmp_path: Path, kind: str) -> None:
    source = packed(tmp_path / "source.fa", kind)
    (tmp_path / "out.fa").symlink_to("far/hg38.fa")
    unpack_fasta(source, tmp_path / "out.fa")
    assert (tmp_path / "out.fa").readlink() == Path("far/hg38.fa")
    assert open_fasta(tmp_path / "out.fa")["chr1"][:] == CHR1
    assert source.stat().st_size == len(TEXT) or kind == "gzip"


def test_a_pipe_has_no_index_beside_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(GenezipError, match="is a pipe or device, and this output is read again"):
        unpack_fasta(packed(tmp_path / "source.fa", "plain"), tmp_path / "pipe")
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "source.fa"}


def test_without_links_a_plain_fasta_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(fasta.Path, "symlink_to", refused)
    out = tmp_path / "new" / "hg38.fa"
    unpack_fasta(packed(tmp_path / "source.fa", "plain"), out)
    assert not out.is_symlink() and out.read_bytes() == TEXT


def test_an_old_index_does_not_stay(tmp_path: Path) -> None:
    out = tmp_path / "hg38.fa"
    (tmp_path / "hg38.fa.fai").write_text("chr9\t5\t6\t5\t6\n")
    unpack_fasta(packed(tmp_path / "hg38.fa.gz", "gzip"), out)
    assert list(open_fasta(out).keys()) == ["chr1", "chr2"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (gz(TEXT)[:-12], "is a truncated or broken gzip file"),
        (gz(b"ACGT\n"), "is not a FASTA: it does not begin with '>'"),
        (gz(b""), "has no record"),
        (gz(b">a\nA\n>a\nC\n"), "has the record a twice"),
        (b">a\nAC\nACG\nA\n", r"hg38.fa.gz cannot be indexed"),
        (gz(b">a\n>b\nACGT\n"), r"record a of .*hg38.fa.gz has no bases; remove it"),
        (gz(b">b\nACGT\n>a\n"), r"record a of .*hg38.fa.gz has no bases; remove it"),
        (gz(b">a\nAC@T\n"), r"record a of .*hg38.fa.gz.*'@' at position 2, which"),
    ],
)
def test_a_damaged_file_leaves_what_was_there(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    source, out = tmp_path / "hg38.fa.gz", tmp_path / "new" / "hg38.fa"
    unpack_fasta(packed(tmp_path / "good.gz", "gzip"), out)
    before = {path.name: path.read_bytes() for path in out.parent.iterdir()}
    source.write_bytes(content)
    with pytest.raises(GenezipError, match=sentence) as caught:
        unpack_fasta(source, out)
    assert str(out) not in str(caught.value) and ".part" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == before


def test_a_letter_is_named_by_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fasta, "_BLOCK_BP", 3)
    source = tmp_path / "hg38.fa.gz"
    source.write_bytes(gz(b">a\nACGTACG!\n"))
    with pytest.raises(GenezipError, match=r"from base 6 on, has the letter '!' at position 1"):
        unpack_fasta(source, tmp_path / "out.fa")
    source.write_bytes(gz(TEXT))
    unpack_fasta(source, tmp_path / "out.fa")
    assert open_fasta(tmp_path / "out.fa")["chr1"][:] == CHR1


def test_a_missing_file_and_the_file_itself_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"none.fa does not exist"):
        unpack_fasta(tmp_path / "none.fa", tmp_path / "out.fa")
    source = packed(tmp_path / "source.fa", "plain")
    with pytest.raises(GenezipError, match=r"is the FASTA itself; name another"):
        unpack_fasta(source, source)
    assert source.read_bytes() == TEXT
