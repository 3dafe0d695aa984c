"""The real command line, in process, and the files that it leaves."""

from pathlib import Path

import pytest

from genezip.cli import main


def call(*arguments: object) -> int:
    """Exit status of ``genezip`` with these arguments."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def succeed(*arguments: object) -> None:
    """The command must end with 0."""
    assert call(*arguments) == 0


def tree(folder: Path) -> dict[str, bytes]:
    """Bytes of every file below a folder, by its path below it; none where there is no folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
