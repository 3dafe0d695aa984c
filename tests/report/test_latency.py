"""The chapter on latency: device, versions, ratios at the longest shared length."""

import dataclasses

from genezip.report.chapters.cost import latency
from genezip.report.results import Results


def test_ratios_are_those_of_the_longest_length_that_all_have(results: Results) -> None:
    found = latency.section(results)
    assert found is not None
    assert "cpu, 1 thread, float32, torch 2.0" in found.text[0]
    assert found.text[1].startswith("At 4,096 bp of repeated snippet, genezip-tiny needs 0.0410 s")
    assert "4.0 times Mamba-2" in found.text[1]


def test_without_a_measurement_there_is_no_chapter(results: Results) -> None:
    none = dataclasses.replace(results, latency=results.latency.iloc[:0])
    assert latency.section(none) is None and latency.latency(none) is None
    untimed = dataclasses.replace(results, latency=results.latency.assign(median_ms=None))
    section = latency.section(untimed)
    assert section is not None and section.text == ["No length could be timed."]
    assert latency.latency(untimed) is None


def test_threads_are_a_count_where_a_row_was_not_timed(results: Results) -> None:
    table = results.latency.copy()
    table["threads"] = table["threads"].astype(float)
    found = latency.section(dataclasses.replace(results, latency=table))
    assert found is not None and "cpu, 1 thread, float32" in found.text[0]


def test_a_drawing_of_every_timed_row(results: Results) -> None:
    drawing = latency.latency(results)
    assert drawing is not None and len(drawing.data) == 6
    assert "Mamba-2" in drawing.svg and "1 Mb" in drawing.svg
