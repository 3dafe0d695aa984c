"""``genezip evaluate``: scores from predictions, or of compressed DNA with baselines."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from genezip.cli import options
from genezip.cli.evaluate import arena, boundaries, masked, words
from genezip.cli.use.compress import heldout

logger = logging.getLogger(__name__)

app = typer.Typer(no_args_is_help=True)
app.command()(heldout)


@app.callback(invoke_without_command=True)
def predictions(
    context: typer.Context,
    from_predictions: Annotated[
        list[Path] | None,
        typer.Option(help="Prediction file of a task; repeat for more."),
    ] = None,
    from_scores: Annotated[
        list[Path] | None,
        typer.Option(
            help="Scores of one prediction file, of a task that compares none; repeat for more."
        ),
    ] = None,
    out: Annotated[Path | None, options.SCORES] = None,
    bootstrap: options.Bootstrap = 4000,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    scale: options.Scale = "full",
    control: options.Control = None,
    task: Annotated[
        str | None,
        typer.Option(help="Task outside this package, module:Class, of these predictions."),
    ] = None,
) -> None:
    """Score predictions of a task (--from-predictions), or compressed DNA (the commands).

    No model and no GPU is needed: all metrics are computed from the predictions.

    \b
    Example:
      genezip evaluate --from-predictions model.parquet \\
        --from-predictions baselines.parquet --out scores.tsv
    """
    from genezip.artifacts.scores import TASK_SCORES
    from genezip.errors import GenezipError

    if context.invoked_subcommand is not None:
        if from_predictions or from_scores:
            named = "--from-predictions" if from_predictions else "--from-scores"
            raise GenezipError(
                f"{named} is not an option of evaluate {context.invoked_subcommand}; "
                "leave it out, or give it and --out without a command"
            )
        return
    if bool(from_predictions) == bool(from_scores) or out is None:
        raise GenezipError(
            "give --from-predictions FILE (or --from-scores TSV) and --out TSV, or name a command"
        )
    if from_scores:
        from genezip.tasks.run import join_scores

        TASK_SCORES.write(out, join_scores(from_scores))
        return
    from genezip.tasks import TASKS
    from genezip.tasks.run import score

    assert from_predictions is not None
    given = None if task is None else TASKS[task]
    TASK_SCORES.write(out, score(from_predictions, bootstrap, seed, scale, control, given))


@app.command()
def routers(
    like: Annotated[Path, typer.Option(help="Compressed windows with the token counts to match.")],
    router: Annotated[str, typer.Option(help="fixed_stride, gc_cpg, cpg or surprisal.")],
    source: options.Source,
    regions: options.RegionMap,
    corpus: options.Corpus,
    region_preset: Annotated[str, typer.Option(help=options.REGION_PRESET)],
    out: options.CompressedFile,
    settings: options.EvaluationSettings = None,
    markov: Annotated[
        Path | None,
        typer.Option(help="Windows of `evaluate markov`, for the router surprisal."),
    ] = None,
) -> None:
    """Compress the same windows with a control router of equal token count.

    \b
    Example:
      genezip evaluate routers --like mine.parquet --router gc_cpg \\
        --source resources/source.json --regions map.bed.gz \\
        --corpus corpus/manifest.json --out gc_cpg.parquet \\
        --region-preset transcript_balanced
    """
    from genezip import config
    from genezip.artifacts.scores import CPG_ROUTER, FIXED_STRIDE, GC_ROUTER, SURPRISAL_ROUTER
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError
    from genezip.evaluation import controls
    from genezip.evaluation.baselines import read_baseline_windows
    from genezip.evaluation.windows import read_facts
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    model = read_compressed(like)
    if router == FIXED_STRIDE:
        controls.write_fixed_stride(model, out)
        return
    if router == CPG_ROUTER:
        controls.write_cpg(model, Source.load(source).assembly(), out)
        return
    reader, chosen = CorpusReader(corpus), config.settings(config.Evaluation, settings)
    if router == SURPRISAL_ROUTER:
        if markov is None:
            raise GenezipError("the router surprisal needs --markov, the windows of its model")
        facts = read_facts(reader, chosen)
        controls.write_surprisal(model, read_baseline_windows(markov, facts), facts, out)
        return
    if router != GC_ROUTER:
        known = ", ".join((FIXED_STRIDE, GC_ROUTER, CPG_ROUTER, SURPRISAL_ROUTER))
        raise GenezipError(f"there is no router {router!r}; use one of {known}")
    preset = config.region_preset(region_preset)
    controls.write_gc_cpg(
        model,
        Source.load(source).assembly(),
        RegionMap.read_bed(regions),
        reader,
        reader.region_classes.complete(preset.target_bpt(), region_preset),
        chosen,
        out,
    )


@app.command()
def markov(
    corpus: options.Corpus,
    source: options.Source,
    out: options.Scores,
    scale: options.Scale,
    settings: options.EvaluationSettings = None,
    windows: Annotated[
        Path | None, typer.Option(help="Sums per window to write, for paired comparisons.")
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(help="source.json of other DNA that the models read; default: --source."),
    ] = None,
) -> None:
    """Perplexity of Markov and mixing models of the training segments on the held-out windows.

    \b
    Example:
      genezip evaluate markov --corpus corpus/manifest.json \\
        --source resources/source.json --scale demo --out markov.tsv
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.baselines import (
        baseline_rows,
        score_baselines,
        write_baseline_windows,
    )
    from genezip.evaluation.windows import read_facts
    from genezip.genome.sources.source import Source

    chosen = config.settings(config.Evaluation, settings)
    reader, opened = CorpusReader(corpus), Source.load(source)
    read = opened if training is None else Source.load(training)
    facts = read_facts(reader, chosen, organisms=() if training else opened.organisms)
    scores = score_baselines(reader, read.assembly(), facts, chosen)
    DNA_SCORES.write(out, baseline_rows(scores, facts, scale, opened.kind))
    if windows is not None:
        write_baseline_windows(windows, scores.windows, facts)


@app.command()
def compression(
    compressed: options.CompressedFiles,
    corpus: options.Corpus,
    reference: Annotated[str, typer.Option(help="Model of the report.")],
    control: Annotated[str, typer.Option(help="Its uniform control.")],
    scale: options.Scale,
    out: options.Scores,
    comparisons: Annotated[Path, typer.Option(help="Paired comparisons to write.")],
    windows: Annotated[Path, typer.Option(help="Table per window to write.")],
    settings: options.EvaluationSettings = None,
    markov: Annotated[
        Path | None,
        typer.Option(help="Windows of `evaluate markov`, to compare perplexity with each model."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            help="source.json, for scores by organism where it holds several genomes and for "
            "soft-masked bases."
        ),
    ] = None,
) -> None:
    """Held-out metrics of every model and router, and paired comparisons.

    \b
    Example:
      genezip evaluate compression --compressed mine.parquet \\
        --compressed uniform.parquet --corpus corpus/manifest.json \\
        --reference mine --control uniform --scale demo --out scores.tsv \\
        --comparisons comparisons.tsv --windows windows.tsv
    """
    import pandas as pd

    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.baselines import read_baseline_windows
    from genezip.evaluation.comparisons import comparison_rows
    from genezip.evaluation.compression import compression_rows, corpus_rows, window_table
    from genezip.evaluation.windows import collect, read_facts
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    reader = CorpusReader(corpus)
    kind = reader.manifest["source"]
    opened = None if source is None else Source.load(source)
    chosen = config.settings(config.Evaluation, settings)
    organisms = () if opened is None else opened.organisms
    assembly = None if opened is None else opened.assembly()
    facts = read_facts(reader, chosen, organisms=organisms, assembly=assembly)
    baselines = None if markov is None else read_baseline_windows(markov, facts)
    mixed = None if baselines is None else baselines.mixed
    sums = []
    for path in compressed:
        sums.append(collect(read_compressed(path), facts, mixed))
        logger.info(f"compression: {path}")
    rows = [row for one in sums for row in compression_rows(one, facts, scale, kind)]
    rows += corpus_rows(facts, sums[0], "compression", scale, kind, tertiles=False)
    paired = comparison_rows(sums, facts, reference, control, scale, kind, baselines)
    table = pd.concat([window_table(one, facts) for one in sums], ignore_index=True)
    DNA_SCORES.write(out, rows)
    DNA_SCORES.write(comparisons, paired)
    write_tsv(windows, table)


@app.command()
def scaling(
    compressed: options.CompressedFiles,
    model: Annotated[
        list[Path], typer.Option(help="Folder of a model with such a file; repeat for more.")
    ],
    scores: Annotated[Path, typer.Option(help="Scores of `evaluate compression`.")],
    scale: options.Scale,
    out: options.Scores,
) -> None:
    """Perplexity against the operations of training, and its exponent by kind of network.

    Rows whose source is paper are the published exponents.

    \b
    Example:
      genezip evaluate scaling --compressed a.parquet --model a \\
        --compressed b.parquet --model b --scores compression.tsv \\
        --scale demo --out scaling.tsv
    """
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.errors import GenezipError
    from genezip.evaluation.scaling import scaling_rows, scaling_run
    from genezip.inference.table import read_compressed
    from genezip.models.pretrained import load_card

    files = {(one.name, one.seed): one for one in map(read_compressed, compressed)}
    runs = []
    for folder in model:
        card = load_card(folder)
        if (card.name, card.seed) not in files:
            raise GenezipError(
                f"no --compressed file is of {card.name}, seed {card.seed}, the model of {folder}; "
                "name its file"
            )
        runs.append(scaling_run(card, files[card.name, card.seed]))
    table = DNA_SCORES.read(scores)
    kinds = [one for one in table["source"].dropna().unique() if one != "paper"]
    DNA_SCORES.write(out, scaling_rows(runs, table, scale, kinds[0]))


@app.command()
def repeats(
    compressed: options.CompressedFiles,
    source: options.Source,
    regions: options.RegionMap,
    corpus: options.Corpus,
    scale: options.Scale,
    out: options.Scores,
    settings: options.EvaluationSettings = None,
    kinds: Annotated[
        Path | None,
        typer.Option(help="The same by family, age, period and copy number to write (TSV)."),
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Model of the report.")] = None,
    control: Annotated[
        str | None, typer.Option(help="Its uniform control, which ratios are divided by, too.")
    ] = None,
) -> None:
    """Local BPT in interspersed and tandem repeats against a background.

    \b
    Example:
      genezip evaluate repeats --compressed mine.parquet \\
        --source resources/source.json --regions map.bed.gz \\
        --corpus corpus/manifest.json --scale demo --out repeats.tsv
    """
    from genezip import config
    from genezip.artifacts.scores import DNA_SCORES
    from genezip.corpus.corpus import CorpusReader
    from genezip.evaluation.repeats.counts import read_routers, tally_routers
    from genezip.evaluation.repeats.kinds import RepeatKinds
    from genezip.evaluation.repeats.sets import RepeatAnnotation, repeat_rows
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
    pair = (reference, control) if reference and control else None
    for path, sets in ((out, annotation), (kinds, RepeatKinds(annotation) if kinds else None)):
        if path and sets:
            tallies = tally_routers(loaded, assembly, region_map, sets, chosen)
            DNA_SCORES.write(path, repeat_rows(tallies, chosen, scale, kind, pair))


@app.command()
def tandem(
    source: options.Source,
    out: Annotated[Path, typer.Option(help="Comparison to write (TSV).")],
    split: Annotated[str, typer.Option(help="DNA to read: train, valid or test.")] = "test",
    bp: Annotated[
        int, typer.Option(help="Bases at most, of the longest segment.", min=1)
    ] = 500_000,
) -> None:
    """Run TRF on a slice of held-out DNA and compare its calls with the table of the source.

    \b
    Example:
      genezip evaluate tandem --source resources/source.json --out tandem.tsv
    """
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.repeats.tandem import compare
    from genezip.genome.sources.source import Source

    opened = Source.load(source)
    found = compare(opened.assembly(), opened.trf(), bp, split)
    write_tsv(out, found)
    row = found.iloc[0]
    logger.info(
        f"{out}: {row['program']} on {row['end'] - row['start']:,} bp of {row['segment']}: "
        f"{row['calls']} calls, the table {row['calls_table']}; {row['shared']:.1%} of their bases "
        "are shared"
    )


@app.command()
def locus(
    compressed: options.CompressedFiles,
    source: options.Source,
    regions: options.RegionMap,
    out: Annotated[Path, typer.Option(help="Boundaries and BPT at the locus to write (TSV).")],
    genes: Annotated[Path, typer.Option(help="Gene models inside the locus to write.")],
    settings: Annotated[str | None, options.section("report")] = None,
    transcripts: options.Transcripts = "basic",
    gene_type: options.GeneType = None,
) -> None:
    """Boundary probability and local BPT of each model at held-out loci.

    \b
    Example:
      genezip evaluate locus --compressed mine.parquet \\
        --compressed uniform.parquet --source resources/source.json \\
        --regions map.bed.gz --settings config/demo.yaml \\
        --out locus.tsv --genes genes.tsv
    """
    from genezip import config
    from genezip.artifacts.tables import write_tsv
    from genezip.evaluation.locus import locus_tables
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source
    from genezip.inference.table import read_compressed

    chosen = config.settings(config.Report, settings)
    files = [read_compressed(path) for path in compressed]
    region_map, opened = RegionMap.read_bed(regions), Source.load(source)
    wanted = [chosen.locus, *chosen.loci]
    tables = locus_tables(files, region_map, opened, wanted, transcripts, gene_type or None)
    for path, table in zip((out, genes), tables, strict=True):
        write_tsv(path, table)


@app.command()
def matched(
    model: Annotated[
        list[str],
        typer.Option(help="Model folder of a control or of its guide; repeat for more."),
    ],
    corpus: options.Corpus,
    out: Annotated[Path, typer.Option(help="Tokens and operations of every arm to write (TSV).")],
    scale: options.Scale,
    split: Annotated[str, typer.Option(help="Windows of train, valid or test DNA.")] = "test",
    bp: Annotated[int, typer.Option(help="Bases at most, in evenly spaced windows.")] = 262_144,
    threads: options.Threads = 1,
) -> None:
    """Tokens and operations of guided controls beside those of their guides.

    An arm whose tokens or operations differ by more than 1 % from those of its
    guide is refused.

    \b
    Example:
      genezip evaluate matched --model learned --model even \\
        --corpus corpus/manifest.json --scale demo --out matched.tsv
    """
    import torch

    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError
    from genezip.evaluation.controls import matched_rows
    from genezip.evaluation.windows import spaced_windows
    from genezip.models import load
    from genezip.models.genezip.compressor import GeneZip

    torch.set_num_threads(threads)
    opened: list[GeneZip] = []
    for folder in model:
        one = load(folder)
        if not isinstance(one, GeneZip):
            raise GenezipError(f"{one.name} is no trained network; name networks alone")
        opened.append(one)
    windows = [window.ids for window in spaced_windows(CorpusReader(corpus), split, bp)]
    write_tsv(out, matched_rows(opened, windows, split, scale))


for _command in (
    masked.masked_markov, masked.masked, words.word_floors, words.masked_words,
    words.word_vocabulary, boundaries.codon_phase, boundaries.alignment, boundaries.stability,
    arena.arena, arena.recall, arena.token_ids, arena.cost,
):  # fmt: skip
    app.command()(_command)
