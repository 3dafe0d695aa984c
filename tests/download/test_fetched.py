"""Files from a folder of files that were fetched elsewhere."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest

from genezip.download import SourceUnavailable
from genezip.download.catalogue import item, read_sources
from genezip.download.store import Store
from genezip.download.transfer import Http
from genezip.errors import GenezipError

DATA = bytes(range(256)) * 40
SHA = hashlib.sha256(DATA).hexdigest()
HTTP = Http(timeout_s=0.4, attempts=2, backoff_s=0.0, size_timeout_s=0.4)


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


def test_a_link_that_leads_nowhere_is_no_file(at: Any, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / "fetched" / folder).mkdir(parents=True)
    (tmp_path / "fetched" / "a" / "plain").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceUnavailable, match="fetched has no plain"):
        at("x - plain r1 - -", fetched=tmp_path / "fetched")
    (tmp_path / "fetched" / "b" / "plain").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_bytes(DATA)
    assert at("x - plain r1 - -", fetched=tmp_path / "fetched") == DATA


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
