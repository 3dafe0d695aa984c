"""``genezip evaluate masked-markov`` and ``masked``: masked bases of held-out DNA."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options


def masked_markov(
    corpus: options.Corpus,
    source: options.Source,
    out: options.Scores,
    windows: Annotated[Path, typer.Option(help="Sums per window to write, for `masked`.")],
    scale: options.Scale,
    settings: Annotated[str | None, options.section("masked")] = None,
) -> None:
    """Bits per masked base of two-sided Markov models and GC content.

    They predict the same bases as the networks of `evaluate masked`.

    \b
    Example:
      genezip evaluate masked-markov --corpus corpus/manifest.json \\
        --source resources/source.json --scale demo --out markov.tsv \\
        --windows markov.parquet
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.masked import scores
    from genezip.genome.sources.source import Source

    reader, opened = CorpusReader(corpus), Source.load(source)
    held_out = scores.masked_windows(reader, config.settings(config.MaskedBases, settings))
    found = scores.score_markov(reader, opened.assembly(), held_out)
    DNA_SCORES.write(out, scores.markov_rows(found, held_out, scale, opened.kind))
    scores.write_windows(windows, found.by_model, held_out)


def masked(
    model: options.Model,
    corpus: options.Corpus,
    out: options.Scores,
    scale: options.Scale,
    markov: Annotated[
        Path | None, typer.Option(help="Windows of `evaluate masked-markov`, to compare with.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Windows of the learned model whose control this model is."),
    ] = None,
    windows: Annotated[
        Path | None, typer.Option(help="Sums per window to write, for --against of a control.")
    ] = None,
    settings: Annotated[str | None, options.section("masked")] = None,
    threads: options.Threads = 1,
) -> None:
    """Bits per masked base of a bidirectional network, and its tokens with and without masks.

    The number is mask_bits: bits per base where the network sees MASK. All masks
    of a window are predicted at once.

    \b
    Example:
      genezip evaluate masked --model mine --corpus corpus/manifest.json \\
        --markov markov.parquet --scale demo --out masked.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES, EQUAL, TWO_SIDED
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.masked import scores
    from genezip.evaluation.windows import Columns
    from genezip.models import load

    torch.set_num_threads(threads)
    chosen = config.settings(config.MaskedBases, settings)
    compressor = load(model, chosen.device)
    network, name = scores.bidirectional(compressor), compressor.name
    reader = CorpusReader(corpus)
    held_out = scores.masked_windows(reader, chosen)
    others: dict[str, Columns] = {}
    if markov is not None:
        counted = scores.read_windows(markov, held_out)
        others |= {model_name: counted[model_name] for model_name in (TWO_SIDED, EQUAL)}
    if against is not None:
        others |= scores.read_windows(against, held_out)
    found = scores.score_network(network, name, held_out)
    seed, kind = compressor.metadata.get("seed"), reader.manifest["source"]
    DNA_SCORES.write(out, scores.network_rows(found, held_out, others, name, seed, scale, kind))
    if windows is not None:
        scores.write_windows(windows, {name: found.columns}, held_out)
