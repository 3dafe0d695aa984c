"""The lock, second servers, folders of fetched files, plans and room on the disk."""

import gzip
import hashlib
import json
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from genezip.download import SourceUnavailable
from genezip.download.lock import Lock, lock_path
from genezip.download.plan import plan
from genezip.download.sources import item, read_sources
from genezip.download.store import Store
from genezip.download.transfer import Http
from genezip.errors import GenezipError

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()
HTTP = Http(timeout_s=0.4, attempts=2, backoff_s=0.0, size_timeout_s=0.4)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def at(server: Any, tmp_path: Path) -> Any:
    """Get one file ``x`` through a new store, as a new run would."""

    def get(*rows: str, fetched: Path | None = None, copied: bool = False) -> bytes:
        table = server.table(tmp_path / "s.tsv", *rows)
        store = Store(
            tmp_path / "downloads",
            lock_path(tmp_path / "downloads"),
            HTTP,
            fetched,
            copied,
            lambda _: None,
        )
        return store.get(item(read_sources(table)["x"]))[1].read_bytes()

    return get


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
    said = str(error.value)
    assert not isinstance(error.value, SourceUnavailable)
    assert str(tmp_path / "downloads.lock.json") in said
    assert "take the entry 'x | r1' out of that file and run again" in said
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


def test_a_checksum_of_one_server_holds_for_the_other(at: Any) -> None:
    with pytest.raises(GenezipError, match="wrong checksum"):
        at("x f missing r1 - -", "x f wrong r1 - -", f"x f plain r1 sha256:{SHA} -")


def test_licence_and_citation_are_told_once(server: Any, tmp_path: Path) -> None:
    table = server.table(tmp_path / "s.tsv", "x - plain r1 - -", "y - plain2 r1 - -")
    said: list[str] = []
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP, tell=said.append)
    for rows in read_sources(table).values():
        store.get(item(rows))
    assert said == ["licence: r1: open; cite: us"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "cannot be read"), ("{}", "schema_version"), ('{"schema_version": 1}', "malformed")],
)
def test_a_damaged_lock_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(GenezipError, match=f"{reason}.*restore it, or delete it"):
        Lock(tmp_path / "l.json")


def test_two_runs_keep_each_others_entries(tmp_path: Path) -> None:
    one, two = Lock(tmp_path / "l.json"), Lock(tmp_path / "l.json")
    one.record("a | r", "0", 1, "u")
    two.record("b | r", "1", 2, "v")
    assert set(json.loads((tmp_path / "l.json").read_text())["files"]) == {"a | r", "b | r"}


# --- files fetched elsewhere ---


@pytest.mark.parametrize("place", ["plain", "sub/f", "deep/er/plain", "f"])
def test_a_fetched_file_is_found_by_path_or_name(
    at: Any, server: Any, tmp_path: Path, place: str
) -> None:
    folder = tmp_path / "fetched"
    (folder / place).parent.mkdir(parents=True)
    (folder / place).write_bytes(DATA)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert at("x sub/f plain r1 - -", fetched=folder) == DATA
    assert not (tmp_path / "downloads").exists()
    assert at("x sub/f plain r1 - -", fetched=folder, copied=True) == DATA
    assert (tmp_path / "downloads" / "sub" / "f").read_bytes() == DATA
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert server.requests() == 0


def test_a_fetched_file_is_checked_like_a_downloaded_one(at: Any, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    (folder / "plain").write_bytes(b"other")
    with pytest.raises(GenezipError, match=r"fetched/plain \(for x\) has a wrong checksum"):
        at(f"x - plain r1 sha256:{SHA} -", fetched=folder)
    at("x - plain r1 - -")  # the lock knows it now
    (tmp_path / "downloads" / "plain").unlink()
    with pytest.raises(GenezipError, match=r"fetched/plain \(for x\) is another file"):
        at("x - plain r1 - -", fetched=folder)
    (folder / "plain.gz").write_bytes(gzip.compress(DATA)[:-4])
    with pytest.raises(GenezipError, match="truncated or damaged gzip"):
        at("x - plain.gz r3 - -", fetched=folder)


def test_of_two_fetched_files_of_one_name_the_right_one_is_taken(at: Any, tmp_path: Path) -> None:
    for name, data in (("a", b"of another task"), ("b", DATA)):
        (tmp_path / "fetched" / name).mkdir(parents=True)
        (tmp_path / "fetched" / name / "plain").write_bytes(data)
    assert at(f"x - plain r1 sha256:{SHA} -", fetched=tmp_path / "fetched") == DATA


def test_all_missing_files_are_named_in_one_sentence(server: Any, tmp_path: Path) -> None:
    table = server.table(tmp_path / "s.tsv", "x - a r - -", "y p/b b r - -", "z - c r - -")
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "c").write_bytes(b"")
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP, tmp_path / "f")
    with pytest.raises(GenezipError, match=r"of fetched files lacks a, p/b; add them"):
        store.require([item(rows) for rows in read_sources(table).values()])
    with pytest.raises(GenezipError, match="does not exist"):
        Store(tmp_path / "d", tmp_path / "l.json", HTTP, tmp_path / "nowhere")


# --- plans ---


def test_a_plan_tells_sizes_and_downloads_nothing(server: Any, tmp_path: Path) -> None:
    rows = ("here - plain r - -", "asked - two r - -", "known - k r - 77", "dark - missing r - -")
    store = Store(tmp_path / "d", tmp_path / "l.json", HTTP, tell=lambda _: None)
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
    with pytest.raises(GenezipError, match=r"77 bytes are needed at .* and 10 are free"):
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
    table = read_sources(repo / "resources" / "sources.tsv")
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
    row = read_sources(repo / "resources" / "sources.tsv")["cmp/sequences.bed"][0]
    packed = (mirror / "labels/splits/akita_sequences.hg38.bed.gz").read_bytes()
    data = gzip.decompress(packed)
    assert len(data) == row.n_bytes
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == row.checksum
