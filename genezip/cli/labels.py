"""``genezip labels ...``: small measurements on real labels."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options

app = typer.Typer(help="Real labels on the pieces of the demo genome.", no_args_is_help=True)

Settings = Annotated[
    str | None,
    typer.Option(
        "--settings",
        help="Section `labels` as JSON, or a YAML file with it or of a whole configuration.",
    ),
]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="labels")


@app.command()
def fetch(
    out: Annotated[Path, typer.Option(help="Folder of the label files.")] = Path(
        "resources/labels"
    ),
    mirror: Annotated[
        Path | None,
        typer.Option(help="Folder of real data; default: environment variable GENEZIP_MIRROR."),
    ] = None,
    settings: Settings = None,
    source: Annotated[
        Path | None,
        typer.Option(help="source.json of `genezip fetch`; `elements` are cut from its pieces."),
    ] = None,
    sources: Annotated[Path, typer.Option(help="Table of sources.")] = Path(
        "resources/sources.tsv"
    ),
    plan: options.Plan = False,
    fetched: options.Fetched = None,
) -> None:
    """Get the label files: from the mirror folder, else from public servers.

    A part that cannot be had is left out; labels.json says why.
    """
    from genezip import config
    from genezip.genome.sources.source import Source
    from genezip.tasks.label_files import fetch_labels
    from genezip.tasks.public_labels import PublicLabels

    parts = config.settings(config.Labels, settings).tasks
    genome = None if source is None or plan else Source.load(source)
    public = PublicLabels(
        sources, out.parent / "downloads", genome, options.fetched_folder(fetched)
    )
    if plan:
        for line in public.plan(parts).lines():
            typer.echo(line)
        return
    fetch_labels(options.mirror_folder(mirror), parts, out, public, genome)


@app.command()
def measure(
    part: Annotated[
        Literal["initiation", "contacts", "elements", "enhancer_gene"],
        typer.Argument(help="PRO-cap counts, Hi-C counts, regulatory elements or CRISPRi pairs."),
    ],
    listing: Annotated[
        Path, typer.Option("--labels", help="labels.json of `genezip labels fetch`.")
    ],
    source: Annotated[Path, typer.Option(help="source.json of `genezip fetch`.")],
    out: Annotated[Path, typer.Option(help="TSV of scores to write.")],
    predictions: Annotated[Path, typer.Option(help="Parquet of predictions to write.")],
    scale: Annotated[str, typer.Option(help="Stamped on every row: full, demo, test.")],
    model: Annotated[
        list[Path] | None, typer.Option(help="Model folder; give it once per model.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Model that the others are compared with.")
    ] = None,
    settings: Settings = None,
) -> None:
    """Frozen models and trivial baselines on one kind of label."""
    from genezip import config
    from genezip.tasks.classification.elements import measure_elements
    from genezip.tasks.initiation.procap import measure_initiation
    from genezip.tasks.pairs.crispri import measure_enhancer_gene
    from genezip.tasks.real_run import LabelRun
    from genezip.tasks.windows.hic import measure_contacts

    chosen = config.settings(config.Labels, settings)
    run = LabelRun(listing, source, tuple(model or ()), control, chosen, scale, out, predictions)
    measures = {
        "initiation": measure_initiation,
        "contacts": measure_contacts,
        "elements": measure_elements,
        "enhancer_gene": measure_enhancer_gene,
    }
    measures[part](run)
