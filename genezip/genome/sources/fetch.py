"""Fetch DNA from the first available source in the configured order."""

import logging
from collections.abc import Callable
from pathlib import Path

from genezip.config import Genome
from genezip.download import SourceUnavailable
from genezip.download.catalogue import SOURCES
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
from genezip.genome.sources.genome_files import GenomeFiles, files_of
from genezip.genome.sources.genomes import fetch_genomes
from genezip.genome.sources.layout import Draft, staged
from genezip.genome.sources.mirror import fetch_mirror
from genezip.genome.sources.public import fetch_public, plan_public
from genezip.genome.sources.simulated import simulate
from genezip.genome.sources.source import Source
from genezip.genome.sources.user_files import fetch_user_files

logger = logging.getLogger(__name__)


def fetch(
    settings: Genome,
    out: Path,
    mirror: Path | None = None,
    root: Path = Path(),
    table: Path = SOURCES,
    http: Http = PATIENT,
    fetched: Path | None = None,
) -> Source:
    """Get DNA, annotation and repeats into ``out``; ``out/source.json`` is written last.

    The log names the source that is used, and why earlier ones are not.

    Parameters
    ----------
    settings : ``settings.sources`` are tried in order
    mirror : folder of the source `mirror`, in which the source `genomes` also finds files
    root : base of relative paths in the settings
    table : table of public files
    fetched : folder of files fetched elsewhere; the source `download` then does not use the
        network, and a file that is missing there stops the run

    Raises
    ------
    GenezipError
        No source is available (with all reasons), or one is damaged, which stops the run because
        the next source would hide the damage.
    """
    methods: dict[str, Callable[[Draft], None]] = {
        "mirror": lambda draft: fetch_mirror(draft, mirror, settings),
        "download": lambda draft: fetch_public(draft, out, table, settings, http, fetched),
        "simulated": lambda draft: _simulate(draft, settings),
        "files": lambda draft: fetch_user_files(draft, root, settings),
        "genomes": lambda draft: fetch_genomes(
            draft, GenomeFiles(root, mirror, table, out / "downloads", http, fetched), settings
        ),
    }
    reasons: list[str] = []
    for name in settings.sources:
        try:
            with staged(out) as draft:
                methods[name](draft)
        except SourceUnavailable as error:
            reasons.append(f"{name}: {error}")
            continue
        source = Source.load(out / "source.json")
        skipped = f" (not used: {' | '.join(reasons)})" if reasons else ""
        logger.info("source %s: %s%s", name, source.description, skipped)
        return source
    tried = " | ".join(reasons) or "genome.sources is empty"
    raise GenezipError(f"no source of DNA is available; {tried}")


def _simulate(draft: Draft, settings: Genome) -> None:
    """Write the simulated genome, whose splits have keys of their own.

    Chromosomes in the keys of real genomes raise if the simulation is the only source; as a
    fallback for real DNA it ignores them.
    """
    if settings.sources == ["simulated"]:
        for key in ("chromosomes", "valid", "test"):
            # the workflow fills in defaults, which count as unset
            if getattr(settings, key) not in (None, [], Genome.model_fields[key].default):
                instead = "chromosome_bp" if key == "chromosomes" else key
                raise GenezipError(
                    f"genome.{key} selects nothing of the source `simulated`; leave it out or "
                    f"empty, and set genome.simulation.{instead}"
                )
    simulate(draft, settings.simulation)


def plan_download(
    settings: Genome,
    out: Path,
    table: Path = SOURCES,
    http: Http = PATIENT,
    fetched: Path | None = None,
    mirror: Path | None = None,
    root: Path = Path(),
) -> list[str]:
    """The files that would be downloaded, as lines of text (see :func:`fetch`)."""
    sources = ", ".join(settings.sources)
    if "genomes" in settings.sources:
        files = GenomeFiles(root, mirror, table, out / "downloads", http, fetched)
        return files.plan(files_of(settings)).lines()
    if "download" not in settings.sources:
        return [f"nothing is downloaded: genome.sources is {sources}"]
    lines = plan_public(out, table, settings, http, fetched).lines()
    before = settings.sources[: settings.sources.index("download")]
    if before:
        lines.insert(0, f"only if the source {', '.join(before)} is not available:")
    return lines
