"""Options and commands that prose, docstrings and messages name exist."""

import re
from pathlib import Path

from toolkit import text_commands
from toolkit.command_line import all_commands, leaf
from toolkit.text_commands import snakemake_parser

REPO = Path(__file__).resolve().parents[1]


def test_options_in_backticks_exist() -> None:
    params = [param for _, command in all_commands() for param in command.params]
    known = {one for param in params for one in (*param.opts, *param.secondary_opts)}
    known |= {one for action in snakemake_parser()._actions for one in action.option_strings}
    known |= {"--help"}
    for path in text_commands.texts(REPO):
        prose = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        for code in re.findall(r"`([^`]+)`", prose):
            if code.startswith("-") or code.split()[0] in ("genezip", "snakemake"):
                assert text_commands.options_in(code) <= known, f"{path.name}: {code}"


def test_commands_that_the_package_names_exist() -> None:
    """In docstrings, help texts and error messages; ` | ` stands between alternatives."""
    files = [*(REPO / "genezip").rglob("*.py"), *(REPO / "workflow").rglob("*.smk")]
    for path in [*files, *text_commands.texts(REPO)]:
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for code in re.findall(r"`(genezip [a-z][^`]*)`", text):
            head, *others = (part.split() for part in code.replace("...", "").split(" | "))
            words = [word for word in head[1:] if not word.startswith("-")]
            for last in [words[-1:], *others]:
                command, left = leaf([*words[:-1], *last])
                known = {one for param in command.params for one in param.opts}
                assert command.name != "genezip" or not words, f"{path.name}: {code}"
                assert not (left and hasattr(command, "commands")), f"{path.name}: {code}"
                assert text_commands.options_in(code) <= known, f"{path.name}: {code}"


def test_every_command_and_option_has_a_help_text() -> None:
    for name, command in all_commands():
        assert command.help, name
        for param in command.params:
            text = getattr(param, "help", None)
            assert param.name == "help" or (text and len(text) > 3), f"{name} {param.name}"
