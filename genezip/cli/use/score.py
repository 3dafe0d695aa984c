"""``genezip score``: zero-shot scores of the variants of a VCF."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from genezip.cli import options


def score(
    vcf: Annotated[Path, typer.Argument(help="VCF, plain, gzip or bgzip; - for stdin.")],
    fasta: Annotated[Path, typer.Option(help="Reference that the variants were called on.")],
    out: Annotated[
        Path, typer.Option(help="Scores: .vcf, .vcf.gz, .tsv or .tsv.gz; - is VCF on stdout.")
    ],
    model: options.ModelOrShipped = options.SHIPPED,
    bound: options.Bound = None,
    context_bp: Annotated[int, typer.Option(help="Bases before a variant, at least.")] = 8192,
    flank_bp: Annotated[int, typer.Option(help="Bases behind a variant that count.")] = 2048,
    strands: Annotated[
        Literal["both", "forward"], typer.Option(help="Strands whose mean is the log ratio.")
    ] = "both",
    neutral_places: Annotated[
        int, typer.Option(help="Places of random indels, which give the bias of the length.")
    ] = 50,
    seed: Annotated[int, typer.Option(help="Seed of the random indels.")] = 0,
    threads: options.Threads = 2,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Score variants by how much less likely they make your DNA.

    REF is compared with the FASTA first. Substitutions, indels, <DEL>, <DUP> and
    <INV> of up to 10,000 bp get a score, others a reason. After Ctrl-C the same
    command resumes. docs/variants.md explains the columns.

    \b
    Example:
      genezip score variants.vcf.gz --fasta my.fa --model mine --out scores.vcf.gz
    """
    import torch

    from genezip.inference.variants.score import score_vcf

    torch.set_num_threads(threads)
    summary = score_vcf(
        vcf, fasta, model, out, bound=bound, context_bp=context_bp, flank_bp=flank_bp,
        strands=strands, neutral_places=neutral_places, seed=seed, device=device,
    )  # fmt: skip
    options.echo(f"{summary.sentence()}, in {out}", out)
