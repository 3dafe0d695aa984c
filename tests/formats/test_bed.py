import gzip
import resource
import signal

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.formats.bed import write_bed9


def test_bed9_plain_and_gzip_hold_the_same_rows(tmp_path):
    table = pd.DataFrame(
        {
            "chrom": ["chr1", "chr2"],
            "start": [0, 7],
            "end": [5, 9],
            "name": ["a", "b c"],
            "rgb": ["1,2,3", "4,5,6"],
            "score": [0, 1000],
            "strand": ["+", "-"],
        }
    )
    write_bed9(tmp_path / "a.bed", table)
    write_bed9(tmp_path / "a.bed.gz", table)
    expected = "chr1\t0\t5\ta\t0\t+\t0\t5\t1,2,3\nchr2\t7\t9\tb c\t1000\t-\t7\t9\t4,5,6\n"
    assert (tmp_path / "a.bed").read_text() == expected
    assert gzip.decompress((tmp_path / "a.bed.gz").read_bytes()).decode() == expected
    assert (tmp_path / "a.bed.gz").read_bytes()[4:8] == b"\0\0\0\0"  # no date inside


def test_full_disk_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text("old")
    table = pd.DataFrame({"chrom": "chr1", "start": range(9000), "end": range(1, 9001)})
    old_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    old_handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old_limit[1]))
    try:
        with pytest.raises(GenezipError, match=r"cannot write .*a\.bed: File too large"):
            write_bed9(path, table.assign(name="x", rgb="0,0,0"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old_limit)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.bed", "old")]
