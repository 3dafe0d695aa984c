"""Choose a source of DNA in the configured order and lay it out."""

import logging
from collections.abc import Callable
from pathlib import Path

from genezip.config import Genome
from genezip.download import SourceUnavailable
from genezip.download.catalogue import SOURCES
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
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

    The source that was used, and why others were not, is logged.

    Parameters
    ----------
    settings : Genome
        ``settings.sources`` are tried in order.
    mirror : Path, optional
        Folder of the source `mirror`.
    root : Path
        Base of relative paths in the settings.
    table : Path
        Table of public files.
    fetched : Path, optional
        Folder of files fetched elsewhere; the source `download` then asks nothing from the
        network, and a file that is missing there stops the run.

    Returns
    -------
    Source

    Raises
    ------
    GenezipError
        No source could be had (with the reason of each), or one is damaged. A source that
        is there but damaged stops the run: another one would hide it.
    """
    methods: dict[str, Callable[[Draft], None]] = {
        "mirror": lambda draft: fetch_mirror(draft, mirror, settings),
        "download": lambda draft: fetch_public(draft, out, table, settings, http, fetched),
        "simulated": lambda draft: _simulate(draft, settings),
        "files": lambda draft: fetch_user_files(draft, root, settings),
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
    raise GenezipError(f"no source of DNA could be had; {tried}")


def _simulate(draft: Draft, settings: Genome) -> None:
    """Lay out the simulated genome, whose splits have other keys.

    As a stand-in for real DNA it leaves names of real chromosomes alone.

    Raises
    ------
    GenezipError
        If it is the only source and the config names chromosomes where it does not look.
    """
    if settings.sources == ["simulated"]:
        for key in ("chromosomes", "valid", "test"):
            # the workflow fills in defaults, which nobody chose
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
) -> list[str]:
    """What the source `download` would bring, as lines of text; nothing is written.

    Parameters are those of :func:`fetch`.
    """
    sources = ", ".join(settings.sources)
    if "download" not in settings.sources:
        return [f"nothing is downloaded: genome.sources is {sources}"]
    lines = plan_public(out, table, settings, http, fetched).lines()
    before = settings.sources[: settings.sources.index("download")]
    if before:
        lines.insert(0, f"only if the source {', '.join(before)} cannot be had:")
    return lines
