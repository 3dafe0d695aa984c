"""Real labels from their public sources, for whoever has no mirror folder.

The table of sources (``resources/sources.tsv``) has a row ``labels/PART/NAME`` for every file. All
but one part are read as they are published. The elements are published as intervals: those inside
the segments of the genome are written with their bases, which is what the mirror folder holds.
"""

import gzip
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.artifacts.files import atomic_path
from genezip.artifacts.manifest import file_entries
from genezip.artifacts.tables import read_tsv
from genezip.download import SourceUnavailable
from genezip.download.catalogue import Item, Row, item, read_sources
from genezip.download.lock import lock_path
from genezip.download.plan import Plan, first_byte, plan
from genezip.download.store import Store
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.sources.source import Source
from genezip.tasks.task_files import FETCH

PREFIX = "labels"
CLASSES = ("promoter", "enhancer", "ocr")
SPLITS = ("train", "test")
COLUMNS = ("chrom", "start", "end", "label", "split", "sequence")
"""Columns of the table of elements."""
PUBLISHED = ("region", "start", "end")  # columns of the interval files that are read
INTERVALS = {f"{split}.{label}.csv.gz": (split, label) for split in SPLITS for label in CLASSES}

# part -> file that the measurements read -> names of the public files that it is made of
PUBLIC: dict[str, dict[str, tuple[str, ...]]] = {
    "initiation": {name: (name,) for name in ("procap.plus.bw", "procap.minus.bw")},
    "contacts": {"hic.tsv.gz": ("hic.tsv.gz",)},
    "elements": {"elements.tsv.gz": tuple(INTERVALS)},
    "enhancer_gene": {name: (name,) for name in ("screen.train.tsv.gz", "screen.test.tsv.gz")},
}


@dataclass(frozen=True)
class PublicLabels:
    """Label files on public servers, or in a folder of files fetched elsewhere.

    Attributes
    ----------
    table : the table of sources
    downloads : folder of the files as they come; its lock lies beside it
    source : the genome, which the elements are cut from
    fetched : folder of files fetched elsewhere; nothing is asked from the network then
    http : patience with servers
    """

    table: Path
    downloads: Path
    source: Source | None = None
    fetched: Path | None = None
    http: Http = PATIENT

    def items(self, part: str) -> list[Item]:
        """The public files of a part.

        Raises
        ------
        GenezipError
            If the table lacks one of their rows.
        """
        sources = read_sources(self.table)
        names = [f"{PREFIX}/{part}/{name}" for made in PUBLIC[part].values() for name in made]
        missing = [name for name in names if name not in sources]
        if missing:
            raise GenezipError(f"{self.table} has no row named {', '.join(missing)}; add it")
        return [item(sources[name]) for name in names]

    def plan(self, parts: Sequence[str]) -> Plan:
        """What :meth:`get` would download for some parts; nothing is written."""
        patience = replace(self.http, attempts=1, timeout_s=self.http.size_timeout_s)
        store = self._store(patience)
        return plan(store, [wish for part in parts for wish in self.items(part)])

    def get(self, part: str, folder: Path) -> list[dict[str, object]]:
        """Fetch the files of a part and write what the measurements read into a folder.

        Returns
        -------
        An entry for each file: path, bytes, sha256, part, origin, release, licence.

        Raises
        ------
        SourceUnavailable
            If no server delivers a file, or the folder of fetched files lacks it.
        GenezipError
            If a file differs from its checksum or the lock, the disk is full, or an interval
            file is damaged.
        """
        store, items = self._store(self.http), self.items(part)
        if store.fetched and (missing := store.missing(items)):
            raise SourceUnavailable(
                f"the folder {store.fetched.folder} of fetched files lacks {', '.join(missing)}"
            )
        absent = [wish for wish in items if not store.here(wish)]
        if absent and not store.fetched:
            offline = first_byte([absent[0].rows[0].url], self.http.timeout_s)
            if offline:
                raise SourceUnavailable(f"offline ({offline})")
        plan(store, items).check_room()
        got = {wish.rows[0].name: store.get(wish) for wish in items}
        entries = []
        for name, parts_of in PUBLIC[part].items():
            files = {one: got[f"{PREFIX}/{part}/{one}"] for one in parts_of}
            target = folder / name
            if part == "elements":
                self._write_elements(files, target)
            else:
                shutil.copyfile(files[name][1], target)
            rows = [row for row, _ in files.values()]
            more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            (entry,) = file_entries(folder, [name])
            about = {"part": part, "origin": rows[0].url + more}
            about |= {"release": rows[0].release, "licence": rows[0].licence}
            entries.append(entry | about)
        return entries

    def _write_elements(self, files: dict[str, tuple[Row, Path]], target: Path) -> None:
        if self.source is None:
            raise GenezipError(
                "elements are cut from the genome; name its source.json with --source"
            )
        paths = {INTERVALS[name]: path for name, (_, path) in files.items()}
        table = elements_inside(paths, self.source.assembly())
        text = table.to_csv(sep="\t", index=False)
        with atomic_path(target) as temporary:
            temporary.write_bytes(gzip.compress(text.encode(), mtime=0))

    def _store(self, http: Http) -> Store:
        return Store(self.downloads, lock_path(self.downloads), http, self.fetched)


def elements_inside(files: Mapping[tuple[str, str], Path], assembly: Assembly) -> pd.DataFrame:
    """The elements of the published interval files that lie inside the segments of a genome.

    Parameters
    ----------
    files : (split, label) -> CSV of Genomic Benchmarks with the columns id, region, start, end,
        strand (0-based, half-open, GRCh38)
    assembly : genome of that build; its bases become the sequence of an element

    Returns
    -------
    DataFrame
        The columns :data:`COLUMNS`, by chromosome and start; sequences in upper case.

    Raises
    ------
    GenezipError
        If a file cannot be read, lacks a column, or has a row that is no interval.
    """
    rows = []
    for (split, label), path in files.items():
        table = _intervals(path)
        for segment in assembly.segments:
            inside = (
                (table["region"] == segment.chrom)
                & (table["start"] >= segment.start)
                & (table["end"] <= segment.end)
            )
            for start, end in table.loc[inside, ["start", "end"]].itertuples(index=False):
                text = assembly.sequence(segment, int(start), int(end)).tobytes().decode().upper()
                rows.append((segment.chrom, int(start), int(end), label, split, text))
    found = pd.DataFrame(rows, columns=list(COLUMNS))
    return found.sort_values(["chrom", "start", "end", "label"], ignore_index=True)


def _intervals(path: Path) -> pd.DataFrame:
    """Region, start and end of one interval file."""
    table = read_tsv(path, PUBLISHED, ("region",), *FETCH, separator=",")
    start, end = (pd.to_numeric(table[name], errors="coerce") for name in PUBLISHED[1:])
    whole = (start % 1 == 0) & (end % 1 == 0) & (start >= 0) & (end > start)
    wrong = ~whole | table["region"].isna()
    if wrong.any():
        line = int(np.argmax(wrong.to_numpy()))
        cells = ", ".join(str(table[name].iloc[line]) for name in PUBLISHED)
        raise GenezipError(
            f"line {line + 2} of {path} is no interval ({cells}); fetch the labels again"
        )
    return table.assign(start=start.astype(np.int64), end=end.astype(np.int64))
