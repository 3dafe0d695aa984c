"""``--help``: headings in order, and an example of a call in the help of every command."""

import ast
import re
import shlex
import sys
from collections import Counter
from pathlib import Path
from subprocess import run
from typing import Any

import pytest
from toolkit.command_line import all_commands, leaf
from typer.testing import CliRunner

from genezip.cli import COMMANDS, app, options

HEADINGS = ["Get data", "Train", "Use", "Evaluate", "Report", "Configure"]
# What can be called: no group alone, but for `evaluate`, which scores predictions.
CALLED = {
    name: command
    for name, command in all_commands()
    if not hasattr(command, "commands") or command.invoke_without_command
}
SHOWN = sorted(CALLED)


def example(command: Any) -> list[str]:
    """Lines of the example in a help: a block that no terminal wraps."""
    found = re.search(r"\n\n\x08\nExample:\n((?:  .*\n?)+)", command.help or "")
    assert found, "the docstring needs a last paragraph: \\b, Example:, and an indented call"
    return found[1].splitlines()


def words_of(command: Any) -> list[str]:
    """The call as a shell reads it."""
    *lines, last = example(command)
    assert all(line.endswith(" \\") for line in lines), "one call, so all lines but the last go on"
    return shlex.split("".join([*(line.removesuffix("\\") for line in lines), last]))


@pytest.mark.parametrize("name", SHOWN)
def test_the_example_is_a_call_that_the_command_accepts(name: str, repo: Path) -> None:
    program, *words = words_of(CALLED[name])
    found, left = leaf(words)
    assert (program, found) == ("genezip", CALLED[name])
    context = found.make_context(name, left)  # unknown or missing options raise
    assert not context.args
    for word in words:
        if word.startswith("config/"):
            assert (repo / word).is_file(), word


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--source", "a", "--bed", "b", "--nothing", "c"], "No such option"),
        (["--source", "a"], "Missing parameter: bed"),
        (["--source", "a", "--bed", "b", "c"], "unexpected extra argument"),
    ],
)
def test_a_stale_example_would_fail(words: list[str], sentence: str) -> None:
    command, _ = leaf(["regions", "verify"])
    with pytest.raises(Exception, match=sentence):
        command.make_context("verify", words)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_is_whole_in_a_terminal_of_80_columns(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In boxes and in plain text; a line that wraps cannot be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    command = CALLED[name]
    boxed = CliRunner().invoke(app, [*name.split()[1:], "--help"]).output
    monkeypatch.setattr(command, "rich_markup_mode", None)
    context = command.context_class(command, info_name=name, terminal_width=80)
    for text in (boxed, command.get_help(context)):
        lines = [line.strip() for line in text.splitlines()]
        shown = [line.strip() for line in example(command)]
        start = lines.index(shown[0])
        assert lines[start : start + len(shown)] == shown
        assert lines[start - 1] == "Example:"


@pytest.mark.parametrize("name", sorted(CALLED))
def test_no_paragraph_of_a_help_is_wider_than_a_terminal(name: str) -> None:
    """But for the first, whose lines are joined."""
    _, *paragraphs = (CALLED[name].help or "").split("\n\n")
    assert [line for line in "\n".join(paragraphs).splitlines() if len(line) > 78] == []


def test_commands_stand_under_their_headings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, ["--help"]).output
    assert list(COMMANDS) == HEADINGS
    wanted = [part for heading in COMMANDS for part in (heading, *COMMANDS[heading])]
    found = re.findall(r"^(?:╭─ (.+?) ─+╮|│ (\w[\w-]*)  )", text, re.MULTILINE)
    assert [heading or name for heading, name in found if heading != "Options"] == wanted


def test_words_of_an_option_are_written_once() -> None:
    """Options with the same words in two commands stand in ``options.py``."""
    folder = Path(options.__file__).parent
    written = [
        keyword.value.value
        for path in folder.glob("*.py")
        if path.stem != "tasks"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "help" and isinstance(keyword.value, ast.Constant)
    ]
    assert [words for words, count in Counter(written).items() if count > 1] == []


def test_the_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from genezip.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'numpy', 'pandas', 'torch', 'yaml', 'pydantic'} & set(sys.modules)))\n"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
