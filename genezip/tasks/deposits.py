"""The files of tasks with public deposits: DNALongBench (Nature Communications 16:10108).

Files lie below one folder as their deposits arrange them. ``TASK.intervals.json`` lists the
small files with the intervals of validation and test inputs; ``TASK.json`` lists all.
:class:`TaskFiles` reads such a list.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from genezip.artifacts.files import write_json
from genezip.artifacts.manifest import Kind
from genezip.download import SourceUnavailable
from genezip.download.catalogue import SOURCES, Item, Row, item, read_sources
from genezip.download.dataverse import SCHEME, deposit_items, listing, listing_name, listing_url
from genezip.download.lock import lock_path
from genezip.download.plan import plan
from genezip.download.store import Store
from genezip.download.transfer import PATIENT, Http
from genezip.errors import GenezipError
from genezip.log import progress
from genezip.tasks import TASKS

Only = Literal["intervals", "all"]
SERVER = "dataverse"  # name of the row with the address of the Dataverse server


@dataclass(frozen=True)
class Deposit:
    """The public deposit of a task's files."""

    doi: str  # of its data
    # whether a file, by its path in the deposit, lists the intervals of validation and test inputs;
    # None where no file does
    intervals: Callable[[PurePosixPath], bool] | None = None
    # rows of the table of sources that the task needs besides that of its name
    shared: tuple[str, ...] = ()
    # whether the interval files are found through the file list of the deposit
    listed: bool = False

    def is_interval_file(self, path: str) -> bool:
        """Whether a file of this path lists intervals."""
        return self.intervals is not None and self.intervals(PurePosixPath(path))


def deposit_of(task: str) -> Deposit:
    """The deposit of a task."""
    found = TASKS[task].deposit if task in TASKS or ":" in task else None
    if found is None:
        known = ", ".join(name for name, one in TASKS.items() if one.deposit)
        raise GenezipError(f"{task!r} is no DNALongBench task; use one of {known}")
    return found


def fetch_task(
    task: str,
    out: Path,
    only: Only = "intervals",
    table: Path = SOURCES,
    fetched: Path | None = None,
    http: Http = PATIENT,
) -> Path:
    """Fetch the files of a task into ``out``; its list is written last.

    Parameters
    ----------
    task : name of a task with a :class:`Deposit`
    out : folder; a file lies at ``out / directoryLabel / name`` of its deposit
    table : table of sources
    fetched : folder of files fetched elsewhere; the network is then not used

    Returns
    -------
    Path of ``out/TASK.intervals.json`` or ``out/TASK.json``: task, doi and files, each with its
    path (relative to ``out``), sha256, bytes, url, licence and citation

    Raises
    ------
    SourceUnavailable
        A server keeps failing.
    """
    store = _store(out, http, fetched)
    try:
        items = wanted(task, only, table, store)
        store.require(items)
        plan(store, items).check_room()
        files = [_entry(store, wish) for wish in progress(items, task, unit="file")]
    except SourceUnavailable as error:
        raise SourceUnavailable(
            f"{error}; run again to resume, or name a folder of files fetched elsewhere with --from"
        ) from None
    result = out / (f"{task}.json" if only == "all" else f"{task}.intervals.json")
    doi = deposit_of(task).doi.removeprefix(SCHEME)
    write_json(result, {"task": task, "doi": doi, "files": files})
    return result


def _entry(store: Store, wish: Item) -> dict[str, object]:
    """Get one file and its entry in the list."""
    row, path = store.get(wish)
    known = store.lock.file(row.key)
    assert known is not None  # `get` records every file
    return {
        "path": row.path,
        "sha256": known["sha256"],
        "bytes": path.stat().st_size,
        "url": row.url,
        "licence": row.licence,
        "citation": row.citation,
    }


def plan_task(
    task: str, out: Path, only: Only, table: Path, fetched: Path | None, http: Http = PATIENT
) -> list[str]:
    """Plan of :func:`fetch_task` as lines of text; nothing is written."""
    store = _store(out, replace(http, attempts=1, timeout_s=http.size_timeout_s), fetched)
    deposit = deposit_of(task)
    try:
        items = wanted(task, only, table, store, keep=False)
    except GenezipError as error:
        if not table.is_file():
            raise
        rows, server = _rows(task, table)
        items = [item(group) for group in rows if not group[0].url.startswith(SCHEME)]
        chosen = [wish for wish in items if only == "all" or _is_small(deposit, wish)]
        return [
            f"file list of {deposit.doi}: {listing_name(deposit.doi)}: unknown ({error})",
            f"    {listing_url(server, deposit.doi)}",
            *plan(store, chosen).lines(),
        ]
    found = plan(store, items)
    return found.lines() if found.files else ["no file is needed"]


def wanted(task: str, only: Only, table: Path, store: Store, keep: bool = True) -> list[Item]:
    """The files of a task, those of the table first, then those of its deposit.

    ``keep``: whether a downloaded file list is recorded in the lock.
    """
    deposit = deposit_of(task)
    if only == "intervals" and deposit.intervals is None:
        return []
    rows, server = _rows(task, table)
    items = [item(group) for group in rows if not group[0].url.startswith(SCHEME)]
    deposits = [group[0] for group in rows if group[0].url.startswith(SCHEME)]
    if only == "all" or deposit.listed:
        for row in deposits:
            known = {wish.rows[0].path for wish in items}
            others = [wish for wish in items if only == "all" or _is_small(deposit, wish)]
            found = listing(store, server, row.url, keep, others)
            files = [
                file
                for file in found["files"]
                if file["path"] not in known
                and (only == "all" or deposit.is_interval_file(file["path"]))
            ]
            items += deposit_items(row, server, found | {"files": files}, store)
    if only == "all":
        return items
    chosen = [wish for wish in items if _is_small(deposit, wish)]
    if all(wish.rows[0].name in deposit.shared for wish in chosen):
        raise GenezipError(
            f"no interval file of {task} is in {table} or in the file list of "
            f"{deposit.doi}; the deposit may have changed"
        )
    return chosen


def _is_small(deposit: Deposit, wish: Item) -> bool:
    """Whether a file lists intervals or is a shared file that they need."""
    row = wish.rows[0]
    return row.name in deposit.shared or deposit.is_interval_file(row.path)


def _rows(task: str, table: Path) -> tuple[list[list[Row]], str]:
    """Rows of a task by name, and the address of the Dataverse server."""
    sources, shared = read_sources(table), deposit_of(task).shared
    own = [name for name in sources if name == task or name.startswith(f"{task}/")]
    missing = [name for name in (SERVER, *shared) if name not in sources]
    if missing or not own:
        raise GenezipError(f"{table} has no row named {', '.join(missing) or task}")
    return [sources[name] for name in (*own, *shared)], sources[SERVER][0].url.rstrip("/")


def _store(out: Path, http: Http, fetched: Path | None) -> Store:
    return Store(out, lock_path(out), http, fetched, copied=True)


FILES = Kind("list of files", None, "fetch it first", "fetch it again", keys=("files",))
"""Required keys of a list of files, and advice where the list or a file of it is wrong."""

FETCH = ("fetch the labels first", "fetch the labels again")
"""Advice where a file of labels is missing, or damaged."""


@dataclass(frozen=True)
class TaskFiles:
    """Files named in ``TASK.json`` or ``TASK.intervals.json``."""

    listing: Path  # the JSON
    paths: tuple[Path, ...]  # every file it lists
    facts: Mapping[str, Any]  # content of the JSON

    @classmethod
    def load(cls, listing: str | Path, advice: str = "fetch it again") -> "TaskFiles":
        """Read a list, whose paths are relative to its folder; ``advice`` is for a missing list.

        A folder in place of a list stands for all files below it.
        """
        listing = Path(listing)
        if listing.is_dir():
            found = sorted(path for path in listing.rglob("*") if path.is_file())
            return cls(listing, tuple(found), {})
        facts = replace(FILES, first=advice).read(listing)
        try:
            paths = tuple(listing.parent / entry["path"] for entry in facts["files"])
        except (KeyError, TypeError):
            raise FILES.foreign(listing) from None
        return cls(listing, paths, facts)

    def ending(self, *endings: str) -> list[Path]:
        """Files whose path has one of the endings, in the order of the list; at least one."""
        found = [path for path in self.paths if str(path).endswith(endings)]
        if not found:
            raise GenezipError(
                f"{self.listing} lists no file {' or '.join(endings)}; fetch it again"
            )
        for path in found:
            if not path.is_file():
                raise GenezipError(
                    f"{path}, listed in {self.listing}, does not exist; fetch it again"
                )
        return found

    def one(self, *endings: str) -> Path:
        """The first of :meth:`ending`."""
        return self.ending(*endings)[0]

    def reason(self, part: str, names: Iterable[str]) -> str | None:
        """Reason why a list of labels lacks files of a part; None where all are listed."""
        if set(names) <= {path.name for path in self.paths}:
            return None
        lacking = f"{self.listing} lists no files of {part}"
        return str(self.facts.get("reasons", {}).get(part, lacking))
