"""Write results as one self-contained page, with every figure also as SVG and TSV."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from genezip.artifacts.files import write_text
from genezip.errors import GenezipError
from genezip.report import style
from genezip.report.chapter import Chapter, Section
from genezip.report.chapters import CHAPTERS, FIGURES, locus
from genezip.report.drawing import Drawing, not_computed
from genezip.report.opening import opening
from genezip.report.results import Results

MAX_BYTES = {"full": 15_000_000}
SMALL_BYTES = 5_000_000  # at other scales
PICTURE = "locus"
"""The figure under the opening."""
LIBRARY = Path(__file__).parent / "templates" / "igv.js"
"""The embedded genome browser (igv.js, MIT licence)."""
PLACE_OF_LIBRARY = "/* igv.js */"
DEMO_NOTICE = "demo: not comparable with the paper"


@dataclass(frozen=True)
class Page:
    """Texts and picture of the first screen, and the sections for the template."""

    title: str
    notice: bool
    badges: list[str]
    source_line: str
    provenance_line: str
    opening: list[str]
    picture: dict[str, Any] | None
    browser: Markup | None
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
        more = [drawing for chapter in CHAPTERS for drawing in chapter.more(results)]
    known = {name: drawing for name, drawing in found.items() if drawing is not None}
    return known | {drawing.name: drawing for drawing in more}


def write_figures(drawings: dict[str, Drawing], folder: Path) -> None:
    """Write every figure of the page; one without numbers as a placeholder."""
    for name in dict.fromkeys([*FIGURES, *drawings]):
        drawing = drawings.get(name) or not_computed(name)
        drawing.write(folder)


def _shown(drawing: Drawing, folder: str) -> dict[str, Any]:
    """A figure for the template."""
    return {
        "name": drawing.name,
        "title": drawing.title,
        "caption": drawing.caption,
        "svg": Markup(drawing.svg),
        "folder": folder,
    }


def _filled(
    chapter: Chapter, section: Section, drawings: dict[str, Drawing], folder: str
) -> dict[str, Any]:
    """A section with its pictures; names of figures without numbers go into ``missing``."""
    names = list(chapter.figures) if section.illustrated else []
    names += [name for name in drawings if re.fullmatch(rf"{chapter.id}_\d+", name)]
    shown = [_shown(drawings[name], folder) for name in names if name in drawings]
    missing = [name for name in names if name not in drawings]
    sentence = f"Nothing was computed for: {', '.join(missing)}." if missing else ""
    heading = {"id": chapter.id, "title": chapter.title}
    at_top = [one for one in shown if one["name"] != PICTURE]
    return {**heading, **vars(section), "drawings": at_top, "missing": sentence}


def _linked(sections: list[dict[str, Any]]) -> None:
    """Link the first use of every term of the glossary in the paragraphs to its definition."""
    terms: dict[str, tuple[str, str]] = {}
    for section in sections:
        for name, meaning in section["terms"]:
            for word in re.sub(r" \(.*?\)", "", name).split(", "):
                terms[word] = (anchor(name), meaning)
    for section in sections:
        if section["terms"]:
            continue
        for part in ("text", "below"):
            section[part] = [_with_links(text, terms) for text in section[part]]


def _with_links(text: str, terms: dict[str, tuple[str, str]]) -> Markup:
    """A paragraph with links for terms that are not linked yet; these leave ``terms``."""
    found = []
    for word in list(terms):
        if match := re.search(rf"\b{re.escape(word)}s?\b", text):
            found.append((match.start(), match.end(), *terms.pop(word)))
    parts, end = [], 0
    for start, stop, target, meaning in sorted(found):
        if start < end:
            continue
        link = Markup('<a class="term" href="#{}" title="{}">{}</a>')
        parts += [escape(text[end:start]), link.format(target, meaning, text[start:stop])]
        end = stop
    return Markup("").join([*parts, escape(text[end:])])


def _as_json(value: Any) -> Markup | None:
    """A value as JSON inside a script element; None stays None."""
    if value is None:
        return None
    return Markup(json.dumps(value, separators=(",", ":")).replace("<", "\\u003c"))


def anchor(term: str) -> str:
    """Address of a term of the glossary on the page."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


def render(results: Results, drawings: dict[str, Drawing], folder: str = "figures") -> str:
    """The page as HTML text; a page above 5 MB (at full scale 15 MB) raises.

    Parameters
    ----------
    drawings : figures by name (:func:`draw`)
    folder : folder of the figure files, as in the captions
    """
    notice, badges = _badges(results)
    sections = [
        _filled(chapter, section, drawings, folder)
        for chapter in CHAPTERS
        if (section := chapter.section(results)) is not None
    ]
    _linked(sections)
    page = Page(
        title=f"{results.reference} on held-out DNA",
        notice=notice,
        badges=badges,
        source_line=_source_line(results),
        provenance_line=_provenance_line(results),
        opening=opening(results),
        picture=_shown(drawings[PICTURE], folder) if PICTURE in drawings else None,
        browser=_as_json(locus.browser(results)),
        sections=sections,
        footer="Written by genezip report; all measured numbers are from the result files.",
    )
    environment = Environment(
        loader=PackageLoader("genezip.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["anchor"] = anchor
    text = environment.get_template("report.html.j2").render(page=page)
    text = re.sub(r"(\d) %", "\\1\N{NO-BREAK SPACE}%", text)
    if page.browser:  # only now, as none of its text may change
        text = text.replace(PLACE_OF_LIBRARY, LIBRARY.read_text(encoding="utf-8"), 1)
    size, most = len(text.encode()), MAX_BYTES.get(results.scale, SMALL_BYTES)
    if size > most:
        raise GenezipError(
            f"the page would have {size:,} bytes, more than {most:,}; draw shorter or "
            "fewer loci (report.locus, report.loci)"
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
