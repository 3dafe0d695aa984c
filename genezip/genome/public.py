"""Source `download`: GRCh38 from public servers.

``resources/sources.tsv`` names the servers; several rows of one name are alternatives,
tried in order. What was downloaded stays in ``<out>/downloads`` with its checksum in
``lock.json``, so that an interrupted run goes on where it stopped.
"""

import csv
import gzip
import json
import sys
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tqdm import tqdm

from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.genome.assembly import Piece
from genezip.genome.download import Check, Http, download, first_byte, url_name
from genezip.genome.layout import Draft
from genezip.genome.records import open_bytes, read_records
from genezip.genome.selection import Region, demo_regions, split_of
from genezip.genome.source import SourceUnavailable, hg38_sizes
from genezip.genome.ucsc import overlaps, rmsk_rows, trf_rows
from genezip.provenance import sha256_file, write_json

_COLUMNS = ("name", "url", "release", "sha256", "bytes", "licence", "what")
_NEEDED = {
    "demo": ("region", "annotation", "rmsk", "trf"),
    "full": ("genome", "annotation", "rmsk", "trf"),
}


@dataclass(frozen=True)
class Row:
    """One row of ``sources.tsv``; ``-`` there means unknown."""

    name: str
    url: str
    release: str
    sha256: str | None
    n_bytes: int | None
    licence: str


def read_sources(path: Path) -> dict[str, list[Row]]:
    """The table of public sources: name -> alternatives in order."""
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; name the table of sources with --sources")
    table: dict[str, list[Row]] = {}
    with open(path, encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(
            (line for line in handle if not line.startswith("#")), delimiter="\t"
        )
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise GenezipError(f"{path} must have the columns {', '.join(_COLUMNS)}")
        for line in reader:
            if None in line.values() or not (line["bytes"] == "-" or line["bytes"].isdigit()):
                raise GenezipError(f"{path} has a malformed row {line['name']!r}; see its header")
            row = Row(
                line["name"],
                line["url"],
                line["release"],
                None if line["sha256"] == "-" else line["sha256"],
                None if line["bytes"] == "-" else int(line["bytes"]),
                line["licence"],
            )
            table.setdefault(row.name, []).append(row)
    return table


class Cache:
    """Downloaded files with their checksums."""

    def __init__(self, folder: Path, http: Http) -> None:
        self.folder = folder
        self.http = http
        try:
            self.lock: dict[str, dict[str, object]] = json.loads((folder / "lock.json").read_text())
        except (OSError, ValueError):
            self.lock = {}

    def get(self, row: Row, url: str, check: Check) -> Path:
        """The file of a URL: kept if whole, else downloaded."""
        name = url_name(url)
        path = self.folder / name
        known = self.lock.get(name)
        if known and path.is_file() and path.stat().st_size == known["bytes"]:
            digest = sha256_file(path)
            if digest == known["sha256"] and row.sha256 in (None, digest):
                return path
        path.unlink(missing_ok=True)
        download(url, path, row.sha256, row.n_bytes, check, self.http)
        self.lock[name] = {"url": url, "sha256": sha256_file(path), "bytes": path.stat().st_size}
        write_json(self.folder / "lock.json", self.lock)
        return path

    def first(self, rows: list[Row], check: Check, **where: object) -> tuple[Row, Path]:
        """The first alternative that can be had."""
        reasons = []
        for row in rows:
            url = row.url.format(**where) if where else row.url
            try:
                return row, self.get(row, url, check)
            except SourceUnavailable as error:
                reasons.append(str(error))
        raise SourceUnavailable("; ".join(reasons))


def fetch_public(draft: Draft, out: Path, table: Path, settings: Genome, http: Http) -> None:
    """Lay out the public GRCh38 as a source.

    Raises
    ------
    SourceUnavailable
        Offline, or a server keeps failing.
    GenezipError
        A wrong checksum, or a genome that is not GRCh38.
    """
    sources = read_sources(table)
    missing = [name for name in _NEEDED[settings.selection] if name not in sources]
    if missing:
        raise GenezipError(f"{table} has no row named {', '.join(missing)}")
    offline = first_byte(_two_servers(sources, settings), http.timeout_s)
    if offline:
        raise SourceUnavailable(f"offline ({offline})")
    cache = Cache(out / "downloads", http)
    if settings.selection == "demo":
        _write_regions(draft, cache, sources["region"], settings)
    else:
        _write_chromosomes(draft, cache, sources["genome"], settings)
    _write_annotation(draft, cache, sources)
    total = sum(piece.end - piece.start for piece in draft.pieces)
    what = "regions" if settings.selection == "demo" else "whole chromosomes"
    draft.finish(
        "download",
        f"GRCh38 from public servers: {len(draft.pieces)} {what}, {total / 1e6:.2f} Mb, "
        f"annotation {sources['annotation'][0].release}",
        settings.build,
    )


def _two_servers(sources: Mapping[str, list[Row]], settings: Genome) -> list[str]:
    """One URL of each of the first two servers that are needed."""
    urls: dict[str, str] = {}
    for name in _NEEDED[settings.selection]:
        for row in sources[name]:
            url = (
                row.url.format(chrom="chr1", start=10_000, end=10_001)
                if name == "region"
                else row.url
            )
            urls.setdefault(urlsplit(url).netloc, url)
    return list(urls.values())[:2]


def _write_regions(draft: Draft, cache: Cache, rows: list[Row], settings: Genome) -> None:
    regions = demo_regions(settings)
    plain = not sys.stderr.isatty()

    def pieces() -> Iterator[tuple[Piece, bytes]]:
        if plain:
            sys.stderr.write(f"download: sequence of {len(regions)} regions\n")
        for region in tqdm(regions, desc="regions", leave=False, disable=plain):
            before = len(cache.lock)
            _, path = cache.first(
                rows,
                lambda path, region=region: _wrong_region(path, region),  # type: ignore[misc]
                chrom=region.chrom,
                start=region.start,
                end=region.end,
            )
            if len(cache.lock) > before:
                time.sleep(cache.http.pause_s)
            sequence = json.loads(path.read_text())["dna"].encode()
            yield _piece(region.name, region, sequence, settings), sequence

    first = rows[0]
    draft.write_pieces(pieces(), hg38_sizes(), first.url, first.release, first.licence)


def _wrong_region(path: Path, region: Region) -> str | None:
    """What is wrong with an answer of the sequence server, or None."""
    try:
        answer = json.loads(path.read_text())
        length = len(answer["dna"])
    except (ValueError, KeyError, TypeError):
        return f"sent something else than the sequence of {region.name}"
    if length != region.end - region.start:
        return f"sent {length} bases for {region.name}"
    return None


def _piece(name: str, region: Region, sequence: bytes, settings: Genome) -> Piece:
    return Piece(
        name=name,
        chrom=region.chrom,
        start=region.start,
        end=region.end,
        split=split_of(region.chrom, region.marked, settings),
        annotation="gencode",
        soft_masked=any(letter in sequence for letter in b"acgt"),
        rmsk=True,
        trf=True,
    )


def _write_chromosomes(draft: Draft, cache: Cache, rows: list[Row], settings: Genome) -> None:
    row, path = cache.first(rows, broken_gzip)
    true = hg38_sizes()
    sizes: dict[str, int] = {}

    def pieces() -> Iterator[tuple[Piece, bytes]]:
        for name, sequence in read_records(path):
            if settings.chromosomes is not None and name not in settings.chromosomes:
                continue
            if len(sequence) != true.get(name, len(sequence)):
                raise GenezipError(
                    f"{name} of {row.url} has {len(sequence)} bases, GRCh38 has {true[name]}: "
                    "wrong build"
                )
            sizes[name] = len(sequence)
            region = Region(name, 0, len(sequence), "train")
            yield _piece(name, region, sequence, settings), sequence

    draft.write_pieces(pieces(), sizes, row.url, row.release, row.licence)
    absent = [name for name in settings.chromosomes or [] if name not in sizes]
    if absent:
        raise GenezipError(f"{row.url} has no chromosome {', '.join(absent)}")


def _write_annotation(draft: Draft, cache: Cache, sources: Mapping[str, list[Row]]) -> None:
    chroms = {piece.chrom.encode() for piece in draft.pieces}
    row, path = cache.first(sources["annotation"], broken_gzip)
    draft.annotations["gencode"] = {
        "path": draft.write_gzip(
            "gencode.gtf.gz", _of_chromosomes(path, chroms), row.url, row.release, row.licence
        ),
        "format": "gtf",
    }
    inside = overlaps(draft.pieces)
    for kind, name, convert in (
        ("rmsk", "rmsk.out.gz", rmsk_rows),
        ("trf", "trf.bed.gz", trf_rows),
    ):
        row, path = cache.first(sources[kind], broken_gzip)
        draft.repeats[kind] = draft.write_gzip(
            name, convert(path, inside), row.url, row.release, row.licence
        )


def broken_gzip(path: Path) -> str | None:
    """What is wrong with a gzip file (its own checksum is read to the end), or None."""
    try:
        with gzip.open(path) as handle:
            while handle.read(1 << 20):
                pass
    except (OSError, EOFError, zlib.error) as error:
        return f"is a truncated or damaged gzip file ({error})"
    return None


def _of_chromosomes(path: Path, chroms: set[bytes]) -> Iterator[bytes]:
    with open_bytes(path) as handle:
        for line in handle:
            if line.startswith(b"#") or line.partition(b"\t")[0] in chroms:
                yield line
