"""The page: self-contained, starting with the finding, saying what was not computed."""

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from genezip.cli import main
from genezip.config import Report
from genezip.errors import GenezipError
from genezip.report import opening, page
from genezip.report.chapters import CHAPTERS, FIGURES
from genezip.report.chapters.provenance import clock
from genezip.report.drawing import Drawing
from genezip.report.page import render
from genezip.report.results import Results, load

SETTINGS = Report(reference="genezip-tiny", control="hnet-tiny")


class Reader(HTMLParser):
    """Collects paragraphs and every address that a browser would load."""

    def __init__(self) -> None:
        super().__init__()
        self.paragraphs: list[str] = []
        self.loaded: list[str] = []
        self.ids: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [value for key, value in attrs if key == "id" and value]
        if tag == "p":
            self._inside = True
            self.paragraphs.append("")
        for key in ("src", "href", "xlink:href", "srcset"):
            if values.get(key):
                self.loaded.append(str(values[key]))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.paragraphs[-1] += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def words(folder: Path, scale: str = "demo") -> str:
    """The page without its pictures."""
    return render(load(folder, SETTINGS, scale), {})


def test_page_is_self_contained_and_small(results: Results, drawings: dict[str, Drawing]) -> None:
    text = render(results, drawings)
    assert len(text.encode()) < 5_000_000
    text = text.replace(page.LIBRARY.read_text(encoding="utf-8"), "")  # test_browser tries it
    reader = read(text)
    assert text.count("<svg ") == len(drawings)
    links = [address for address in reader.loaded if not address.startswith("#")]
    results_files = re.compile(r"data:,$|figures/\w+\.(svg|tsv)$|tables/paper/\w+\.md$")
    assert all(map(results_files.match, links)), links
    loading = r"<(img|iframe)\b|<script(?! type=.application/json.)[^>]|@import|url\((?!#)"
    loading += r"|<link(?! rel=.icon. href=.data:,.>)"
    assert not re.search(loading, text)
    assert {a[1:] for a in set(reader.loaded) - set(links)} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))


def test_the_page_opens_in_plain_words_and_the_numbers_follow(results: Results) -> None:
    what, run, finding, *rest = read(render(results, {})).paragraphs
    assert "cuts DNA into pieces" in what and "2.0 million bases" in run
    assert finding == (
        "It learned to cut promoters more finely than the rest of the DNA, and better than a rule "
        "that only counts G, C and CpG, so it knows more of a promoter than its composition."
    )
    assert not re.search(r"\d|%|interval", what + finding)
    assert [text for text in rest if text.startswith("On held-out DNA") and "+0.80" in text]


@pytest.mark.parametrize(
    ("difference", "words"),
    [(-0.8, "but a rule that only counts G, C and CpG does so better"), (0.1, "but not better")],
)
def test_the_finding_follows_the_interval(
    make_results: Callable[..., Path], difference: float, words: str
) -> None:
    loaded = load(make_results(gc_difference=difference, inside=difference), SETTINGS, "demo")
    assert words in opening.plain(loaded)


@pytest.mark.parametrize(
    ("enriched", "target", "words"),
    [
        (0.9, 0.3, "more finely than its control, and better than a rule"),
        (2.0, 0.3, "more finely than the rest of the DNA, and better than a rule"),
        (2.0, 0.0, "not shown to cut promoters more finely than its control; it does cut them"),
    ],
)
def test_the_finding_claims_what_was_compared(
    make_results: Callable[..., Path], enriched: float, target: float, words: str
) -> None:
    """Reference minus control, reference minus the rule (0.8), and the reference itself."""
    folder = make_results()
    for name, where, value in (
        ("compression.tsv", {"model": "genezip-tiny", "metric": "enrichment"}, enriched),
        (
            "comparisons.tsv",
            {"model": "genezip-tiny - hnet-tiny", "metric": "enrichment_difference"},
            target,
        ),
    ):
        path = folder / "compress" / name
        frame = pd.read_csv(path, sep="\t")
        chosen = (frame[[*where]] == pd.Series(where)).all(axis=1) & (frame["region"] == "promoter")
        assert chosen.any()
        frame.loc[chosen, ["value", "ci_low", "ci_high"]] = [value, value - 0.05, value + 0.05]
        frame.to_csv(path, sep="\t", index=False)
    assert words in opening.plain(load(folder, SETTINGS, "demo"))


def test_terms_are_linked_once_to_the_glossary(results: Results) -> None:
    text = render(results, {})
    links = re.findall(r'<a class="term" href="#([^"]+)"', text)
    assert links and set(links) <= set(read(text).ids)
    words = re.findall(r'<a class="term"[^>]*>([^<]+)</a>', text)
    assert len(words) == len({word.rstrip("s") for word in words})


def test_the_paper_stands_beside_the_run(results: Results) -> None:
    text = render(results, {})
    assert "Of its 2 comparisons that this workflow can make, 1 is reproduced" in text
    assert "Of 2 published numbers, 1 is reproduced and 0 are not" in text
    assert "no model of this run: mamba2" in text
    assert '<a href="tables/paper/table6.md">' in text


def test_a_page_that_is_too_large(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "SMALL_BYTES", 1000)
    with pytest.raises(GenezipError, match="more than 1,000; draw shorter or fewer loci"):
        render(results, {})
    assert render(dataclasses.replace(results, scale="full"), {})


def test_demo_says_that_it_is_not_comparable(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    notice = "demo: not comparable with the paper"
    assert notice in words(folder)
    assert notice not in words(folder, "full")


def test_times_of_other_runs_and_of_the_report_are_left_out(
    make_results: Callable[..., Path],
) -> None:
    folder = make_results()
    stale = ("pretrain/genezip-tiny.seed7", "pretrain/old.seed0", "report")
    ours = ("compress/routers/gc_cpg.seed0", "compress/untrained.seed0")
    ours += ("labels/elements/genezip-tiny.seed0.untrained",)
    for stage in (*stale, *ours):
        path = folder / "benchmarks" / f"{stage}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\th:m:s\tmax_rss\n1000.0\t0:16:40\t10\n")
    shown = set(load(folder, SETTINGS, "demo").benchmarks["stage"])
    assert shown == {"fetch", "pretrain/genezip-tiny.seed0", *ours}
    one = load(folder, SETTINGS, "demo", runs=["hnet-tiny.seed0"])
    assert set(one.benchmarks["stage"]) == {"fetch", "compress/untrained.seed0"}
    assert [curve.model for curve in one.curves] == ["hnet-tiny"]
    assert "report itself is not included" in words(folder)


def test_what_is_missing_is_said(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    for path in (folder / "benchmarks").rglob("*.tsv"):
        path.unlink()
    text = words(folder)
    assert "Nothing was computed for: repeats, repeat_kinds." in text
    assert "not timed" in text


def test_seconds_hashes_and_verdicts_are_shown(results: Results) -> None:
    text = render(results, {})
    for piece in ("pretrain/genezip-tiny.seed0", "401.0", "ef" * 32, "cd" * 32, "holds"):
        assert piece in text


def test_text_from_files_is_escaped(make_results: Callable[..., Path]) -> None:
    folder = make_results()
    path = folder / "corpus" / "main" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "source": "<b>&"}))
    text = words(folder)
    assert "&lt;b&gt;&amp;" in text and "<b>&" not in text


def run(folder: Path, *more: str) -> None:
    inputs = ["--results", str(folder), "--settings", SETTINGS.model_dump_json()]
    outputs = ["--out", str(folder / "report.html"), "--figures", str(folder / "figures")]
    main(["report", *inputs, *outputs, *more])


def test_command_names_the_data(make_results: Callable[..., Path], tmp_path: Path) -> None:
    source = tmp_path / "source.json"
    entry = {"path": "a.fa", "origin": "somewhere", "release": "1", "licence": "open", "bytes": 5}
    source.write_text(json.dumps({"description": "a made-up genome", "files": [entry]}))
    folder = make_results()
    with pytest.raises(SystemExit) as stop:
        run(folder, "--scale", "demo", "--source", str(source))
    assert stop.value.code == 0
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "Data: a made-up genome." in text and "somewhere" in text and "open" in text


def test_command_with_a_missing_file(
    make_results: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_results()
    (folder / "compress" / "compression.tsv").unlink()
    with pytest.raises(SystemExit) as stop:
        run(folder)
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("genezip: ") and error.count("\n") == 1 and "compression.tsv" in error
    assert not (folder / "report.html").exists() and not (folder / "figures").exists()


def test_the_command_lists_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report", "--list"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.split() == list(FIGURES)


def test_chapters_and_figures_have_names_of_their_own() -> None:
    ids = [chapter.id for chapter in CHAPTERS]
    assert len(set(ids)) == len(ids)
    assert len(FIGURES) == sum(len(chapter.figures) for chapter in CHAPTERS)


@pytest.mark.parametrize(
    ("seconds", "text"), [(12.34, "12.3 s"), (245, "4 min 05 s"), (7380, "2 h 03 min")]
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
