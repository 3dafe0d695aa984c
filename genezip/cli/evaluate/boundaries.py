"""``genezip evaluate codon-phase``, ``alignment`` and ``stability``: token boundaries."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options


def codon_phase(
    model: options.Model,
    source: options.Source,
    out: options.Scores,
    profile: Annotated[
        Path, typer.Option(help="Rates around start and stop codons to write (TSV).")
    ],
    scale: options.Scale,
    organism: Annotated[
        list[str] | None,
        typer.Option(help="Organism of the source; repeat for more. Default: all annotated ones."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train, valid or test DNA only; default: train and test apart."),
    ] = None,
    genes: Annotated[int, typer.Option(help="Genes read of each organism and split.", min=1)] = 500,
    flank: Annotated[int, typer.Option(help="Bases before and after a gene.", min=60)] = 192,
    windows: Annotated[int, typer.Option(help="Long windows, for the features.", min=0)] = 5,
    window_bp: Annotated[int, typer.Option(help="Bases of a long window.", min=100)] = 49_152,
    shifts: Annotated[int, typer.Option(help="Random shifts for the p-values.", min=1)] = 999,
    bootstrap: options.Bootstrap = 4000,
    seed: Annotated[int, typer.Option(help="Seed of sample, shifts and bootstrap.")] = 0,
    genetic_code: Annotated[
        int, typer.Option(help="NCBI genetic code of a source of one genome.")
    ] = 1,
    bound: options.Bound = None,
    threads: options.Threads = 1,
) -> None:
    """Token boundaries along codons: period 3, phase over genes, start and stop.

    Every coding sequence in frame is read in its direction and against it. The
    controls are shifted boundaries (p-values) and DNA of shuffled dinucleotides.
    Rows whose source is paper are the published rates of dnaHNet.

    \b
    Example:
      genezip evaluate codon-phase --model mine \\
        --source resources/source.json --organism bsubtilis \\
        --scale demo --out codon_phase.tsv --profile profile.tsv
    """
    import pandas as pd
    import torch

    from genezip.artifacts.scores import DNA_SCORES
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.genes.codon_phase import PhaseSettings, published_rows
    from genezip.evaluation.genes.codon_phase import codon_phase as measured
    from genezip.evaluation.genes.gene_windows import WindowSettings, chosen_organisms, read_windows
    from genezip.genome.sources.source import Source
    from genezip.models import load

    torch.set_num_threads(threads)
    opened, compressor = Source.load(source), load(model, bound=bound)
    chosen = chosen_organisms(opened, organism, genetic_code)
    read = WindowSettings(genes, flank, windows, window_bp, seed)
    settings = PhaseSettings(shifts, bootstrap, seed)
    found = [
        measured(compressor, one, settings, scale, opened.kind)
        for one in read_windows(opened, chosen, read, split)
    ]
    rows = [row for one in found for row in one.rows]
    DNA_SCORES.write(out, [*rows, *published_rows(scale)])
    write_tsv(profile, pd.concat([one.profile for one in found], ignore_index=True))


def alignment(
    model: options.Model,
    source: options.Source,
    out: Annotated[Path, typer.Option(help="Sites beside their controls to write (TSV).")],
    profile: Annotated[Path, typer.Option(help="Mean signal around sites to write (TSV).")],
    scale: options.Scale,
    settings: Annotated[str | None, options.section("alignment")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of site, such as donor; repeat for more. Default: those of the settings, "
            "or all."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="DNA to read: train, valid or test.")] = "test",
    transcripts: options.Transcripts = "basic",
    gene_type: options.GeneType = None,
    bound: options.Bound = None,
    threads: options.Threads = 1,
) -> None:
    """Token boundaries at TATA boxes, start codons, splice sites and other sites of genes.

    The enrichment at sites stands beside that at decoys with the same
    dinucleotide, at k-mers of the same composition, and in DNA that is shuffled
    around the site.

    \b
    Example:
      genezip evaluate alignment --model mine \\
        --source resources/source.json --kind donor --kind acceptor \\
        --scale demo --out alignment.tsv --profile profile.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import ALIGNMENT_SCORES
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.genes.alignment import AlignmentSettings
    from genezip.evaluation.genes.alignment import alignment as measured
    from genezip.evaluation.genes.site_windows import SiteSettings, read_kinds
    from genezip.evaluation.genes.sites import SITE_KINDS, chosen_kinds
    from genezip.genome.sources.source import Source
    from genezip.models import load

    torch.set_num_threads(threads)
    chosen = config.settings(config.Alignment, settings)
    kinds = chosen_kinds(kind or chosen.kinds or list(SITE_KINDS))
    opened, compressor = Source.load(source), load(model, bound=bound)
    read = SiteSettings(
        chosen.sites, chosen.controls, chosen.window_bp, block_bp=chosen.block_bp, seed=chosen.seed
    )
    draws = AlignmentSettings(chosen.shifts, chosen.bootstrap, chosen.seed)
    asked = (transcripts, gene_type or None, bool(kind))
    windows = read_kinds(opened, kinds, read, split, *asked)
    found = measured(compressor, windows, draws, split, scale, opened.kind)
    ALIGNMENT_SCORES.write(out, found.rows)
    write_tsv(profile, found.profile)


def stability(
    model: options.Model,
    corpus: options.Corpus,
    out: options.Scores,
    scale: options.Scale,
    settings: Annotated[str | None, options.section("stability")] = None,
    bound: options.Bound = None,
    threads: options.Threads = 1,
) -> None:
    """How far one changed base moves token boundaries, and what the other strand changes.

    \b
    Example:
      genezip evaluate stability --model mine --corpus corpus/manifest.json \\
        --scale demo --out stability.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.stability import stability_rows
    from genezip.models import load

    torch.set_num_threads(threads)
    chosen = config.settings(config.Stability, settings)
    compressor = load(model, bound=bound)
    DNA_SCORES.write(out, stability_rows(compressor, CorpusReader(corpus), chosen, scale))
