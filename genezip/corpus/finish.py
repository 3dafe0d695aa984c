"""Closing a corpus: every shard of the plan is there once, and the manifest says what they hold."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genezip.artifacts.files import write_json
from genezip.config import Corpus
from genezip.corpus.plan import MANIFEST, PLAN, SPLITS, Plan, split_window_bp
from genezip.corpus.shards import SCHEMA_VERSION, ShardFile
from genezip.corpus.writer import sum_tallies
from genezip.errors import GenezipError

_SHARD = re.compile(r"\.?shard-\d{5}\.parquet(\.\d+\.part)?")


def finish_corpus(
    plan: Plan, entries: Sequence[Mapping[str, Any]], folder: str | Path
) -> dict[str, Any]:
    """Check that every shard of the plan is there once, and write the manifest.

    Shards of an older plan are removed.

    Raises
    ------
    GenezipError
        If a shard of the plan is missing among the entries or on disk, or was written from
        another plan or region map than the others.
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
        with ShardFile(path) as file:
            head, found = file.head, (file.rows, path.stat().st_size)
        if head.plan != plan.sha256 or found != (len(shard.rows), entry["bytes"]):
            raise GenezipError(
                f"{path} was written from another plan; write the parts of this plan again"
            )
        heads.add((head.taxonomy, head.regions))
        files.append(entry)
    if len(heads) > 1:
        raise GenezipError(
            f"the shards of {folder} were labelled with different region maps; write the parts "
            "of the plan again"
        )
    if by_path:
        raise GenezipError(
            f"{min(by_path)} is no shard of {folder / PLAN}; write the parts of this plan again"
        )
    for split in SPLITS:
        for stray in stray_shards(folder / split, [entry["path"] for entry in files]):
            stray.unlink()
    ((taxonomy, regions),) = heads
    settings = Corpus.model_validate(plan.head["settings"])
    splits = {}
    for split in SPLITS:
        own = [entry for entry in files if entry["split"] == split]
        windows, window_bp = sum(entry["rows"] for entry in own), split_window_bp(split, settings)
        bp = windows * window_bp
        splits[split] = {"windows": windows, "window_bp": window_bp, "bp": bp, **sum_tallies(own)}
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "source": plan.head["source"],
        "build": plan.head["build"],
        "window_bp": settings.window_bp,
        "classes": taxonomy.to_json(),
        "plan": plan.sha256,
        "regions": regions,
        "files": files,
        "tables": plan.head["tables"],
        "splits": splits,
        "dropped": plan.head["dropped"],
        "settings": plan.head["settings"],
        "provenance": plan.head["provenance"],
    }
    write_json(folder / MANIFEST, manifest)
    return manifest


def stray_shards(folder: Path, known: Sequence[str]) -> list[Path]:
    """Shards of an older plan in the folder of a split.

    Raises
    ------
    GenezipError
        If the folder holds something that is no shard: it is not ours to remove.
    """
    if not folder.is_dir():
        return []
    for path in sorted(folder.iterdir()):
        if not _SHARD.fullmatch(path.name) or not path.is_file():
            raise GenezipError(f"{path} is no shard of a corpus; choose an empty folder")
    return [path for path in folder.iterdir() if f"{folder.name}/{path.name}" not in known]
