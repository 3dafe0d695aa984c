"""Files of the source `genomes`: in the repository, the mirror folder, or on public servers."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from genezip.config import Genome
from genezip.download import SourceUnavailable
from genezip.download.catalogue import Item, Row, inside, item, read_sources
from genezip.download.lock import lock_path
from genezip.download.plan import Plan, first_byte, plan
from genezip.download.store import Store
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
from genezip.genome.sources.mirror import check_file, checksums


@dataclass(frozen=True)
class Found:
    """A file, and what ``source.json`` says of it."""

    path: Path
    origin: str  # name as configured, or address; never a folder of this machine
    release: str
    licence: str


@dataclass(frozen=True)
class GenomeFiles:
    """Finds a file by its name in the configuration.

    A name is a path below ``root``, else below the folder ``mirror``, else the name of a row in
    the table of public files, which is downloaded into ``downloads``.
    """

    root: Path
    mirror: Path | None
    table: Path  # the table of public files
    downloads: Path
    http: Http = PATIENT
    fetched: Path | None = None  # folder of files fetched elsewhere; the network is then not used

    def find(self, name: str) -> Found:
        """The file; it raises SourceUnavailable if it is public and no server delivers it."""
        rows = self._sources.get(name, [])
        about = (rows[0].release, rows[0].licence) if rows else ("as given", "as given")
        if (self.root / name).exists():
            return Found(self.root / name, name, *about)
        if self.mirror is not None and not Path(name).is_absolute():
            path = self.mirror / inside(name, "genome.genomes")
            if path.exists():
                self._check_mirror(name)
                return Found(path, name, *about)
        if not rows:
            places = f"the folder {self.root}"
            places += "" if self.mirror is None else ", the mirror folder"
            raise GenezipError(
                f"{name} does not exist: neither {places} nor the table of public files has it; "
                "check the path, or let GENEZIP_MIRROR name the folder that has it"
            )
        return self._public(rows)

    def plan(self, names: Iterable[str]) -> Plan:
        """Files that :meth:`find` would download; nothing is written."""
        absent = [
            item(self._sources[name])
            for name in dict.fromkeys(names)
            if name in self._sources and not self._is_local(name)
        ]
        return plan(self._store, absent)

    def _is_local(self, name: str) -> bool:
        folders = [self.root, *([] if self.mirror is None else [self.mirror])]
        return any((folder / name).exists() for folder in folders)

    @cached_property
    def _sources(self) -> dict[str, list[Row]]:
        return read_sources(self.table)

    @cached_property
    def _store(self) -> Store:
        return Store(self.downloads, lock_path(self.downloads), self.http, self.fetched)

    def _public(self, rows: list[Row]) -> Found:
        wish: Item = item(rows)
        store = self._store
        if store.fetched:
            store.require([wish])
        elif not store.here(wish):
            offline = first_byte([row.url for row in rows[:2]], self.http.timeout_s)
            if offline:
                raise SourceUnavailable(f"{rows[0].name}: offline ({offline})")
        row, path = store.get(wish)
        return Found(path, row.url, row.release, row.licence)

    def _check_mirror(self, name: str) -> None:
        """Compare a file of the mirror with the checksum table of a README.md above it, if any."""
        assert self.mirror is not None
        parts = PurePosixPath(name).parts
        for depth in range(len(parts)):
            folder = self.mirror.joinpath(*parts[:depth])
            below = "/".join(parts[depth:])
            if (folder / "README.md").is_file():
                table = checksums(folder / "README.md")
                if below in table:
                    check_file(folder, below, table)
                    return


def files_of(settings: Genome) -> list[str]:
    """Names of all files of ``genome.genomes``."""
    named = [name for one in settings.genomes for name in (one.fasta, one.annotation)]
    return [name for name in named if name is not None]
