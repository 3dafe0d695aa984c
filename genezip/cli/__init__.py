"""The command line: one module per noun; each command parses its options and calls the package.

``COMMANDS`` lists every noun under the headings of ``genezip --help``; start reading there. Modules
import the package inside their commands, so that the help is fast. To add a command, write a
function like ``compress`` in ``use/compress.py``, with an example at the end of its docstring and
shared options from ``options.py``, and add it to ``COMMANDS``.
"""

import atexit
import errno
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genezip.cli import (
    config,
    corpus,
    evaluate,
    genome,
    models,
    paper,
    pretrain,
    regions,
    report,
    tasks,
)
from genezip.cli.use import browse, compress, embed, init, plot, score
from genezip.errors import GenezipError

COMMANDS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "Get data": {
        "fetch": genome.fetch,
        "simulate": genome.simulate,
        "regions": regions.app,
        "corpus": corpus.app,
        "leakage": corpus.leakage,
    },
    "Train": {
        "models": models.models,
        "tokenizer": models.tokenizer,
        "pretrain": pretrain.pretrain,
        "pretrain-words": pretrain.pretrain_words,
    },
    "Use": {
        "init": init.init,
        "weights": models.weights,
        "compress": compress.compress,
        "embed": embed.embed,
        "tracks": compress.tracks,
        "plot": plot.plot,
        "browse": browse.browse,
        "score": score.score,
    },
    "Evaluate": {
        "evaluate": evaluate.app,
        "tasks": tasks.app,
        "dnalongbench": tasks.dnalongbench,
        "labels": tasks.labels,
    },
    "Report": {"report": report.report, "paper": paper.app},
    "Configure": {"config": config.app, "doctor": config.doctor},
}


class _AsInTheTable(TyperGroup):
    """List commands in the order of ``COMMANDS``; Typer would list groups last."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names in the order of ``COMMANDS``."""
        return [name for commands in COMMANDS.values() for name in commands]


app = typer.Typer(
    name="genezip", cls=_AsInTheTable, no_args_is_help=True, pretty_exceptions_enable=False
)
for _heading, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_heading)
        else:
            app.command(_name, rich_help_panel=_heading)(_command)


def _show_version(value: bool) -> None:
    if value:
        from genezip import __version__

        typer.echo(f"genezip {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """Region-aware compression of DNA (GeneZip).

    `genezip COMMAND --help` explains a command and shows an example.
    """
    from genezip.log import messages_to_stderr

    messages_to_stderr()


_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an expected error prints one sentence and exits with status 1."""
    try:
        app(args=arguments)
    except GenezipError as error:
        sys.stderr.write(f"genezip: {error}\n")
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _tell_no_room(error)
        raise SystemExit(1) from None


def _tell_no_room(error: OSError) -> None:
    where = error.filename or "the output"
    sys.stderr.write(
        f"genezip: cannot write {where}: {error.strerror}; free space or write elsewhere\n"
    )


def program() -> None:
    """The program: :func:`main`, and the end of the process.

    It is ended at once. To take apart all that was imported takes half a second, which a short
    command would spend on nothing. SIGTERM, with which a scheduler ends a job, stops a command as
    Ctrl-C does, so that nothing half-written stays; commands that can resume wait for the end of a
    step instead.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
        status: Any = 0
    except SystemExit as ended:
        status = ended.code or 0
    if isinstance(status, int):
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError as error:
            if error.errno not in _NO_ROOM:  # nobody reads any more: the interpreter says so
                sys.exit(status)
            if not status:
                _tell_no_room(error)
            status = status or 1
        os._exit(status & 0xFF)
    sys.exit(status)
