"""Every reader of a user's text takes what users' files have in them, from files and pipes."""

import gzip
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.formats import chrom_sizes, repeatmasker
from genezip.formats.lines import Input
from genezip.genome import liftover, region_rules
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_map import RegionMap
from genezip.genome.sources import splits

SIZES = {"chr1": 1000}


def chains(path: Input) -> object:
    return liftover.Liftover(path, {"chr1": 1000}, {"chr1": 900}).parts("chr1", 0, 1000)


def tables(path: Input, form: str) -> dict[str, pd.DataFrame]:
    return dict(read_gene_models(path, form, "all").tables())


# What it is -> its reader, and its rows.
READERS: dict[str, tuple[Callable[[Input], object], list[str]]] = {
    "gtf": (
        lambda path: tables(path, "gtf"),
        [
            'chr1\tt\texon\t11\t20\t.\t+\t.\tgene_id "g"; transcript_id "t"; gene_name "é";',
            'chr1\tt\texon\t31\t40\t.\t+\t.\tgene_id "g"; transcript_id "t"; gene_name "é";',
        ],
    ),
    "gff3": (
        lambda path: tables(path, "gff3"),
        [
            "chr1\tt\tgene\t11\t40\t.\t-\t.\tID=g;Name=é",
            "chr1\tt\tmRNA\t11\t40\t.\t-\t.\tID=t;Parent=g",
            "chr1\tt\texon\t11\t40\t.\t-\t.\tParent=t",
        ],
    ),
    "bed12": (
        lambda path: tables(path, "bed12"),
        ["chr1\t10\t50\té\t0\t+\t15\t45\t0\t2\t10,20,\t0,20,"] * 2,
    ),
    "bed": (
        lambda path: region_rules.read_bed_intervals(path, SIZES),
        ["chr1\t10\t50\té", "chr1\t60\t70\tb"],
    ),
    "bed9": (
        lambda path: RegionMap.read_bed(path).table(),
        [
            "chr1\t10\t50\tcds\t0\t.\t10\t50\t1,2,3",
            "chr1\t50\t70\tdig\t0\t.\t50\t70\t1,2,3",
        ],
    ),
    "out": (
        repeatmasker.read_rmsk_out,
        [
            "  239   29.4  1.9  1.0  chr1   101   400 (600) +  Alué   SINE/Alu   1 300 (0) 1",
            "  239   29.4  1.9  1.0  chr1   501   600 (400) C  AluY   SINE/Alu   1 300 (0) 2",
        ],
    ),
    "simpleRepeat": (
        repeatmasker.read_trf,
        [
            "chr1\t10\t50\ttrf\t6\t77.2\t6\t95\t3\t789\t33\t51\t0\t15\t1.43\té",
            "chr1\t60\t90\ttrf\t6\t77.2\t6\t95\t3\t789\t33\t51\t0\t15\t1.43\tTA",
        ],
    ),
    "chain": (chains, ["chain 9 chr1 1000 + 0 300 chr1 900 + 50 350 1", "100 10 10", "190"]),
    "sizes": (chrom_sizes.read_chrom_sizes, ["é\t7", "chr1\t1000"]),
    "regions": (splits.read_regions, ["chr1\t0\t9\ttest\té", "chr1\t9\t12\ttrain"]),
}

# Each makes dirty text of rows.
DIRT: dict[str, Callable[[list[str]], bytes]] = {
    "comments": lambda rows: joined(["# head", "#" + rows[0], *between(rows, "#" + rows[0])]),
    "indented comment": lambda rows: joined(between(rows, "  # note")),
    "blank lines": lambda rows: joined(["", " ", "\t", *between(rows, " \t "), ""]),
    "browser lines": lambda rows: joined(
        ["browser position chr1:1-9", *between(rows, "track\tname=x"), "track", "browser\tx"]
    ),
    "byte order mark": lambda rows: b"\xef\xbb\xbf" + joined(["# head", *rows]),
    "two marks": lambda rows: joined(between(rows, "\ufeff#\ufeff")),
    "CRLF": lambda rows: joined(between(rows, "# x")).replace(b"\n", b"\r\n"),
    "CR": lambda rows: joined(between(rows, "# x")).replace(b"\n", b"\r"),
    "no end": lambda rows: joined(rows)[:-1],
    "Latin-1": lambda rows: "\n".join(["# déjà vu", *rows, ""]).encode("latin-1"),
}


def joined(rows: list[str]) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def between(rows: list[str], line: str) -> list[str]:
    """Rows with a line before and after each."""
    return [line, *(text for row in rows for text in (row, line))]


PACKING: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "members": lambda data: b"".join(
        gzip.compress(data[k : k + 7], mtime=0) for k in range(0, len(data), 7)
    ),
    "padded": lambda data: gzip.compress(data, mtime=0) + bytes(10_240),
}


def same(one: object, other: object) -> bool:
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return one == other


@pytest.mark.parametrize(
    "packing",
    [p if p == "plain" else pytest.param(p, marks=pytest.mark.slow) for p in PACKING],
)
@pytest.mark.parametrize("dirt", DIRT)
@pytest.mark.parametrize("kind", READERS)
def test_dirt_changes_nothing(
    tmp_path: Path, messages: Callable[[], list[str]], kind: str, dirt: str, packing: str
) -> None:
    read, rows = READERS[kind]
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    clean.write_bytes(joined(rows))
    dirty.write_bytes(PACKING[packing](DIRT[dirt](rows)))
    wanted = read(clean)
    assert messages() == []
    assert same(read(dirty), wanted)
    expected = f"line 1 of {dirty} is not UTF-8; such lines are read as Latin-1"
    assert messages() == ([expected] if dirt == "Latin-1" else [])


@pytest.mark.parametrize("kind", ["gtf", "gff3"])
@pytest.mark.parametrize("head", ["##FASTA\n>chr1 x\n", ">chr1\ty\n"])
def test_a_fasta_ends_an_annotation(tmp_path: Path, kind: str, head: str) -> None:
    read, rows = READERS[kind]
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    clean.write_bytes(joined(rows))
    dirty.write_bytes(joined(rows) + head.encode() + b"ACGT\n" * 5)
    assert same(read(dirty), read(clean))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        ("# a\nchr1\t5\n".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (gzip.compress(b"# head\n" * 99, mtime=0)[:-9], "is a truncated or broken gzip file"),
    ],
)
def test_what_no_reader_takes(tmp_path: Path, kind: str, data: bytes, sentence: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(data)
    with pytest.raises(GenezipError, match=sentence) as caught:
        READERS[kind][0](path)
    assert str(path) in str(caught.value)
    with pytest.raises(GenezipError, match="is a folder"):
        READERS[kind][0](tmp_path)
    with pytest.raises(GenezipError, match="none does not exist"):
        READERS[kind][0](tmp_path / "none")


def too_late(*_: object) -> None:
    raise TimeoutError("a pipe was opened a second time")


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Makes a pipe into which bytes are written once; who opens it twice would wait for ever."""
    writers: list[threading.Thread] = []
    before = signal.signal(signal.SIGALRM, too_late)
    signal.alarm(60)

    def make(data: bytes) -> Path:
        path = tmp_path / "fifo"
        os.mkfifo(path)
        writers.append(threading.Thread(target=path.write_bytes, args=(data,), daemon=True))
        writers[-1].start()
        return path

    yield make
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    for writer in writers:
        writer.join(timeout=30)
        assert not writer.is_alive()


@pytest.mark.parametrize("packing", ["plain", "gzip"])
@pytest.mark.parametrize("kind", READERS)
def test_pipes_are_read(
    tmp_path: Path, fifo: Callable[[bytes], Path], kind: str, packing: str
) -> None:
    read, rows = READERS[kind]
    (tmp_path / "clean").write_bytes(joined(rows))
    wanted = read(tmp_path / "clean")
    assert same(read(fifo(PACKING[packing](joined(["# head", *rows])))), wanted)


@pytest.mark.parametrize("kind", READERS)
def test_a_malformed_row_of_a_pipe_is_named_by_its_line(
    fifo: Callable[[bytes], Path], kind: str
) -> None:
    read, rows = READERS[kind]
    row = "chain nine" if kind == "chain" else "no such row"
    path = fifo(joined(["# head", *rows, row]))
    with pytest.raises(GenezipError, match=rf"line {len(rows) + 2}\b") as caught:
        read(path)
    assert str(path) in str(caught.value)
