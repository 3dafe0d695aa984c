"""``genezip weights import``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Weights that others have published.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="weights")


@app.command("import")
def import_weights(
    source: Annotated[
        str, typer.Argument(help="weight file, folder with one, or hub id owner/name@revision")
    ],
    out: Annotated[Path, typer.Option(help="model folder to write")],
    name: Annotated[str | None, typer.Option(help="model name; else that of the source")] = None,
    region_preset: Annotated[
        Path | None,
        typer.Option(
            help="config/regions/NAME.yaml, for weights without hydra_cfg.yaml; "
            "else transcript-balanced, base 32"
        ),
    ] = None,
) -> None:
    """Read weights of the authors' release into a model folder, checking every tensor."""
    from genezip import config
    from genezip.models.genezip.release import import_release

    targets = None
    if region_preset is not None:
        preset = config.read_yaml(region_preset)
        targets = config.parse(config.RegionPreset, preset, str(region_preset)).target_bpt()
    card = import_release(source, out, name, targets)
    typer.echo(
        f"{card.name} in {out}: widths {', '.join(map(str, card.architecture.d_model))}; "
        f"targets: {card.training['targets']}; bounds: {card.training['bounds']}"
    )
