"""What a user names is opened once; what cannot be is one sentence."""

import errno
import gzip
import hashlib
import os
import tempfile
import threading
from pathlib import Path

import pytest

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.formats.fasta import open_fasta, read_records
from genezip.formats.input_file import InputFile, is_pipe, need_regular
from genezip.formats.lines import TextFile, name_of
from genezip.genome.sources.layout import Draft
from genezip.genome.sources.user_files import fetch_user_files


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"none does not exist; name a file with rows"):
        TextFile(tmp_path / "none")
    with pytest.raises(GenezipError, match=r"is a folder; name a file"):
        TextFile(tmp_path)
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0)
    if os.geteuid():  # root reads everything
        with pytest.raises(GenezipError, match=r"may not be read \(permission denied\)"):
            TextFile(tmp_path / "a")


def test_a_pipe_is_opened_once_and_walked_twice(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b"a\n#b\nc\n"),))
    writer.start()
    with TextFile(path) as file:
        writer.join(timeout=30)
        assert list(file.rows()) == [(1, "a"), (3, "c")]
        assert list(file.rows()) == [(1, "a"), (3, "c")]
        assert file.name == str(file) == str(path)


def test_records_of_a_pipe_are_read_in_one_pass(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b">a\nAC\nGT\n"),))
    writer.start()
    assert list(read_records(path)) == [("a", b"ACGT")]
    writer.join(timeout=30)


def test_what_is_read_from_any_place_is_no_pipe(tmp_path: Path) -> None:
    """Nobody writes into this pipe: who opened it would wait for ever."""
    path = tmp_path / "genome.fa"
    os.mkfifo(path)
    sentence = r"the FASTA .* is a pipe or device, which cannot be read twice .*; write it to"
    with pytest.raises(GenezipError, match=sentence):
        open_fasta(path)
    settings = Genome.model_validate(
        {"sources": ["files"], "test": [], "fasta": "genome.fa", "annotation": "genes.gtf"}
    )
    with pytest.raises(GenezipError, match=sentence):
        fetch_user_files(Draft(tmp_path / "out"), tmp_path, settings)
    with pytest.raises(GenezipError, match=r"the FASTA .* is a folder; name another"):
        need_regular(tmp_path, "the FASTA", "name another")
    with pytest.raises(GenezipError, match=r"the FASTA .*none does not exist; name another"):
        need_regular(tmp_path / "none", "the FASTA", "name another")


def test_names_in_messages(tmp_path: Path) -> None:
    (tmp_path / "a.bed").write_text("a\n")
    assert name_of(tmp_path / "a.bed") == "a.bed"
    assert name_of(str(tmp_path / "a.bed")) == "a.bed"
    assert name_of("-") == name_of("/dev/stdin") == "standard input"
    assert name_of("/dev/null") == "/dev/null"
    assert all(map(is_pipe, ("-", "/dev/stdin", "/dev/fd/7", "/proc/self/fd/0", "/dev/null")))
    assert not is_pipe(tmp_path) and not is_pipe(tmp_path / "a.bed")
    with TextFile(tmp_path / "a.bed") as file:
        assert (name_of(file), str(file)) == ("a.bed", str(tmp_path / "a.bed"))


def test_a_pipe_that_cannot_be_kept_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(GenezipError, match=r"/dev/null cannot be kept in .*none \(No such file"):
        InputFile("/dev/null")


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_descriptor_is_read_from_where_it_stands(tmp_path: Path, name: str) -> None:
    """``7< file``: the same on systems where a second opening begins anew and where it does not."""
    if not name.startswith("/dev") and not Path("/proc/self/fd").exists():
        pytest.skip("this system has no /proc")
    (tmp_path / "a.bed").write_text("head\nc\t1\t2\n")
    with open(tmp_path / "a.bed", "rb", buffering=0) as held:
        held.read(5)
        (tmp_path / "link").symlink_to(f"/proc/self/fd/{held.fileno()}")
        path = tmp_path / name if name == "link" else Path(name.format(held.fileno()))
        assert is_pipe(path)
        with TextFile(path) as file:
            assert list(file.rows()) == list(file.rows()) == [(1, "c\t1\t2")]
            assert file.name == str(path)
        with pytest.raises(GenezipError, match="is a pipe or device, which cannot be read twice"):
            need_regular(path, "the FASTA", "name another")
    with pytest.raises(GenezipError, match="cannot be read: Bad file descriptor; name a file"):
        TextFile(f"/dev/fd/{os.sysconf('SC_OPEN_MAX') - 1}")


def test_what_is_kept_has_no_name(tmp_path: Path) -> None:
    """Nothing is left of it, however the process ends."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(b"a\n",)).start()
    with InputFile(path, folder=tmp_path / "not" / "yet") as file:
        assert not file.regular and file.sha256() == hashlib.sha256(b"a\n").hexdigest()
        assert [item.name for item in tmp_path.iterdir()] == ["pipe"]


def test_a_folder_that_cannot_keep_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    message = (
        rf"/dev/null cannot be kept in {tmp_path} \(No space .*; write it .* choose a folder with"
    )
    with pytest.raises(GenezipError, match=message):
        InputFile("/dev/null", folder=tmp_path)
