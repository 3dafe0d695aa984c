"""``genezip corpus plan | write | finish | build | check | table5``."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)
app = typer.Typer(help="Cut, filter and check training corpora.", no_args_is_help=True)

SourceOption = Annotated[Path, typer.Option(help="source.json of the fetched genome.")]
RegionsOption = Annotated[Path, typer.Option(help="Region map (BED9, from `regions build`).")]
PlanOption = Annotated[Path, typer.Option(help="plan.parquet; the shards lie beside it.")]
SettingsOption = Annotated[
    str | None, typer.Option(help="Config section `corpus`: JSON text or a YAML file.")
]
ExclusionsOption = Annotated[
    Path | None,
    typer.Option(
        help="Intervals that no training or validation window may touch: a BED file, or the "
        "table of `genezip leakage exclusions`."
    ),
]
TranscriptsOption = Annotated[
    Literal["basic", "all", "canonical"],
    typer.Option(help="Windows are anchored at these transcripts: basic, all or canonical."),
]
GeneTypeOption = Annotated[
    list[str] | None, typer.Option("--gene-type", help="Only genes of this type; repeat for more.")
]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="corpus")


@app.command()
def build(
    source: SourceOption,
    regions: RegionsOption,
    out: Annotated[Path, typer.Option(help="Folder of the corpus; an older one is replaced.")],
    settings: SettingsOption = None,
    exclusions: ExclusionsOption = None,
    transcripts: TranscriptsOption = "basic",
    gene_type: GeneTypeOption = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that write shards.")] = 1,
) -> None:
    """Plan a corpus, write its shards and close it, in one go (it can be interrupted)."""
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
    source: SourceOption,
    out: Annotated[Path, typer.Option(help="plan.parquet, in the folder of the corpus.")],
    settings: SettingsOption = None,
    exclusions: ExclusionsOption = None,
    transcripts: TranscriptsOption = "basic",
    gene_type: GeneTypeOption = None,
) -> None:
    """Draw the windows of every split and deal them to shards."""
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
    plan: PlanOption,
    source: SourceOption,
    regions: RegionsOption,
    out: Annotated[Path, typer.Option(help="Gets the manifest entries of the shards (JSON).")],
    part: Annotated[
        str, typer.Option(help="Which shards: 2-of-8 is the second eighth.")
    ] = "1-of-1",
    jobs: Annotated[int, typer.Option(min=1, help="Processes that write shards.")] = 1,
) -> None:
    """Write a part of the shards of a plan; what is there already is kept."""
    import re

    from genezip.artifacts.files import sha256_file, write_json
    from genezip.corpus.build import write_shards
    from genezip.corpus.plan import read_plan
    from genezip.errors import GenezipError
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source

    match = re.fullmatch(r"(\d+)-of-(\d+)", part)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise GenezipError(f"--part {part!r} is none; write it as 2-of-8")
    number, of = int(match[1]), int(match[2])
    planned, region_map, opened = read_plan(plan), RegionMap.read_bed(regions), Source.load(source)
    drawn_from = planned.head["provenance"]["inputs"].get("source")
    if drawn_from not in (None, sha256_file(source)):
        raise GenezipError(f"{plan} was drawn from another genome than {source}; plan again")
    entries = write_shards(planned, opened, region_map, plan.parent, number, of, jobs)
    write_json(out, entries)


@app.command()
def finish(
    plan: PlanOption,
    entries: Annotated[list[Path], typer.Option(help="What `corpus write` wrote; all parts.")],
) -> None:
    """Check that all shards of a plan are there, and write manifest.json beside it."""
    from genezip.corpus.build import finish_corpus, read_entries
    from genezip.corpus.plan import read_plan

    parts = [entry for path in entries for entry in read_entries(path)]
    _log_splits(finish_corpus(read_plan(plan), parts, plan.parent))


@app.command()
def check(
    manifest: Annotated[Path, typer.Argument(help="manifest.json of a corpus.")],
    source: Annotated[
        Path | None, typer.Option(help="Also compare every base with this genome (source.json).")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="Also compare every label with this region map.")
    ] = None,
) -> None:
    """Verify hashes, shards, sequence lengths and region runs of a corpus."""
    from genezip.corpus.corpus import CorpusReader, check_corpus
    from genezip.genome.region_map import RegionMap
    from genezip.genome.sources.source import Source

    count = check_corpus(
        CorpusReader(manifest),
        None if source is None else Source.load(source).assembly(),
        None if regions is None else RegionMap.read_bed(regions),
    )
    typer.echo(f"{manifest}: {count} windows, all as announced")


@app.command()
def table5(
    corpus: Annotated[list[Path], typer.Option(help="manifest.json; repeat for more corpora.")],
    paper: Annotated[Path, typer.Option(help="Published table (resources/paper).")],
    out: Annotated[Path, typer.Option(help="Table (TSV).")],
    scale: Annotated[
        str, typer.Option(help="full, demo or test: written into every row.")
    ] = "full",
) -> None:
    """Composition of corpora beside the paper's Table 5, with the difference."""
    from genezip.artifacts.tables import write_tsv
    from genezip.corpus.composition import table5
    from genezip.corpus.corpus import CorpusReader
    from genezip.errors import GenezipError

    corpora = {path.parent.name: CorpusReader(path) for path in corpus}
    if len(corpora) < len(corpus):
        raise GenezipError("two corpora have one name, that of their folder; rename a folder")
    write_tsv(out, table5(corpora, paper, scale))


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
    """The files whose checksums are recorded, which are therefore read twice."""
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
