"""What the page says about training."""

from genezip.region_classes import expected_bpt
from genezip.report.chapter import Section
from genezip.report.results import Curve, Results
from genezip.report.scores import plain


def _exposure(results: Results, curve: Curve) -> str | None:
    """How much DNA one training run saw: steps x batch windows."""
    settings = (curve.config.get("training") or {}).get("settings") or {}
    steps = int(curve.steps["step"].max())
    batch = settings.get("batch")
    train = results.manifest.get("splits", {}).get("train") or {}
    if not batch:
        return None
    text = f"{steps:,} steps of {batch:,} windows are {steps * batch:,} windows seen"
    if train.get("windows") and train.get("bp"):
        bp = steps * batch * train["bp"] / train["windows"]
        text += f", {bp / 1e6:,.1f} Mbp, of the {train['windows']:,} in the corpus"
    return f"{text}."


def wanted_bpt(composition: dict[str, int], target: dict[str, float]) -> float | None:
    """Bases per token that targets imply for such DNA; None where it is unknown."""
    held = {name: bp for name, bp in composition.items() if bp}
    return expected_bpt(held, target) if held and held.keys() <= target.keys() else None


def _targets(results: Results, ours: Curve, theirs: Curve) -> str | None:
    """What the control's target was matched on, and why training curves differ by design."""
    origin = (theirs.config.get("training") or {}).get("targets")
    target, uniform = (curve.config.get("target_bpt") or {} for curve in (ours, theirs))
    if not origin or not target or not uniform:
        return None
    text = f"The target of {results.control} is {plain(next(iter(uniform.values())))} bases per "
    text += f"token everywhere ({origin})."
    train = results.manifest.get("splits", {}).get("train") or {}
    wanted = wanted_bpt(train.get("composition") or {}, target)
    if wanted:
        text += (
            f" On training windows, which are drawn around genes, the targets of "
            f"{results.reference} imply {plain(wanted)}, so the training curves of bases per token "
            "differ by design."
        )
    return text


def training_section(results: Results) -> Section:
    """How much was trained, with which targets; curves."""
    logged = [curve for curve in results.curves if not curve.steps.empty]
    if not logged:
        return Section("training", "Training", [], ("curves", "steering"))
    runs = "run" if len(logged) == 1 else "runs"
    text = [
        f"{len(logged)} training {runs}. {results.reference} is asked for another number of bases "
        f"per token in every region; the control {results.control} draws from the same corpus and "
        "is asked for one number everywhere. The regions enter only this loss: no model ever sees "
        "an annotation as input."
    ]
    first = {
        name: next((c for c in logged if c.model == name), None)
        for name in (results.reference, results.control)
    }
    ours, theirs = first.values()
    seen = {sentence for c in logged if (sentence := _exposure(results, c))}
    if len(seen) == 1:
        text.append(f"In each run, {seen.pop()}")
    else:
        text += [
            f"{c.model}, seed {c.seed}: {sentence}"
            for c in logged
            if (sentence := _exposure(results, c))
        ]
    if ours and theirs and (sentence := _targets(results, ours, theirs)):
        text.append(sentence)
    return Section("training", "Training", text, ("curves", "steering"))
