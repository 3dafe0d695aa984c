"""What the page says about the DNA: splits, leaks, what held-out DNA shares with training DNA."""

from genezip.report.chapter import Cell, Section, Table
from genezip.report.region_style import region_label
from genezip.report.results import Results

VALIDATION = {
    "paper": "were drawn from training pieces in the same way as training windows",
    "strict": "lie in blocks of the training pieces that no training window touches",
    "pieces": "lie on pieces of their own",
}


def corpus_section(results: Results) -> Section:
    """Which DNA is which, and what the homology filter dropped."""
    dropped = results.manifest.get("dropped") or {}
    # a corpus made before the choice was recorded: pieces, if the map has any
    on_pieces = "pieces" if "valid" in set(results.regions["split"]) else "paper"
    validation = (results.manifest.get("settings") or {}).get("validation") or on_pieces
    text = [
        "Held-out windows lie on pieces of DNA of which no model saw any in training. Validation "
        f"windows {VALIDATION[validation]}."
    ]
    if dropped.get("k") and dropped.get("threshold") is not None:
        text.append(
            f"{dropped['windows']} of {dropped['of']} held-out windows were left out because more "
            f"than {100 * dropped['threshold']:g} % of their {dropped['k']}"
            "\N{NON-BREAKING HYPHEN}mers also occur in training DNA (copies or repeats), which "
            "would flatter the model."
        )
    text += [sentence for sentence in (_leakage(results), _homology(results)) if sentence]
    tables = [table] if (table := _table5(results)) else []
    return Section("corpus", "The DNA", text, ("corpus",), tables)


def _leakage(results: Results) -> str | None:
    """What the check of the written shards found."""
    found = results.leakage
    if found.empty:
        return None
    drawn = found[found["check"].isin(["exclusions", "heldout"])]
    leaks, windows = (
        int((drawn["verdict"] == "leak").sum()),
        found.groupby("split")["windows"].max(),
    )
    where = "held-out DNA"
    if len(set(found.loc[found["check"] == "exclusions", "against"]) - {"all"}):
        where += " or an excluded interval (inputs of benchmarks)"
    text = (
        f"Read back from the written files, {'none' if not leaks else 'not all'} of the "
        f"{windows.get('train', 0):,} training and {windows.get('valid', 0):,} validation windows "
        f"{'touches' if not leaks else 'keep off'} {where}"
    )
    shared = found[(found["check"] == "validation") & (found["bp"] > 0)]
    if len(shared):
        share = 100 * shared["touched_bp"].sum() / shared["bp"].sum()
        text += f"; {share:.3g} % of the bases of validation windows lie in training windows"
    return f"{text}."


def _homology(results: Results) -> str | None:
    """How much of held-out DNA occurs in training DNA all the same."""
    found = results.homology
    found = found[found["counting"] == "positions"] if len(found) else found
    if found.empty or found["kmers"].sum() == 0:
        return None
    by_chrom = found.set_index("chrom")["share"]
    k, sample = int(found["k"].iloc[0]), int(found["sample"].iloc[0])
    parts = [f"{chrom} {100 * share:.3g} %" for chrom, share in by_chrom.items() if chrom != "all"]
    notes = parts if parts[1:] else []  # one chromosome says what all of them say
    notes += [] if sample == 1 else [f"counted on one in {sample} of them"]
    noted = f" ({', '.join(notes)})" if notes else ""
    return (
        f"Held-out is not the same as new: {100 * by_chrom['all']:.3g} % of all held-out "
        f"{k}\N{NON-BREAKING HYPHEN}mers also occur in training DNA, on either strand{noted}."
    )


def _table5(results: Results) -> Table | None:
    """Composition beside the published one, of whole chromosomes."""
    found = results.table5
    if results.scale != "full" or found.empty or found["paper_pct"].isna().all():
        return None
    found = found[found["paper_pct"].notna() & (found["region"] != "all")]
    rows: list[list[Cell]] = [
        [
            f"{row['corpus']}, {row['split']}",
            "N" if row["region"] == "N" else region_label(results.region_classes, row["region"]),
            f"{row['pct']:.2f}",
            f"{row['paper_pct']:.2f}",
            f"{row['difference_pct']:+.2f}".replace("-", "\N{MINUS SIGN}"),
        ]
        for row in found.to_dict("records")
    ]
    return Table(
        ["corpus", "class", "measured, % of bases", "paper, % of bases", "difference"],
        rows,
        (2, 3, 4),
        "Composition beside the paper's Table 5",
        "Published numbers are for GENCODE 49 and whole chromosomes; the annotation and DNA of "
        "this run are named at the top of the page.",
    )
