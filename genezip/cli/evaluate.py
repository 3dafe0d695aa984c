"""``genezip evaluate``: scores from predictions, or of compressed DNA with its baselines."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

logger = logging.getLogger(__name__)

app = typer.Typer(no_args_is_help=True)

CompressedFiles = Annotated[
    list[Path], typer.Option("--compressed", help="Compressed windows; give it once per file.")
]
SourceFile = Annotated[Path, typer.Option("--source", help="source.json of `genezip fetch`.")]
RegionsBed = Annotated[Path, typer.Option("--regions", help="Region map, BED.")]
Corpus = Annotated[Path, typer.Option("--corpus", help="manifest.json of the corpus.")]
Settings = Annotated[
    str | None, typer.Option("--settings", help="Config section as JSON, or a YAML file.")
]
Scale = Annotated[str, typer.Option("--scale", help="Stamped on every row: full, demo, test.")]
Out = Annotated[Path, typer.Option("--out", help="File to write.")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="evaluate")


@app.callback(invoke_without_command=True)
def predictions(
    context: typer.Context,
    from_predictions: Annotated[
        list[Path] | None,
        typer.Option(help="Prediction file of a DNALongBench task; give it once per file."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="TSV of scores to write.")] = None,
    bootstrap: Annotated[int, typer.Option(help="Bootstrap resamples.", min=10)] = 4000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    scale: Annotated[str, typer.Option(help="full, demo or test.")] = "full",
) -> None:
    """Score predictions of a task (--from-predictions), or compressed DNA (the commands).

    No model and no GPU is needed: every metric is recomputed from the predictions.
    """
    from genezip.artifacts.scores import TASK_SCORES
    from genezip.errors import GenezipError

    if context.invoked_subcommand is not None:
        if from_predictions:
            raise GenezipError(
                f"--from-predictions is not an option of evaluate {context.invoked_subcommand}"
            )
        return
    if not from_predictions or out is None:
        raise GenezipError("give --from-predictions FILE and --out TSV, or name a command")
    from genezip.tasks.run import score

    TASK_SCORES.write(out, score(from_predictions, bootstrap, seed, scale))


@app.command()
def routers(
    like: Annotated[Path, typer.Option(help="Compressed windows whose token counts are copied.")],
    router: Annotated[str, typer.Option(help="fixed_stride or gc_cpg.")],
    source: SourceFile,
    regions: RegionsBed,
    corpus: Corpus,
    region_preset: Annotated[Path, typer.Option(help="Region budget, a YAML of config/regions.")],
    out: Out,
    settings: Settings = None,
) -> None:
    """Compress the same windows with a trivial router of equal token count."""
    from genezip import config
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError
    from genezip.evaluation import controls
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    model = read_compressed(like)
    if router == "fixed_stride":
        controls.write_fixed_stride(model, out)
        return
    if router != "gc_cpg":
        raise GenezipError(f"there is no router {router!r}; use fixed_stride or gc_cpg")
    preset = config.parse(config.RegionPreset, config.read_yaml(region_preset), str(region_preset))
    reader = CorpusReader(corpus)
    controls.write_gc_cpg(
        model,
        Source.load(source).assembly(),
        RegionMap.read_bed(regions),
        reader,
        reader.region_classes.complete(preset.target_bpt(), str(region_preset)),
        config.settings(config.Evaluation, settings),
        out,
    )


@app.command()
def markov(
    corpus: Corpus,
    source: SourceFile,
    out: Out,
    scale: Scale,
    settings: Settings = None,
    windows: Annotated[
        Path | None, typer.Option(help="Sums per window to write too, for paired comparisons.")
    ] = None,
) -> None:
    """Perplexity of Markov models of the training pieces on the held-out windows."""
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.markov import markov_rows, score_markov, write_markov_windows
    from genezip.evaluation.windows import read_facts
    from genezip.genome.sources.source import Source

    chosen = config.settings(config.Evaluation, settings)
    reader, opened = CorpusReader(corpus), Source.load(source)
    facts = read_facts(reader, chosen)
    scores = score_markov(reader, opened.assembly(), facts, chosen)
    DNA_SCORES.write(out, markov_rows(scores, facts, scale, opened.kind))
    if windows is not None:
        write_markov_windows(windows, scores.windows, facts)


@app.command()
def compression(
    compressed: CompressedFiles,
    corpus: Corpus,
    reference: Annotated[str, typer.Option(help="The model that the page is about.")],
    control: Annotated[str, typer.Option(help="The uniform control.")],
    scale: Scale,
    out: Out,
    comparisons: Annotated[Path, typer.Option(help="Paired comparisons to write.")],
    windows: Annotated[Path, typer.Option(help="Table per window to write.")],
    settings: Settings = None,
    markov: Annotated[
        Path | None,
        typer.Option(help="Windows of `evaluate markov`; compares perplexity with each order."),
    ] = None,
) -> None:
    """Every held-out metric of every router, and the paired comparisons."""
    import pandas as pd

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.comparisons import comparison_rows
    from genezip.evaluation.compression import compression_rows, corpus_rows, window_table
    from genezip.evaluation.markov import read_markov_windows
    from genezip.evaluation.windows import collect, read_facts
    from genezip.inference.table import read_compressed

    reader = CorpusReader(corpus)
    kind = reader.manifest["source"]
    facts = read_facts(reader, config.settings(config.Evaluation, settings))
    sums = []
    for path in compressed:
        sums.append(collect(read_compressed(path), facts))
        logger.info(f"compression: {path}")
    rows = [row for one in sums for row in compression_rows(one, facts, scale, kind)]
    rows += corpus_rows(facts, sums[0], "compression", scale, kind, tertiles=False)
    context = None if markov is None else read_markov_windows(markov, facts)
    paired = comparison_rows(sums, facts, reference, control, scale, kind, context)
    table = pd.concat([window_table(one, facts) for one in sums], ignore_index=True)
    DNA_SCORES.write(out, rows)
    DNA_SCORES.write(comparisons, paired)
    write_tsv(windows, table)


@app.command()
def repeats(
    compressed: CompressedFiles,
    source: SourceFile,
    regions: RegionsBed,
    corpus: Corpus,
    scale: Scale,
    out: Out,
    settings: Settings = None,
) -> None:
    """Local BPT in interspersed and tandem repeats against the rest."""
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.repeat_counts import read_routers, tally_routers
    from genezip.evaluation.repeats import RepeatAnnotation, repeat_rows
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    chosen = config.settings(config.Evaluation, settings)
    opened, kind = Source.load(source), CorpusReader(corpus).manifest["source"]
    assembly = opened.assembly()
    annotation = RepeatAnnotation(assembly, opened.rmsk(), opened.trf())
    for sentence in annotation.lacking():
        logger.warning(f"repeats: {sentence}")
    loaded = read_routers(read_compressed(path) for path in compressed)
    region_map = RegionMap.read_bed(regions)
    tallies = tally_routers(loaded, assembly, region_map, annotation, chosen)
    DNA_SCORES.write(out, repeat_rows(tallies, chosen, scale, kind))


@app.command()
def locus(
    compressed: CompressedFiles,
    source: SourceFile,
    regions: RegionsBed,
    out: Out,
    genes: Annotated[Path, typer.Option(help="Gene models inside the locus to write.")],
    settings: Settings = None,
    transcripts: Annotated[
        Literal["basic", "all", "canonical"],
        typer.Option(help="Genes are drawn from these, as `regions.transcripts`."),
    ] = "basic",
    gene_type: Annotated[
        list[str] | None,
        typer.Option(help="Only genes of this type, as `regions.gene_types` (repeat)."),
    ] = None,
) -> None:
    """Boundary probability and local BPT of each model at one held-out locus."""
    from genezip import config
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.locus import locus_tables
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    chosen = config.settings(config.Report, settings)
    files = [read_compressed(path) for path in compressed]
    region_map, opened = RegionMap.read_bed(regions), Source.load(source)
    tables = locus_tables(files, region_map, opened, chosen.locus, transcripts, gene_type or None)
    for path, table in zip((out, genes), tables, strict=True):
        write_tsv(path, table)
