"""The last chapters: seconds per stage, settings and versions, data and citation."""

from typing import Any

import pandas as pd

from genezip.report.chapter import Cell, Chapter, Section, Table
from genezip.report.results import Curve, Results
from genezip.report.scores import records
from genezip.report.words import plain

METHOD = (
    "GeneZip: region-aware compression for long-context DNA models, arXiv:2602.17739; the "
    "routing is that of H-Net (Dynamic chunking for end-to-end hierarchical sequence modeling, "
    "arXiv:2507.07955)."
)
BAR_REM = 9  # width of the longest bar


def clock(seconds: float) -> str:
    """Seconds as ``12.3 s``, ``4 min 05 s`` or ``2 h 03 min``."""
    if seconds < 60:
        return f"{plain(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def time_section(results: Results) -> Section:
    """Table of seconds and memory of every stage, from the workflow's benchmark files."""
    frame = results.benchmarks
    if frame.empty:
        text = "The stages were not timed, because they did not run in the workflow."
        return Section([text])
    longest = float(frame["seconds"].max())
    rows: list[list[Cell]] = [
        [
            {"code": row["stage"]},
            f"{row['seconds']:,.1f}",
            {"bar": BAR_REM * row["seconds"] / longest},
            "–" if pd.isna(row["max_rss_mb"]) else f"{row['max_rss_mb']:,.0f}",
        ]
        for row in records(frame)
    ]
    total = float(frame["seconds"].sum())
    note = (
        f"Sum: {clock(total)}. Stages may have run in parallel, so the whole run may have taken "
        "less. The time of the report itself is not included."
    )
    head = ["stage", "seconds", "", "peak memory (MB)"]
    return Section(tables=[Table(head, rows, (1, 3), note=note)])


def _flat(settings: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    found = []
    for key, value in settings.items():
        if isinstance(value, dict):
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", _show(value)))
    return found


def _show(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, list):
        return ", ".join(_show(item) for item in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_section(results: Results) -> Section:
    """Tables of training settings per model, hashes of inputs, and library versions."""
    record = results.manifest.get("provenance") or {}
    tables = []
    trained = [curve for curve in results.curves if curve.config]
    if trained:
        columns = [dict(_flat(_training(curve))) for curve in trained]
        keys = list(dict.fromkeys(key for column in columns for key in column))
        rows: list[list[Cell]] = [
            [{"code": key}, *[column.get(key, "–") for column in columns]] for key in keys
        ]
        head = ["training setting", *[f"{curve.model}, seed {curve.seed}" for curve in trained]]
        tables.append(Table(head, rows))
    settings = results.manifest.get("settings") or {}
    if settings:
        rows = [[{"code": key}, value] for key, value in _flat(settings)]
        tables.append(Table(["corpus setting", "value"], rows))
    hashes: list[list[Cell]] = [
        [name, {"code": str(value)}] for name, value in (record.get("inputs") or {}).items()
    ]
    if record.get("settings_sha256"):
        hashes.append(["corpus settings", {"code": record["settings_sha256"]}])
    hashes += [
        [f"weights of {curve.model}, seed {curve.seed}", {"code": curve.config["weights_sha256"]}]
        for curve in trained
        if curve.config.get("weights_sha256")
    ]
    if hashes:
        tables.append(Table(["what", "SHA-256"], hashes))
    if record.get("versions"):
        rows = [[name, str(value)] for name, value in record["versions"].items()]
        tables.append(Table(["software", "version"], rows))
    return Section(tables=tables, dense=True)


def _training(curve: Curve) -> dict[str, Any]:
    """Facts of a model's ``config.json`` to compare between models."""
    chosen: dict[str, Any] = {
        key: curve.config[key] for key in ("parameters", "target_bpt") if key in curve.config
    }
    chosen["architecture"] = curve.config.get("architecture") or {}
    return {**chosen, **curve.settings}


def data_section(results: Results) -> Section:
    """Table of files of the source and of labels with release and licence, and citations."""
    labels = [{**item, "path": f"labels/{item['path']}"} for item in results.label_files]
    files = [*(results.source.get("files") or []), *labels]
    rows: list[list[Cell]] = [
        [
            {"code": str(item.get("path", "–"))},
            str(item.get("origin") or "–"),
            str(item.get("release") or "–"),
            str(item.get("licence") or "–"),
            f"{item['bytes']:,}" if item.get("bytes") else "–",
            {"code": str(item.get("sha256") or "–")[:12]},
        ]
        for item in files
    ]
    head = ["file", "origin", "release", "licence", "bytes", "SHA-256 (start)"]
    text = [f"Method: {METHOD}"]
    if not rows:
        text.append("The report was written without the list of source files (--source).")
    else:
        text.append("Data: please cite the releases below; each has its own licence.")
    tables = [Table(head, rows, (4,))] if rows else []
    return Section(text, tables)


TIME = Chapter("time", "Time per stage", time_section)
SETTINGS = Chapter("settings", "Settings and provenance", settings_section)
DATA = Chapter("data", "Data, licences, citation", data_section)
