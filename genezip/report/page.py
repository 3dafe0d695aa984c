"""Write results as one self-contained page, with every figure also as SVG and TSV."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from genezip.artifacts.files import write_text
from genezip.errors import GenezipError
from genezip.report import style, summary
from genezip.report.chapter import Chapter, Section
from genezip.report.chapters import CHAPTERS, FIGURES, claims
from genezip.report.claims import verdicts
from genezip.report.drawing import Drawing, not_computed
from genezip.report.results import Results

MAX_BYTES = 5_000_000
DEMO_NOTICE = "demo: not comparable with the paper"


@dataclass(frozen=True)
class Page:
    """Texts of the head of the page, and its sections for the template."""

    title: str
    notice: bool
    badges: list[str]
    source_line: str
    provenance_line: str
    finding: str
    summary: list[str]
    sections: list[dict[str, Any]]
    footer: str


def _badges(results: Results) -> tuple[bool, list[str]]:
    """Badges under the title; the first one is a warning unless the run is at full scale."""
    source = f"source: {results.manifest.get('source', 'unknown')}"
    if results.scale == "full":
        return False, ["scale: full", source]
    notice = DEMO_NOTICE if results.scale == "demo" else f"{results.scale}: not a scientific result"
    return True, [notice, f"scale: {results.scale}", source]


def _source_line(results: Results) -> str:
    described = results.source.get("description") or results.manifest.get("description")
    build = results.source.get("build")
    parts = [f"Data: {described or results.manifest.get('source', 'unknown source')}"]
    if build and build not in parts[0]:
        parts.append(f"assembly {build}")
    return ", ".join(parts).rstrip(".") + "."


def _provenance_line(results: Results) -> str:
    record = results.manifest.get("provenance") or {}
    versions = record.get("versions") or {}
    software = ", ".join(
        f"{name} {versions[name]}" for name in ("genezip", "torch", "python") if name in versions
    )
    parts = [f"{results.reference} against {results.control}", software]
    if record.get("settings_sha256"):
        parts.append(f"corpus settings {record['settings_sha256'][:12]}")
    return "Provenance: " + "; ".join(part for part in parts if part) + "."


def draw(results: Results) -> dict[str, Drawing]:
    """Figures whose numbers were computed, by name, in the order of the page."""
    with style.applied():
        found = {name: function(results) for name, function in FIGURES.items()}
    return {name: drawing for name, drawing in found.items() if drawing is not None}


def write_figures(drawings: dict[str, Drawing], folder: Path) -> None:
    """Write every figure of the page; one without numbers as a placeholder."""
    for name in FIGURES:
        drawing = drawings.get(name) or not_computed(name)
        drawing.write(folder)


def _filled(
    chapter: Chapter, section: Section, drawings: dict[str, Drawing], folder: str
) -> dict[str, Any]:
    """A section with its pictures; names of figures without numbers go into ``missing``."""
    names = list(chapter.figures) if section.illustrated else []
    shown = [
        {
            "name": name,
            "title": drawings[name].title,
            "caption": drawings[name].caption,
            "svg": Markup(drawings[name].svg),
            "folder": folder,
        }
        for name in names
        if name in drawings
    ]
    missing = [name for name in names if name not in drawings]
    sentence = f"Nothing was computed for: {', '.join(missing)}." if missing else ""
    heading = {"id": chapter.id, "title": chapter.title}
    return {**heading, **vars(section), "drawings": shown, "missing": sentence}


def render(results: Results, drawings: dict[str, Drawing], folder: str = "figures") -> str:
    """The page as HTML text; a page of more than 5 MB raises.

    Parameters
    ----------
    drawings : figures by name (:func:`draw`)
    folder : folder of the figure files, as in the captions
    """
    notice, badges = _badges(results)
    sentences = (summary.third_sentence, summary.seed_sentence, summary.interval_sentence)
    more = [sentence(results) for sentence in sentences]
    if other := claims.other_system(results):
        more = [claims.held_sentence(results), *verdicts(claims.evaluate(results)), more[-1]]
    page = Page(
        title=f"{results.reference} on held-out DNA",
        notice=notice,
        badges=badges,
        source_line=_source_line(results),
        provenance_line=_provenance_line(results),
        finding=(other or summary).finding(results),
        summary=[sentence for sentence in more if sentence],
        sections=[
            _filled(chapter, section, drawings, folder)
            for chapter in CHAPTERS
            if (section := chapter.section(results)) is not None
        ],
        footer="Written by genezip report; all measured numbers are from the result files.",
    )
    environment = Environment(
        loader=PackageLoader("genezip.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("report.html.j2").render(page=page)
    text = re.sub(r"(\d) %", "\\1\N{NO-BREAK SPACE}%", text)
    size = len(text.encode())
    if size > MAX_BYTES:
        raise GenezipError(
            f"the page would have {size:,} bytes, more than {MAX_BYTES:,}; draw a shorter locus "
            "(report.locus)"
        )
    return text


def write_report(results: Results, out: Path, figures: Path) -> int:
    """Write page and figures; return the size of the page in bytes."""
    drawings = draw(results)
    folder = os.path.relpath(figures, out.parent).replace(os.sep, "/")
    text = render(results, drawings, folder)
    write_figures(drawings, figures)
    write_text(out, text)
    return len(text.encode())
