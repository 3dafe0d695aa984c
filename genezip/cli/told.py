"""What a command says when it is done."""

from pathlib import Path

import typer


def tell(text: str, *outputs: Path | None) -> None:
    """Print what was done; on standard error where an output goes to standard output."""
    from genezip.artifacts.destination import descriptor

    taken = any(out is not None and descriptor(out) == 1 for out in outputs)
    typer.echo(text, err=taken)
