"""Messages and progress: a bar on a terminal, lines in a log."""

import io
import logging
from itertools import pairwise

import pytest

from genezip import log


@pytest.fixture
def stderr(monkeypatch):
    """Standard error as a terminal or a file."""

    def become(terminal):
        stream = io.StringIO()
        stream.isatty = lambda: terminal
        monkeypatch.setattr("sys.stderr", stream)
        return stream

    return become


def test_messages_are_plain_and_warnings_name_the_program(stderr):
    stream = stderr(False)
    log.messages_to_stderr()
    log.messages_to_stderr()
    logging.getLogger("genezip.genome.names").info("3 of 4 contigs")
    logging.getLogger("genezip.genome.names").warning("no contig is known")
    assert stream.getvalue() == "3 of 4 contigs\ngenezip: no contig is known\n"


def test_quiet_lets_nothing_out(stderr):
    stream = stderr(False)
    log.messages_to_stderr()
    log.logger.warning("seen")
    with log.quiet():
        log.logger.info("of another process")
        log.logger.warning("of another process")
    log.logger.info("again")
    assert stream.getvalue() == "genezip: seen\nagain\n"


def test_a_log_gets_a_line_after_a_while(stderr, caplog, monkeypatch):
    stderr(False)
    monkeypatch.setattr(log, "LINE_SECONDS", -1.0)
    caplog.set_level(logging.INFO, "genezip")
    assert list(log.progress([5, 6, 7], "reading", unit="window")) == [5, 6, 7]
    assert caplog.messages == ["reading: 1 of 3 windows (33 %)", "reading: 2 of 3 windows (67 %)"]
    caplog.clear()
    with log.Progress("chr1.fa", None, "B", done=10) as shown:
        shown.show(speed="2 MB/s")
        shown.advance(1000)
    with log.Progress("chr1.fa", 2000, "bp") as shown:
        shown.advance(1000)
    assert caplog.messages == [
        "chr1.fa: 1,010 bytes, speed 2 MB/s",
        "chr1.fa: 1,000 of 2,000 bp (50 %)",
    ]


def test_long_work_gets_lines_ever_more_seldom(stderr, caplog, monkeypatch):
    """A step a second for five hours: a line at 30 s, then at every tenth, at last at 10 min."""
    stderr(False)
    clock = iter(range(1_000_000))
    monkeypatch.setattr(log.time, "monotonic", lambda: float(next(clock)))
    caplog.set_level(logging.INFO, "genezip")
    with log.Progress("fit", 18_000, "step") as shown:
        for _ in range(18_000):
            shown.advance()
    steps = [int(text.split()[1].replace(",", "")) for text in caplog.messages]
    assert steps[:4] == [30, 60, 90, 120]
    assert {later - earlier for earlier, later in pairwise(steps[-10:])} == {600}
    assert len(steps) < 70


def test_short_work_says_nothing_in_a_log(stderr, caplog):
    stream = stderr(False)
    caplog.set_level(logging.INFO, "genezip")
    list(log.progress(range(100), "counting"))
    assert caplog.messages == [] and stream.getvalue() == ""


def test_a_terminal_gets_a_bar_and_no_line(stderr, caplog, monkeypatch):
    stream = stderr(True)
    monkeypatch.setattr(log, "LINE_SECONDS", -1.0)
    caplog.set_level(logging.INFO, "genezip")
    list(log.progress(range(3), "counting"))
    assert "counting" in stream.getvalue() and caplog.messages == []


def test_another_process_shows_nothing(stderr, caplog, monkeypatch):
    monkeypatch.setattr(log, "LINE_SECONDS", -1.0)
    caplog.set_level(logging.INFO, "genezip")
    for terminal in (True, False):
        stream = stderr(terminal)
        list(log.progress(range(3), "counting", show=False))
        assert stream.getvalue() == ""
    assert caplog.messages == []
