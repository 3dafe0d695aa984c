"""The page in a real browser, served and as one file: tracks, bases, and an empty console."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from toolkit.browser import measured, needs_browser
from toolkit.track_folders import LONG, SHORT, serving

from genezip.browse import page as browse_page
from genezip.browse.folder import View, session_of, view_of
from genezip.browse.page import write_page
from genezip.browse.server import Answer, answers
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.formats.igv import session_text
from genezip.inference.tracks import TrackWriter

TIME = "--virtual-time-budget=5000"
# It runs behind the script of the page: what the browser shows once all data are there.
MEASURE = """
<script>
const errors = [];
window.addEventListener("error", (event) => errors.push(event.message));
window.addEventListener("unhandledrejection", (event) => errors.push(String(event.reason)));
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
(async () => {
  const browser = await started;
  let views = [];
  for (let n = 0; n < 300 && views.length < WANTED; n++) {
    await wait(50);
    views = browser.trackViews.filter((one) => one.track.url || one.track.config?.url);
  }
  const frame = browser.referenceFrameList[0];
  const found = { tracks: [], errors, locus: frame.getLocusString() };
  for (const view of views) {
    const source = view.track.featureSource;
    const features = await source.getFeatures(
      { chr: frame.chr, start: FROM, end: TO, bpPerPixel: 0.1, visibilityWindow: -1 });
    found.tracks.push([view.track.name, view.track.color, view.track.autoscaleGroup, features
      .filter((one) => one.end > FROM && one.start < TO)
      .map((one) => [one.start, one.end, one.value ?? one.name, one.color])]);
  }
  found.bases = await browser.genome.getSequence(frame.chr, FROM, TO) ?? null;
  const inside = document.getElementById("igv").shadowRoot || document;
  found.alert = [...inside.querySelectorAll(".igv-ui-alert-dialog-body")]
    .map((one) => one.innerText).join("");
  found.width = document.documentElement.clientWidth;
  found.scrolls = document.documentElement.scrollWidth;
  found.failed = document.getElementById("failed")?.innerText;
  const place = document.createElement("pre");
  place.id = "measured";
  place.textContent = JSON.stringify(found);
  document.body.append(place);
})();
</script>
"""


def with_measure(text: str, tracks: int, start: int, end: int) -> str:
    script = MEASURE.replace("WANTED", str(tracks)).replace("FROM", str(start))
    before, after = text.rsplit("</body>", 1)
    return f"{before}{script.replace('TO', str(end))}</body>{after}"


def check(
    found: dict[str, Any], console: str, view: View, start: int, end: int, empty: str = ""
) -> None:
    """What the browser read is what the files hold, for all tracks."""
    assert found["errors"] == [] and console == "" and found["alert"] == ""
    assert found["scrolls"] <= found["width"]
    chrom, tracks = view.locus[0], [s for s in view.tracks if s.track.title != empty]
    assert [name for name, *_ in found["tracks"]] == [shown.track.title for shown in tracks]
    for shown, (name, colour, group, features) in zip(tracks, found["tracks"], strict=True):
        assert group == shown.track.scale or (group is None and shown.track.scale is None)
        if not shown.track.is_bigwig:
            assert features and len({colour for *_, colour in features}) == min(2, len(features))
            assert all(name.endswith("bp") or name == "promoter" for _, _, name, _ in features)
            continue
        assert colour == f"rgb({shown.track.rgb})", name
        with pyBigWig.open(str(shown.path)) as file:
            wanted = np.array(file.values(chrom, start, end))
        values = np.full(end - start, np.nan)
        for low, high, value, _ in features:
            values[max(low - start, 0) : max(high - start, 0)] = value
        assert np.allclose(values, wanted, rtol=1e-6, equal_nan=True), name


@needs_browser
@pytest.mark.parametrize(("width", "with_bases"), [(900, True), (1440, False)])
def test_the_served_page(
    one: Path, two: Path, genome: Path, tmp_path: Path, width: int, with_bases: bool
) -> None:
    view = view_of([one, two], tmp_path, with_bases=with_bases)
    found = answers(view)
    text = with_measure(found[""].text.decode(), len(view.tracks), 1500, 1700)
    found[""] = Answer(found[""].kind, text=text.encode())
    with serving(found) as url:
        shown, console = measured(url, tmp_path, width, TIME)
    check(shown, console, view, 1500, 1700)
    bases = dict(read_records(genome))[LONG][1500:1700].decode()
    assert (shown["bases"] == bases) == with_bases
    # its end moves a little when a scroll bar makes the page narrower
    assert shown["locus"].replace(",", "").startswith(f"{LONG}:1001-") and shown["failed"] == ""


@needs_browser
@pytest.mark.parametrize("with_bases", [True, False])
def test_one_file_needs_no_network(
    one: Path, two: Path, genome: Path, tmp_path: Path, with_bases: bool
) -> None:
    view = view_of([one, two], tmp_path, with_bases=with_bases).at(f"{LONG}:1,301-2,000")
    path = tmp_path / "locus.html"
    assert write_page(view, path) == path.stat().st_size < 1_800_000
    text = path.read_text(encoding="utf-8")
    path.write_text(with_measure(text, len(view.tracks), 1500, 1700), encoding="utf-8")
    for folder in (one, two):  # they are in the file
        folder.rename(f"{folder}.away")
    away = "--host-resolver-rules=MAP * ~NOTFOUND"
    shown, console = measured(path.as_uri(), tmp_path, 900, TIME, away)
    for folder in (one, two):
        Path(f"{folder}.away").rename(folder)
    check(shown, console, view, 1500, 1700)
    bases = dict(read_records(genome))[LONG][1500:1700].decode()
    assert (shown["bases"] == bases) == with_bases


@needs_browser
def test_a_contig_with_a_colon(one: Path, genome: Path, tmp_path: Path) -> None:
    """igv.js would read the name as a locus, so one file has another name, and none is served."""
    view = view_of([one], tmp_path).at(f"{SHORT}:1,001-1,900")
    path = tmp_path / "locus.html"
    write_page(view, path)
    text = with_measure(path.read_text(encoding="utf-8"), len(view.tracks) - 1, 1500, 1700)
    path.write_text(text, encoding="utf-8")
    shown, console = measured(path.as_uri(), tmp_path, 900, TIME)
    check(shown, console, view, 1500, 1700, empty="regions")
    assert shown["bases"].encode() == dict(read_records(genome))[SHORT][1500:1700]
    with pytest.raises(GenezipError, match=r"cannot go to the contig 'b:1-2', .* by --page"):
        answers(view)


@needs_browser
def test_igv_js_reads_the_session_itself(one: Path, genome: Path, tmp_path: Path) -> None:
    """Relative files are found from the folder of the session, as by IGV on the desktop."""
    (one / "my.fa").write_bytes(genome.read_bytes())
    view = view_of([one], tmp_path, one / "my.fa")
    library = browse_page.LIBRARY.read_bytes()
    page = (
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body>'
        '<div id="igv"></div><script src="igv.js"></script><script>'
        "const started = igv.createBrowser(document.getElementById('igv'), "
        "{loadDefaultGenomes: false, sessionURL: 'igv_session.xml'});</script></body>"
    )
    session = session_text(session_of(view, one)).encode()
    found = {
        "": Answer("text/html", text=with_measure(page, len(view.tracks), 1500, 1700).encode()),
        "igv.js": Answer("text/javascript", text=library),
        "igv_session.xml": Answer("text/xml", text=session),
        **{name: Answer("", one / name) for name in ("my.fa", *(s.at for s in view.tracks))},
    }
    with serving(found) as url:
        shown, console = measured(url, tmp_path, 900, TIME)
    check(shown, console, view, 1500, 1700)
    assert shown["bases"].encode() == dict(read_records(genome))[LONG][1500:1700]


def embedded(path: Path) -> dict[str, Any]:
    match = re.search(r'id="browse-data">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def decoded(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2])


def test_one_file_has_the_locus_alone(one: Path, genome: Path, tmp_path: Path) -> None:
    view = view_of([one], tmp_path).at(f"{LONG}:2,001-2,100")
    write_page(view, tmp_path / "locus.html")
    data = embedded(tmp_path / "locus.html")
    head, bases, _ = decoded(data["reference"]["fastaURL"]).decode().split("\n")
    assert head == f">{LONG}:2001-2100 @len=40000"
    assert bases.encode() == dict(read_records(genome))[LONG][2000:2100]
    for shown, track in zip(view.tracks, data["tracks"], strict=True):
        if shown.track.title == "regions":  # they end at base 2,000
            assert track["features"] == [] and "url" not in track
            continue
        (tmp_path / "part").write_bytes(decoded(track["url"]))
        if not shown.track.is_bigwig:
            rows = gzip.decompress(decoded(track["url"])).decode().splitlines()
            spans = [tuple(map(int, row.split("\t")[1:3])) for row in rows]
            assert all(low < 2100 and high > 2000 for low, high in spans)
            continue
        with pyBigWig.open(str(tmp_path / "part")) as part, pyBigWig.open(str(shown.path)) as all_:
            assert part.chroms() == {LONG: 40_000}
            assert part.header()["nBasesCovered"] == 100
            assert part.values(LONG, 2000, 2100) == all_.values(LONG, 2000, 2100)


def test_pages_that_are_refused(one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of([one], tmp_path)
    whole = view.at(f"{LONG}:1-40,000")
    size = write_page(whole, tmp_path / "whole.html")
    monkeypatch.setattr(browse_page, "MOST_BYTES", size - 150_000)
    with pytest.raises(GenezipError, match=r"at most about [\d,]+ bp, as --locus (\S+)$") as error:
        write_page(whole, tmp_path / "out.html")
    assert not (tmp_path / "out.html").exists()
    advised = str(error.value).rpartition(" ")[2]
    assert write_page(view.at(advised), tmp_path / "out.html") < size - 150_000
    assert view.at(advised).locus[2] >= 8_000, "not much smaller than needed"
    monkeypatch.undo()
    with pytest.raises(GenezipError, match=r"cannot make the folder|cannot write"):
        write_page(view, one / "bpt.bw" / "locus.html")


def test_a_locus_without_values_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    with TrackWriter(folder, {"a": 500, "b": 900}) as tracks:
        tracks.add("a", 100, 200, np.full(10, 10), np.full(100, 0.5))
    view = view_of([folder], tmp_path)
    with pytest.raises(GenezipError, match=r"no track has a value at a:300-400; choose another"):
        write_page(view.at("a:300-400"), tmp_path / "out.html")
    with pytest.raises(GenezipError, match=r"no track has a value at b:1-900"):
        write_page(view.at("b"), tmp_path / "out.html")
