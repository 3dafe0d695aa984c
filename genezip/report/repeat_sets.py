"""The repeat sets of the page: names, where they lie, what they are compared with."""

from typing import Any, NamedTuple

from genezip.artifacts.scores import CORPUS
from genezip.report.results import Results
from genezip.report.scores import Number

MIN_BASES = 1000  # a region with fewer bases of a repeat says too little to be drawn
SPLITS = {"test": "held out", "train": "training DNA"}
_MASKED = "bases in neither kind; soft-masked pieces only"
_RMSK = "bases without any RepeatMasker or TRF call; pieces with RepeatMasker classes only"
_RMSK_ONLY = "bases without any RepeatMasker call; the source has no TRF calls"


class RepeatSet(NamedTuple):
    """A repeat set of one split, and the background that it is compared with."""

    subset: str
    split: str
    label: str
    background: str

    @property
    def name(self) -> str:
        """Label with the DNA that it lies on."""
        return f"{self.label}, {SPLITS[self.split]}"


SETS = (
    RepeatSet("softmasked_outside_trf", "test", "interspersed", _MASKED),
    RepeatSet("tandem", "test", "tandem", _MASKED),
    RepeatSet("tandem_all_pieces", "test", "tandem, all pieces", "everything outside TRF calls"),
    RepeatSet("rmsk_interspersed", "test", "interspersed (RepeatMasker)", _RMSK),
    RepeatSet("rmsk_simple_repeat", "test", "simple repeats (RepeatMasker)", _RMSK_ONLY),
    RepeatSet("rmsk_interspersed", "train", "interspersed", _RMSK),
    RepeatSet("rmsk_tandem", "train", "tandem", _RMSK),
    RepeatSet("rmsk_simple_repeat", "train", "simple repeats", _RMSK_ONLY),
    RepeatSet("SINE", "train", "SINE", _RMSK),
    RepeatSet("LINE", "train", "LINE", _RMSK),
    RepeatSet("LTR", "train", "LTR", _RMSK),
    RepeatSet("DNA", "train", "DNA transposon", _RMSK),
)
HELD_OUT = SETS[:2]  # those that the verdict is about: each base counted once


def ratio(
    results: Results,
    model: str,
    metric: str,
    a: RepeatSet,
    region: str = "all",
    seed: int | None = None,
) -> Number | None:
    """One result; None where the region has too few bases of the repeat to say something."""
    where: dict[str, Any] = {"subset": a.subset, "split": a.split, "region": region, "seed": seed}
    bases = results.repeats.find("bpt_ratio", model, **where)
    if region != "all" and (bases is None or (bases.n or 0) < MIN_BASES):
        return None
    return results.repeats.find(metric, model, **where)


def band(number: Number) -> tuple[float, float]:
    """Range of the shifted control; its value alone where it has no range."""
    low = number.value if number.low is None else number.low
    return low, number.value if number.high is None else number.high


def shown_side(results: Results, metric: str, a: RepeatSet, seed: int, number: Number) -> str:
    """Side of 1 on which the interval lies; ``around`` where random shifts give such values."""
    side = number.side(1)
    shifted = ratio(results, results.reference, f"{metric}_shifted", a, seed=seed)
    if side in ("above", "below") and shifted:
        low, high = band(shifted)
        return "around" if low <= number.value <= high else side
    return side


def blocks(results: Results, a: RepeatSet) -> int | None:
    """Bootstrap blocks behind the interval of a set; None where it has none."""
    found = ratio(results, results.reference, "bpt_ratio", a)
    return found.blocks if found else None


def background(results: Results, a: RepeatSet) -> str:
    """What a set is compared with; classes of RepeatMasker may have been taken without TRF."""
    alone = results.repeats.find("bp", CORPUS, subset="rmsk_rest_without_trf", split=a.split)
    return _RMSK_ONLY if alone and a.background == _RMSK else a.background


def remarks(results: Results) -> list[str]:
    """What the numbers leave out: tables that the source lacks, and sets without a base."""
    found = []
    tables = results.source.get("repeats") or {}
    absent = [key for key in ("rmsk", "trf") if key in tables and tables[key] is None]
    if absent:
        names = {"rmsk": "RepeatMasker classes (genome.rmsk)", "trf": "TRF calls (genome.trf)"}
        lost = " and no ".join(names[key] for key in absent)
        found.append(f"The source has no {lost}; what needs them is unknown, not zero.")
    frame = results.repeats.frame
    bases = frame[(frame["model"] == CORPUS) & (frame["metric"] == "bp")]
    for split, where in SPLITS.items():
        empty = bases[(bases["split"] == split) & (bases["value"] == 0)]["subset"]
        labels = {a.subset: a.label for a in SETS if a.split == split}
        if len(empty):
            named = ", ".join(dict.fromkeys(labels.get(name, name) for name in empty))
            found.append(f"Looked for, but no base of the DNA measured is one ({where}): {named}.")
    if not results.repeats.models:
        found.append("No repeat was measured.")
    return found
