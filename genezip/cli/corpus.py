"""``genezip corpus build | check``."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Cut, filter and check training corpora.", no_args_is_help=True)


def register(root: typer.Typer) -> None:
    """Add these commands to the root command."""
    root.add_typer(app, name="corpus")


@app.command()
def build(
    source: Annotated[Path, typer.Option(help="source.json of the fetched genome.")],
    regions: Annotated[Path, typer.Option(help="Region map (BED9, from `regions build`).")],
    out: Annotated[Path, typer.Option(help="Folder of the corpus; an older one is replaced.")],
    settings: Annotated[
        str | None, typer.Option(help="Config section `corpus`: JSON text or a YAML file.")
    ] = None,
    root: Annotated[
        Path, typer.Option(help="Paths of the exclusion BED files are relative to this.")
    ] = Path(),
    all_transcripts: Annotated[
        bool,
        typer.Option(
            "--all-transcripts",
            help="Anchor windows at every transcript (`regions.basic_only: false`).",
        ),
    ] = False,
) -> None:
    """Draw training windows, tile the held-out pieces, drop leaking windows, write shards."""
    from genezip import config
    from genezip.data.build import build_corpus
    from genezip.genome.regions import RegionMap
    from genezip.genome.source import Source

    section = config.settings(config.Corpus, settings)
    manifest = build_corpus(
        Source.load(source),
        RegionMap.read_bed(regions),
        section,
        out,
        Lines(),
        root,
        {"source": source, "regions": regions},
        basic_only=not all_transcripts,
    )
    for split, entry in manifest["splits"].items():
        typer.echo(f"{split}: {entry['windows']} windows of {entry['window_bp']} bp", err=True)
    dropped = manifest["dropped"]
    if dropped["k"] is not None:
        typer.echo(
            f"dropped {dropped['windows']} of {dropped['of']} held-out windows that share more "
            f"than {dropped['threshold']:g} of their {dropped['k']}-mers with training pieces",
            err=True,
        )


@app.command()
def check(manifest: Annotated[Path, typer.Argument(help="manifest.json of a corpus.")]) -> None:
    """Verify hashes, row counts, sequence lengths and region runs of a corpus."""
    from genezip.data.corpus import CorpusReader

    count = CorpusReader(manifest).check()
    typer.echo(f"{manifest}: {count} windows, all as announced")


class Lines:
    """Progress on stderr: a bar on a terminal, else a line at most every few seconds."""

    _EVERY_S = 5.0

    def __init__(self) -> None:
        self._stage = ""
        self._said = 0.0
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` units of a stage are done."""
        if sys.stderr.isatty():
            self._draw(stage, done, total)
        elif done == total or (done and time.monotonic() - self._said > self._EVERY_S):
            typer.echo(f"{stage}: {done} of {total}", err=True)
            self._said = time.monotonic()

    def _draw(self, stage: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if stage != self._stage:
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, unit_scale=True)
        self._bar.update(done - self._bar.n)
        if done == total:
            self._bar.close()
