"""``genezip compress``, ``evaluate heldout`` and ``tracks``: compression with a trained model."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options


def compress(
    fasta: Annotated[Path, typer.Argument(help="FASTA, plain, gzip or bgzip; - for stdin.")],
    out: Annotated[Path, typer.Option(help="Parquet to write, one row per token.")],
    model: options.ModelOrShipped = options.SHIPPED,
    tracks: Annotated[
        Path | None, typer.Option(help="Folder for bigWig, BED and an IGV session.")
    ] = None,
    bound: options.Bound = None,
    window_bp: Annotated[
        int | None,
        typer.Option(
            help="Independent windows of this length; default: a stream if possible, else 12800."
        ),
    ] = None,
    block_bp: Annotated[int, typer.Option(help="Bases of a stream per step.")] = 8192,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes: records, or windows, at once on a CPU.")
    ] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each process.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto.")] = "auto",
) -> None:
    """Compress your own DNA; no annotation and no training are needed.

    After Ctrl-C the same command resumes, also with other --jobs. With the bound
    causal or none each record is streamed as a whole; with sequence it is split
    into windows. --jobs 4 uses four cores and the memory of four runs, and writes
    the same bytes; a streamed record is not divided, so a single one keeps one
    core busy. A FASTA from a pipe, plain or gzip, is kept in the folder of --out
    until the end. If --out is a pipe or device (/dev/stdout), only the finished
    file is written to it, and an interrupted run starts again.

    \b
    Example:
      genezip compress my.fa --out tokens.parquet --tracks tracks
    """
    from genezip.inference import workers

    workers.ahead(jobs - 1)  # they import while this process does
    try:
        import torch

        from genezip.inference.fasta import compress_fasta

        torch.set_num_threads(threads)
        given = (tracks, bound, window_bp, block_bp, device, jobs)
        summary = compress_fasta(fasta, model, out, *given)
    finally:
        workers.dismiss()
    options.echo(f"{summary.sentence()} in {out}", out)


def heldout(
    model: options.Model,
    corpus: options.Corpus,
    out: options.CompressedFile,
    settings: Annotated[str | None, options.section("compress")] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="The model before its first training step.")
    ] = False,
    bound: options.Bound = None,
    split: Annotated[
        str, typer.Option(help="test, valid or train windows of the corpus.")
    ] = "test",
    pieces: Annotated[
        str | None,
        typer.Option(
            help="`rmsk`: segments of --source with RepeatMasker rows that are not held out."
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option(help="source.json, for --pieces.")] = None,
    threads: options.Threads = 1,
) -> None:
    """Compress held-out windows with a model.

    \b
    Example:
      genezip evaluate heldout --model mine \\
        --corpus corpus/manifest.json --out mine.parquet
    """
    import torch

    from genezip import config
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError
    from genezip.genome.sources.source import Source
    from genezip.inference.forward import compress_heldout, corpus_windows, repeat_windows

    torch.set_num_threads(threads)
    chosen = config.settings(config.Compress, settings)
    if pieces is None:
        windows = corpus_windows(corpus, split)
    elif pieces != "rmsk" or source is None:
        raise GenezipError(f"--pieces is {pieces!r}; give --pieces rmsk together with --source")
    else:
        window_bp = CorpusReader(corpus).manifest["settings"]["heldout_window_bp"]
        windows = repeat_windows(Source.load(source).assembly(), window_bp)
    compress_heldout(model, windows, chosen, out, untrained, bound)


def tracks(
    compressed: Annotated[Path, typer.Option(help="Compressed windows (Parquet).")],
    source: options.Source,
    regions: options.RegionMap,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Write boundary probability, tokens per kb, chunks and regions for a genome browser.

    \b
    Example:
      genezip tracks --compressed mine.parquet \\
        --source resources/source.json --regions map.bed.gz --out tracks
    """
    from genezip.inference.tracks import write_tracks

    write_tracks(compressed, source, regions, out)
