"""File list of a Dataverse deposit, and the original files.

Native API, ``GET /api/datasets/:persistentId/?persistentId=doi:...`` (guides.dataverse.org):
``data.latestVersion.files[]`` with ``directoryLabel``, ``restricted`` and ``dataFile``. Dataverse
converts deposited tables to ``.tab``; ``format=original`` requests the original. The MD5 in the
list may be that of the converted copy, so it is not used for tables.
"""

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genezip.download.catalogue import Item, Row, inside, item
from genezip.download.checksum import is_checksum
from genezip.download.store import Fetched, Store, saved_as
from genezip.download.transfer import download
from genezip.errors import GenezipError

SCHEME = "doi:"
_TEXT_TABLES = {"text/tsv": ".tsv", "text/tab-separated-values": ".tsv", "text/csv": ".csv"}


def listing_url(server: str, doi: str) -> str:
    """Address of the file list of a deposit; ``doi`` begins with ``doi:``."""
    return f"{server}/api/datasets/:persistentId/?persistentId={doi}"


def listing_name(doi: str) -> str:
    """Name of the file list in a folder of fetched files: ``10.7910_DVN_X.json``."""
    return doi.removeprefix(SCHEME).replace("/", "_") + ".json"


def saved_listing(fetched: Fetched, server: str, doi: str) -> Path | None:
    """The file list in a folder of fetched files, at any depth, or None.

    Its name is that of :func:`listing_name`, or that of a plain download of its address.
    """
    found = fetched.named(listing_name(doi), *saved_as(listing_url(server, doi)))
    return found[0] if found else None


def listing(
    store: Store, server: str, doi: str, keep: bool = True, others: Iterable[Item] = ()
) -> dict[str, Any]:
    """The file list of a deposit, from the lock, the folder of fetched files, or its server.

    Parameters
    ----------
    server : address of the Dataverse, without a slash at its end
    doi : begins with ``doi:``
    keep : whether the list is written into the lock
    others : files that are needed besides those of the deposit; if the folder of fetched files
        lacks the list, the error also names those of ``others`` that it lacks

    Returns
    -------
    dict
        ``version`` (text), ``licence`` (text or None) and ``files``: each with ``path``,
        ``id``, ``bytes`` or None, ``checksum`` or None, ``original`` (bool: request the
        original file) and ``restricted`` (bool).
    """
    known = store.lock.listing(doi)
    if known is not None:
        return known
    if store.fetched is not None:
        saved = saved_listing(store.fetched, server, doi)
        if saved is None:
            missing = ", ".join([listing_name(doi), *store.missing(others)])
            raise GenezipError(
                f"the folder {store.fetched.folder} of fetched files lacks {missing}; the first "
                f"is the file list of {doi}, what {listing_url(server, doi)} answers: add them, "
                "and the files of the list (--plan prints their addresses)"
            )
        try:
            answer = saved.read_bytes()
        except OSError as error:
            raise GenezipError(
                f"{saved} cannot be read ({error.strerror}); save it again"
            ) from None
        found = parse(answer, str(saved))
    else:
        url = listing_url(server, doi)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answer"
            download(url, path, http=store.http)
            found = parse(path.read_bytes(), url)
    if keep:
        store.lock.record_listing(doi, found)
    return found


def parse(answer: bytes, where: str) -> dict[str, Any]:
    """Read an answer of the API; see :func:`listing` for what comes back."""
    try:
        version = json.loads(answer)["data"]["latestVersion"]
        files = [_file(entry, where) for entry in version["files"]]
        numbers = (version.get("versionNumber"), version.get("versionMinorNumber"))
        licence = version.get("license")
        if isinstance(licence, dict):
            licence = licence.get("name")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise GenezipError(
            f"{where} is not a file list of a Dataverse deposit; look at the address in a browser"
        ) from None
    paths = [file["path"] for file in files]
    if len(set(paths)) < len(paths):
        raise GenezipError(f"{where} lists a file twice; report it to the owner of the deposit")
    return {
        "version": ".".join(str(number) for number in numbers if number is not None) or "latest",
        "licence": None if licence is None else str(licence),
        "files": files,
    }


def _file(entry: dict[str, Any], where: str) -> dict[str, Any]:
    data = entry["dataFile"]
    name, size = data["filename"], data.get("filesize")
    stated = data.get("checksum") or {"type": "MD5", "value": data.get("md5")}
    kind = str(stated["type"]).lower().replace("-", "")
    text = f"{kind}:{str(stated['value']).lower()}"
    checksum = text if is_checksum(text) else None
    suffix = _TEXT_TABLES.get(str(data.get("originalFileFormat")))
    original = data.get("originalFileName") or (
        Path(name).stem + suffix if suffix and name.endswith(".tab") else None
    )
    if original:
        name, size, checksum = original, data.get("originalFileSize"), None
    label = entry.get("directoryLabel") or data.get("directoryLabel") or ""
    return {
        "path": inside(f"{label}/{name}" if label else name, where),
        "id": int(data["id"]),
        "bytes": None if size is None else int(size),
        "checksum": checksum,
        "original": bool(original),
        "restricted": bool(entry.get("restricted", False)),
    }


def deposit_items(row: Row, server: str, found: dict[str, Any], store: Store) -> list[Item]:
    """The files of a deposit as items; ``row`` is its ``doi:`` row of the table of sources.

    A restricted file that is neither downloaded nor in the folder of fetched files raises.
    """
    doi = row.url
    items = []
    for file in found["files"]:
        query = "?format=original" if file["original"] else ""
        of_file = Row(
            name=f"{row.name}/{file['path']}",
            path=file["path"],
            url=f"{server}/api/access/datafile/{file['id']}{query}",
            release=f"{doi} v{found['version']}",
            checksum=file["checksum"],
            n_bytes=file["bytes"],
            licence=found["licence"] or row.licence,
            citation=row.citation,
        )
        wish = item([of_file])
        if file["restricted"] and store.fetched is None and not store.here(wish):
            raise GenezipError(
                f"{file['path']} of {doi} is restricted; ask for it at the deposit, put it "
                "into a folder, and name that folder with --from"
            )
        items.append(wish)
    return items
