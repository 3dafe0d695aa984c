"""What the lock refuses, second servers, plans, room on the disk, and the table of sources."""

import gzip
import hashlib
import json
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genezip.download import SourceUnavailable, WrongFile
from genezip.download.catalogue import SOURCES, item, read_sources
from genezip.download.checksum import html_page
from genezip.download.plan import plan
from genezip.download.store import Store
from genezip.download.transfer import Http
from genezip.errors import GenezipError

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()
HTTP = Http(timeout_s=0.4, attempts=2, backoff_s=0.0, size_timeout_s=0.4)
Usage = namedtuple("Usage", "total used free")


def test_a_checksum_is_kept_beside_the_folder_of_downloads(at: Any, tmp_path: Path) -> None:
    assert at("x - plain r1 - -") == DATA
    lock = json.loads((tmp_path / "downloads.lock.json").read_text())
    assert lock["files"]["x | r1"]["sha256"] == SHA
    assert lock["files"]["x | r1"]["bytes"] == len(DATA)
    assert sorted(p.name for p in (tmp_path / "downloads").iterdir()) == ["plain"]


def test_a_file_that_is_there_is_not_asked_for(at: Any, server: Any) -> None:
    at("x - plain r1 - -")
    at("x - plain r1 - -")
    assert server.requests() == 1


@pytest.mark.parametrize("second", ["plain", "mirrored"])
def test_a_changed_file_is_refused_although_the_first_was_deleted(
    at: Any, server: Any, tmp_path: Path, second: str
) -> None:
    at("x f plain r1 - -")
    (tmp_path / "downloads" / "f").unlink()
    server.files[second] = b"changed" + DATA[7:]
    with pytest.raises(GenezipError, match="is another file than at the first") as error:
        at(f"x f {second} r1 - -")
    message = str(error.value)
    assert not isinstance(error.value, SourceUnavailable)
    assert str(tmp_path / "downloads.lock.json") in message
    assert "remove the entry 'x | r1' from the lock and run again" in message
    assert list((tmp_path / "downloads").iterdir()) == []
    assert at(f"x f {second} r2 - -") == server.files[second]  # a new release is a new file


def test_a_changed_file_on_a_server_leaves_the_old_one(
    at: Any, server: Any, tmp_path: Path
) -> None:
    at("x f plain r1 - -")
    (tmp_path / "downloads" / "f").write_bytes(b"altered by hand")
    server.files["plain"] = b"changed"
    with pytest.raises(GenezipError, match="another file"):
        at("x f plain r1 - -")
    assert (tmp_path / "downloads" / "f").read_bytes() == b"altered by hand"


@pytest.mark.parametrize("first", ["missing", "always-truncates", "silent"])
def test_the_second_server_stands_in(at: Any, server: Any, first: str) -> None:
    assert at(f"x f {first} r1 - -", "x f plain r1 - -") == DATA


def test_where_no_server_delivers_each_is_named(at: Any) -> None:
    with pytest.raises(SourceUnavailable, match=r"/missing answers HTTP 404; .*/always-truncates"):
        at("x f missing r1 - -", "x f always-truncates r1 - -")


def test_a_checksum_of_one_server_holds_for_the_other(at: Any, server: Any) -> None:
    assert at("x f missing r1 - -", "x f wrong r1 - -", f"x f plain r1 sha256:{SHA} -") == DATA
    assert server.seen["wrong"] == 2  # it was asked, and what it sent was not taken


@pytest.mark.parametrize("pins", [f"sha256:{SHA} -", "- 10240"])
def test_a_wrong_file_is_refused_only_where_no_server_has_the_right_one(
    at: Any, server: Any, tmp_path: Path, pins: str
) -> None:
    server.files |= {"wrong": b"short", "wrong2": b"short"}
    with pytest.raises(WrongFile, match=r"/wrong \(for f\) has .*; .*/missing answers HTTP 404"):
        at(f"x f wrong r1 {pins}", f"x f missing r1 {pins}", f"x f wrong2 r1 {pins}")
    assert list((tmp_path / "downloads").iterdir()) == []
    assert at(f"x f wrong r1 {pins}", f"x f plain r1 {pins}") == DATA


def test_what_differs_from_the_lock_is_refused_at_once(
    at: Any, server: Any, tmp_path: Path
) -> None:
    at("x f plain r1 - -")
    (tmp_path / "downloads" / "f").unlink()
    with pytest.raises(GenezipError, match="another file") as error:
        at("x f wrong r1 - -", "x f plain r1 - -")
    assert not isinstance(error.value, WrongFile)
    assert server.seen["plain"] == 1


def test_a_login_page_is_no_file(at: Any, server: Any, tmp_path: Path) -> None:
    server.files["login"] = b"\n<!DOCTYPE HTML>\n<html>log in to the network</html>"
    with pytest.raises(SourceUnavailable, match="/login is an HTML page instead of the file"):
        at("x f login r1 - -")
    assert not (tmp_path / "downloads.lock.json").exists()
    assert at("x f login r1 - -", "x f plain r1 - -") == DATA
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "g").write_bytes(server.files["login"])
    with pytest.raises(GenezipError, match=r"fetched/g \(for x\) is an HTML page"):
        at("x g login r2 - -", fetched=tmp_path / "fetched")


@pytest.mark.parametrize(
    ("data", "is_page"),
    [
        (b"<html>", True),
        (b"\xef\xbb\xbf <!-- a -->\n<!doctype html>", True),
        (b'<?xml version="1.0"?>\n<HTML lang="en">', True),
        (b"", False),
        (b"chr1\t0\t9\t<html>\n", False),
        (b'<?xml version="1.0"?><svg>', False),
        (b"<htmlx>", False),
    ],
)
def test_what_begins_as_a_page(tmp_path: Path, data: bytes, is_page: bool) -> None:
    (tmp_path / "f").write_bytes(data)
    assert (html_page(tmp_path / "f") is not None) == is_page


def test_an_index_is_read_to_its_end(at: Any, server: Any) -> None:
    server.files["x.tbi"] = gzip.compress(DATA)[:-9]
    with pytest.raises(SourceUnavailable, match=r"x\.tbi is a truncated or damaged gzip file"):
        at("x - x.tbi r1 - -")
    server.files["x.tbi"] = gzip.compress(DATA)
    assert at("x - x.tbi r1 - -") == server.files["x.tbi"]


def test_licence_and_citation_are_logged_once(
    server: Any, tmp_path: Path, messages: Callable[[], list[str]]
) -> None:
    table = server.table(tmp_path / "s.tsv", "x - plain r1 - -", "y - plain2 r1 - -")
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP)
    for rows in read_sources(table).values():
        store.get(item(rows))
    assert messages() == ["licence: r1: open; cite: us"]


# --- plans ---


def test_a_plan_tells_sizes_and_downloads_nothing(server: Any, tmp_path: Path) -> None:
    rows = ("here - plain r - -", "asked - two r - -", "known - k r - 77", "dark - missing r - -")
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP)
    items = [item(r) for r in read_sources(server.table(tmp_path / "s.tsv", *rows)).values()]
    store.get(items[0])
    (tmp_path / "d" / "two.part").write_bytes(DATA[:240])
    before = sum(server.seen.values())
    found = plan(store, items, also=1000)
    assert [(file.state, file.n_bytes, file.still) for file in found.files] == [
        ("already here", 10_240, 0),
        ("partly here", 10_240, 10_000),
        ("to come", 77, 77),
        ("unknown", None, 0),
    ]
    assert found.needed == 10_000 + 77 + 1000
    assert sum(server.seen.values()) == before
    assert sorted(server.heads) == ["missing", "two"]
    text = "\n".join(found.lines())
    assert "dark: missing: size unknown\n    http" in text
    assert "total: 11,077 bytes to write" in text
    assert "1 of 4 files of unknown size" in text
    assert f"free disk at {tmp_path / 'd'}: {found.free:,} bytes" in text
    assert "warning" not in text


def test_a_plan_that_does_not_fit_warns(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10, 0, 10))
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP)
    table = server.table(tmp_path / "s.tsv", "x - plain r - 77")
    found = plan(store, [item(read_sources(table)["x"])])
    assert found.lines()[-1] == "warning: this does not fit; 67 bytes are lacking"
    with pytest.raises(GenezipError, match=r"77 bytes are needed at .* and 10 bytes are free"):
        found.check_room()


# --- the table ---


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x\tp\thttp://h/f\tr\tmd5:12\t-\tl\tc\tw", "its checksum must be"),
        ("x\tp\thttp://h/f\tr\t-\tmany\tl\tc\tw", "bytes must be"),
        ("x\tp\tfile:///etc/x\tr\t-\t-\tl\tc\tw", "its url must begin"),
        ("x\tp\thttp://h/f\tr\t-\t-\tl\tc", "it needs 9 columns"),
        ("x\t../p\thttp://h/f\tr\t-\t-\tl\tc\tw", "leaves its folder"),
        ("x\tp\thttp://h/f\tr\t-\t2\tl\tc\tw\nx\tp\thttp://g/f\tr\t-\t3\tl\tc\tw", "two values"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    header = "name\tpath\turl\trelease\tchecksum\tbytes\tlicence\tcitation\twhat"
    (tmp_path / "s.tsv").write_text(f"# comment\n{header}\n{row}\n")
    with pytest.raises(GenezipError, match=reason):
        read_sources(tmp_path / "s.tsv")


def test_the_table_of_the_repository_is_sound(repo: Path) -> None:
    table = read_sources(SOURCES)
    assert {"region", "genome", "annotation", "rmsk", "trf", "chain", "dataverse"} <= set(table)
    eqtl = {name: rows[0] for name, rows in table.items() if name.startswith("eqtl/")}
    assert len(eqtl) == 42
    unpinned = {name for name, row in eqtl.items() if row.checksum is None}
    assert len(unpinned) == 10 and all(name.endswith(".tbi") for name in unpinned)
    for row in eqtl.values():
        assert row.url.endswith("?format=original") == row.path.endswith(".tsv")
    paths = [row.path for rows in table.values() for row in rows[:1] if "://" in row.url]
    assert len(set(paths)) == len(paths)


def test_the_contact_map_windows_are_those_of_the_copy(repo: Path, mirror: Path) -> None:
    row = read_sources(SOURCES)["cmp/sequences.bed"][0]
    packed = (mirror / "labels/splits/akita_sequences.hg38.bed.gz").read_bytes()
    data = gzip.decompress(packed)
    assert len(data) == row.n_bytes
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == row.checksum
