"""The page: self-contained, starting with the finding, saying what was not computed."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from genezip.cli import main
from genezip.config import Report
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
        self._inside = tag == "p" and values.get("class") != "meta"
        if self._inside:
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
    reader = read(text)
    assert len(text.encode()) < 5_000_000
    assert text.count("<svg ") == len(drawings)
    assert all(address.startswith("#") for address in reader.loaded)
    assert not re.search(r"<(script|link|img|iframe)\b|@import|url\((?!#)", text)
    assert {a[1:] for a in reader.loaded} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))


def test_first_sentence_is_the_paired_difference(results: Results) -> None:
    first = read(render(results, {})).paragraphs[0]
    assert first.startswith("On held-out DNA") and "GC and CpG" in first and "+0.80" in first


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
    assert "Nothing was computed for: repeats." in text
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
