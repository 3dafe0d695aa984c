"""BED files of the user's region classes."""

import gzip

import pytest

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.region_rules import read_bed_intervals, read_user_classes

SIZES = {"chr1": 60, "chrM": 9}


def settings(*beds):
    classes = [{"name": f"own{i}", "bed": bed, "before": "promoter"} for i, bed in enumerate(beds)]
    return Regions(classes=classes)


def rows(table):
    return list(table.itertuples(index=False, name=None))


def test_every_class_is_read_from_its_file_below_the_root(tmp_path, messages):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bed").write_text("# mine\ntrack name=x\nchr1\t3\t5\nchr1\t4\t9\n")
    packed = gzip.compress(b"1\t0\t60\tname\t0\t+\nMT\t0\t9\tname\t0\t-\n")
    (tmp_path / "b.bed.gz").write_bytes(packed)
    found = read_user_classes(settings("data/a.bed", "b.bed.gz"), tmp_path, SIZES)
    assert rows(found["own0"]) == [("chr1", 3, 5), ("chr1", 4, 9)]
    assert rows(found["own1"]) == [("chr1", 0, 60), ("chrM", 0, 9)]
    assert messages() == ["b.bed.gz: contig names converted (1 -> chr1, 2 in all)"]


def test_no_classes_need_no_file(tmp_path):
    assert read_user_classes(Regions(), tmp_path / "absent", SIZES) == {}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chr1\t3\t5\nchr1\tx\t5\n", r"line 2 of .* is malformed: start 'x' \(column 2\) is no"),
        ("chr1\t3\t5\nchr1\t7\t5\n", "line 2 of .* is malformed: end 5 lies before start 7"),
        ("chr1\t-3\t5\n", "line 1 of .* is malformed: start -3 lies before the first base"),
        ("chr1\t3\t5\nchr1\t3\t5\tx\n", "line 2 of .* it has 4 tab-separated columns"),
        ("chr1 3 5\n", "line 1 of .* has 1 tab-separated columns; BED has 3 to 12"),
        ("# nothing\n", "has no interval"),
        ("contig_7\t3\t5\n", r"a\.bed and the assembly have no contig in common"),
        ("chr1\t3\t5\nchr1\t3\t12345678901234567890123\n", "line 2 of .* of at most 18 digits"),
        (
            "chr1\t3\t5\nchr1\t3\t1_0\n",
            r"line 2 of .* end '1_0' \(column 3\) is not a whole number",
        ),
        ("chr1\t3\t61\n", "ends at chr1:61, but chr1 has 60 bases: wrong build"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path, text, sentence):
    (tmp_path / "a.bed").write_text(text)
    with pytest.raises(GenezipError, match=sentence) as caught:
        read_bed_intervals(tmp_path / "a.bed", SIZES)
    assert "\n" not in str(caught.value)


def test_empty_intervals_are_left_out_and_counted(tmp_path, messages):
    (tmp_path / "a.bed").write_text("chr1\t3\t3\nchr1\t4\t9\nchrM\t0\t0\nchrM\t2\t3\n")
    found = read_user_classes(settings("a.bed"), tmp_path, SIZES)
    assert rows(found["own0"]) == [("chr1", 4, 9), ("chrM", 2, 3)]
    assert messages() == ["a.bed: 2 empty intervals (start = end) are left out"]
    assert len(read_bed_intervals(tmp_path / "a.bed", SIZES)) == 4
    (tmp_path / "a.bed").write_text("chr1\t3\t3\n")
    with pytest.raises(GenezipError, match=r"a\.bed has only empty intervals"):
        read_user_classes(settings("a.bed"), tmp_path, SIZES)


def test_missing_and_truncated_files(tmp_path):
    with pytest.raises(GenezipError, match=r"a\.bed does not exist"):
        read_user_classes(settings("a.bed"), tmp_path, SIZES)
    whole = gzip.compress(b"".join(b"chr1\t%d\t%d\n" % (i, i + 1) for i in range(50)))
    (tmp_path / "a.bed").write_bytes(whole[:-12])
    with pytest.raises(GenezipError, match="truncated or broken gzip"):
        read_user_classes(settings("a.bed"), tmp_path, SIZES)
