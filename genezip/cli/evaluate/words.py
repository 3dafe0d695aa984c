"""``genezip evaluate word-floors``, ``masked-words`` and ``word-vocabulary``: words of DNA."""

from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options

Tokenizer = Annotated[Path, typer.Option("--tokenizer", help="Model folder of the vocabulary.")]
Settings = Annotated[str | None, options.section("words")]
Windows = Annotated[
    Path | None, typer.Option("--windows", help="Sums per window to write, for comparisons.")
]


def word_floors(
    tokenizer: Tokenizer,
    corpus: options.Corpus,
    source: options.Source,
    out: options.Scores,
    scale: options.Scale,
    windows: Windows = None,
    settings: Settings = None,
) -> None:
    """Bits per masked word of models that count words and their neighbours.

    They predict the same words as the networks of `evaluate masked-words`.

    \b
    Example:
      genezip evaluate word-floors --tokenizer bpe \\
        --corpus corpus/manifest.json --source resources/source.json \\
        --scale demo --out floors.tsv --windows floors.parquet
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.words import prediction
    from genezip.genome.sources.source import Source
    from genezip.models.bpe.compressor import BPE

    chosen = config.settings(config.MaskedWords, settings)
    reader, opened, words = (
        CorpusReader(corpus),
        Source.load(source),
        BPE.from_pretrained(tokenizer),
    )
    held_out = prediction.held_out_words(reader, words, chosen)
    floors = prediction.fit_floors(reader, opened.assembly(), words, chosen)
    found = prediction.score_floors(floors, held_out)
    DNA_SCORES.write(out, prediction.floor_rows(found, held_out, scale, opened.kind))
    if windows is not None:
        prediction.write_windows(windows, found, held_out)


def masked_words(
    model: options.Model,
    corpus: options.Corpus,
    out: options.Scores,
    scale: options.Scale,
    floors: Annotated[
        Path | None, typer.Option(help="Windows of `evaluate word-floors`, to compare with.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Windows of another network on the same words.")
    ] = None,
    windows: Windows = None,
    settings: Settings = None,
    threads: options.Threads = 1,
) -> None:
    """Bits per masked word of a network on words, each word masked by itself.

    Networks on the same words predict the same ones, whatever was masked in
    their training.

    \b
    Example:
      genezip evaluate masked-words --model mine \\
        --corpus corpus/manifest.json --floors floors.parquet \\
        --scale demo --out masked.tsv
    """
    import torch

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError
    from genezip.evaluation.windows import Columns
    from genezip.evaluation.words import prediction
    from genezip.models import load
    from genezip.models.dnazen.compressor import DnaZen

    torch.set_num_threads(threads)
    chosen = config.settings(config.MaskedWords, settings)
    opened = load(model, chosen.device)
    if not isinstance(opened, DnaZen):
        raise GenezipError(
            f"{opened.name} predicts no masked words; name a model of the compressor dnazen"
        )
    reader = CorpusReader(corpus)
    held_out = prediction.held_out_words(reader, opened.tokenizer, chosen)
    others: dict[str, Columns] = {}
    for path in (floors, against):
        if path is not None:
            others |= prediction.read_windows(path, held_out)
    found = prediction.score_network(opened, held_out)
    kind = reader.manifest["source"]
    DNA_SCORES.write(out, prediction.network_rows(found, held_out, others, opened, scale, kind))
    if windows is not None:
        prediction.write_windows(windows, {opened.name: found.columns}, held_out)


def word_vocabulary(
    tokenizer: Tokenizer,
    ggrams: Annotated[Path, typer.Option(help="G-grams mined with it (`tokenizer ggrams`).")],
    source: options.Source,
    regions: options.RegionMap,
    name: options.ModelName,
    out: Annotated[Path, typer.Option(help="Table of G-grams by threshold to write.")],
    frequent: Annotated[Path, typer.Option(help="Table of the most frequent ones to write.")],
    scale: options.Scale,
    exclusions: options.Exclusions = None,
    labels: options.Labels = None,
    sets: options.LabelledSets = None,
    settings: Settings = None,
) -> None:
    """Number of G-grams by threshold and by chance, repeats in them, and what they are.

    \b
    Example:
      genezip evaluate word-vocabulary --tokenizer bpe \\
        --ggrams ggrams.json --source resources/source.json \\
        --regions map.bed.gz --name mine --scale demo \\
        --out vocabulary.tsv --frequent frequent.tsv
    """
    from genezip import config
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.words import vocabulary
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.models.bpe.compressor import BPE
    from genezip.models.dnazen.ggrams import GGrams

    chosen = config.settings(config.MaskedWords, settings)
    words, table, opened = BPE.from_pretrained(tokenizer), GGrams.read(ggrams), Source.load(source)
    table.check_tokenizer(words.sha256, words.vocabulary, str(tokenizer))
    mining = config.parse(config.Mining, table.facts["mining"], str(ggrams))
    seen = options.evaluated(labels, sets)
    found = vocabulary.mining_words(opened, words, mining, table.facts["most_bp"], exclusions, seen)
    repeats = vocabulary.RepeatMask(opened.assembly(), opened.rmsk())
    by_threshold = vocabulary.vocabulary_rows(found, words, mining, chosen, repeats, name, scale)
    region_map = RegionMap.read_bed(regions)
    top = vocabulary.frequent_rows(
        found, table, words, repeats, region_map, chosen.frequent, name, scale
    )
    write_tsv(out, by_threshold)
    write_tsv(frequent, top)
