"""``genezip compress`` and ``genezip tracks``."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli.told import tell


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.command()(compress)
    root.command()(tracks)


def compress(
    fasta: Annotated[Path, typer.Argument(help="FASTA: plain, gzip or bgzip; - reads a pipe")],
    model: Annotated[str, typer.Option(help="model folder, hub id, or a system such as fixed:16")],
    out: Annotated[Path, typer.Option(help="Parquet to write, one row per token")],
    tracks: Annotated[
        Path | None, typer.Option(help="folder for bigWig, BED and an IGV session")
    ] = None,
    bound: Annotated[
        str | None, typer.Option(help="sequence, causal or none; default: the model's own")
    ] = None,
    window_bp: Annotated[
        int | None,
        typer.Option(
            help="independent windows of this length; default: 12800 if it cannot be streamed"
        ),
    ] = None,
    block_bp: Annotated[int, typer.Option(help="bases of a stream read at a time")] = 8192,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto")] = "auto",
) -> None:
    """Compress your own DNA; no annotation is needed.

    Ctrl-C stops it, the same command goes on. With the bound causal or none each record is
    streamed as a whole; with sequence it goes window by window. A FASTA from a pipe, plain or
    gzip, takes room in the folder of --out until the end; an --out that is a pipe or
    device (/dev/stdout) gets the finished file, and such a run does not go on after a stop.
    """
    import torch

    from genezip.inference.fasta import compress_fasta

    torch.set_num_threads(threads)
    summary = compress_fasta(fasta, model, out, tracks, bound, window_bp, block_bp, device)
    tell(f"{summary.sentence()} in {out}", out)


def tracks(
    compressed: Annotated[Path, typer.Option(help="compressed windows (Parquet)")],
    source: Annotated[Path, typer.Option(help="source.json")],
    regions: Annotated[Path, typer.Option(help="region map (BED9)")],
    out: Annotated[Path, typer.Option(help="folder to write")],
) -> None:
    """Write boundary probability, tokens per kb, chunks and regions for a genome browser."""
    from genezip.inference.tracks import write_tracks

    write_tracks(compressed, source, regions, out)
