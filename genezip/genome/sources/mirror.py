"""Source `mirror`: real GRCh38 slices and windows in a local folder.

The folder contains the slices of ``demo/`` (true coordinates: base i of record chr9 is base i
of the chromosome) and 65 windows of 131,072 bp as records ``chrom:start-end``. Every file
is compared with the checksum table of its README.md before it is used.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from genezip.config import Genome
from genezip.download import SourceUnavailable
from genezip.download.checksum import checksum_of
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes
from genezip.formats.fasta import read_records
from genezip.genome.assembly import Segment
from genezip.genome.sources.layout import Draft, segment_of
from genezip.genome.sources.splits import Region, check_names, read_regions, wanted

SLICES = "demo/genome.fa.gz"
SLICES_BED = "demo/splits.bed"
SLICES_GENES = "demo/genes.gtf.gz"
SLICES_RMSK = "demo/rmsk.chr21_chr22.fa.out.gz"
SLICES_TRF = "demo/trf_simpleRepeat.bed.gz"
WINDOWS = "sequence/windows_131072bp.hg38.fa.gz"
WINDOWS_BED = "sequence/windows_131072bp.hg38.bed"
WINDOWS_GENES = "annotation/refseq_refGene.hg38.bed12.gz"
WINDOWS_TRF = "repeats/trf_simpleRepeat.hg38.windows.bed.gz"
USED = (
    *(SLICES, SLICES_BED, SLICES_GENES, SLICES_RMSK, SLICES_TRF),
    *(WINDOWS, WINDOWS_BED, WINDOWS_GENES, WINDOWS_TRF),
)

NOT_MASKED = {"chr1"}  # the chr1 slice is upper case in its source
RMSK_CHROMS = {"chr21", "chr22"}

_TABLE_ROW = re.compile(r"^\|\s*`([^`]+)`\s*\|.*\|\s*([\d,]+)\s*\|\s*`([0-9a-f]{32})`\s*\|\s*$")


def fetch_mirror(draft: Draft, mirror: Path | None, settings: Genome) -> None:
    """Write the slices and windows of a mirror folder as a source.

    SourceUnavailable is raised if no folder is configured, it is missing, or whole chromosomes are
    requested.
    """
    if mirror is None:
        raise SourceUnavailable("no folder named (GENEZIP_MIRROR is not set)")
    if not mirror.is_dir():
        raise SourceUnavailable(f"the folder {mirror} does not exist")
    if settings.selection == "full":
        raise SourceUnavailable("it holds slices, not the whole chromosomes of selection full")
    verify(mirror)
    slices = wanted(read_regions(mirror / SLICES_BED), settings)
    windows = wanted(read_regions(mirror / WINDOWS_BED), settings)
    used = dict.fromkeys(region.chrom for region in [*slices, *windows])
    check_names(settings, hg38_sizes(), list(used), "GRCh38")
    draft.write_segments(
        _segments(mirror, slices, windows, settings),
        hg38_sizes(),
        f"{SLICES} and {WINDOWS}",
        "GRCh38",
        "public domain (GRCh38); selection of windows Apache-2.0 (Baskerville)",
    )
    genes = draft.copy(
        mirror / SLICES_GENES,
        "genes.gtf.gz",
        SLICES_GENES,
        "RefSeq (chr1, chr2), GENCODE 27 basic (chr9), GENCODE basic (chr21, chr22)",
        "open, cite GENCODE and RefSeq",
    )
    refseq = draft.copy(
        mirror / WINDOWS_GENES,
        "refseq.bed12.gz",
        WINDOWS_GENES,
        "UCSC refGene hg38, about 2017",
        "public domain",
    )
    draft.annotate("genes", genes, "gtf")
    draft.annotate("refseq", refseq, "bed12")
    draft.repeats["rmsk"] = draft.copy(
        mirror / SLICES_RMSK,
        "rmsk.out.gz",
        SLICES_RMSK,
        "UCSC hg38 rmsk, chr21 and chr22",
        "free for public use (UCSC)",
    )
    draft.repeats["trf"] = draft.write_gzip(
        "trf.bed.gz",
        _merged_trf(mirror / SLICES_TRF, mirror / WINDOWS_TRF),
        f"{SLICES_TRF} and {WINDOWS_TRF}",
        "Tandem Repeats Finder 4.09 (2 7 7 80 10 50 2000)",
        "public domain",
    )
    total = sum(segment.end - segment.start for segment in draft.segments)
    draft.finish(
        "mirror",
        f"real GRCh38 DNA from the mirror folder: {len(slices)} slices and "
        f"{len(windows)} windows, {total / 1e6:.2f} Mb",
        settings.build,
    )


def _segments(
    mirror: Path, slices: list[Region], windows: list[Region], settings: Genome
) -> Iterator[tuple[Segment, bytes]]:
    for name, sequence in read_records(mirror / SLICES):
        for region in slices:
            if region.chrom == name:
                segment = segment_of(
                    region,
                    settings,
                    "genes",
                    soft_masked=region.chrom not in NOT_MASKED,
                    rmsk=region.chrom in RMSK_CHROMS,
                    trf=True,
                )
                yield segment, sequence[region.start : region.end]
    records = dict(read_records(mirror / WINDOWS))
    for region in windows:
        if region.name not in records:
            raise GenezipError(f"{mirror / WINDOWS} has no record {region.name}")
        segment = segment_of(region, settings, "refseq", soft_masked=False, rmsk=False, trf=True)
        yield segment, records[region.name]


def _merged_trf(*paths: Path) -> list[bytes]:
    """Rows of several TRF tables under one header, by chromosome and start."""
    header: list[bytes] = []
    rows: list[bytes] = []
    for path in paths:
        with gzip.open(path) as handle:
            lines = handle.read().splitlines(keepends=True)
        header = [line for line in lines if line.startswith(b"#")][:1]
        rows += [line for line in lines if not line.startswith(b"#")]

    def position(row: bytes) -> tuple[bytes, int, int]:
        chrom, start, end = row.split(b"\t", 3)[:3]
        return chrom, int(start), int(end)

    return header + sorted(rows, key=position)


def verify(mirror: Path) -> None:
    """Compare every file that the source uses with the checksum tables of the folder."""
    table, demo = checksums(mirror / "README.md"), checksums(mirror / "demo" / "README.md")
    for name in USED:
        if name.startswith("demo/"):
            check_file(mirror / "demo", name.removeprefix("demo/"), demo)
        else:
            check_file(mirror, name, table)


def check_file(folder: Path, name: str, table: Mapping[str, tuple[int, str]]) -> None:
    """Compare one file of a folder with the checksum table of its README.md."""
    path, expected = folder / name, table.get(name)
    if expected is None:
        raise GenezipError(
            f"{name} is not in the checksum table of {folder / 'README.md'}; "
            "restore the mirror folder"
        )
    if not path.is_file():
        raise GenezipError(f"{path} is missing; restore the mirror folder")
    size, md5 = path.stat().st_size, expected[1]
    if size < expected[0]:
        raise GenezipError(
            f"{path} is truncated: {size} of {expected[0]} bytes; restore the mirror folder"
        )
    if checksum_of(path, "md5") != f"md5:{md5}":
        raise GenezipError(f"{path} was altered: its md5 is not {md5}; restore the mirror folder")


def checksums(readme: Path) -> dict[str, tuple[int, str]]:
    """File name -> (bytes, md5) of the Markdown table in a README.md."""
    if not readme.is_file():
        raise GenezipError(f"{readme} is missing, so nothing there can be verified")
    table = {}
    for line in readme.read_text(encoding="utf-8").splitlines():
        if match := _TABLE_ROW.match(line):
            table[match[1]] = (int(match[2].replace(",", "")), match[3])
    return table
