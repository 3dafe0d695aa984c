"""The real command line, in process: its commands, calls of them, and the files that they leave."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from genezip.cli import app, main

ROOT: Any = get_command(app)


def leaf(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words lead to, and what is left of them."""
    command = ROOT
    left = list(words)
    while left and left[0] in getattr(command, "commands", {}):
        command = command.commands[left.pop(0)]
    return command, left


def all_commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its name, which begins with ``genezip``; groups before their commands."""
    command = ROOT if command is None else command
    yield " ".join(("genezip", *path)), command
    for name, below in getattr(command, "commands", {}).items():
        yield from all_commands(below, (*path, name))


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
