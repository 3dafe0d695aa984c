"""Published numbers beside ours: which cell is read, what the verdict is, what is refused."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toolkit.command_line import call, succeed

from genezip import config
from genezip.artifacts.published import published_table
from genezip.config import Measured, Order, PaperTable
from genezip.config.tables import RESULT_FILES, made_by_a_rule
from genezip.errors import GenezipError
from genezip.report import paper
from genezip.report.paper import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED

SCORES = "results/compress/compression.tsv"
CARD = "results/pretrain/{run}/config.json"
TABLE1 = {"published": "table1_pretraining_ppl", "title": "Table 1"}
ROWS = {"GeneZip-70M": {"model": ["genezip-70m", "mine"]}}


def made_run(folder: Path, scale: str = "full", seeds: tuple[int, ...] = (0,), **ppl: float) -> Any:
    """A run of the model ``mine`` with a card and three scores for each seed."""
    files = {}
    for seed in seeds:
        path = f"results/pretrain/mine.seed{seed}/config.json"
        files[path] = folder / f"{seed}.json"
        card = {"training": {"valid": {"bpt": 130.0 + seed, "ppl": ppl.get("ppl", 2.73)}}}
        files[path].write_text(json.dumps(card))
    rows = [
        f"mine\tall\tppl\t{2.7 + seed}\t{2.6 + seed}\t{2.8 + seed}\t90\t{seed}" for seed in seeds
    ]
    files[SCORES] = folder / "scores.tsv"
    head = "model\tregion\tmetric\tvalue\tci_low\tci_high\tn\tseed\n"
    files[SCORES].write_text(head + "\n".join(rows) + "\n")
    runs = [f"mine.seed{seed}" for seed in seeds]
    return paper.Run(files, runs, "mine", "uniform", scale)


def table(**keys: Any) -> PaperTable:
    return PaperTable.model_validate({**TABLE1, "rows": ROWS, **keys})


def cell(rows: pd.DataFrame, row: str, column: str) -> Any:
    found = rows[(rows["row"] == row) & (rows["column"] == column)]
    assert len(found) == 1
    return next(found.itertuples())


def test_a_number_within_its_tolerance_is_reproduced(tmp_path: Path) -> None:
    bpt = {"value": "training.valid.bpt", "tolerance": 0.1}
    ours = table(file=CARD, columns={"bpt": bpt, "ppl_overall": {"value": "training.valid.ppl"}})
    rows = paper.compare("one", ours, made_run(tmp_path))
    near = cell(rows, "GeneZip-70M", "bpt")
    assert (near.paper, near.measured, near.verdict) == (137.6, 130.0, REPRODUCED)
    assert near.difference == pytest.approx(-7.6) and near.model == "mine" and near.seeds == 1
    exact = cell(rows, "GeneZip-70M", "ppl_overall")  # 2.73 is not 2.7259
    assert exact.verdict == NOT_REPRODUCED and exact.file == CARD
    other = cell(rows, "Mamba2-84M", "bpt")
    assert other.verdict == NOT_TESTABLE and "not part of the workflow" in other.reason


@pytest.mark.parametrize("tolerance", [None, 0.0, 0.01, 0.2])
@pytest.mark.parametrize("text", ["2.7259", "137.6", "950000", "1e-3", "-0.5"])
@pytest.mark.parametrize("factor", [1.0, 1.005, 1.15, 0.5])
def test_the_test_as_code_is_the_test(tolerance: float | None, text: str, factor: float) -> None:
    measured = Measured(file=SCORES, tolerance=tolerance)
    value = float(text) * factor
    code = paper.number_test(measured, text)
    assert paper.passes(measured, text, value) == eval(
        code, {"measured": value, "paper": float(text)}
    )


@pytest.mark.parametrize(
    ("text", "value", "right"),
    [
        ("285M", 284_561_152, True), ("285M", 285_600_000, False),
        ("2.1B", 2_123_089_408, True), ("2.1B", 2_049_000_000, False),
        ("2.01M", 2_011_288, True),
        ("110.69M (paper text says 120M)", 110_687_296, True), ("110.69M (x)", 1.1e8, False),
    ],
)  # fmt: skip
def test_a_rounded_count_is_compared_in_its_own_digits(
    text: str, value: float, right: bool
) -> None:
    measured = Measured(file=SCORES)
    assert paper.passes(measured, text, value) == right
    known = {"measured": value, "paper": paper.published_number(text)}
    assert eval(paper.number_test(measured, text), known) == right


@pytest.mark.parametrize("text", ["", "3;2", ">55", "0.01-0.02", "285Mb", "m4"])
def test_a_text_is_no_published_number(text: str) -> None:
    assert paper.published_number(text) is None


@pytest.mark.parametrize("text", ["{modl}", "{", "{}"])
def test_a_name_in_braces_that_nobody_knows(tmp_path: Path, text: str) -> None:
    for keys in ({"file": SCORES, "where": {"model": text}}, {"file": CARD, "value": text}):
        ours = table(columns={"bpt": keys})
        with pytest.raises(GenezipError, match="with a name in braces that is not known there"):
            paper.compare("one", ours, made_run(tmp_path))


def test_numbers_of_another_quantity_have_no_verdict(tmp_path: Path) -> None:
    columns = {"bpt": {"value": "training.valid.bpt", "tolerance": 0.1}}
    ours = table(file=CARD, columns=columns, verdicts=False)
    one = cell(paper.compare("one", ours, made_run(tmp_path)), "GeneZip-70M", "bpt")
    assert (one.paper, one.measured, one.verdict) == (137.6, 130.0, NOT_TESTABLE)
    assert one.reason == paper.OTHER_QUANTITY


def test_a_text_with_several_numbers_is_shown_as_it_is(tmp_path: Path) -> None:
    keys = {"published": "table5_corpora", "row": ["dataset", "split"], "file": SCORES}
    rows = {"Held-out chr8+chr9+chr10, test": {"model": ["mine"]}}
    columns = {"windows_implied": {"where": {"model": "{model}", "region": "all"}}}
    ours = PaperTable.model_validate({"title": "5", **keys, "rows": rows, "columns": columns})
    found = paper.compare("five", ours, made_run(tmp_path))
    (one,) = found[found["row"] == next(iter(rows))].itertuples()
    assert one.reason == "no single number was published: 32605 (12.8 kb) / 3262 (128 kb)"


def test_exponents_of_a_run_of_several_genomes_are_one_row(repo: Path, tmp_path: Path) -> None:
    """The scaling table has an exponent of each group of organisms and kind of bases."""
    tables = config.read_yaml(repo / "config" / "tables.yaml")["tables"]
    one = config.parse(PaperTable, tables["dnahnet_scaling"])
    rows = [
        {"model": "learned 3, 2", "subset": subset, "region": region, "metric": "ppl_exponent",
         "value": 0.05, "ci_low": 0.04, "ci_high": 0.06, "n": 3, "seed": None, "source": "genomes"}
        for subset in ("seen_organisms", "unseen_organisms")
        for region in ("all", "coding", "noncoding")
    ]  # fmt: skip
    path = tmp_path / "scaling.tsv"
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    run = paper.Run({"results/compress/scaling.tsv": path}, [], "a", "b", "demo")
    (made,) = paper.compare("scaling", one, run).itertuples()
    assert (made.paper, made.measured) == (0.06, 0.05)


def test_other_rows_are_left_out_where_the_table_says_so(tmp_path: Path) -> None:
    columns = {"bpt": {"value": "training.valid.bpt"}}
    run = made_run(tmp_path)
    every, ours = (
        paper.compare("one", table(file=CARD, columns=columns, only_rows=only), run)
        for only in (False, True)
    )
    assert set(ours["row"]) == {"GeneZip-70M"} < set(every["row"])


def test_another_scale_has_no_verdict_but_where_every_scale_must_agree(tmp_path: Path) -> None:
    columns = {
        "bpt": {"value": "training.valid.bpt", "tolerance": 0.1},
        "ppl_overall": {"value": "training.valid.ppl", "tolerance": 0.1, "any_scale": True},
    }
    rows = paper.compare("one", table(file=CARD, columns=columns), made_run(tmp_path, "demo"))
    small = cell(rows, "GeneZip-70M", "bpt")
    assert small.verdict == NOT_TESTABLE and small.measured == 130.0 and pd.isna(small.difference)
    assert "scale demo" in small.reason
    assert cell(rows, "GeneZip-70M", "ppl_overall").verdict == REPRODUCED


def test_several_seeds_are_a_mean_with_the_widest_interval(tmp_path: Path) -> None:
    where = {"model": "{model}", "region": "all", "metric": "ppl"}
    ours = table(file=SCORES, where=where, columns={"ppl_overall": {"tolerance": 0.5}})
    found = cell(
        paper.compare("one", ours, made_run(tmp_path, seeds=(0, 1))), "GeneZip-70M", "ppl_overall"
    )
    assert (found.measured, found.ci_low, found.ci_high) == pytest.approx((3.2, 2.6, 3.8))
    assert (found.n, found.seeds) == (90, 2)


@pytest.mark.parametrize(
    ("limit", "verdict", "reason"),
    [
        ({"above": 2.5}, REPRODUCED, None),
        ({"above": 2.7}, NOT_REPRODUCED, "the interval holds 2.7"),
        ({"above": 2.9}, NOT_REPRODUCED, "the opposite holds"),
        ({"below": 2.9}, REPRODUCED, None),
        ({"below": 2.5}, NOT_REPRODUCED, "the opposite holds"),
    ],
)
def test_a_comparison_follows_the_whole_interval(
    tmp_path: Path, limit: dict[str, float], verdict: str, reason: str | None
) -> None:
    where = {"model": "{reference}", "region": "all", "metric": "ppl"}
    order = {
        "text": "a is above b",
        "published": [["GeneZip-70M", "ppl_overall"], ["Mamba2-84M", "ppl_overall"]],
        "measured": {"file": SCORES, "where": where},
        **limit,
    }
    columns = {"ppl_overall": {"value": "training.valid.ppl"}}
    ours = table(file=CARD, columns=columns, orders=[order])
    rows = paper.compare("one", ours, made_run(tmp_path, "demo"))
    found = next(rows[rows["kind"] == "comparison"].itertuples())
    assert found.verdict == verdict and found.paper == pytest.approx(0.3124)
    assert (found.reason if reason else None) == reason
    assert "a is above b" in paper.markdown(ours, rows)


def test_what_a_run_lacks_is_a_reason(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    columns = {"ppl_overall": {"where": {"metric": "auroc"}}, "bpt": {"file": CARD, "value": "a.b"}}
    rows = paper.compare("one", table(file=SCORES, columns=columns), run)
    assert cell(rows, "GeneZip-70M", "ppl_overall").reason == "no such row: metric auroc"
    assert "a.b is not in" in cell(rows, "GeneZip-70M", "bpt").reason
    nobody = table(file=CARD, columns={"bpt": {"value": "x"}}, rows={"U-Net-70M": {"model": ["u"]}})
    rows = paper.compare("one", nobody, run)
    assert cell(rows, "U-Net-70M", "bpt").reason == "no model of this run: u"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"rows": {"GeneZip-7M": {}}}, "names the row 'GeneZip-7M', which table1_pretraining_ppl"),
        ({"columns": {"ppl_all": {"file": CARD}}}, "names the column 'ppl_all'"),
        ({"published": "table9"}, "names 'table9', which is no published table"),
    ],
)
def test_names_that_the_paper_does_not_have(
    tmp_path: Path, keys: dict[str, Any], told: str
) -> None:
    with pytest.raises(GenezipError, match=told):
        paper.compare("one", table(**keys), made_run(tmp_path))


def test_a_table_that_names_a_file_nobody_makes() -> None:
    tree = {"tables": {"one": {"title": "x", "file": "results/compress/compresion.tsv"}}}
    base = config.read_yaml(Path(__file__).parents[2] / "config" / "config.yaml")
    with pytest.raises(GenezipError, match=r"compresion\.tsv is made by no rule, so no number"):
        config.parse_layers([base, tree])
    with pytest.raises(GenezipError, match="has no file"):
        config.parse(PaperTable, {"title": "x", "columns": {"bpt": {}}})
    with pytest.raises(GenezipError, match="exactly one of above and below"):
        config.parse(Order, {"text": "x", "measured": {"file": SCORES}})


def test_two_rows_for_one_number_are_refused(tmp_path: Path) -> None:
    run = made_run(tmp_path)
    path = run.files[SCORES]
    path.write_text(path.read_text() + "mine\tcds\tppl\t2.9\t2.8\t3.0\t90\t0\n")
    ours = table(file=SCORES, where={"metric": "ppl"}, columns={"ppl_overall": {}})
    with pytest.raises(GenezipError, match=r"several rows with .* and one seed"):
        paper.compare("one", ours, run)


def test_every_table_of_the_configuration_can_be_read(repo: Path, tmp_path: Path) -> None:
    layers = [config.read_yaml(repo / "config" / f"{name}.yaml") for name in ("config", "tables")]
    for name, one in config.parse_layers(layers).tables.items():
        assert one is not None and all(made_by_a_rule(path) for path in one.files)
        rows = paper.compare(name, one, paper.Run({}, [], "a", "b", "full"))
        assert len(rows) and set(rows["verdict"]) == {NOT_TESTABLE}
        assert rows["reason"].str.len().min() > 5
        assert paper.markdown(one, rows).startswith("# ")


def test_every_number_of_the_published_tables_has_a_row(repo: Path) -> None:
    """All cells of the GeneZip tables that are numbers, but for their sources.

    Of the sister systems there are the headline numbers.
    """
    tables = config.read_yaml(repo / "config" / "tables.yaml")["tables"]
    named: dict[str, list[PaperTable]] = {}
    for one in tables.values():
        if not one.get("published", "sister_").startswith("sister_"):
            named.setdefault(one["published"], []).append(config.parse(PaperTable, one))
    genezip = [p for p in (published_table(n) for n in named) if p is not None]
    assert {"table1_pretraining_ppl", "table6_heldout_compression"} <= {p.stem for p in genezip}
    for path in genezip:
        frame = pd.read_csv(path, dtype=str)
        known = {name for one in named[path.stem] for name in one.row}
        for one in named[path.stem]:
            known |= {*one.columns, *one.unlike}
            known |= {name for cells in one.cells.values() for name in cells}
        numeric = {
            column
            for column in frame
            if pd.to_numeric(frame[column], errors="coerce").notna().any()
        }
        assert numeric <= known, path


def test_files_of_the_tables_are_outputs_of_rules(repo: Path) -> None:
    rules = "".join(path.read_text() for path in (repo / "workflow" / "rules").glob("*.smk"))
    for path in RESULT_FILES:
        wanted = path.replace("{run}", "{model}.seed{seed}").replace("{task_table}", "{table}")
        assert f'"{wanted}"' in rules or f'"{path}"' in rules, path


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_run(tmp_path)
    folder = tmp_path / "results" / "pretrain" / "mine.seed0"
    folder.mkdir(parents=True)
    (tmp_path / "0.json").rename(folder / "config.json")
    settings = tmp_path / "tables.yaml"
    one = {**TABLE1, "rows": ROWS, "file": CARD}
    one["columns"] = {"bpt": {"value": "training.valid.bpt", "tolerance": 0.1}}
    settings.write_text(json.dumps({"tables": {"table1": one}}))
    words = ["paper", "table", "table1", "--settings", settings, "--folder", tmp_path]
    words += ["--reference", "mine", "--control", "mine", "--run", "mine.seed0"]
    out, claims = tmp_path / "table1.tsv", tmp_path / "claims.tsv"
    succeed(*words, "--result", "results/pretrain/mine.seed0/config.json", "--out", out)
    assert "| GeneZip-70M | 137.6 / 130 |" in out.with_suffix(".md").read_text()
    succeed("paper", "claims", "--table", out, "--out", claims)
    assert set(paper.read_claims(claims)["verdict"]) == {REPRODUCED, NOT_TESTABLE}
    capsys.readouterr()
    assert call(*words[:2], "table9", *words[3:], "--out", out) == 1
    assert "has no table 'table9'; it has table1" in capsys.readouterr().err
    assert call(*words, "--result", "results/x.tsv", "--out", out) == 1
    assert "x.tsv does not exist" in capsys.readouterr().err
