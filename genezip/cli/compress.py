"""Commands: compress, tracks."""

import typer


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
