"""A folder is replaced wholly or not at all."""

import errno
from pathlib import Path

import pytest

from genezip.artifacts.folder import replaced_folder
from genezip.errors import GenezipError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_replacing(tmp_path) -> None:
    out = tmp_path / "deep" / "out"
    for text in ("one", "two"):
        with replaced_folder(out, {"a"}) as folder:
            assert names(folder) == []
            (folder / "a").write_text(text)
        assert (out / "a").read_text() == text
    assert names(tmp_path / "deep") == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_changes_nothing(tmp_path, error) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("old")
    with pytest.raises(error), replaced_folder(tmp_path / "out", {"a"}) as folder:
        (folder / "a").write_text("new")
        raise error
    assert (tmp_path / "out" / "a").read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_a_full_disk_is_one_sentence(tmp_path) -> None:
    with (
        pytest.raises(GenezipError, match=r"cannot write .*out: No space left on device"),
        replaced_folder(tmp_path / "out", set()),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_an_input_that_cannot_be_read_is_no_writing_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError), replaced_folder(tmp_path / "out", set()):
        (tmp_path / "input").read_text()


def test_foreign_files_are_not_lost(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(GenezipError, match=r"thesis\.txt"), replaced_folder(tmp_path, {"a"}):
        pass
    assert names(tmp_path) == ["thesis.txt"]


def test_a_file_is_no_folder(tmp_path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(GenezipError, match="is a file"), replaced_folder(tmp_path / "out", set()):
        pass
    with (
        pytest.raises(GenezipError, match="cannot make a folder"),
        replaced_folder(tmp_path / "out" / "in", set()),
    ):
        pass
