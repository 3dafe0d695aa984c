"""Table 5 of the paper: composition of corpora, with the published numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from genezip.corpus.calibration import read_table5
from genezip.corpus.corpus import CorpusReader
from genezip.region_classes import CLASSES

COMPOSITION_COLUMNS = (
    "corpus", "split", "window_bp", "windows", "region", "bp_M", "pct", "n", "scale", "source",
    "mark", "paper_corpus", "paper_bp_M", "paper_pct", "difference_pct",
)  # fmt: skip

BUILD = "hg38"
"""Assembly of the published corpora (GeneZip section 4.1)."""


def table5(corpora: Mapping[str, CorpusReader], paper: Path | None, scale: str) -> pd.DataFrame:
    """Composition of every split of corpora, one row per class, with the published share.

    A corpus of the published genome (:data:`BUILD`) is compared with the published corpus of its
    window length; the held-out tiling is compared at every length, because only its padding
    differs. Cells without a published number are empty.

    Parameters
    ----------
    corpora : name -> CorpusReader
    paper : CSV in place of the published table, with ``dataset``, ``split``, ``total_bp_M``,
        ``n_bp_M``, and ``<class>_bp_M`` and ``<class>_pct`` of the seven classes

    Returns
    -------
    DataFrame of :data:`COMPOSITION_COLUMNS`
        ``region`` is a class, ``all`` or ``N``; ``bp_M`` in million bases; ``pct`` of the split's
        bases; ``n`` windows; ``mark`` is ``measured``; ``difference_pct`` = ours minus paper's, in
        percentage points.
    """
    published = _published(paper)
    rows: list[dict[str, Any]] = []
    for name, reader in corpora.items():
        human = reader.manifest.get("build") == BUILD
        for split, entry in reader.manifest["splits"].items():
            known = published.get((entry["window_bp"] if split != "test" else 0, split))
            if split != "test" and "tile" in entry["sampling_modes"]:
                known = None  # published validation windows are drawn, not tiled
            if not human:
                known = None
            for region, bp in _counts(reader, entry).items():
                row = {
                    "corpus": name,
                    "split": split,
                    "window_bp": entry["window_bp"],
                    "windows": entry["windows"],
                    "region": region,
                    "bp_M": bp / 1e6,
                    "pct": 100 * bp / entry["bp"] if entry["bp"] else None,
                    "n": entry["windows"],
                    "scale": scale,
                    "source": reader.manifest["source"],
                    "mark": "measured",
                }
                rows.append(row | _beside(row, known, region))
    return pd.DataFrame(rows, columns=list(COMPOSITION_COLUMNS))


def _counts(reader: CorpusReader, entry: Mapping[str, Any]) -> dict[str, int]:
    composition = {name: entry["composition"].get(name, 0) for name in reader.region_classes.names}
    return {"all": entry["bp"], "N": entry["n_bp"], **composition}


def _beside(row: Mapping[str, Any], known: Mapping[str, Any] | None, region: str) -> dict[str, Any]:
    if known is None or (region not in CLASSES and region not in ("all", "N")):
        return {}
    total = float(known["total_bp_M"])
    column = {"all": "total_bp_M", "N": "n_bp_M"}.get(region, f"{region}_bp_M")
    pct = 100 * float(known[column]) / total
    if region in CLASSES:
        pct = float(known[f"{region}_pct"])
    return {
        "paper_corpus": known["dataset"],
        "paper_bp_M": float(known[column]),
        "paper_pct": pct,
        "difference_pct": None if row["pct"] is None else row["pct"] - pct,
    }


def _published(path: Path | None) -> dict[tuple[int, str], dict[str, Any]]:
    """Published rows by (window length, split); 0 stands for the held-out tiling."""
    found = {}
    for row in read_table5(path).reset_index().to_dict("records"):
        length = 0
        if row["split"] != "test":
            length = round(row["total_bp_M"] * 1e6 / int(row["windows_implied"]))
        found[length, str(row["split"])] = {str(name): value for name, value in row.items()}
    return found
