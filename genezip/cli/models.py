"""``genezip models``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.command()(models)


def models(
    folder: Annotated[Path, typer.Option(help="architectures, one YAML each")] = Path(
        "config/models"
    ),
    regions: Annotated[Path, typer.Option(help="region budgets, one YAML each")] = Path(
        "config/regions"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="the same as JSON")] = False,
) -> None:
    """List every preset: layout, routers, bound and exact size; then the region budgets.

    Layout: m15 768 is a stack of 15 Mamba-2 layers of width 768; encoders, trunk, decoders.
    A budget may name region classes of your own; - where it does not.
    """
    import json
    from dataclasses import asdict

    from genezip.models.presets import model_presets, region_presets
    from genezip.region_classes import CLASSES

    architectures, budgets = model_presets(folder), region_presets(regions)
    if as_json:
        found = {
            "models": [asdict(preset) for preset in architectures],
            "regions": [
                {"name": name, "base_bpt": preset.base_bpt, "target_bpt": preset.target_bpt()}
                for name, preset in budgets.items()
            ],
        }
        typer.echo(json.dumps(found, indent=2))
        return
    rows = [["model", "parameters", "layout", "routers", "bound"]]
    rows += [[p.name, f"{p.parameters:,}", p.layout, p.routers, p.bound] for p in architectures]
    typer.echo(_table(rows, numbers={1}))
    typer.echo("\nTarget bp per token of each region class:\n")
    targets = {name: preset.target_bpt() for name, preset in budgets.items()}
    own = [name for given in targets.values() for name in given if name not in CLASSES]
    classes = (*CLASSES, *dict.fromkeys(own))
    rows = [["regions", "base", *classes]]
    for name, preset in budgets.items():
        cells = [f"{targets[name][key]:g}" if key in targets[name] else "-" for key in classes]
        rows.append([name, f"{preset.base_bpt:g}", *cells])
    typer.echo(_table(rows, numbers=set(range(1, len(rows[0])))))


def _table(rows: Sequence[Sequence[str]], numbers: set[int]) -> str:
    """Columns of equal width, two spaces apart; those in ``numbers`` are set to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if number in numbers else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)
