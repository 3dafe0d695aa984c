"""Choose a source of DNA in the configured order and lay it out."""

from collections.abc import Callable
from pathlib import Path

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.genome.download import Http
from genezip.genome.layout import Draft, staged
from genezip.genome.mirror import fetch_mirror
from genezip.genome.own import fetch_own
from genezip.genome.public import fetch_public
from genezip.genome.simulate import simulate
from genezip.genome.source import Source, SourceUnavailable


def fetch(
    settings: Genome,
    out: Path,
    mirror: Path | None = None,
    root: Path = Path(),
    table: Path | None = None,
    say: Callable[[str], None] = print,
    http: Http = Http(),  # noqa: B008 (frozen)
) -> Source:
    """Get DNA, annotation and repeats into ``out``; ``out/source.json`` is written last.

    Parameters
    ----------
    settings : Genome
        ``settings.sources`` are tried in order.
    mirror : Path, optional
        Folder of the source `mirror`.
    root : Path
        Base of relative paths in the settings.
    table : Path, optional
        Public servers; default ``<root>/resources/sources.tsv``.
    say : callable
        Gets one line: the source used, and why others were not.

    Returns
    -------
    Source

    Raises
    ------
    GenezipError
        No source could be had (with the reason of each), or one is damaged. A source that
        is there but damaged stops the run: another one would hide it.
    """
    table = table if table is not None else root / "resources" / "sources.tsv"
    methods: dict[str, Callable[[Draft], None]] = {
        "mirror": lambda draft: fetch_mirror(draft, mirror, settings),
        "download": lambda draft: fetch_public(draft, out, table, settings, http),
        "simulated": lambda draft: simulate(draft, settings.simulation),
        "files": lambda draft: fetch_own(draft, root, settings),
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
        say(f"source {name}: {source.description}{skipped}")
        return source
    tried = " | ".join(reasons) or "genome.sources is empty"
    raise GenezipError(f"no source of DNA could be had; {tried}")
