"""The lock: what each file was at its first download."""

import json
from pathlib import Path
from typing import Any

import pytest

from genezip.download.lock import Lock
from genezip.errors import GenezipError

FILE = {
    "path": "p",
    "id": 1,
    "bytes": None,
    "checksum": None,
    "original": False,
    "restricted": False,
}
LISTED = {"version": "1.0", "licence": None, "files": []}


def locked(files: dict[str, Any], listings: dict[str, Any] | None = None) -> str:
    """Text of a lock."""
    return json.dumps({"schema_version": 1, "files": files, "listings": listings or {}})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not valid JSON"),
        ("{}", "is not a lock of downloads"),
        ('{"schema_version": 2}', "schema_version 2, this genezip reads 1"),
        ('{"schema_version": 1}', "lacks files, listings"),
        (locked({"x | r": {"sha256": "0", "bytes": "many", "url": "u"}}), "malformed"),
        (locked({}, {"doi:x": []}), "malformed"),
        (locked({}, {"doi:x": {"files": [{}]}}), "malformed"),
        (locked({}, {"doi:x": LISTED | {"files": [{}]}}), "malformed"),
        (locked({}, {"doi:x": LISTED | {"files": [FILE | {"checksum": "abc"}]}}), "malformed"),
    ],
)
def test_a_damaged_lock_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(GenezipError, match=f"{reason}.*restore it, or delete it"):
        Lock(tmp_path / "l.json")


def test_a_whole_lock_is_read(tmp_path: Path) -> None:
    listing = LISTED | {"files": [FILE]}
    (tmp_path / "l.json").write_text(locked({}, {"doi:x": listing}))
    assert Lock(tmp_path / "l.json").listing("doi:x") == listing


def test_two_runs_keep_each_others_entries(tmp_path: Path) -> None:
    one, two = Lock(tmp_path / "l.json"), Lock(tmp_path / "l.json")
    one.record("a | r", "0", 1, "u")
    two.record("b | r", "1", 2, "v")
    assert set(json.loads((tmp_path / "l.json").read_text())["files"]) == {"a | r", "b | r"}
