"""bgzip files with their index, read back by htslib."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pysam
import pytest

from genezip.errors import GenezipError
from genezip.formats.bed import write_bed9
from genezip.formats.tabix import TBI_BP, atomic_indexed, index_of, open_indexed
from genezip.genome.region_map import RegionMap

EMPTY_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
ODD_NAMES = [
    "ctg:1-500",
    "x|y",
    'q"uote',
    "it's",
    "a;b=c",
    "HG002#1#chr1",
    "<&>",
    "naïve",
    "tr,ack",
]


def table(*rows: tuple[str, int, int]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["chrom", "start", "end"])
    return frame.assign(name="n", rgb="1,2,3")


def is_bgzip(path: Path) -> bool:
    data = path.read_bytes()
    return data[:4] == b"\x1f\x8b\x08\x04" and data[12:14] == b"BC" and data.endswith(EMPTY_BLOCK)


def test_every_interval_is_found_by_its_index(tmp_path: Path) -> None:
    starts = range(0, 3_000_000, 30)
    path = tmp_path / "a.bed.gz"
    frames = [table(*((chrom, at, at + 20) for at in starts)) for chrom in ("b", "a")]
    write_bed9(path, pd.concat(frames, ignore_index=True), "#head\n")
    assert is_bgzip(path)
    assert index_of(path) == tmp_path / "a.bed.gz.tbi"
    assert index_of(path).stat().st_mtime_ns >= path.stat().st_mtime_ns
    assert path.stat().st_size > 2 << 16  # many blocks
    with pysam.TabixFile(str(path)) as file:
        assert file.contigs == ["b", "a"]
        assert list(file.header) == ["#head"]
        for chrom in ("a", "b"):
            rows = [row.split("\t") for row in file.fetch(chrom, 2_000_015, 2_000_061)]
            assert [row[1:3] for row in rows] == [
                ["2000010", "2000030"],
                ["2000040", "2000060"],
            ]
    text = gzip.decompress(path.read_bytes()).decode()
    assert text.count("\n") == 2 * len(starts) + 1


@pytest.mark.parametrize("last", [TBI_BP, TBI_BP + 1])
def test_long_contigs_get_a_csi(tmp_path: Path, last: int) -> None:
    path = tmp_path / "a.bed.gz"
    kinds = {TBI_BP: ".tbi", TBI_BP + 1: ".csi"}
    write_bed9(path, table(("long", 5, 9), ("long", 1000, last)))
    assert {found.name for found in tmp_path.iterdir()} == {path.name, path.name + kinds[last]}
    with pysam.TabixFile(str(path), index=str(index_of(path))) as file:
        assert len(list(file.fetch("long", TBI_BP - 10, TBI_BP))) == 1
    # an index of the other kind would be that of another file
    write_bed9(path, table(("long", 5, 9)))
    assert index_of(path) == tmp_path / "a.bed.gz.tbi"
    assert len(list(tmp_path.iterdir())) == 2


def test_equal_rows_equal_bytes(tmp_path: Path) -> None:
    rows = table(("x", 0, 5), ("x", 7, 9))
    for name in ("a.bed.gz", "other.bed.gz"):
        write_bed9(tmp_path / name, rows)
        os.utime(tmp_path / name, (0, 0))
    for suffix in ("", ".tbi"):
        one, other = (tmp_path / f"{name}.bed.gz{suffix}" for name in ("a", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_no_rows(tmp_path: Path) -> None:
    write_bed9(tmp_path / "a.bed.gz", table())
    assert (tmp_path / "a.bed.gz").read_bytes() == EMPTY_BLOCK
    with pysam.TabixFile(str(tmp_path / "a.bed.gz")) as file:
        assert file.contigs == []


def test_odd_contig_names_are_written_and_read(tmp_path: Path) -> None:
    rows = table(*((name, 3, 8) for name in ODD_NAMES)).assign(name="cds")
    for suffix in ("bed", "bed.gz"):
        write_bed9(tmp_path / f"a.{suffix}", rows)
        assert RegionMap.read_bed(tmp_path / f"a.{suffix}").chroms == tuple(ODD_NAMES)
    with pysam.TabixFile(str(tmp_path / "a.bed.gz")) as file:
        assert file.contigs == ODD_NAMES
    with pytest.raises(GenezipError, match=r"b.bed.gz has a contig named #1, and in"):
        write_bed9(tmp_path / "b.bed.gz", table(("#1", 0, 5)))
    assert not (tmp_path / "b.bed.gz").exists()


def test_unsorted_rows_leave_the_old_files(tmp_path: Path) -> None:
    path = tmp_path / "a.bed.gz"
    write_bed9(path, table(("x", 0, 5)))
    before = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    for rows in ([("x", 7, 9), ("x", 0, 5)], [("x", 0, 5), ("y", 0, 5), ("x", 7, 9)]):
        with pytest.raises(GenezipError, match=r"a\.bed\.gz: its index cannot be written"):
            write_bed9(path, table(*rows))
        assert {found.name: found.read_bytes() for found in tmp_path.iterdir()} == before


FULL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from genezip.errors import GenezipError
from genezip.formats.tabix import atomic_indexed, open_indexed
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), -1))
noise = np.random.default_rng(0).integers(33, 126, 50_000).astype(np.uint8).tobytes()
try:
    with atomic_indexed(Path(sys.argv[1]), 9) as part, open_indexed(part) as packed:
        for _ in range(int(sys.argv[3])):
            packed.write(b"x\\t0\\t5\\t" + noise + b"\\n")
except GenezipError as error:
    print(error)
"""


@pytest.mark.parametrize(("limit", "rows"), [(20_000, 1), (60_000, 20)])
def test_a_full_disk_is_said(tmp_path: Path, limit: int, rows: int) -> None:
    """While rows are written, and at the end; in a process of its own, which must not crash."""
    path = tmp_path / "a.bed.gz"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path), str(limit), str(rows)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "a.bed.gz: File too large; free space" in done.stdout
    assert done.stderr == ""
    assert [found.name for found in tmp_path.iterdir()] == ["a.bed.gz"]
    assert path.read_bytes() == b"old"


def test_plain_bed_has_the_same_rows_and_no_index(tmp_path: Path) -> None:
    write_bed9(tmp_path / "a.bed.gz", table(("x", 0, 5)))
    write_bed9(tmp_path / "plain.bed", table(("x", 0, 5)))
    assert index_of(tmp_path / "plain.bed") is None
    packed = (tmp_path / "a.bed.gz").read_bytes()
    assert (tmp_path / "plain.bed").read_bytes() == gzip.decompress(packed)


def test_no_index_of_earlier_rows_is_left(tmp_path: Path) -> None:
    """Through a link to a file, and through a link to its folder."""
    real, link = tmp_path / "real" / "a.bed.gz", tmp_path / "link.bed.gz"
    old, new = [("x", 0, 5)], [(f"y{number}", 7, 9) for number in range(50)]
    write_bed9(real, table(*old))
    link.symlink_to(real)
    (tmp_path / "folder").symlink_to(real.parent)
    write_bed9(link, table(*new))
    for path in (link, real):  # a real file that was not written to keeps its own
        if index_of(path) is not None:
            with pysam.TabixFile(str(path)) as file:
                found = [row for chrom in file.contigs for row in file.fetch(chrom)]
            assert found == gzip.decompress(path.read_bytes()).decode().splitlines()
    assert index_of(link) is not None
    write_bed9(tmp_path / "folder" / "a.bed.gz", table(*new))
    assert index_of(real) == tmp_path / "real" / "a.bed.gz.tbi"


def test_an_error_in_between_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(KeyError),
        atomic_indexed(tmp_path / "a.bed.gz", 9) as part,
        open_indexed(part) as packed,
    ):
        packed.write(b"x\t0\t5\n")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
