"""The chapters on essential genes and variant effect: words and figures come from the numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genezip.artifacts.scores import TASK_SCORES
from genezip.report import style
from genezip.report.chapters.tasks import essentiality, labels, variants
from genezip.report.results import Results

REFERENCE, CONTROL = "genezip-tiny", "hnet-tiny"
UP, DOWN, AROUND = (0.01, 0.09), (-0.09, -0.01), (-0.01, 0.09)

Rows = list[dict[str, Any]]


def row(model: str, subset: str, metric: str, value: float | None, **cells: Any) -> dict[str, Any]:
    common = {
        "model": model, "subset": subset, "metric": metric, "value": value, "split": "test",
        "n": 500, "units": 40, "unit": "blocks", "note": "", "origin": "measured",
    }  # fmt: skip
    if value is not None and cells.get("mode"):
        common |= {"ci_low": value - 0.05, "ci_high": value + 0.05}
    return common | cells


def interval(low: float, high: float) -> dict[str, float]:
    return {"value": (low + high) / 2, "ci_low": low, "ci_high": high}


def models_of(subset: str, rule: str, metric: str, values: dict[str, float]) -> Rows:
    cells = {"mode": "zero_shot", "seed": 0, "rule": rule}
    return [row(model, subset, metric, value, **cells) for model, value in values.items()]


def genes(
    held_out: tuple[float, float] = UP,
    seen: tuple[float, float] = UP,
    gain: tuple[float, float] = AROUND,
    rule: str = "knock_out",
) -> Rows:
    """Rows as ``scores.essentiality_rows`` has them: methods, differences, facts, with remarks."""
    rows: Rows = []
    facts: Rows = []
    for status, end, names, limits in (
        ("trained on", "seen", ("ecoli",), seen),
        ("held out", "held_out", ("bsubtilis", "own"), held_out),
    ):
        for subset in (*names, f"mean_{end}", f"pooled_{end}"):
            base = {"mode": "baseline", "rule": "knock_out", "positives": 50}
            own = [
                row("gene_length", subset, "auroc", 0.55, **base),
                row("gc_window", subset, "auroc", 0.6, **base),
            ]
            values = {REFERENCE: 0.64, CONTROL: 0.5}
            own += models_of(subset, rule, "auroc", values)
            if rule == "knock_out":
                cells = own[2] | {"metric": "auroc_minus_best_baseline"}
                own.append(cells | interval(*limits) | {"note": "against gc_window"})
            if not subset.startswith("pooled"):
                own.append(row("all_baselines", subset, "auroc_combined", 0.66, **base))
                own += models_of(subset, rule, "auroc_combined", {REFERENCE: 0.67})
                cells = own[-1] | {"metric": "auroc_combined_minus_best_baseline"}
                own.append(cells | interval(*gain) | {"note": "against all_baselines"})
                own += models_of(subset, "wild_type", "auroc", {REFERENCE: 0.61})
            rows += [one | {"note": "; ".join(filter(None, (status, one["note"])))} for one in own]
        for name in names:
            cells = {"mode": "", "rule": "knock_out", "note": status}
            facts.append(row("examples", name, "organism_seen", float(end == "seen"), **cells))
            facts += models_of(name, rule, "share_above_zero", {REFERENCE: 0.703})
    return [one | {"task": "essentiality"} for one in rows + facts]


def scans(limits: tuple[float, float] = DOWN, rule: str = "likelihood") -> Rows:
    """Rows as ``scores.variant_rows`` has them."""
    rows: Rows = []
    for subset, rho in (("IF1", -0.2), ("TEM1_cefotaxime", 0.1), ("PABP", 0.3),
                        ("mean_in_domain", -0.2)):  # fmt: skip
        base = {"mode": "baseline", "rule": "likelihood"}
        own = [
            row("blosum62", subset, "spearman", 0.24, **base),
            row("position", subset, "spearman", 0.9, **base),
        ]
        own += models_of(subset, rule, "spearman", {REFERENCE: rho, CONTROL: 0.05})
        if rule == "likelihood":
            cells = own[2] | {"metric": "spearman_minus_best_baseline"} | interval(*limits)
            own.append(cells | {"note": "macro mean of IF1; against blosum62"})
        own += models_of(subset, rule, "spearman_given_changes", {REFERENCE: rho / 2})
        rows += own
    rows += models_of("mean_in_domain", rule, "spearman_absolute", {REFERENCE: 0.777})
    for name in ("IF1", "TEM1_cefotaxime", "PABP"):
        for metric, holds in (("outside_the_domain", name == "PABP"),
                              ("second_condition", name == "TEM1_cefotaxime")):  # fmt: skip
            cells = {"mode": "", "rule": "likelihood"}
            rows.append(row("examples", name, metric, float(holds), **cells))
    return [one | {"task": "variants", "unit": "residues"} for one in rows]


@pytest.fixture
def page(results: Results, tmp_path: Path) -> Any:
    """Function that writes rows of a task into an empty folder and returns its results."""

    def made(task: str, rows: Rows) -> Results:
        (tmp_path / "labels").mkdir(exist_ok=True)
        TASK_SCORES.write(tmp_path / "labels" / f"{task}.tsv", rows)
        return replace(results, folder=tmp_path, label_parts=(task,), label_files=[])

    return made


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def of(chapter: Any, run: Results) -> tuple[list[str], Any]:
    found = chapter.section(run)
    assert found is not None
    return [plain(text) for text in found.text], found.tables


def columns(table: Any) -> dict[str, dict[str, Any]]:
    """Method -> heading -> cell."""
    heads = [plain(head) for head in table.head]
    return {plain(row[0]): dict(zip(heads, row, strict=True)) for row in table.rows}


def test_a_run_without_the_tasks_has_no_chapters(results):
    run = replace(results, label_parts=("initiation",))
    for chapter, figure in (
        (essentiality, essentiality.essentiality),
        (variants, variants.variants),
    ):
        assert chapter.section(run) is None and figure(run) is None


def test_the_tasks_are_no_part_of_the_chapter_on_real_labels(page):
    assert labels.section(page("essentiality", genes())) is None


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (UP, "genezip-tiny is better than the best baseline, GC content of the window"),
        (DOWN, "genezip-tiny is worse than the best baseline, GC content of the window"),
        (AROUND, "and the best baseline, GC content of the window, cannot be told apart"),
    ],
)
def test_the_first_sentence_is_the_verdict_on_held_out_organisms(page, limits, told):
    text, _ = of(essentiality, page("essentiality", genes(held_out=limits)))
    first = text[0].split(" Organisms trained on")[0]
    assert first.startswith("Held-out organisms (macro mean of B. subtilis and own): ")
    assert told in first


def test_organisms_trained_on_have_their_own_verdict(page):
    text, _ = of(essentiality, page("essentiality", genes(held_out=UP, seen=DOWN)))
    assert "Organisms trained on (E. coli alone): genezip-tiny is worse than" in text[0]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (UP, "genezip-tiny adds to all baselines together (AUROC +0.05, 0.01 to 0.09)"),
        (DOWN, "genezip-tiny makes all baselines together worse (AUROC −0.05, −0.09 to −0.01)"),
        (AROUND, "is not shown to add to all baselines together (AUROC +0.04, −0.01 to 0.09)"),
    ],
)
def test_the_gain_over_all_baselines_goes_by_its_interval(page, limits, told):
    text, _ = of(essentiality, page("essentiality", genes(gain=limits)))
    assert sum(told in paragraph for paragraph in text) == 1


def test_few_blocks_give_no_verdict(page):
    rows = [one | {"units": 7} for one in genes()]
    text = " ".join(of(essentiality, page("essentiality", rows))[0])
    assert "only 7 blocks, too few to tell which is better" in text
    assert "has too few blocks to tell" in text
    assert "is better than" not in text and "adds to all" not in text


def test_the_tables_hold_means_organisms_and_gains_apart(page):
    over, each, gains = of(essentiality, page("essentiality", genes()))[1]
    known = columns(over)
    assert list(known)[:4] == [
        "gene length", "GC content of the window", "model: genezip-tiny, seed 0",
        "model: hnet-tiny, seed 0",
    ]  # fmt: skip
    assert over.head[1:5] == [
        "held out, macro mean", "held out, pooled genes",
        "trained on, macro mean", "trained on, pooled genes",
    ]  # fmt: skip
    cell = columns(each)["model: genezip-tiny, seed 0"]["E. coli (trained on)"]
    assert cell == "0.640 (0.590 to 0.690)"
    assert "E. coli 500 (50)" in plain(each.note)
    trained = {plain(row[0]): row[1] for row in gains.rows}
    assert trained == {
        "Held-out organisms": "no", "Organisms trained on": "yes", "B. subtilis": "no",
        "own": "no", "E. coli": "yes",
    }  # fmt: skip
    (coli,) = [row for row in gains.rows if plain(row[0]) == "E. coli"]
    assert coli[2:] == [
        "genezip-tiny, seed 0", "0.660 (0.610 to 0.710)", "0.670 (0.620 to 0.720)",
        "+0.04 (−0.01 to 0.09)", "70.3 %", "0.610 (0.560 to 0.660)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chapter", "task", "rows", "value"),
    [(essentiality, "essentiality", genes(), "0.605"), (variants, "variants", scans(), "0.327")],
)
def test_published_numbers_are_marked_and_in_their_own_column(page, chapter, task, rows, value):
    table = of(chapter, page(task, rows))[1][0]
    for row in table.rows:
        own, published = row[1:-1], row[-1]
        assert ("(paper)" in row[0]) == (published != "–") == (set(own) == {"–"})
    dnahnet = [row[-1] for row in table.rows if str(row[0]).startswith("dnaHNet")]
    assert dnahnet[0] == value  # of the published table


def test_it_is_said_what_the_published_numbers_are_of(page):
    text = " ".join(of(essentiality, page("essentiality", genes()))[0])
    assert "of 62 other organisms" in text
    text = " ".join(of(variants, page("variants", scans()))[0])
    assert "(12 sets, 21,250 variants) are folding stabilities in recoded sequence" in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pseudo", "looked_ahead"])
def test_likelihoods_that_are_not_exact_are_never_beside_exact_ones(page, kind):
    runs = (
        (essentiality, page("essentiality", genes(rule=f"knock_out_{kind}"))),
        (variants, page("variants", scans(rule=f"likelihood_{kind}"))),
    )
    for chapter, run in runs:
        run = replace(run, label_parts=(chapter.TASK,))
        text, tables = of(chapter, run)
        words = kind.replace("_", " ")
        assert f"genezip-tiny has only {words} likelihoods" in text[0]
        *others, apart = tables
        assert all(REFERENCE not in str(table.rows) for table in others)
        assert words in apart.title
        assert [row[0] for row in apart.rows] == [
            "model: genezip-tiny, seed 0", "model: hnet-tiny, seed 0",
        ]  # fmt: skip
        with style.applied():
            drawing = next(iter(chapter.CHAPTER.figures.values()))(run)
        assert REFERENCE not in set(drawing.data["model"])


@pytest.mark.slow
def test_labels_are_named_by_their_experiment(page):
    run = page("essentiality", genes())
    files = [
        {"path": "ecoli_MG1655.DEG1019_keio.tsv.gz", "part": "essentiality"},
        {"path": "mine.tsv", "part": "essentiality"},
        {"path": "other.bed", "part": "elements"},
    ]
    text = " ".join(of(essentiality, replace(run, label_files=files))[0])
    assert "Labels are from the Keio deletions of E. coli (DEG1019) and mine.tsv." in text
    assert "Transposon screens call long genes essential more easily" in text
    assert "Labels are from" not in " ".join(of(essentiality, run)[0])


def test_the_verdict_on_variants_keeps_the_sign(page):
    text, (table, given) = of(variants, page("variants", scans()))
    assert text[0].startswith(
        "Sets in the domain (IF-1 alone): genezip-tiny is worse than the best baseline, BLOSUM62 "
        "(Spearman's ρ −0.05, −0.09 to −0.01)"
    )
    known = columns(table)["model: genezip-tiny, seed 0"]
    assert known["mean in the domain"] == "−0.200 (−0.250 to −0.150)"
    assert columns(given)["model: genezip-tiny, seed 0"]["IF-1"].startswith("−0.100")
    assert "0.777" not in str(text) + str(table.rows) + str(given.rows)


def test_sets_outside_the_mean_are_marked(page):
    run = page("variants", scans())
    text, (table, _) = of(variants, run)
    marked = ["Pab1 of yeast, outside the domain", "TEM-1 on cefotaxime, second condition"]
    assert table.head[1:5] == ["mean in the domain", "IF-1", *marked]
    assert (
        "Not in the mean: Pab1 of yeast (outside the domain) and TEM-1 on cefotaxime (second "
        "condition)." in text
    )
    with style.applied():
        drawing = variants.variants(run)
    titles = [axes.get_title(loc="left") for axes in drawing.figure.axes if axes.get_visible()]
    assert titles == ["Sets in the domain (IF-1 alone)", "IF-1", *marked]


def test_the_figure_has_held_out_organisms_left_and_others_right(page):
    with style.applied():
        drawing = essentiality.essentiality(page("essentiality", genes()))
    titles = [
        plain(axes.get_title(loc="left").replace("\n", " ")) if axes.get_visible() else None
        for axes in drawing.figure.axes
    ]
    assert titles == [
        "Held-out organisms (macro mean of B. subtilis and own)",
        "Organisms trained on (E. coli alone)",
        "B. subtilis (held out)", "E. coli (trained on)",
        "own (held out)", None,
    ]  # fmt: skip
    assert len(drawing.data) == 5 * 4
    own = drawing.data[drawing.data["part"] == "ecoli"].set_index("model")["value"]
    assert own.to_dict() == {
        "gene_length": 0.55, "gc_window": 0.6, REFERENCE: 0.64, CONTROL: 0.5,
    }  # fmt: skip
    assert "bootstrap over blocks of the genome" in drawing.caption


@pytest.mark.slow
def test_other_models_are_named_in_the_caption(page):
    rows = genes()
    others = [one | {"model": "dnahnet-flat"} for one in rows if one["model"] == CONTROL]
    with style.applied():
        drawing = essentiality.essentiality(page("essentiality", [*rows, *others]))
        alone = essentiality.essentiality(page("essentiality", rows))
    assert "Other marks: dnahnet-flat." in drawing.caption
    assert "Other marks" not in alone.caption


@pytest.mark.parametrize(
    ("chapter", "task", "rows", "told"),
    [
        (essentiality, "essentiality", genes(), "GC content of the window has AUROC 0.60"),
        (variants, "variants", scans(), "BLOSUM62 has Spearman's ρ 0.24"),
    ],
)
def test_without_models_the_best_baseline_is_named(page, chapter, task, rows, told):
    run = page(task, [one for one in rows if one["mode"] != "zero_shot"])
    text, tables = of(chapter, run)
    assert told in text[0]
    assert "model: " not in str([table.rows for table in tables])
    with style.applied():
        drawing = next(iter(chapter.CHAPTER.figures.values()))(run)
    assert REFERENCE not in set(drawing.data["model"])


def test_what_was_not_measured_is_told_with_its_reason(page):
    absent = row("labels", "mgenitalium", "available", 0, task="essentiality", note="no file")
    text, _ = of(essentiality, page("essentiality", [*genes(), absent]))
    assert text[-1] == "M. genitalium was not measured: no file."
    for chapter in (essentiality, variants):
        run = page(chapter.TASK, [absent | {"task": chapter.TASK, "subset": ""}])
        found = chapter.section(run)
        assert found.text == ["The measured targets were not available: no file."]
        assert found.tables == [] and not found.illustrated
        assert next(iter(chapter.CHAPTER.figures.values()))(run) is None
