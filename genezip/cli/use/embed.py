"""``genezip embed``: vectors of a frozen model for the regions of a BED."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options


def embed(
    bed: Annotated[
        Path, typer.Argument(help="Regions: BED of 3 to 12 columns, plain or gzip; any order.")
    ],
    fasta: Annotated[Path, typer.Option(help="The genome of the regions: FASTA, plain or bgzip.")],
    out: Annotated[Path, typer.Option(help="File to write: .parquet, or .npz for numpy.")],
    level: Annotated[
        Literal["base", "token", "region"],
        typer.Option(help="One vector per base, per token that begins in a region, or per region."),
    ] = "base",
    pool: Annotated[
        Literal["mean", "max", "last"],
        typer.Option(help="Vector of a region: mean or max over its bases, or the last read."),
    ] = "mean",
    model: options.ModelOrShipped = options.SHIPPED,
    flank_bp: Annotated[
        int,
        typer.Option(help="Bases read before and after a region as context, without vectors."),
    ] = 6400,
    bound: options.Bound = None,
    window_bp: Annotated[
        int | None,
        typer.Option(
            help="Longest part of a region that is read at once; default: all of it in a stream "
            "if possible, else 12800."
        ),
    ] = None,
    threads: options.Threads = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Write vectors of a frozen model for the regions of a BED.

    Rows are in the order of the BED. A region on strand - is read as its
    reverse complement, so its first vector is that of its last base; positions
    are those of the forward strand. After Ctrl-C the same command resumes.

    \b
    Example:
      genezip embed regions.bed --fasta my.fa --level region --out vectors.parquet
    """
    import torch

    from genezip.inference.embedding.embed import embed_regions

    torch.set_num_threads(threads)
    found = embed_regions(bed, fasta, model, out, level, pool, flank_bp, bound, window_bp, device)
    options.echo(f"{found.sentence()} in {out}", out)
