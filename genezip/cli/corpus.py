"""``genezip corpus ...`` and ``genezip leakage ...``: training DNA and its exclusions."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genezip.cli import options

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
app = typer.Typer(help="Cut, filter and check training corpora.", no_args_is_help=True)
leakage = typer.Typer(
    help="DNA excluded from training, and the check of a corpus.", no_args_is_help=True
)


@app.command()
def build(
    source: options.Source,
    regions: options.RegionMap,
    out: Annotated[Path, typer.Option(help="Folder of the corpus; an older one is replaced.")],
    settings: options.CorpusSettings = None,
    exclusions: options.Exclusions = None,
    transcripts: options.Transcripts = "basic",
    gene_type: options.GeneType = None,
    jobs: options.Jobs = 1,
) -> None:
    """Plan a corpus, write its shards and its manifest; an interrupted call resumes.

    \b
    Example:
      genezip corpus build --source resources/source.json --regions map.bed.gz \\
        --settings config/demo.yaml --exclusions exclusions.bed.gz --out corpus
    """
    from genezip import config
    from genezip.corpus.build import build_corpus
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source

    inputs = _inputs(source=source, regions=regions, exclusions=exclusions)
    opened = Source.load(source)
    manifest = build_corpus(
        opened,
        RegionMap.read_bed(regions),
        config.settings(config.Corpus, settings),
        out,
        _excluded(exclusions, opened.chrom_sizes()),
        inputs,
        transcripts,
        gene_type,
        jobs,
    )
    _log_splits(manifest)


@app.command()
def plan(
    source: options.Source,
    out: Annotated[Path, typer.Option(help="plan.parquet, in the folder of the corpus.")],
    settings: options.CorpusSettings = None,
    exclusions: options.Exclusions = None,
    transcripts: options.Transcripts = "basic",
    gene_type: options.GeneType = None,
) -> None:
    """Draw the windows of every split and assign them to shards.

    \b
    Example:
      genezip corpus plan --source resources/source.json \\
        --settings config/demo.yaml --out corpus/plan.parquet
    """
    from genezip import config
    from genezip.corpus.build import plan_corpus
    from genezip.genome.sources.source import Source

    inputs = _inputs(source=source, exclusions=exclusions)
    opened = Source.load(source)
    planned = plan_corpus(
        opened,
        config.settings(config.Corpus, settings),
        out,
        _excluded(exclusions, opened.chrom_sizes()),
        inputs,
        transcripts,
        gene_type,
    )
    logger.info(f"{out}: {planned.table.num_rows:,} windows, {len(planned.counts())} shards")


@app.command()
def write(
    plan: options.CorpusPlan,
    source: options.Source,
    regions: options.RegionMap,
    out: Annotated[Path, typer.Option(help="Manifest entries of the shards to write (JSON).")],
    part: Annotated[
        str, typer.Option(help="Part of the shards: 2-of-8 is the second eighth.")
    ] = "1-of-1",
    jobs: options.Jobs = 1,
) -> None:
    """Write a part of the shards of a plan; complete shards are kept.

    \b
    Example:
      genezip corpus write --plan corpus/plan.parquet --part 2-of-8 \\
        --source resources/source.json --regions map.bed.gz --out 2-of-8.json
    """
    import re

    from genezip.artifacts.files import sha256_file, write_json
    from genezip.corpus.build import write_shards
    from genezip.corpus.plan import read_plan
    from genezip.errors import GenezipError
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source

    match = re.fullmatch(r"(\d+)-of-(\d+)", part)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise GenezipError(f"--part {part!r} is no part; write it as 2-of-8")
    number, of = int(match[1]), int(match[2])
    planned, region_map, opened = read_plan(plan), RegionMap.read_bed(regions), Source.load(source)
    drawn_from = planned.head["provenance"]["inputs"].get("source")
    if drawn_from not in (None, sha256_file(source)):
        raise GenezipError(f"{plan} was drawn from another genome than {source}; plan again")
    entries = write_shards(planned, opened, region_map, plan.parent, number, of, jobs)
    write_json(out, entries)


@app.command()
def finish(
    plan: options.CorpusPlan,
    entries: Annotated[list[Path], typer.Option(help="Files of `corpus write`, of all parts.")],
) -> None:
    """Check that all shards of a plan exist, and write manifest.json beside it.

    \b
    Example:
      genezip corpus finish --plan corpus/plan.parquet \\
        --entries 1-of-2.json --entries 2-of-2.json
    """
    from genezip.corpus.build import finish_corpus, read_entries
    from genezip.corpus.plan import read_plan

    parts = [entry for path in entries for entry in read_entries(path)]
    _log_splits(finish_corpus(read_plan(plan), parts, plan.parent))


@app.command()
def check(
    manifest: options.Manifest,
    source: Annotated[
        Path | None, typer.Option(help="Also compare every base with this genome (source.json).")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="Also compare every region class with this region map.")
    ] = None,
) -> None:
    """Verify hashes, shards, sequence lengths and region runs of a corpus.

    \b
    Example:
      genezip corpus check corpus/manifest.json --source resources/source.json
    """
    from genezip.corpus.corpus import CorpusReader, check_corpus
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source

    count = check_corpus(
        CorpusReader(manifest),
        None if source is None else Source.load(source).assembly(),
        None if regions is None else RegionMap.read_bed(regions),
    )
    typer.echo(f"{manifest}: {count} windows, all as in the manifest")


@app.command()
def table5(
    corpus: Annotated[list[Path], typer.Option(help="manifest.json; repeat for more corpora.")],
    out: Annotated[Path, typer.Option(help="Table (TSV).")],
    paper: options.PaperTable5 = None,
    scale: options.Scale = "full",
) -> None:
    """Composition of corpora beside the paper's Table 5, with the difference.

    \b
    Example:
      genezip corpus table5 --corpus corpus/manifest.json --out table5.tsv
    """
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.composition import table5
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError

    corpora = {path.parent.name: CorpusReader(path) for path in corpus}
    if len(corpora) < len(corpus):
        raise GenezipError("two corpora have one name, that of their folder; rename a folder")
    write_tsv(out, table5(corpora, paper, scale))


@leakage.command()
def exclusions(
    chrom_sizes: Annotated[Path, typer.Option(help=options.CHROM_SIZES)],
    out: Annotated[Path, typer.Option(help="BED of excluded intervals; gzip if it ends in .gz.")],
    summary: Annotated[Path, typer.Option(help="Table of intervals and bases by task.")],
    intervals: Annotated[
        Path, typer.Option(help="Folder of TASK.intervals.json and the files they list.")
    ] = Path("resources/dnalongbench"),
    settings: Annotated[str | None, options.section("leakage")] = None,
    root: options.Root = Path(),
) -> None:
    """Collect validation and test inputs of benchmarks, and your own BED files.

    \b
    Example:
      genezip leakage exclusions --chrom-sizes resources/chrom.sizes \\
        --out exclusions.bed.gz --summary exclusions.tsv
    """
    from genezip import config
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.exclusions import build_exclusions, write_exclusions
    from genezip.formats.chrom_sizes import read_chrom_sizes
    from genezip.tasks.exclusions import evaluation_intervals

    section = config.settings(config.Leakage, settings)
    sizes = read_chrom_sizes(chrom_sizes)
    evaluations = evaluation_intervals(section.tasks, intervals, sizes)
    beds = [root / path for path in dict.fromkeys(section.beds)]
    table, totals = build_exclusions(evaluations, beds, sizes)
    write_tsv(summary, totals)
    write_exclusions(out, table)  # last, so that it exists only with the summary
    bp = int(totals["bp"].iloc[-1])
    logger.info(f"{len(table):,} intervals, {bp:,} bp in their union -> {out}")


@leakage.command()
def prove(
    manifest: options.Manifest,
    exclusions: Annotated[Path, typer.Option(help="BED of `leakage exclusions`.")],
    out: Annotated[Path, typer.Option(help="Table of every check.")],
) -> None:
    """Check the written windows against exclusions, held-out windows and each other.

    \b
    Example:
      genezip leakage prove corpus/manifest.json \\
        --exclusions exclusions.bed.gz --out leakage.tsv
    """
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.corpus import CorpusReader
    from genezip.corpus.exclusions import read_exclusions
    from genezip.corpus.leakage import prove as run
    from genezip.errors import GenezipError

    table, offender = run(CorpusReader(manifest), read_exclusions(exclusions))
    write_tsv(out, table)
    for row in table.to_dict("records"):
        share = row["touched_bp"] / row["bp"] if row["bp"] else 0
        logger.info(
            f"{row['verdict']}: {row['touched_windows']:,} of {row['windows']:,} {row['split']} "
            f"windows ({share:.2%} of their bases) touch {row['against']} ({row['check']})"
        )
    if offender is not None:
        raise GenezipError(offender)


@leakage.command()
def homology(
    source: options.Source,
    manifest: Annotated[Path, typer.Option(help=options.CORPUS)],
    out: Annotated[Path, typer.Option(help="Table of shares by held-out chromosome.")],
) -> None:
    """Count the k-mers of held-out DNA that also occur in the training segments.

    \b
    Example:
      genezip leakage homology --source resources/source.json \\
        --manifest corpus/manifest.json --out homology.tsv
    """
    from genezip import config
    from genezip.artifacts.files import sha256_file, write_text
    from genezip.corpus.corpus import CorpusReader
    from genezip.corpus.homology import homology_by_chrom
    from genezip.errors import GenezipError
    from genezip.genome.sources.source import Source

    genome = Source.load(source)
    found = CorpusReader(manifest).manifest
    recorded = found.get("provenance", {}).get("inputs", {}).get("source")
    if recorded is not None and recorded != sha256_file(source):
        raise GenezipError(
            f"{manifest} was built from another genome than {source}; build the corpus again"
        )
    section = config.parse(config.Corpus, found["settings"], f"settings of {manifest}")
    table = homology_by_chrom(genome.assembly(), section)
    write_text(out, table.to_csv(sep="\t", index=False, float_format="%.6f"))
    for row in table[table["chrom"] == "all"].to_dict("records"):
        share = f"{row['share']:.2%}" if row["kmers"] else "none"
        logger.info(
            f"{share} of {row['kmers']:,} held-out {row['k']}-mers ({row['counting']}; one k-mer "
            f"in {row['sample']} counted) also occur in the training segments"
        )


def _excluded(path: Path | None, chrom_sizes: dict[str, int]) -> "pd.DataFrame | None":
    from genezip.corpus.exclusions import is_exclusions, read_exclusions
    from genezip.formats.lines import TextFile
    from genezip.genome.region_rules import read_bed_intervals

    if path is None:
        return None
    with TextFile(path) as file:
        if is_exclusions(file):
            return read_exclusions(file, chrom_sizes)
        return read_bed_intervals(file, chrom_sizes)


def _inputs(**paths: Path | None) -> dict[str, str | Path]:
    """Input files whose checksums are recorded; they are read twice, so pipes are refused."""
    from genezip.formats.input_file import refuse_pipe

    found: dict[str, str | Path] = {}
    for name, path in paths.items():
        if path is not None:
            refuse_pipe(path, f"--{name}")
            found[name] = path
    return found


def _log_splits(manifest: dict[str, Any]) -> None:
    for split, entry in manifest["splits"].items():
        logger.info(f"{split}: {entry['windows']} windows of {entry['window_bp']} bp")
    dropped = manifest["dropped"]
    if dropped["threshold"] is not None and dropped["k"] is not None:
        logger.info(
            f"dropped {dropped['windows']} of {dropped['of']} held-out windows that share more "
            f"than {dropped['threshold']:g} of their {dropped['k']}-mers with training segments"
        )
