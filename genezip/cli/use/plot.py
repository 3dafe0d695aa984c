"""``genezip plot``: one picture of what a model does with a region."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options


def plot(
    fasta: Annotated[Path, typer.Argument(help="FASTA, plain, gzip or bgzip; - for stdin.")],
    region: Annotated[
        str,
        typer.Argument(
            help="chrom:start-end, counted from 1 with both ends, or a whole contig; at most "
            "2,000,000 bp."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Picture to write, .svg or .png.")],
    model: options.ModelOrShipped = options.SHIPPED,
    gtf: Annotated[
        Path | None,
        typer.Option(
            "--gtf", help="Gene models (GTF, GFF3, BED12, GenBank, CDS): draws genes and regions."
        ),
    ] = None,
    format: options.Format = None,
    transcripts: options.Transcripts = "all",
    mutate: Annotated[
        bool,
        typer.Option(
            "--mutate", help="Which base makes a cut? Draws all mutations of at most 500 bp."
        ),
    ] = False,
    at: Annotated[
        int | None,
        typer.Option(
            help="With --mutate, base of the cut, counted from 1; default: the strongest boundary."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(help="With --mutate, table of all mutations (TSV; positions as in BED)."),
    ] = None,
    flank: Annotated[
        int, typer.Option(min=0, help="Bases that a stream reads before the region.")
    ] = 12_800,
    bound: options.Bound = None,
    threads: options.Threads = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Draw boundary probability, chunks and bases per token of a region, and its genes.

    A model that streams reads the bases of --flank before the region. Another
    reads the windows of `genezip compress`. So does a model with the bound
    sequence; --mutate opens it with the bound causal if --bound is not given.

    \b
    Example:
      genezip plot my.fa chr1:1,001-6,000 --model mine \\
        --gtf my.gtf --out region.svg
    """
    from contextlib import ExitStack

    import torch

    from genezip.artifacts.files import atomic_path
    from genezip.artifacts.tables import write_tsv
    from genezip.errors import GenezipError
    from genezip.view.picture import check_suffix
    from genezip.view.plot import plot_region

    check_suffix(out)
    if table is not None and not mutate:
        raise GenezipError("--table is the table of --mutate; add --mutate, or leave it out")
    torch.set_num_threads(threads)
    with ExitStack() as stack:
        # both files get their names when both are complete; that they can be written shows now
        made = stack.enter_context(atomic_path(out))
        made.touch()
        rows = None if table is None else stack.enter_context(atomic_path(table))
        if rows is not None:
            rows.touch()
        found = plot_region(
            fasta, region, model, gtf, mutate=mutate, at=at, flank=flank, bound=bound,
            transcripts=transcripts, format=format, device=device,
        )  # fmt: skip
        found.save_as(made, check_suffix(out))
        if rows is not None:
            assert found.mutations is not None
            write_tsv(rows, found.mutations)
    options.echo(f"{found.title}\n{found.caption}", out, table)
