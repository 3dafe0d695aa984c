"""Tables of repeats get the contig names of the assembly, or are refused."""

import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.formats.repeatmasker import read_rmsk_out, read_trf
from genezip.genome.names import match_repeats

ALU = "2368 10.4 0.0 0.0 chr2 101 400 (99) + AluY SINE/Alu 1 299 (12) 3\n"
UNKNOWN = "239 9.4 0.0 0.0 chr1 11 42 (951) C MER1 Unknown (341) 34 3 2 *\n"
TRF = "chr1\t10000\t10468\ttrf\t6\t77.2\t6\t95\t3\t789\t33\t51\t0\t15\t1.43\tTAACCC\n"
NONE = "There were no repetitive sequences detected in /x/y.fa\n"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["chr1", "chr10", "chr2", "chrM"], ["1", "10", "2", "MT"]),
        (["1", "10", "2", "MT"], ["chr1", "chr10", "chr2", "chrM"]),
        (["a%3Bb", "x|y"], ["a;b", "x|y"]),
    ],
)
@pytest.mark.parametrize("kind", ["rmsk", "trf"])
def test_contig_names_are_converted_and_it_is_said(tmp_path, theirs, ours, kind, messages):
    if kind == "rmsk":
        (tmp_path / "a").write_text("".join(ALU.replace("chr2", name) for name in theirs))
        table = read_rmsk_out(tmp_path / "a")
    else:
        (tmp_path / "a").write_text("".join(TRF.replace("chr1", name) for name in theirs))
        table = read_trf(tmp_path / "a")
    matched = match_repeats("a", table, dict.fromkeys(ours, 20_000))
    assert matched["chrom"].tolist() == sorted(ours)
    converted = sum(old != new for old, new in zip(theirs, ours, strict=True))
    assert messages() == [
        f"a: contig names converted ({theirs[0]} -> {ours[0]}, {converted} in all)"
    ]
    pd.testing.assert_frame_equal(
        matched.drop(columns="chrom"), table.drop(columns="chrom"), check_like=True
    )


def test_a_table_of_another_genome_is_refused(tmp_path, messages, caplog):
    (tmp_path / "a").write_text(ALU + UNKNOWN)
    table = read_rmsk_out(tmp_path / "a")
    with pytest.raises(GenezipError, match=r"a and the assembly have no contig in common"):
        match_repeats("a", table, {"one": 500})
    with pytest.raises(
        GenezipError, match=r"a has a row that ends at 2:400, but 2 has 399 bases: wrong build"
    ):
        match_repeats("a", table, {"1": 500, "2": 399})
    caplog.clear()
    assert match_repeats("a", table, {"2": 400})["chrom"].tolist() == ["2"]
    assert messages() == [
        "a: contig names converted (chr2 -> 2, 1 in all)",
        "a: 1 intervals on 1 contigs that the assembly lacks are left out (chr1)",
    ]
    caplog.clear()
    assert match_repeats("a", table, {"chr1": 900, "chr2": 900}) is table
    assert messages() == []


def test_a_table_without_rows_is_said(tmp_path, messages):
    (tmp_path / "a").write_text(NONE)
    assert match_repeats("a", read_rmsk_out(tmp_path / "a"), {"1": 5}).empty
    assert messages() == ["a lists no repeat; results will have no base of its kind"]
