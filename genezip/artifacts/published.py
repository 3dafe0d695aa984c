"""Published tables as CSV, the only source of published numbers.

Most are of the GeneZip paper (arXiv 2602.17739v1). Those named ``sister_dnahnet_*`` hold figures of
the dnaHNet paper (arXiv 2602.10603v3) and of a third-party replication, each with its source, those
named ``sister_ldarnet_*`` of LDARNet (arXiv 2606.04552) and of its repository,
``sister_dnazen_sizes`` those of DNAZEN (arXiv 2505.02206), and ``sister_dnazen_gue28`` those of
DNABERT-2 that its authors list; their own are unknown.
"""

from pathlib import Path

import pandas as pd

from genezip.artifacts.tables import read_tsv

FOLDER = Path(__file__).parent / "paper"
ZERO_SHOT, MODEL_FREE = "sister_dnahnet_zero_shot", "sister_dnahnet_modelfree_baselines"
STABILITY_SETS = "sister_dnahnet_mavedb_sets"
GUE_SETS = "sister_dnazen_gue28"
NT_SETS, NT_FITS = "sister_ldarnet_nt18", "sister_ldarnet_nt18_folds"
PUBLISHED_GENES, PUBLISHED_VARIANTS = "gene_essentiality_DEG", "protein_variant_effect_MaveDB_Ecoli"
"""Tasks in the table of the dnaHNet paper."""
REPLICATED_GENES, REPLICATED_VARIANTS = "gene_essentiality", "variant_effect"
"""The same tasks in the table of the third-party replication."""


def published_table(name: str) -> Path | None:
    """The CSV of a table (``table3_eqtl``); None where there is none of that name."""
    path = FOLDER / f"{name}.csv"
    return path if path.is_file() else None


def published_values(name: str, task: str) -> pd.DataFrame:
    """The rows of a task in a table with one value per row, as text but for ``value``."""
    todo = "restore the published table"
    table = read_tsv(FOLDER / f"{name}.csv", ("task", "value"), None, todo, todo, separator=",")
    return table[table["task"] == task].astype({"value": float})


def nucleotide_transformer() -> pd.DataFrame:
    """Published MCC on the 18 sets of the Nucleotide Transformer.

    Columns are ``set``, ``test_rows``, ``released`` (LDARNet's released weights, mean of ten fits)
    and ``ci95`` (half its interval over the fits), ``paper`` (LDARNet in the paper), ``small`` and
    ``small_name`` (best other model below 300 M parameters), ``best`` and ``best_name`` (of any
    size); all MCC on the scale from -1 to 1.
    """
    scores = {
        "ldarnet_released": "released",
        "ci95": "ci95",
        "ldarnet_in_paper": "paper",
        "best_other_below_300M": "small",
        "best_other_any": "best",
    }
    named = {"best_other_below_300M_name": "small_name", "best_other_any_name": "best_name"}
    columns = {"task": "set", "test_n": "test_rows", **scores, **named}
    todo = "restore the published table"
    path = FOLDER / f"{NT_SETS}.csv"
    table = read_tsv(path, (*columns, "metric"), None, todo, todo, separator=",")
    assert set(table["metric"]) == {"MCCx100"}, "another metric than MCC"
    table = table[[*columns]].rename(columns=columns).astype({"test_rows": int})
    for name in scores.values():
        table[name] = (table[name].astype(float) / 100).round(6)
    return table


def gue_sets() -> pd.DataFrame:
    """Published scores of DNABERT-2 on the 28 sets of GUE (arXiv 2306.15006).

    Columns are ``set``, ``metric`` (MCC, or F1 of virus_covid), ``dnabert2``, ``further`` (trained
    further on GUE), ``rerun`` (by the authors of DNAZEN; NaN where they have none), from -1 to 1,
    and ``test_rows``.
    """
    scores = {
        "dnabert2_published": "dnabert2",
        "dnabert2_further_pretrained_on_gue_published": "further",
        "dnabert2_rerun_by_dnazen_authors": "rerun",
    }
    columns = {"dataset": "set", "metric": "metric", "test": "test_rows", **scores}
    todo = "restore the published table"
    table = read_tsv(FOLDER / f"{GUE_SETS}.csv", columns, None, todo, todo, separator=",")
    table = table[[*columns]].rename(columns=columns).astype({"test_rows": int})
    table["metric"] = table["metric"].str.removesuffix(" x100")
    for name in scores.values():
        table[name] = (table[name].astype(float) / 100).round(6)
    return table


def published_fits(name: str) -> list[float]:
    """Published test MCC of each fit of LDARNet on a set of the Nucleotide Transformer."""
    todo = "restore the published table"
    columns = ("task", "fold", "test_mcc")
    table = read_tsv(FOLDER / f"{NT_FITS}.csv", columns, ("task",), todo, todo, separator=",")
    return table.loc[table["task"] == name].sort_values("fold")["test_mcc"].astype(float).tolist()


def stability_sets() -> tuple[int, int]:
    """Number of the variant sets that are thought to be the dnaHNet paper's, and of variants."""
    todo = "restore the published table"
    path = FOLDER / f"{STABILITY_SETS}.csv"
    table = read_tsv(path, ("urn", "variants"), (), todo, todo, separator=",")
    return len(table), int(table["variants"].sum())
