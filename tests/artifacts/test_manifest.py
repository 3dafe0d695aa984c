"""The sentences about a manifest that is missing, damaged, or of another kind."""

import json

import pytest

from genezip.artifacts.manifest import Kind, file_entries, first_difference
from genezip.errors import GenezipError

KIND = Kind("list of fruit", 2, "pick some first", "pick again", keys=("apples", "pears"))
GOOD = {"schema_version": 2, "apples": 1, "pears": 2}


def test_read_gives_what_was_written(tmp_path):
    path = tmp_path / "fruit.json"
    path.write_text(json.dumps(KIND.head(apples=1, pears=2)))
    assert KIND.read(path) == GOOD


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "does not exist; pick some first"),
        (b"{", "is not valid JSON .*; pick again"),
        (b"\xff", "is not valid JSON .*; pick again"),
        (b"[1]", "is not a list of fruit; pick again"),
        (b"{}", "is not a list of fruit; pick again"),
        (b'{"schema_version": 1}', "has schema_version 1, this genezip reads 2; pick again"),
        (b'{"schema_version": 2, "pears": 1}', "lacks apples; pick again"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "fruit.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GenezipError, match=f"fruit.json {sentence}"):
        KIND.read(path)


def test_files_without_a_version_are_known_by_their_keys(tmp_path):
    path = tmp_path / "fruit.json"
    kind = Kind("list of fruit", None, "pick some first", "pick again", keys=("apples", "pears"))
    assert kind.checked(path, kind.head(apples=1, pears=2)) == {"apples": 1, "pears": 2}
    with pytest.raises(GenezipError, match="is not a list of fruit; pick again"):
        kind.checked(path, {"schema_version": 1})
    with pytest.raises(GenezipError, match="lacks pears; pick again"):
        kind.checked(path, {"apples": 1})


def test_a_folder_in_place_of_the_file(tmp_path):
    with pytest.raises(GenezipError, match=r"cannot be read .Is a directory.; pick again"):
        KIND.read(tmp_path)


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "fruit").write_text("no folder")
    with pytest.raises(GenezipError, match="does not exist; pick some first"):
        KIND.read(tmp_path / "fruit" / "fruit.json")


def test_listed_files_are_compared_by_size(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (entry,) = entries = file_entries(tmp_path, ["a"])
    assert (entry["path"], entry["bytes"]) == ("a", 3)
    KIND.check_files(tmp_path / "fruit.json", entries)
    (tmp_path / "a").write_bytes(b"ab")
    with pytest.raises(GenezipError, match=r"a has 2 bytes, fruit.json lists 3; pick again"):
        KIND.check_files(tmp_path / "fruit.json", entries)
    (tmp_path / "a").unlink()
    with pytest.raises(GenezipError, match="a is missing; pick again"):
        KIND.check_files(tmp_path / "fruit.json", entries)


def test_first_difference():
    old = {"a": {"b": (1, 2), "c": 1.0}, "gone": None}
    assert first_difference(old, json.loads(json.dumps(old))) is None
    assert first_difference(old, {"a": {"b": [1, 2], "c": 2}}) == ("a.c", "1.0", "2")
    found = first_difference(old, {"a": {"b": (1, 3), "c": 2}}, free=("a.c",))
    assert found == ("a.b", "[1, 2]", "[1, 3]")
    assert first_difference(old, old["a"] | old) == ("b", "nothing", "[1, 2]")
    assert first_difference(old, {"a": old["a"]}) == ("gone", "null", "nothing")
