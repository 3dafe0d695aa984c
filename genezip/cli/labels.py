"""``genezip labels ...``: small measurements on real labels."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genezip.tasks.real_run import LabelRun

app = typer.Typer(help="Real labels on the pieces of the demo genome.", no_args_is_help=True)

Settings = Annotated[
    str | None, typer.Option("--settings", help="Config section `labels` as JSON, or a YAML file.")
]
Listing = Annotated[Path, typer.Option("--labels", help="labels.json of `genezip labels fetch`.")]
SourceFile = Annotated[Path, typer.Option("--source", help="source.json of `genezip fetch`.")]
Models = Annotated[
    list[Path] | None, typer.Option("--model", help="Model folder; give it once per model.")
]
Control = Annotated[
    str | None, typer.Option("--control", help="Model that the others are compared with.")
]
Scale = Annotated[str, typer.Option("--scale", help="Stamped on every row: full, demo, test.")]
Out = Annotated[Path, typer.Option("--out", help="TSV of scores to write.")]
Predictions = Annotated[
    Path, typer.Option("--predictions", help="Parquet of predictions to write.")
]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="labels")


def _say(text: str) -> None:
    typer.echo(text, err=True)


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
) -> None:
    """Copy the label files, checked against their table; without the folder say so in the list."""
    from genezip import config
    from genezip.data.real_labels import fetch_labels, mirror_from_environment

    parts = config.settings(config.Labels, settings).tasks
    fetch_labels(mirror or mirror_from_environment(), parts, out, _say)


def _measure(
    function: "Callable[[LabelRun], None]",
    listing: Path,
    source: Path,
    models: list[Path] | None,
    control: str | None,
    settings: str | None,
    scale: str,
    out: Path,
    predictions: Path,
) -> None:
    from genezip import config
    from genezip.tasks.real_run import LabelRun

    chosen = config.settings(config.Labels, settings)
    folders = tuple(models or [])
    run = LabelRun(listing, source, folders, control, chosen, scale, out, predictions, _say)
    function(run)


@app.command()
def initiation(
    listing: Listing,
    source: SourceFile,
    out: Out,
    predictions: Predictions,
    scale: Scale,
    model: Models = None,
    control: Control = None,
    settings: Settings = None,
) -> None:
    """PRO-cap counts at single bases of chr22."""
    from genezip.tasks.real_initiation import measure_initiation as measure

    _measure(measure, listing, source, model, control, settings, scale, out, predictions)


@app.command()
def contacts(
    listing: Listing,
    source: SourceFile,
    out: Out,
    predictions: Predictions,
    scale: Scale,
    model: Models = None,
    control: Control = None,
    settings: Settings = None,
) -> None:
    """Raw Hi-C counts within the pieces of chr22."""
    from genezip.tasks.real_contacts import measure_contacts as measure

    _measure(measure, listing, source, model, control, settings, scale, out, predictions)


@app.command()
def elements(
    listing: Listing,
    source: SourceFile,
    out: Out,
    predictions: Predictions,
    scale: Scale,
    model: Models = None,
    control: Control = None,
    settings: Settings = None,
) -> None:
    """Promoters, enhancers and open chromatin told apart."""
    from genezip.tasks.real_elements import measure_elements as measure

    _measure(measure, listing, source, model, control, settings, scale, out, predictions)


@app.command("enhancer-gene")
def enhancer_gene(
    listing: Listing,
    source: SourceFile,
    out: Out,
    predictions: Predictions,
    scale: Scale,
    model: Models = None,
    control: Control = None,
    settings: Settings = None,
) -> None:
    """CRISPRi enhancer-gene pairs, by distance."""
    from genezip.tasks.real_enhancer_gene import measure_enhancer_gene as measure

    _measure(measure, listing, source, model, control, settings, scale, out, predictions)
