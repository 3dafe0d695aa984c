"""``genezip fetch | simulate``: the genome, from files, servers or a simulation."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options
from genezip.errors import GenezipError


def fetch(
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of source.json and its files; --plan needs none."),
    ] = None,
    settings: Annotated[str | None, options.section("genome")] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Measured targets to get as well, into OUT/labels: initiation, contacts, "
            "elements, enhancer_gene; repeat for more."
        ),
    ] = None,
    mirror: options.Mirror = None,
    root: options.Root = Path(),
    sources: options.Sources = None,
    plan: options.Plan = False,
    fetched: options.Fetched = None,
) -> None:
    """Get DNA, annotation and repeats from the first available source.

    \b
    Example:
      genezip fetch --settings config/demo.yaml --out resources
    """
    from genezip import config
    from genezip.genome.sources import fetch as genome

    chosen = config.settings(config.Genome, settings)
    parts = config.parse(config.Labels, {"tasks": labels or []}, "--labels").tasks
    mirror, fetched = options.mirror_folder(mirror), options.fetched_folder(fetched)
    table = options.sources_table(sources)
    if plan:
        folder = Path("resources") if out is None else out
        for line in genome.plan_download(
            chosen, folder, table, fetched=fetched, mirror=mirror, root=root
        ):
            typer.echo(line)
        if parts:
            from genezip.tasks.label_files import PublicLabels

            typer.echo("real labels, only if there is no mirror folder:")
            found = PublicLabels(table, folder / "downloads", fetched=fetched).plan(parts)
            for line in found.lines():
                typer.echo(line)
        return
    if out is None:
        raise GenezipError("name the folder of the files with --out (--plan needs none)")
    source = genome.fetch(chosen, out, mirror=mirror, root=root, table=table, fetched=fetched)
    if parts:
        from genezip.tasks.label_files import PublicLabels, fetch_labels

        public = PublicLabels(table, out / "downloads", source, fetched)
        fetch_labels(mirror, parts, out / "labels", public, source)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder of source.json and its files.")],
    seed: Annotated[int, typer.Option(help="Seed; equal seeds give equal genomes.")] = 0,
    chromosome_bp: Annotated[
        list[int] | None,
        typer.Option(help="Length of a chromosome (bp); repeat for more, named sim1, sim2, ..."),
    ] = None,
) -> None:
    """Write a simulated genome in the layout of `fetch`.

    With given lengths, the last chromosome is held out and the one before it is
    for validation.

    \b
    Example:
      genezip simulate --seed 1 --out simulated
    """
    from genezip.config import Genome, parse
    from genezip.genome.sources.fetch import fetch as run
    from genezip.genome.sources.simulated import default_splits

    simulation: dict[str, object] = {"seed": seed}
    if chromosome_bp:
        valid, test = default_splits(len(chromosome_bp))
        simulation |= {"chromosome_bp": chromosome_bp, "valid": valid, "test": test}
    settings = parse(Genome, {"sources": ["simulated"], "simulation": simulation})
    run(settings, out)
