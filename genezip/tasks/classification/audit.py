"""Audit of a labelled set, without a model: similar rows, what gives labels away, and a verdict.

Rows are compared within each split, and test rows (and validation rows) with training rows; without
training or without test rows, all rows with one another. A set in which half of the classes are
shuffles of the other half has twins of the other label; a set whose split was drawn from
overlapping sequences has shared stretches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genezip.alphabet import encode
from genezip.metrics.classification import confusion, mcc
from genezip.metrics.ranking import auroc
from genezip.tasks.classification.similarity import STRETCH, copies, stretches, twins
from genezip.tasks.classification.splits import Fold
from genezip.tasks.classification.trivial_baselines import note_of, solved, trivial_baselines

SHUFFLED = 0.1
"""Share of test rows with a shuffle of another label above which classes are called shuffles."""
SHARED = 0.01
"""Share of test rows similar to training rows above which the split is called leaky."""
SKEW = 0.05
"""Difference of a class's share between two splits above which classes are called skewed."""
LENGTH = 0.1
"""Distance from 0.5 of the AUROC of length alone above which length is called informative."""
ALL, UNSPLIT = "all", "unsplit"  # the compared rows: all, or those without a split


@dataclass(frozen=True)
class Audit:
    """Results of an audit."""

    # the columns check, split, against (its partners' split), rows (with a partner), same_label,
    # other_label (rows with a partner of the same and of another label), of (rows of the split).
    # The checks are ``copies``, ``reverse_complements`` (of other letters), ``shared_stretch``
    # (these among them), ``twins`` (copies among them) and ``shuffles`` (twins that are no copies).
    alike: pd.DataFrame
    # columns split, label, rows, share, median_bp, length_auroc (of length alone, the class
    # against the rest)
    classes: pd.DataFrame
    # for each trivial baseline, on the test rows: baseline, mcc, covered (rows), mcc_covered, note;
    # empty without training or test rows
    mcc: pd.DataFrame
    # a sentence for each finding; the last one is whether the set is fit to compare models
    verdict: list[str]

    def text(self) -> str:
        """The tables (``alike`` without empty findings) and the verdict as text."""
        parts = [self.alike[self.alike["rows"] > 0], self.classes, self.mcc]
        tables = [part.to_string(index=False, float_format="%.3f") for part in parts if len(part)]
        return "\n\n".join([*tables, "\n".join(self.verdict)]) + "\n"


def audit(table: pd.DataFrame, k: int = STRETCH) -> Audit:
    """Audit a labelled set (:mod:`genezip.tasks.classification.sets`).

    ``k`` is the number of consecutive shared bases that make sequences alike, 1 to 64.
    """
    ids = [encode(sequence) for sequence in table["sequence"]]
    truth, split = table["class"].to_numpy(), table["split"].to_numpy()
    alike, by_class = _alike(ids, truth, split, k), _classes(table)
    seen = np.flatnonzero(np.isin(split, ("train", "valid")))
    fold = Fold(-1, seen, np.flatnonzero(split == "test"))
    number = int(truth.max()) + 1
    found = (
        trivial_baselines(ids, truth, fold, number) if len(fold.train) and len(fold.test) else []
    )
    test = truth[fold.test]
    scores = pd.DataFrame(
        [
            {
                "baseline": row.name,
                "mcc": float(mcc(confusion(test, row.predicted, number))),
                "covered": int(row.covered.sum()),
                "mcc_covered": float(
                    mcc(confusion(test[row.covered], row.predicted[row.covered], number))
                ),
                "note": note_of([row]),
            }
            for row in found
        ]
    )
    reasons = [reason for row in found if (reason := solved(row, test, number))]
    return Audit(alike, by_class, scores, _verdict(alike, by_class, scores, reasons, k))


def _alike(ids: list[np.ndarray], truth: np.ndarray, split: np.ndarray, k: int) -> pd.DataFrame:
    classes = int(truth.max()) + 1
    equal, either, twin = copies(ids), copies(ids, strands=True), twins(ids)
    shared = stretches(ids, k)
    rows = []
    for name, against, asked, others in _compared(split):
        same, strand, counts, words = (
            links.partners(asked, others, truth, classes) for links in (equal, either, twin, shared)
        )
        checks = {
            "copies": same,
            "reverse_complements": strand - same,
            "shared_stretch": words,
            "twins": counts,
            "shuffles": counts - same,
        }
        for check, partners in checks.items():
            own = partners[np.arange(len(truth)), truth] > 0
            other = partners.sum(axis=1) > partners[np.arange(len(truth)), truth]
            cells = ((own | other).sum(), own.sum(), other.sum(), asked.sum())
            rows.append((check, name, against, *map(int, cells)))
    columns = ["check", "split", "against", "rows", "same_label", "other_label", "of"]
    return pd.DataFrame(rows, columns=columns).sort_values(
        "check", kind="stable", ignore_index=True
    )


def _compared(split: np.ndarray) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Names and masks of the compared pairs of splits: rows asked for, and their partners."""
    if "test" not in split or not np.isin(split, ("train", "valid")).any():
        every = np.ones(len(split), dtype=bool)
        yield ALL, ALL, every, every
        return
    for name in ("train", "valid", "test", ""):
        own = split == name
        if own.any():
            yield name or UNSPLIT, name or UNSPLIT, own, own
    for name, seen in (("valid", ("train",)), ("test", ("train", "valid"))):
        own, others = split == name, np.isin(split, seen)
        if own.any() and others.any():
            present = [one for one in seen if (split == one).any()]
            yield name, "+".join(present), own, others


def _classes(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    unsplit = UNSPLIT if table["split"].any() else ALL
    for name, part in table.groupby("split", sort=False):
        lengths = part["sequence"].str.len().to_numpy()
        for label, own in part.groupby("class"):
            inside = (part["class"] == label).to_numpy()
            share, median = inside.mean(), float(np.median(lengths[inside]))
            alone = float(auroc(inside.astype(int), lengths))
            text = own["label"].iloc[0]
            rows.append((name or unsplit, text, len(own), share, median, alone))
    columns = ["split", "label", "rows", "share", "median_bp", "length_auroc"]
    return pd.DataFrame(rows, columns=columns)


def _verdict(
    alike: pd.DataFrame, classes: pd.DataFrame, scores: pd.DataFrame, reasons: list[str], k: int
) -> list[str]:
    """Sentences on the findings; the last one is the verdict."""
    found, bad, unfair = [], list(reasons), False
    across = alike[(alike["split"] == "test") & (alike["against"] != "test")]
    whole = alike[alike["split"] == alike["against"]]
    rows = across if len(across) else whole
    partner = "a training or validation row" if len(across) else "another row"
    for row in rows.to_dict("records"):
        of = f"of {row['of']:,} {'test ' if len(across) else ''}rows"
        share = f"{of} ({row['rows'] / row['of']:.1%})"
        labels = f"{row['same_label']:,} with the same label, {row['other_label']:,} with another"
        if row["check"] == "shuffles" and row["other_label"]:
            found.append(
                f"{row['other_label']:,} {of} have {partner} of equal dinucleotide counts, other "
                "bases and another label, as a sequence and its shuffle do"
            )
            if row["other_label"] >= SHUFFLED * row["of"]:
                bad.append("classes are shuffles of one another")
        if row["check"] == "shared_stretch" and row["rows"]:
            found.append(f"{row['rows']:,} {share} share {k} bases with {partner}: {labels}")
            unfair |= row["rows"] >= SHARED * row["of"]
        if row["check"] in ("copies", "reverse_complements") and row["rows"]:
            what = "a copy" if row["check"] == "copies" else "the reverse complement"
            found.append(f"{row['rows']:,} {share} are {what} of {partner}: {labels}")
            unfair |= row["rows"] >= SHARED * row["of"]
    doubled = whole[(whole["check"] == "copies") & (whole["other_label"] > 0)]
    for row in doubled.to_dict("records"):
        where = "" if row["split"] == ALL else f" of {row['split']}"
        found.append(
            f"{row['other_label']:,} of {row['of']:,} rows{where} have a copy there with another "
            "label"
        )
    spread = classes.pivot(index="split", columns="label", values="share").fillna(0)
    apart = (spread.max() - spread.min()).to_numpy()
    if apart.max() >= SKEW:
        label = spread.columns[int(apart.argmax())]
        cells = ", ".join(f"{share:.1%} in {name}" for name, share in spread[label].items())
        found.append(f"the share of the class {label} differs between splits: {cells}")
    away = np.nan_to_num(np.abs(classes["length_auroc"].to_numpy() - 0.5))
    if away.max() >= LENGTH:
        row = classes.iloc[int(away.argmax())].to_dict()
        found.append(
            f"length alone tells the class {row['label']} from the rest in {row['split']} with an "
            f"AUROC of {row['length_auroc']:.3f}: cut all sequences to one length"
        )
    tests = classes.loc[classes["split"] == "test", "label"]
    if len(tests) == 1:
        bad.append(f"every test row is of the class {tests.iloc[0]}")
    if len(tests) and not len(across):
        found.append(
            "there are no training rows, so what the labels give away was not measured; name the "
            "file of the training rows too"
        )
    if bad:
        found.append(f"verdict: not fit to compare models ({'; '.join(dict.fromkeys(bad))})")
    elif unfair and len(across):
        found.append("verdict: the split leaks; report the split `unseen` beside it")
    elif unfair:
        found.append("verdict: rows are alike; split the set by `family`")
    elif found:
        found.append("verdict: usable, with the remarks above")
    else:
        found.append("verdict: nothing found")
    return found
