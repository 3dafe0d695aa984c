"""What a reader could type: commands and code in the texts of the repository, found as written."""

import ast
import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

PROGRAMS = ("genezip", "snakemake", "make", "python", "pip", "source", "torchrun", "wget")
SHELL = ("sh", "bash", "console")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Found:
    """One piece of a text.

    Attributes
    ----------
    where : path of the text below the repository
    kind : ``command``, ``python``, ``yaml``, or the language of another fenced block;
        ``mention`` for a command in backticks with a word in capitals that stands for another
    text : as written; lines of a command that end with a backslash are joined
    """

    where: str
    kind: str
    text: str


def texts(repo: Path) -> list[Path]:
    """Documents that tell a reader what to type; measurements are records of what was typed."""
    found = [repo / "README.md", repo / "CONTRIBUTING.md"]
    found += sorted(
        path for name in ("config", "results", "resources") for path in (repo / name).glob("*.md")
    )
    return found + sorted(
        path for path in (repo / "docs").rglob("*.md") if "measurements" not in path.parts
    )


def of_document(repo: Path, path: Path) -> list[Found]:
    """Fenced blocks, and commands in backticks, in the order of the text."""
    where, text = str(path.relative_to(repo)), path.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        indent, language, body = match.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        if language in SHELL:
            found += [Found(where, "command", line) for line in commands(lines)]
        else:
            found.append(Found(where, language, "\n".join(lines) + "\n"))
            typed = [line for line in commands(lines) if line.split()[0] in PROGRAMS]
            if language == "text":
                found += [Found(where, "command", line) for line in typed]
    prose = _FENCE.sub("", text)
    for code in re.findall(r"`([^`]+)`", prose):
        words = code.split()
        if words and words[0] in PROGRAMS and len(words) > 1:
            partial = any(re.fullmatch("[A-Z]+", word) for word in words)
            found.append(Found(where, "mention" if partial else "command", " ".join(words)))
    return found


def of_docstring(repo: Path, path: Path) -> list[Found]:
    """Indented or whole lines of a module's docstring that begin with a program."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    lines = [line.strip() for line in doc.splitlines()]
    where = str(path.relative_to(repo))
    return [Found(where, "command", line) for line in commands(lines) if line.startswith("python ")]


def commands(lines: list[str]) -> list[str]:
    """Commands of a shell block: continued lines joined, comments and empty lines dropped."""
    joined = re.sub(r" *\\\n *", " ", "\n".join(lines))
    found = (re.sub(r"(^|\s+)# .*$", "", line).rstrip() for line in joined.splitlines())
    return [re.sub(r"\s+", " ", line) for line in found if line]


def write_named_files(found: list[Found], folder: Path) -> None:
    """Blocks that begin with ``# NAME.yaml``: each is the file of that name."""
    for one in found:
        name = re.match(r"# ([\w-]+\.yaml)\n", one.text)
        if one.kind == "yaml" and name:
            (folder / name[1]).write_text(one.text)


def outputs_of(command: str) -> list[str]:
    """Files and folders that a command is told to write."""
    pairs = pairwise(shlex.split(command))
    written = ("--out", "--bed", "--summary", "--table")
    return [value for option, value in pairs if option in written]


def options_in(text: str) -> set[str]:
    """Long options that a piece of text names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text))


def snakemake_parser() -> Any:
    """The parser of Snakemake's own command line."""
    from snakemake.cli import get_argument_parser

    return get_argument_parser()
