import pytest

from genezip.errors import GenezipError
from genezip.formats.repeatmasker import read_rmsk_out, read_trf

RMSK_HEAD = """   SW  perc perc perc  query      position in query           matching       repeat
score  div. del. ins.  sequence    begin     end    (left)    repeat         class/family

"""
ALU = "2368 10.4 0.0 0.0 chr2 101 400 (99) + AluY SINE/Alu 1 299 (12) 3\n"
UNKNOWN = "239 9.4 0.0 0.0 chr1 11 42 (951) C MER1 Unknown (341) 34 3 2 *\n"
TRF = "chr1\t10000\t10468\ttrf\t6\t77.2\t6\t95\t3\t789\t33\t51\t0\t15\t1.43\tTAACCC\n"


def test_rmsk_counts_from_zero_and_splits_class_and_family(tmp_path):
    path = tmp_path / "a.out"
    path.write_text(RMSK_HEAD + ALU + UNKNOWN)
    table = read_rmsk_out(path)
    assert table.drop(columns="divergence").to_numpy().tolist() == [
        ["chr1", 10, 42, "MER1", "Unknown", "Unknown"],
        ["chr2", 100, 400, "AluY", "SINE", "Alu"],
    ]
    assert table["divergence"].tolist() == pytest.approx([9.4, 10.4])


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2368 10.4 chr2\n", "line 5 .* has 3 columns instead of 15"),
        (ALU.replace("101", "500"), r"line 5 .* end 400 lies before start 500 \(columns 7 and 6\)"),
        ("chr1 100 200\n", r"line 5 .* does not begin with a score \(column 1\)"),
    ],
)
def test_malformed_rmsk_rows(tmp_path, row, sentence):
    (tmp_path / "a.out").write_text(RMSK_HEAD + ALU + row)
    with pytest.raises(GenezipError, match=sentence):
        read_rmsk_out(tmp_path / "a.out")


def test_trf(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text("#chrom\tchromStart\n" + TRF.replace("10000\t10468", "20000\t20009") + TRF)
    table = read_trf(path)
    assert table.to_numpy().tolist() == [
        ["chr1", 10000, 10468, 6, 77.2],
        ["chr1", 20000, 20009, 6, 77.2],
    ]


def test_malformed_and_empty_tables(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text(TRF + TRF.replace("\t77.2", "\tmany"))
    with pytest.raises(GenezipError, match=r"line 2 .* copies 'many' \(column 6\) is not a number"):
        read_trf(path)
    path.write_text(TRF + TRF.replace("10468", "9000"))
    with pytest.raises(GenezipError, match=r"line 2 .* end 9000 lies before start 10000"):
        read_trf(path)
    path.write_text("#chrom\n")
    with pytest.raises(GenezipError, match="has no repeat"):
        read_trf(path)
    with pytest.raises(GenezipError, match="has no repeat"):
        read_rmsk_out(path)


FIELDS = "463 1.3 0.6 1.7 chr1 101 200 (800) + AluY SINE/Alu 1 100 (0)"


@pytest.mark.parametrize(
    "row",
    [
        FIELDS + " 1",
        FIELDS,  # no ID
        FIELDS + " 1 *",
        FIELDS + " *",  # neither is a * an ID
        FIELDS.replace("463", "46.3") + " 1",
        FIELDS.replace("463", "46."),
        FIELDS.replace(" ", "\t") + "\t1",
        "   " + FIELDS + " 1   ",
    ],
)
def test_rows_of_rmsk_as_tools_write_them(tmp_path, row):
    (tmp_path / "a.out").write_text(RMSK_HEAD + row + "\n")
    table = read_rmsk_out(tmp_path / "a.out")
    assert table.iloc[0].tolist()[:-1] == ["chr1", 100, 200, "AluY", "SINE", "Alu"]
    assert table["divergence"].tolist() == pytest.approx([1.3])


NHMMER_HEAD = RMSK_HEAD.replace("   SW", "  bit")
NONE = "There were no repetitive sequences detected in /x/y.fa\n"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (RMSK_HEAD + ALU + RMSK_HEAD + UNKNOWN, 2),
        (RMSK_HEAD + ALU + "\n" + NHMMER_HEAD + UNKNOWN, 2),
        (ALU + UNKNOWN, 2),
        (NONE, 0),
        (NONE + NONE, 0),
        (NONE + RMSK_HEAD + ALU, 1),
        (RMSK_HEAD + ALU + NONE, 1),
        (RMSK_HEAD, 0),
        ("# made by hand\n" + RMSK_HEAD + "# here\n" + ALU, 1),
    ],
)
def test_heads_of_rmsk_may_stand_anywhere(tmp_path, text, rows):
    (tmp_path / "a.out").write_text(text)
    table = read_rmsk_out(tmp_path / "a.out")
    assert len(table) == rows
    columns = ["chrom", "start", "end", "repeat", "repeat_class", "family", "divergence"]
    assert list(table) == columns
    assert table["start"].dtype == "int64"


@pytest.mark.parametrize(("name", "rows"), [("no-id", 2), ("two-headers", 2), ("none", 0)])
def test_rmsk_of_the_cases(repo, name, rows):
    path = repo.parent / "shared" / "cases" / "repeatmasker" / f"{name}.out"
    if not path.exists():
        pytest.skip(f"no folder of cases at {path.parent}")
    assert len(read_rmsk_out(path)) == rows


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("chr1\t100\t200\n", "line 1 .* does not begin with a score"),
        (FIELDS.replace(" 1 100 (0)", " 1 100"), "line 1 .* has 13 columns instead of 15"),
        (FIELDS.replace("0.6 ", "") + " 1", r"line 1 .* column 9 is 'AluY' instead of \+ or C"),
        (FIELDS.replace("101", "0"), "line 1 .* start 0 lies before the first base, 1"),
        ("585 " + FIELDS + " 1 2", "line 1 .* has 17 columns instead of 15"),
        (FIELDS.replace("1.3", "x"), "line 1 .* column 2 is 'x' instead of a divergence"),
    ],
)
def test_other_files_are_no_rmsk(tmp_path, row, sentence):
    (tmp_path / "a.out").write_text(row)
    with pytest.raises(GenezipError, match=sentence):
        read_rmsk_out(tmp_path / "a.out")


def test_real_tables(mirror):
    rmsk = read_rmsk_out(mirror / "demo" / "rmsk.chr21_chr22.fa.out.gz")
    assert len(rmsk) == 2680
    first = ["chr21", 21999693, 22000000, "THE1A", "LTR", "ERVL-MaLR"]
    assert rmsk.iloc[0].tolist()[:-1] == first
    assert rmsk["divergence"].iloc[0] == pytest.approx(8.1)
    assert set(rmsk["chrom"]) == {"chr21", "chr22"}
    assert len(read_trf(mirror / "demo" / "trf_simpleRepeat.bed.gz")) == 2739
    windows = read_trf(mirror / "repeats" / "trf_simpleRepeat.hg38.windows.bed.gz")
    assert len(windows) == 2997
    assert (windows["period"] > 0).all()
