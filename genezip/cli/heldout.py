"""``genezip evaluate heldout``."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import evaluate


def register(root: typer.Typer) -> None:
    """Add this command to the group ``evaluate``."""
    evaluate.app.command()(heldout)


def heldout(
    model: Annotated[str, typer.Option(help="model folder, hub id, or a system such as fixed:16")],
    corpus: Annotated[Path, typer.Option(help="manifest.json of the corpus")],
    out: Annotated[Path, typer.Option(help="compressed windows (Parquet) to write")],
    settings: Annotated[str | None, typer.Option(help="section `compress`: JSON or YAML")] = None,
    untrained: Annotated[
        bool, typer.Option("--untrained", help="the same model before its first step")
    ] = False,
    bound: Annotated[
        str | None, typer.Option(help="none, sequence or causal, instead of the model's own")
    ] = None,
    split: Annotated[str, typer.Option(help="test, valid or train windows of the corpus")] = "test",
    pieces: Annotated[
        str | None,
        typer.Option(
            help="`rmsk`: pieces of --source with RepeatMasker rows instead, none held out"
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option(help="source.json, for --pieces")] = None,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Compress held-out windows with a model."""
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
