import gzip
import resource
import signal

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.formats.bed import BED3, BED4_SPLIT, read_bed, write_bed9


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


def test_columns_that_have_no_name_are_not_read(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text("track x\nc\t0\t9\ta\tb\nc\t9\t9\n\nd\t1\t2\t\t\t\n")
    rows = [["c", 0, 9], ["c", 9, 9], ["d", 1, 2]]
    table = read_bed(path, BED3, more=True, empty=True)
    assert table.to_numpy().tolist() == rows
    assert list(table) == ["chrom", "start", "end"]
    assert str(table["start"].dtype) == "int64"
    with pytest.raises(GenezipError, match=r"line 2 .* has 5 tab-separated columns instead of 3"):
        read_bed(path, BED3, empty=True)
    with pytest.raises(GenezipError, match=r"line 3 .* has 3 tab-separated columns instead of 5"):
        read_bed(path, empty=True)  # all rows have as many as the first
    with pytest.raises(GenezipError, match=r"line 3 .* start and end are both 9 \(columns 2 and 3"):
        read_bed(path, BED3, more=True)


@pytest.mark.parametrize(
    ("row", "options", "sentence"),
    [
        ("c\t-1\t5\ttrain", {}, r"start -1 lies before the first base, 0 \(column 2\)"),
        ("c\t7\t5\ttrain", {"empty": True}, r"end 5 lies before start 7 \(columns 3 and 2\)"),
        ("c\t5\t5\ttrain", {}, r"start and end are both 5 \(columns 2 and 3\)"),
        ("c\t5\t9\ttrain", {"length": 5}, r"its window is not 5 bp long \(columns 2 and 3\)"),
        ("c\t5\t9\tdev", {"choices": {"split": ("train",)}}, r"split 'dev' \(column 4\) is none"),
        (
            "c\tx\t9\tdev",
            {"choices": {"split": ("train",)}},
            r"start 'x' \(column 2\) is not a whole",
        ),
    ],
)
def test_a_malformed_interval_is_named_by_line_and_column(tmp_path, row, options, sentence):
    path = tmp_path / "a.bed"
    path.write_text(f"# head\nc\t0\t5\ttrain\n{row}\n")
    with pytest.raises(GenezipError, match=f"^line 3 of .* is malformed: {sentence}.*; again$"):
        read_bed(path, BED4_SPLIT, todo="again", **options)


def test_rows_of_a_bed_are_numbered(tmp_path):
    (tmp_path / "a.bed").write_text("# head\nc\t0\t5\n\nc\t5\t6\n")
    assert read_bed(tmp_path / "a.bed", BED3, numbered=True)["line"].tolist() == [2, 4]
    (tmp_path / "b.bed").write_text("# head\n")
    assert read_bed(tmp_path / "b.bed", BED3).empty
    with pytest.raises(GenezipError, match="has no interval; name a BED file with some"):
        read_bed(tmp_path / "b.bed")
