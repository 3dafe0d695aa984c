"""The table of sources: ``sources.tsv`` in this folder, tab-separated, with ``#`` comments."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from genezip.artifacts.files import sha256_file
from genezip.download.checksum import Check, broken_gzip, is_checksum
from genezip.errors import GenezipError

COLUMNS = ("name", "path", "url", "release", "checksum", "bytes", "licence", "citation", "what")
SOURCES = Path(__file__).with_name("sources.tsv")
_SCHEMES = ("https://", "http://", "doi:")


@dataclass(frozen=True)
class Row:
    """One file on one server."""

    name: str  # identifier; rows of one name are alternatives, tried in order
    path: str  # path below the folder of downloads
    url: str  # address, or ``doi:...`` for a whole deposit whose files are listed by its server
    release: str  # rows of equal name and release are the same bytes
    checksum: str | None  # ``md5:...``, ``sha1:...`` or ``sha256:...``; None where unknown
    n_bytes: int | None  # size; None where unknown
    licence: str
    citation: str

    @property
    def key(self) -> str:
        """Key of the file in the lock."""
        return f"{self.name} | {self.release}"


@dataclass(frozen=True)
class Item:
    """One file to download."""

    rows: tuple[Row, ...]  # alternatives in order
    check: Check | None = None  # returns what is wrong with a complete file, or None
    # SHA-256 of the content that must never change; by default of the whole file
    fingerprint: Callable[[Path], str] = sha256_file
    about: int | None = None  # rough size in bytes, for files whose size is not worth a request


def item(rows: Iterable[Row]) -> Item:
    """The item of alternative rows; compressed files are checked by reading them to the end."""
    chosen = tuple(rows)
    packed = chosen[0].path.endswith((".gz", ".bgz", ".tbi"))  # a .tbi is compressed, too
    return Item(chosen, broken_gzip if packed else None)


def read_sources(path: Path) -> dict[str, list[Row]]:
    """Read the table: name -> alternatives in order.

    A checksum or size of one row holds for all rows of its name and release.
    """
    if not path.is_file():
        raise GenezipError(f"{path} does not exist; name the table of sources with --sources")
    with open(path, encoding="utf-8", newline="") as handle:
        lines = (line for line in handle if not line.startswith("#"))
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise GenezipError(f"{path} must have the columns {', '.join(COLUMNS)}")
        rows = [_row(line, path) for line in reader]
    known: dict[str, Row] = {}
    for row in rows:
        first = known.setdefault(row.key, row)
        for field in ("checksum", "n_bytes"):
            stated = {getattr(first, field), getattr(row, field)} - {None}
            if len(stated) > 1:
                raise GenezipError(
                    f"{path} has two values of {field} for {row.name!r}, release "
                    f"{row.release!r}; rows of one name and release are the same file"
                )
            if stated:
                first = replace(first, **{field: stated.pop()})
        known[row.key] = first
    table: dict[str, list[Row]] = {}
    for row in rows:
        same = known[row.key]
        full = replace(row, checksum=same.checksum, n_bytes=same.n_bytes)
        table.setdefault(row.name, []).append(full)
    return table


def _row(line: dict[str, str], table: Path) -> Row:
    """One row; ``-`` means unknown, and in the path the last part of the address."""
    wrong = f"{table} has a malformed row {line['name']!r}"
    if None in line or None in line.values() or not all(line.values()):
        raise GenezipError(f"{wrong}: it needs {len(COLUMNS)} columns, with - for unknown")
    if not line["url"].startswith(_SCHEMES):
        raise GenezipError(f"{wrong}: its url must begin with {', '.join(_SCHEMES)}")
    if not (line["bytes"] == "-" or line["bytes"].isdigit()):
        raise GenezipError(f"{wrong}: bytes must be a number or -")
    checksum = None if line["checksum"] == "-" else line["checksum"].lower()
    if checksum is not None and not is_checksum(checksum):
        raise GenezipError(
            f"{wrong}: its checksum must be md5:, sha1: or sha256: and hex digits, or -"
        )
    path = line["path"] if line["path"] != "-" else server_name(line["url"]) or line["name"]
    return Row(
        name=line["name"],
        path=inside(path, str(table)),
        url=line["url"],
        release=line["release"],
        checksum=checksum,
        n_bytes=None if line["bytes"] == "-" else int(line["bytes"]),
        licence=line["licence"],
        citation=line["citation"],
    )


def server_name(url: str) -> str:
    """File name at the end of an address, without the query; may be empty."""
    return urlsplit(url).path.rsplit("/", 1)[-1]


def inside(path: str, where: str) -> str:
    """Return a relative path; refuse one that leaves its folder. ``where`` is for the message."""
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise GenezipError(f"{where} names the path {path!r}, which leaves its folder")
    return str(pure)
