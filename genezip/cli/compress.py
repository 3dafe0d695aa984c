"""``genezip compress`` and ``genezip tracks``."""

from pathlib import Path
from typing import Annotated

import typer


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.command()(compress)
    root.command()(tracks)


def compress(
    fasta: Annotated[Path, typer.Argument(help="FASTA: plain, gzip or bgzip")],
    model: Annotated[Path, typer.Option(help="model folder")],
    out: Annotated[Path, typer.Option(help="Parquet to write, one row per token")],
    tracks: Annotated[
        Path | None, typer.Option(help="folder for bigWig, BED and an IGV session")
    ] = None,
    window_bp: Annotated[int, typer.Option(help="bases compressed in one pass")] = 12_800,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto")] = "auto",
) -> None:
    """Compress your own DNA; no annotation is needed."""
    import torch

    from genezip.fasta_compress import compress_fasta

    torch.set_num_threads(threads)
    summary = compress_fasta(fasta, model, out, tracks, window_bp, device=device)
    typer.echo(
        f"{summary.records} records, {summary.bases:,} bp -> {summary.tokens:,} tokens "
        f"({summary.bases / summary.tokens:.1f} bp per token) in {out}"
    )


def tracks(
    compressed: Annotated[Path, typer.Option(help="compressed windows (Parquet)")],
    source: Annotated[Path, typer.Option(help="source.json")],
    regions: Annotated[Path, typer.Option(help="region map (BED9)")],
    out: Annotated[Path, typer.Option(help="folder to write")],
) -> None:
    """Write boundary probability, local BPT, chunks and regions for a genome browser."""
    from genezip.evaluation.browser import write_tracks

    write_tracks(compressed, source, regions, out)
