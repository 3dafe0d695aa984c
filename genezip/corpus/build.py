"""Build a corpus: plan the windows, write their shards, finish with the manifest.

The three steps are separate functions, so that a workflow can write the shards of one plan
in many jobs. Equal inputs, settings and seed give equal bytes, whatever the number of jobs, the
time, or the machine.
"""

import multiprocessing
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.artifacts import provenance
from genezip.artifacts.files import write_json
from genezip.artifacts.folder import refuse_foreign, resumed_folder
from genezip.artifacts.manifest import Kind
from genezip.config import Corpus
from genezip.corpus.homology import write_tables
from genezip.corpus.plan import (
    MANIFEST,
    PLAN,
    Plan,
    ShardPlan,
    choose_windows,
    split_window_bp,
    write_plan,
)
from genezip.corpus.shards import SCHEMA_VERSION, open_shard
from genezip.corpus.writer import ShardWriter, sum_tallies
from genezip.errors import GenezipError
from genezip.formats.genes.rows import Transcripts
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.source import Source
from genezip.genome.sources.splits import SPLITS
from genezip.log import Progress

TABLES = ("dropped.tsv", "heldout_homology.tsv")
PROOFS = ("leakage.tsv", "homology.tsv")  # results of later checks of a corpus
ENTRIES = "entries"  # folder of manifest entries from the jobs of a workflow
KNOWN = {*SPLITS, PLAN, MANIFEST, *TABLES, *PROOFS}

_ENTRIES_KIND = Kind(
    noun="list of shards from `genezip corpus write`",
    version=None,
    first="run `genezip corpus write` first",
    again="run `genezip corpus write` again",
)
_SHARD = re.compile(r"\.?shard-\d{5}\.parquet(\.\w+-\d+\.part)?")


def build_corpus(
    source: Source,
    region_map: RegionMap,
    settings: Corpus,
    out_dir: str | Path,
    excluded: pd.DataFrame | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
    jobs: int = 1,
) -> dict[str, Any]:
    """Build the corpus of a source into a folder, replacing an older one.

    Shards are written into a hidden folder beside ``out_dir``, which is renamed when it is
    complete; after an error ``out_dir`` is unchanged. An interrupted call is continued by the
    same call.

    Parameters
    ----------
    source : segments with their splits, sequence and annotation
    region_map : class of every base of every segment
    out_dir : folder
        For the manifest, the plan, the shards of train, valid and test, ``dropped.tsv`` and, if
        held-out windows are filtered for homology, ``heldout_homology.tsv``.
    excluded : DataFrame chrom, start, end
        No training or validation window touches these intervals.
    inputs : name -> path of input files whose hashes the manifest records
    transcripts, gene_types
        Transcripts at which windows are anchored; as for the region map (config.Regions).
    jobs : processes that write shards

    The manifest is returned.
    """
    refuse_foreign(out_dir, KNOWN)
    chosen = _choose(source, settings, excluded, inputs, transcripts, gene_types)
    with resumed_folder(out_dir, KNOWN) as folder:
        plan = _write_plan(folder, *chosen, settings)
        entries = write_shards(plan, source, region_map, folder, jobs=jobs)
        return finish_corpus(plan, entries, folder)


def plan_corpus(
    source: Source,
    settings: Corpus,
    path: str | Path,
    excluded: pd.DataFrame | None = None,
    inputs: Mapping[str, str | Path] | None = None,
    transcripts: Transcripts = "basic",
    gene_types: Sequence[str] | None = None,
) -> Plan:
    """Draw the windows of a corpus and write its plan as ``path``; see :func:`build_corpus`.

    The file must be named ``plan.parquet``, so that the other steps find it. ``dropped.tsv`` is
    written beside it. An older manifest there is removed, because its shards will be replaced.
    """
    folder = Path(path).parent
    if Path(path).name != PLAN:
        raise GenezipError(f"{path} cannot be the plan of a corpus; name it {folder / PLAN}")
    refuse_foreign(folder, {*KNOWN, ENTRIES})
    for split in SPLITS:
        stray_shards(folder / split, ())
    chosen = _choose(source, settings, excluded, inputs, transcripts, gene_types)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GenezipError(f"cannot make the folder {folder}: {error.strerror}") from error
    (folder / MANIFEST).unlink(missing_ok=True)
    return _write_plan(folder, *chosen, settings)


def _choose(
    source: Source,
    settings: Corpus,
    excluded: pd.DataFrame | None,
    inputs: Mapping[str, str | Path] | None,
    transcripts: Transcripts,
    gene_types: Sequence[str] | None,
) -> tuple[dict[str, pd.DataFrame], pd.DataFrame, dict[str, Any]]:
    """Windows by split, homology of the held-out ones, and the head of the plan."""
    if excluded is None:
        excluded = pd.DataFrame({"chrom": [], "start": [], "end": []})
    annotations = source.annotations(transcripts, gene_types)
    assembly = source.assembly()
    windows, homology = choose_windows(annotations, assembly, settings, excluded)
    record = provenance.record(settings.model_dump(), inputs or {})
    head = {"source": source.kind, "build": source.build, "provenance": record}
    circular = {one.chrom: one.length for one in assembly.segments if assembly.wraps(one)}
    return windows, homology, head | ({"circular": circular} if circular else {})


def _write_plan(
    folder: Path,
    windows: dict[str, pd.DataFrame],
    homology: pd.DataFrame,
    head: dict[str, Any],
    settings: Corpus,
) -> Plan:
    dropped = {
        "windows": int(homology["dropped"].sum()),
        "of": len(homology),
        "threshold": settings.homology_max_shared,
        "k": settings.homology_k,
    }
    for name in TABLES:
        (folder / name).unlink(missing_ok=True)
    tables = write_tables(folder, homology, settings)
    head = {**head, "tables": tables, "dropped": dropped}
    return write_plan(folder / PLAN, windows, settings, head)


def write_shards(
    plan: Plan,
    source: Source,
    region_map: RegionMap,
    folder: str | Path,
    part: int = 1,
    of: int = 1,
    jobs: int = 1,
) -> list[dict[str, Any]]:
    """Write the shards of one of ``of`` parts of a plan; return their manifest entries.

    Complete shards of an interrupted call are kept. Each shard is written under a temporary name
    and renamed, so that any number of processes may work in one folder.
    """
    shards = plan.shards(part, of)
    total = sum(len(shard.rows) for shard in shards)
    entries: list[dict[str, Any]] = []
    with Progress("writing windows", total, "window") as shown:
        for entry in _written(shards, plan, source, region_map, Path(folder), jobs):
            entries.append(entry)
            shown.advance(entry["rows"])
    return entries


def _written(
    shards: list[ShardPlan],
    plan: Plan,
    source: Source,
    region_map: RegionMap,
    folder: Path,
    jobs: int,
) -> Iterator[dict[str, Any]]:
    """Write the shards in this process or in several; yield the manifest entries in order."""
    if jobs == 1 or len(shards) < 2:
        yield from map(ShardWriter(plan, source.assembly(), region_map, folder).write, shards)
        return
    try:
        # spawn, because Arrow's threads do not survive a fork
        with ProcessPoolExecutor(
            min(jobs, len(shards)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(plan, source, region_map, folder),
        ) as pool:
            yield from pool.map(_write_one, shards)
    except BrokenProcessPool:
        raise GenezipError(
            "a process that writes shards was killed, perhaps for lack of memory; run the same "
            "command with fewer --jobs, which keeps complete shards"
        ) from None


_write_one_with: Callable[[ShardPlan], dict[str, Any]]


def _begin(plan: Plan, source: Source, region_map: RegionMap, folder: Path) -> None:
    global _write_one_with
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _write_one_with = ShardWriter(plan, source.assembly(), region_map, folder).write


def _end_with_parent() -> None:
    """Exit when the parent process ends; otherwise the process would wait for a shard forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write_one(shard: ShardPlan) -> dict[str, Any]:
    return _write_one_with(shard)


def read_entries(path: str | Path) -> list[dict[str, Any]]:
    """Read the manifest entries from `genezip corpus write`."""
    found = _ENTRIES_KIND.read_json(path)
    if not isinstance(found, list) or not all(
        isinstance(entry, dict) and "path" in entry for entry in found
    ):
        raise _ENTRIES_KIND.foreign(path)
    return found


def finish_corpus(
    plan: Plan, entries: Sequence[Mapping[str, Any]], folder: str | Path
) -> dict[str, Any]:
    """Finalise a corpus: check that each planned shard exists exactly once, write the manifest.

    All shards must be of this plan and of one region map. Shards of an older plan are removed.
    """
    folder = Path(folder)
    by_path = {entry["path"]: dict(entry) for entry in entries}
    planned = plan.shards()
    files, heads = [], set()
    for shard in planned:
        entry, path = by_path.pop(shard.path, None), folder / shard.path
        if entry is None or not path.is_file():
            raise GenezipError(
                f"the shard {shard.path} of {folder / PLAN} was not written; write all parts of "
                "the plan before the corpus is finished"
            )
        with open_shard(path) as file:
            head, found = file.head, (file.rows, path.stat().st_size)
        if head.plan != plan.sha256 or found != (len(shard.rows), entry["bytes"]):
            raise GenezipError(
                f"{path} was written from another plan; write the parts of this plan again"
            )
        heads.add((head.region_classes, head.regions))
        files.append(entry)
    if len(heads) > 1:
        raise GenezipError(
            f"the shards of {folder} were written with different region maps; write the parts "
            "of the plan again"
        )
    if by_path:
        raise GenezipError(
            f"{min(by_path)} is not a shard of {folder / PLAN}; write the parts of this plan again"
        )
    for split in SPLITS:
        for stray in stray_shards(folder / split, [entry["path"] for entry in files]):
            stray.unlink()
    ((region_classes, regions),) = heads
    settings = Corpus.model_validate(plan.head["settings"])
    splits = {}
    for split in SPLITS:
        part = [entry for entry in files if entry["split"] == split]
        windows, window_bp = sum(entry["rows"] for entry in part), split_window_bp(split, settings)
        bp = windows * window_bp
        splits[split] = {"windows": windows, "window_bp": window_bp, "bp": bp, **sum_tallies(part)}
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "source": plan.head["source"],
        "build": plan.head["build"],
        "window_bp": settings.window_bp,
        "classes": region_classes.to_json(),
        "plan": plan.sha256,
        "regions": regions,
        "files": files,
        "tables": plan.head["tables"],
        "splits": splits,
        "dropped": plan.head["dropped"],
        "settings": plan.head["settings"],
        "provenance": plan.head["provenance"],
    }
    if "circular" in plan.head:  # contig -> bp, where training windows continue across the origin
        manifest["circular"] = plan.head["circular"]
    write_json(folder / MANIFEST, manifest)
    return manifest


def stray_shards(folder: Path, known: Sequence[str]) -> list[Path]:
    """Shards of an older plan in the folder of a split; files that are not shards raise."""
    if not folder.is_dir():
        return []
    for path in sorted(folder.iterdir()):
        if not _SHARD.fullmatch(path.name) or not path.is_file():
            raise GenezipError(f"{path} is not a shard of a corpus; choose an empty folder")
    return [path for path in folder.iterdir() if f"{folder.name}/{path.name}" not in known]
