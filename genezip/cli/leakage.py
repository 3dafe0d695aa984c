"""``genezip leakage exclusions | prove | homology``."""

import logging
from pathlib import Path
from typing import Annotated

import typer

logger = logging.getLogger(__name__)
app = typer.Typer(
    help="What training must not see, and the proof that it does not.", no_args_is_help=True
)

Manifest = Annotated[Path, typer.Option(help="manifest.json of a corpus.")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="leakage")


@app.command()
def exclusions(
    chrom_sizes: Annotated[
        Path, typer.Option(help="Chromosome lengths: chrom.sizes, .fai or the FASTA itself.")
    ],
    out: Annotated[Path, typer.Option(help="BED of what is excluded; gzip if it ends in .gz.")],
    summary: Annotated[Path, typer.Option(help="Table of intervals and bases by task.")],
    intervals: Annotated[
        Path, typer.Option(help="Folder of TASK.intervals.json and the files they list.")
    ] = Path("resources/dnalongbench"),
    settings: Annotated[
        str | None, typer.Option(help="Section `leakage`: JSON text or a YAML file.")
    ] = None,
    root: Annotated[Path, typer.Option(help="Your BED files are relative to this.")] = Path(),
) -> None:
    """Collect validation and test inputs of benchmarks, and your own BED files."""
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
    write_exclusions(out, table)  # last: where it is, the summary is, too
    bp = int(totals["bp"].iloc[-1])
    logger.info(f"{len(table):,} intervals, {bp:,} bp in their union -> {out}")


@app.command()
def prove(
    manifest: Annotated[Path, typer.Argument(help="manifest.json of a corpus.")],
    exclusions: Annotated[Path, typer.Option(help="BED of `leakage exclusions`.")],
    out: Annotated[Path, typer.Option(help="Table of every check.")],
) -> None:
    """Check the written windows against exclusions, held-out windows and each other."""
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


@app.command()
def homology(
    source: Annotated[Path, typer.Option(help="source.json of the fetched genome.")],
    manifest: Manifest,
    out: Annotated[Path, typer.Option(help="Table of shares by held-out chromosome.")],
) -> None:
    """Count the k-mers of held-out DNA that also occur in the training pieces."""
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
            f"in {row['sample']} looked at) also occur in the training segments"
        )
