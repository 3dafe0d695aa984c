"""``genezip evaluate arena``, ``recall``, ``token-ids`` and ``cost``: systems beside each other."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options

Settings = Annotated[str | None, options.section("arena")]


def arena(
    compressed: options.CompressedFiles,
    corpus: options.Corpus,
    scale: options.Scale,
    out: options.Scores,
    settings: options.EvaluationSettings = None,
    bits: Annotated[
        Path | None,
        typer.Option(help="Bits per base of exact likelihoods to write (TSV)."),
    ] = None,
    markov: Annotated[
        Path | None,
        typer.Option(help="Windows of `evaluate markov`, the bar of the bits."),
    ] = None,
    arena_settings: Annotated[str | None, options.section("arena", "--arena-settings")] = None,
) -> None:
    """Rank systems by what the places of their tokens are worth, each with its own number.

    Every file stands beside controls with as many tokens in every window:
    chunks of equal length, and chunks that begin at random bases.

    \b
    Example:
      genezip evaluate arena --compressed mine.parquet \\
        --compressed uniform.parquet --corpus corpus/manifest.json \\
        --scale demo --out arena.tsv
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.arena.pairs import bits_rows
    from genezip.evaluation.arena.places import arena_rows, enter
    from genezip.evaluation.baselines import read_baseline_windows
    from genezip.evaluation.windows import collect, read_facts
    from genezip.inference.table import read_compressed

    reader, chosen = CorpusReader(corpus), config.settings(config.Evaluation, settings)
    kind = reader.manifest["source"]
    facts = read_facts(reader, chosen)
    files = [read_compressed(path) for path in compressed]
    rows = arena_rows([enter(file, facts, chosen.seed) for file in files], facts, scale, kind)
    if bits is not None:
        beside = config.settings(config.Arena, arena_settings).beside
        baselines = None if markov is None else read_baseline_windows(markov, facts)
        sums = [collect(file, facts) for file in files]
        DNA_SCORES.write(bits, bits_rows(sums, facts, baselines, beside, scale, kind))
    DNA_SCORES.write(out, rows)


def recall(
    source: options.Source,
    out: options.Scores,
    scale: options.Scale,
    model: Annotated[
        str | None, typer.Option(help="Model; without one, the context-mixing model (the bar).")
    ] = None,
    settings: Settings = None,
    evaluation: Annotated[str | None, options.section("evaluation", "--evaluation")] = None,
    bound: options.Bound = None,
    threads: options.Threads = 1,
) -> None:
    """How much of 256 bases that were read before a system predicts, by distance.

    Bits per base that a copy saves, against the same bases without an original;
    of a system without exact likelihoods only the boundaries are compared.

    \b
    Example:
      genezip evaluate recall --model mine --source resources/source.json \\
        --scale demo --out recall.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.evaluation.arena.recall import mixing_rows, recall_rows
    from genezip.evaluation.baselines import fit_mixing
    from genezip.genome.sources.source import Source
    from genezip.models import load

    torch.set_num_threads(threads)
    opened, chosen = Source.load(source), config.settings(config.Arena, settings)
    assembly = opened.assembly()
    if model is None:
        bar = fit_mixing(assembly, config.settings(config.Evaluation, evaluation))
        rows = mixing_rows(bar, assembly, chosen, scale, opened.kind)
    else:
        rows = recall_rows(load(model, bound=bound), assembly, chosen, scale, opened.kind)
    DNA_SCORES.write(out, rows)


def token_ids(
    model: options.Model,
    corpus: options.Corpus,
    out: options.Scores,
    scale: options.Scale,
    settings: Settings = None,
) -> None:
    """Entropy of the token ids in held-out DNA, and ids that never occur.

    The table has no rows for a system whose tokens have no ids.

    \b
    Example:
      genezip evaluate token-ids --model fixed:6 --corpus corpus/manifest.json \\
        --scale demo --out ids.tsv
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.arena.vocabulary import vocabulary_rows
    from genezip.models import load

    chosen = config.settings(config.Arena, settings)
    DNA_SCORES.write(out, vocabulary_rows(load(model), CorpusReader(corpus), chosen, scale))


def cost(
    model: Annotated[Path, typer.Option(help="Model folder.")],
    source: options.Source,
    out: options.Scores,
    scale: options.Scale,
    settings: Settings = None,
    trained_on: Annotated[
        str | None, typer.Option(help="DNA of the training, for the table.")
    ] = None,
    threads: options.Threads = 1,
) -> None:
    """Parameters and training of a model, and time and memory of one pass over 128 kb.

    Other work on the machine makes time and memory worse.

    \b
    Example:
      genezip evaluate cost --model mine --source resources/source.json \\
        --scale demo --out cost.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.evaluation.arena.cost import cost_rows
    from genezip.genome.sources.source import Source
    from genezip.models import load

    torch.set_num_threads(threads)
    opened, chosen = Source.load(source), config.settings(config.Arena, settings)
    assembly = opened.assembly()
    found = cost_rows(load(model), model, assembly, chosen, scale, opened.kind, trained_on)
    DNA_SCORES.write(out, found)
