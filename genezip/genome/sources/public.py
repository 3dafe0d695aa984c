"""Source `download`: GRCh38 from public servers, or from files fetched elsewhere.

``genezip/download/sources.tsv`` lists the servers; rows of one name are alternatives, tried in
order. Downloads stay in ``<out>/downloads``, their checksums in ``<out>/downloads.lock.json``.
"""

import hashlib
import json
import logging
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from genezip.config import Genome
from genezip.download import SourceUnavailable
from genezip.download.catalogue import Item, Row, item, read_sources
from genezip.download.lock import lock_path
from genezip.download.plan import Plan, first_byte, plan
from genezip.download.store import Store
from genezip.download.transfer import Http
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.formats.fasta import read_records
from genezip.formats.input_file import open_bytes
from genezip.formats.repeatmasker import Inside, rmsk_rows, trf_rows
from genezip.genome.assembly import Segment
from genezip.genome.sources.layout import Draft, is_soft_masked, segment_of
from genezip.genome.sources.splits import Region, check_names, demo_regions
from genezip.log import progress

logger = logging.getLogger(__name__)

_NEEDED = {
    "demo": ("region", "annotation", "rmsk", "trf"),
    "full": ("genome", "annotation", "rmsk", "trf"),
}
_ANSWER_BYTES = 300  # of a JSON answer besides the bases


@dataclass(frozen=True)
class Wanted:
    """The files that the source `download` needs."""

    files: dict[str, Item]  # genome (full runs only), annotation, rmsk, trf
    regions: list[tuple[Region, Item]]  # sequence by region (demo only)

    def items(self) -> list[Item]:
        """Sequence of the regions, then the other files."""
        return [*(found for _, found in self.regions), *self.files.values()]


def wanted_files(table: Path, settings: Genome) -> Wanted:
    """The files that the settings need, with their rows in the table of sources."""
    sources = read_sources(table)
    needed = _NEEDED[settings.selection]
    missing = [name for name in needed if name not in sources]
    if missing:
        raise GenezipError(f"{table} has no row named {', '.join(missing)}")
    files = {name: item(sources[name]) for name in needed if name != "region"}
    regions: list[tuple[Region, Item]] = []
    if settings.selection == "demo":
        regions = [(r, _region_item(sources["region"], r)) for r in demo_regions(settings)]
        used = dict.fromkeys(region.chrom for region, _ in regions)
        check_names(settings, hg38_sizes(), list(used), "GRCh38")
    return Wanted(files, regions)


def plan_public(
    out: Path, table: Path, settings: Genome, http: Http, fetched: Path | None = None
) -> Plan:
    """Plan of :func:`fetch_public`, without downloading."""
    store = _store(out, http, fetched)
    found = wanted_files(table, settings)
    return plan(store, found.items(), _sequence_bytes(found, settings))


def _store(out: Path, http: Http, fetched: Path | None) -> Store:
    folder = out / "downloads"
    return Store(folder, lock_path(folder), http, fetched)


def _sequence_bytes(found: Wanted, settings: Genome) -> int:
    """Approximate size of ``pieces.fa``: one byte per base and a line end every 60."""
    if found.regions:
        bases = sum(region.end - region.start for region, _ in found.regions)
    else:
        chosen = settings.chromosomes
        bases = sum(n for name, n in hg38_sizes().items() if chosen is None or name in chosen)
    return bases + bases // 60


def fetch_public(
    draft: Draft, out: Path, table: Path, settings: Genome, http: Http, fetched: Path | None = None
) -> None:
    """Write the public GRCh38 as a source.

    SourceUnavailable is raised if a file is missing and no server answers, or a server keeps
    failing.
    """
    found = wanted_files(table, settings)
    store = _store(out, http, fetched)
    store.require(found.items())
    absent = [wish for wish in found.items() if not store.here(wish)]
    if absent and fetched is None:
        offline = first_byte(_two_servers(absent), http.timeout_s)
        if offline:
            raise SourceUnavailable(f"offline ({offline})")
    plan(store, found.items(), _sequence_bytes(found, settings)).check_room()
    if settings.selection == "demo":
        _write_regions(draft, store, found.regions, settings)
    else:
        _write_chromosomes(draft, store, found.files["genome"], settings)
    _write_annotation(draft, store, found.files)
    total = sum(segment.end - segment.start for segment in draft.segments)
    what = "regions" if settings.selection == "demo" else "whole chromosomes"
    draft.finish(
        "download",
        f"GRCh38 from public servers: {len(draft.segments)} {what}, {total / 1e6:.2f} Mb, "
        f"annotation {found.files['annotation'].rows[0].release}",
        settings.build,
    )


def _two_servers(absent: list[Item]) -> list[str]:
    """One URL of each of the first two servers of the missing files."""
    urls: dict[str, str] = {}
    for wish in absent:
        for row in wish.rows:
            urls.setdefault(urlsplit(row.url).netloc, row.url)
    return list(urls.values())[:2]


def _region_item(rows: list[Row], region: Region) -> Item:
    """Item of the sequence of one region: a JSON answer with a time stamp and ``dna``."""
    where: dict[str, object] = {"chrom": region.chrom, "start": region.start, "end": region.end}
    filled = tuple(
        replace(
            row,
            name=f"{row.name} {region.name}",
            path=row.path.format(**where),
            url=row.url.format(**where),
        )
        for row in rows
    )
    return Item(
        filled,
        check=lambda path: _wrong_region(path, region),
        # of the bases alone, because the rest of an answer changes with time
        fingerprint=lambda path: hashlib.sha256(_dna(path)).hexdigest(),
        about=region.end - region.start + _ANSWER_BYTES,
    )


def _dna(path: Path) -> bytes:
    return json.loads(path.read_text())["dna"].encode()


def _write_regions(
    draft: Draft, store: Store, regions: list[tuple[Region, Item]], settings: Genome
) -> None:
    def segments() -> Iterator[tuple[Segment, bytes]]:
        logger.info("download: sequence of %d regions", len(regions))
        for region, wish in progress(regions, "regions", unit="region"):
            before = store.requests
            _, path = store.get(wish)
            if store.requests > before:
                time.sleep(store.http.pause_s)
            sequence = _dna(path)
            yield _segment(region, sequence, settings), sequence

    first = regions[0][1].rows[0]
    origin = first.url.partition("?")[0]
    draft.write_segments(segments(), hg38_sizes(), origin, first.release, first.licence)


def _wrong_region(path: Path, region: Region) -> str | None:
    """What is wrong with an answer of the sequence server, or None."""
    try:
        answer = json.loads(path.read_text())
        if not isinstance(answer["dna"], str):
            raise TypeError
        length = len(answer["dna"])
        interval = [answer.get(key, getattr(region, key)) for key in ("chrom", "start", "end")]
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"did not send the sequence of {region.name}"
    if interval != [region.chrom, region.start, region.end]:
        return f"sent {interval[0]}:{interval[1]}-{interval[2]} for {region.name}"
    if length != region.end - region.start:
        return f"sent {length} bases for {region.name}"
    return None


def _segment(region: Region, sequence: bytes, settings: Genome, name: str | None = None) -> Segment:
    masked = is_soft_masked(sequence)
    return segment_of(region, settings, "gencode", name, soft_masked=masked, rmsk=True, trf=True)


def _write_chromosomes(draft: Draft, store: Store, wish: Item, settings: Genome) -> None:
    row, path = store.get(wish)
    true = hg38_sizes()
    sizes: dict[str, int] = {}
    seen: list[str] = []

    def segments() -> Iterator[tuple[Segment, bytes]]:
        for name, sequence in read_records(path):
            seen.append(name)
            if settings.chromosomes is not None and name not in settings.chromosomes:
                continue
            if len(sequence) != true.get(name, len(sequence)):
                raise GenezipError(
                    f"{name} of {row.url} has {len(sequence)} bases, GRCh38 has {true[name]}: "
                    "wrong build"
                )
            sizes[name] = len(sequence)
            region = Region(name, 0, len(sequence), "train")
            yield _segment(region, sequence, settings, name), sequence

        check_names(settings, seen, sizes, row.url)  # before the check for empty splits

    draft.write_segments(segments(), sizes, row.url, row.release, row.licence)


def _write_annotation(draft: Draft, store: Store, files: Mapping[str, Item]) -> None:
    chroms = {segment.chrom.encode() for segment in draft.segments}
    row, path = store.get(files["annotation"])
    rows = _of_chromosomes(path, chroms)
    genes = draft.write_gzip("gencode.gtf.gz", rows, row.url, row.release, row.licence)
    draft.annotate("gencode", genes, "gtf")
    inside = overlaps(draft.segments)
    repeats = (("rmsk", "rmsk.out.gz", rmsk_rows), ("trf", "trf.bed.gz", trf_rows))
    for kind, name, convert in repeats:
        row, path = store.get(files[kind])
        rows = convert(path, inside)
        draft.repeats[kind] = draft.write_gzip(name, rows, row.url, row.release, row.licence)


def overlaps(segments: Iterable[Segment]) -> Inside:
    """A predicate: whether an interval (chrom, start, end) overlaps any segment."""
    ends: dict[bytes, list[int]] = {}
    starts: dict[bytes, list[int]] = {}
    for segment in sorted(segments, key=lambda segment: segment.start):  # segments do not overlap
        starts.setdefault(segment.chrom.encode(), []).append(segment.start)
        ends.setdefault(segment.chrom.encode(), []).append(segment.end)

    def inside(chrom: bytes, start: int, end: int) -> bool:
        if chrom not in starts:
            return False
        before = bisect_left(starts[chrom], end)  # number of segments that begin before the end
        return before > 0 and ends[chrom][before - 1] > start

    return inside


def _of_chromosomes(path: Path, chroms: set[bytes]) -> Iterator[bytes]:
    with open_bytes(path) as handle:
        for line in handle:
            if line.startswith(b"#") or line.partition(b"\t")[0] in chroms:
                yield line
