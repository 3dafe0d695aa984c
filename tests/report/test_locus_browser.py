"""What the embedded genome browser is given: sequence, loci, tracks."""

import dataclasses
import json
import re

from genezip.report.chapters import locus
from genezip.report.page import render
from genezip.report.results import Results


def test_sequence_loci_and_tracks(results: Results) -> None:
    found = locus.browser(results)
    assert found is not None
    head, bases, end = found["fasta"].split("\n")
    assert head == ">chr9:600001-665536 @len=665536" and len(bases) == 65_536 and end == ""
    assert found["places"] == [{"name": "chr9:600000-665536", "locus": "chr9:600001-665536"}]
    tracks = {track["name"]: track for track in found["tracks"]}
    assert [*tracks] == [
        "genes", "regions", "repeats",
        "genezip-tiny: boundary probability", "genezip-tiny: chunks",
        "hnet-tiny: boundary probability", "hnet-tiny: chunks",
    ]  # fmt: skip
    assert len(tracks["genezip-tiny: chunks"]["rows"]) == 512
    # igv.js takes the colour of a track before those of its features
    assert "color" not in tracks["genezip-tiny: chunks"] and "color" not in tracks["regions"]
    assert len({feature["color"] for feature in tracks["regions"]["features"]}) > 1
    assert len(set(tracks["genezip-tiny: chunks"]["shades"])) == 2
    assert tracks["genes"]["features"][0]["exons"] == [
        {"start": 618_000, "end": 619_500}, {"start": 648_000, "end": 650_000},
    ]  # fmt: skip
    names = [feature["name"] for feature in tracks["regions"]["features"]]
    assert names == ["near intergenic", "promoter", "UTR", "intron", "near intergenic"]
    tops = {
        tracks[f"{name}: boundary probability"]["max"] for name in ("genezip-tiny", "hnet-tiny")
    }
    assert len(tops) == 1  # one scale


def test_the_page_has_the_browser_only_with_a_sequence(results: Results) -> None:
    page = render(results, {})
    data = re.search(r'id="browser-data">(.*?)</script>', page, re.DOTALL)
    assert data and json.loads(data[1])["places"]
    table = results.locus[results.locus["kind"] != "dna"]
    without = render(dataclasses.replace(results, locus=table), {})
    assert 'id="browser-data"' not in without and len(without) < len(page) - 1_000_000
