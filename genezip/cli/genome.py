"""Commands: fetch, simulate."""

import os
from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import inputs


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.command()(fetch)
    root.command()(simulate)


def fetch(
    out: Annotated[Path, typer.Option(help="Folder that gets source.json and its files.")],
    settings: Annotated[
        str | None, typer.Option(help="Section `genome` as JSON, or a YAML file.")
    ] = None,
    mirror: Annotated[
        Path | None,
        typer.Option(help="Folder of real data; default: environment variable GENEZIP_MIRROR."),
    ] = None,
    root: Annotated[Path, typer.Option(help="Base of relative paths in the settings.")] = Path(),
    sources: Annotated[
        Path | None,
        typer.Option(help="Table of public servers; default: resources/sources.tsv under --root."),
    ] = None,
    plan: inputs.PlanOption = False,
    fetched: inputs.FetchedOption = None,
) -> None:
    """Get DNA, annotation and repeats from the first source that can be had."""
    from genezip import config
    from genezip.genome import fetch as genome

    chosen = config.settings(config.Genome, settings)
    if mirror is None and os.environ.get("GENEZIP_MIRROR"):
        mirror = Path(os.environ["GENEZIP_MIRROR"])
    if fetched is None and os.environ.get("GENEZIP_FETCHED"):
        fetched = Path(os.environ["GENEZIP_FETCHED"])
    if plan:
        for line in genome.plan(chosen, out, root, sources, fetched=fetched):
            typer.echo(line)
        return
    genome.fetch(
        chosen,
        out,
        mirror=mirror,
        root=root,
        table=sources,
        say=typer.echo,
        fetched=fetched,
    )


def simulate(
    out: Annotated[Path, typer.Option(help="Folder that gets source.json and its files.")],
    seed: Annotated[int, typer.Option(help="Seed; equal seeds give equal genomes.")] = 0,
    chromosome_bp: Annotated[
        list[int] | None,
        typer.Option(help="Length of a chromosome (bp); repeat for more, named sim1, sim2, ..."),
    ] = None,
) -> None:
    """Write a simulated genome in the layout of `fetch`.

    With lengths given, the last chromosome is held out and the one before it validates.
    """
    from genezip.config import Genome, parse
    from genezip.genome.fetch import fetch as run
    from genezip.genome.simulate import default_splits

    simulation: dict[str, object] = {"seed": seed}
    if chromosome_bp:
        valid, test = default_splits(len(chromosome_bp))
        simulation |= {"chromosome_bp": chromosome_bp, "valid": valid, "test": test}
    settings = parse(Genome, {"sources": ["simulated"], "simulation": simulation})
    run(settings, out, say=typer.echo)
