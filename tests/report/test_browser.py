"""The page in a real browser, headless: widths, sorting, enlarged figures, errors, the keyboard."""

import re
from pathlib import Path
from typing import Any

import pytest
from toolkit.browser import measured, needs_browser

from genezip.report.drawing import Drawing
from genezip.report.page import render
from genezip.report.results import Results

WIDTHS = (390, 900, 1440)
pytestmark = needs_browser

# What the page looks like once it is drawn; it runs behind the script of the page.
MEASURE = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("load", () => {
  const width = document.documentElement.clientWidth;
  const box = (one) => one.getBoundingClientRect();
  const pictures = [...document.querySelectorAll("figure .picture svg")].map(box);
  const button = document.querySelector(".enlarge");
  const found = {
    width,
    scrolls: document.documentElement.scrollWidth,
    cut: pictures.filter((one) => one.right > width + 1 || one.left < -1).length,
    pictures: pictures.length,
    lead: box(document.querySelector("figure")).top,
    narrow: [...document.querySelectorAll("table.stacks")]
      .filter((one) => box(one).right > width + 1).length,
    letters: [...document.querySelectorAll("th, td")].filter((one) => {
      const text = one.innerText.trim();
      return text.length > 3 && box(one).width > 0 && box(one).width < 24;
    }).length,
    button: getComputedStyle(button).display,
    text: getComputedStyle(document.body).color,
    paper: getComputedStyle(document.body).backgroundColor,
  };
  const head = document.querySelector("#TABLE th:nth-child(NTH) button");
  const cells = () => [...document.querySelectorAll("#TABLE td:nth-child(NTH)")]
    .map((one) => one.innerText.trim());
  found.before = cells();
  head.click();
  found.up = cells();
  head.click();
  found.down = cells();
  found.sorted = head.parentElement.getAttribute("aria-sort");
  document.getElementById("browser").open = true;
  button.click();
  const dialog = document.getElementById("enlarged");
  found.enlarged = [dialog.open, box(dialog.querySelector("svg")).width];
  dialog.close();
  setTimeout(() => {
    const inside = document.getElementById("igv").shadowRoot || document;
    const labels = [...inside.querySelectorAll(".igv-track-label")];
    found.tracks = labels.map((one) => one.innerText);
    found.back = document.querySelectorAll("figure .picture svg").length;
    found.focus = [...document.querySelectorAll("a[href], button, summary")]
      .filter((one) => one.tabIndex < 0).length;
    found.errors = errors;
    const place = document.createElement("pre");
    place.id = "measured";
    place.textContent = JSON.stringify(found);
    document.body.append(place);
  }, 1500);
});
</script>
"""


def browse(page: Path, width: int, *options: str) -> tuple[dict[str, Any], str]:
    """What the page measured of itself, and what the browser wrote to its console."""
    return measured(page.as_uri(), page.parent, width, "--virtual-time-budget=4000", *options)


@pytest.fixture(scope="module")
def page(
    results: Results, drawings: dict[str, Drawing], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The made-up page with the script that measures it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    text = render(results, drawings)
    script = MEASURE.replace("#TABLE", "#repeats table").replace("NTH", "3")
    before, after = text.rsplit("</body>", 1)
    path.write_text(f"{before}{script}</body>{after}", encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_at_any_width(page: Path, width: int) -> None:
    found, console = browse(page, width)
    assert found["errors"] == [] and console == ""
    assert found["scrolls"] <= found["width"]
    assert found["pictures"] > 5 and found["cut"] == 0
    assert found["narrow"] == 0 and found["letters"] == 0
    assert found["focus"] == 0
    assert (found["button"] == "none") == (width == 1440)
    opened, drawn = found["enlarged"]
    assert opened and drawn >= 800 and found["back"] == found["pictures"]
    assert "regions" in found["tracks"] and "genezip-tiny: chunks" in found["tracks"]
    if width == 1440:
        assert found["lead"] < 500  # the picture begins on the first screen


def test_tables_are_sorted_by_number(page: Path) -> None:
    found, _ = browse(page, 1440)
    numbers = [int(cell.replace(",", "")) for cell in found["before"]]
    assert len(set(numbers)) >= 1 and len(numbers) >= 3
    assert [int(cell.replace(",", "")) for cell in found["up"]] == sorted(numbers)
    assert [int(c.replace(",", "")) for c in found["down"]] == sorted(numbers, reverse=True)
    assert found["sorted"] == "descending"


def test_the_dark_page_has_light_text(page: Path) -> None:
    found, console = browse(page, 900, "--blink-settings=preferredColorScheme=0")

    def light(colour: str) -> bool:
        return sum(map(int, re.findall(r"\d+", colour)[:3])) > 384

    assert light(found["text"]) and not light(found["paper"]) and console == ""
    found, _ = browse(page, 900, "--blink-settings=preferredColorScheme=1")
    assert not light(found["text"]) and light(found["paper"])
