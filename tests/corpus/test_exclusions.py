"""Excluded DNA of every task, from hand-written files to the BED that is read back."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from toolkit.corpora import places, total

from genezip.cli import main
from genezip.corpus.exclusions import (
    EXCLUSION_COLUMNS,
    SUMMARY_COLUMNS,
    EvaluationIntervals,
    build_exclusions,
    merged_bp,
    read_exclusions,
    write_exclusions,
)
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg19_sizes, hg38_sizes

HG19, HG38 = hg19_sizes(), hg38_sizes()
Write = Callable[..., Path]
Collect = Callable[..., tuple[pd.DataFrame, pd.DataFrame, list[str]]]


def test_any_evaluation_may_be_excluded(messages: Callable[[], list[str]]) -> None:
    """The table knows no task: names, assembly and reasons are those of the caller."""
    rows = [("II", -5, 40, "valid", "probe 1"), ("II", 30, 99, "test", "probe 2")]
    table = pd.DataFrame(
        [*rows, ("V", 0, 9, "test", "probe 3")],
        columns=["chrom", "start", "end", "split", "reason"],
    )
    given = EvaluationIntervals("yeast", table, ("II", "V"), {"test": 2}, {"test": ["probe 4"]})
    other = EvaluationIntervals("away", table[table["chrom"] == "V"], ("II", "V"))
    found, summary = build_exclusions([given, other], [], {"II": 60})
    assert list(found.itertuples(index=False, name=None)) == [
        ("II", 0, 40, "yeast", "valid", "probe 1"),
        ("II", 30, 60, "yeast", "test", "probe 2"),
    ]
    assert total(summary, "yeast", "test", "absent") == 1
    assert total(summary, "yeast", "test", "widened") == 2
    assert total(summary, "yeast", "test", "not_lifted") == 1
    assert total(summary, "away", "test", "absent") == 1
    assert total(summary, "all", "all", "bp") == 60
    assert messages()[-1] == "away: all 1 intervals lie on chromosomes that the assembly lacks"
    with pytest.raises(GenezipError, match="no contig in common"):
        build_exclusions([replace(given, assembly=("chr2",))], [], {"sim1": 60})


CMP = "chr1\t0\t100\ttrain\nchr2\t50\t150\tvalid\nchr2\t100\t200\tvalid\nchr21\t7\t9\ttest\n"


def test_contact_map_windows_count_without_training(listed: Write, collect: Collect) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": CMP})
    table, summary, _ = collect(folder, "cmp")
    assert tuple(table.columns) == EXCLUSION_COLUMNS
    assert tuple(summary.columns) == SUMMARY_COLUMNS
    assert places(table) == [
        ("chr2", 50, 150, "valid"),
        ("chr2", 100, 200, "valid"),
        ("chr21", 7, 9, "test"),
    ]
    assert total(summary, "cmp", "valid", "intervals") == 2
    assert total(summary, "cmp", "valid", "bp") == 150
    assert total(summary, "all", "all", "bp") == 152


def test_activity_intervals_are_widened_and_clipped(listed: Write, collect: Collect) -> None:
    last = HG38["chr22"]
    rows = f"chr22\t1000\t132072\tvalid\nchr22\t{last - 140_000}\t{last - 8_928}\ttest\n"
    folder = listed("rsap", {"regulatory_sequence_activity_prediction/human/sequences.bed": rows})
    table, _, _ = collect(folder, "rsap")
    assert places(table) == [
        ("chr22", 0, 132_072 + 32_768, "valid"),
        ("chr22", last - 172_768, last, "test"),
    ]


def test_initiation_takes_whole_chromosomes(tmp_path: Path, collect: Collect) -> None:
    table, summary, _ = collect(tmp_path, "tisp")
    assert set(places(table)) == {
        ("chr8", 0, 145_138_636, "test"),
        ("chr9", 0, 138_394_717, "test"),
        ("chr10", 0, 133_797_422, "valid"),
    }
    assert total(summary, "all", "all", "bp") == 417_330_775


def test_other_names_of_chromosomes_are_converted(listed: Write, collect: Collect) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": CMP})
    sizes = {name.removeprefix("chr"): bp for name, bp in HG38.items()}
    table, _, logged = collect(folder, "cmp", "tisp", sizes=sizes)
    assert set(table["chrom"]) == {"2", "21", "8", "9", "10"}
    assert any("converted (chr2 -> 2" in line for line in logged)


def test_chromosomes_that_the_genome_lacks_are_counted(listed: Write, collect: Collect) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": CMP})
    sizes = {name: HG38[name] for name in ("chr2", "chr22")}
    table, summary, _ = collect(folder, "cmp", "tisp", sizes=sizes)
    assert places(table) == [("chr2", 50, 150, "valid"), ("chr2", 100, 200, "valid")]
    assert total(summary, "cmp", "test", "absent") == 1
    assert total(summary, "tisp", "test", "absent") == 2
    assert total(summary, "all", "all", "absent") == 4


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ({"sim1": 1000}, "no contig in common"),
        ({"chr1": HG19["chr1"]}, r"intervals of hg38, where chr1 has 248,956,422 bp"),
        ({"chr7": HG19["chr7"]}, r"where chr7 has 159,345,973 bp, but the genome has 159,138,663"),
        ({"chr1": HG38["chr1"], "chr2": 120}, r"where chr2 has 242,193,529 bp, but the genome"),
    ],
)
def test_another_genome_is_refused(
    tmp_path: Path, sizes: dict[str, int], sentence: str, collect: Collect
) -> None:
    with pytest.raises(GenezipError, match=sentence):
        collect(tmp_path, "tisp", sizes=sizes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chr1\t0\t9\ttrain\nchr1\t9\t18\tvalid\n", "hold no test input"),
        ("chr1\t0\t9\tvalid\nchr1\t9\t18\tholdout\n", r"split 'holdout' \(column 4\) is none of"),
        ("chr1\t9\t9\tvalid\nchr1\t9\t18\ttest\n", "line 1 of .* start and end are both 9"),
        ("chr1\t0\t9\tvalid\nchr1\t9\n", "line 2 of .* is malformed"),
        ("chr1\t0\tnine\tvalid\n", "line 1 of .* is malformed"),
        (f"chr1\t0\t9\tvalid\nchr21\t{HG38['chr21']}\t{HG38['chr21'] + 9}\ttest\n", "lies beyond"),
        ("II\t0\t9\tvalid\nII\t9\t18\ttest\n", "no contig in common"),
    ],
)
def test_wrong_lists_are_one_sentence(
    listed: Write, text: str, sentence: str, collect: Collect
) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": text})
    with pytest.raises(GenezipError, match=sentence):
        collect(folder, "cmp")


def test_missing_files_are_one_sentence(listed: Write, tmp_path: Path, collect: Collect) -> None:
    with pytest.raises(GenezipError, match=r"cmp\.intervals\.json does not exist; fetch"):
        collect(tmp_path, "cmp")
    folder = listed("rsap", {"human/other.bed": ""})
    with pytest.raises(GenezipError, match=r"lists no file human/sequences\.bed"):
        collect(folder, "rsap")
    (listed("cmp", {"x/sequences.bed": CMP}) / "x" / "sequences.bed").unlink()
    with pytest.raises(GenezipError, match=r"listed in .*, does not exist"):
        collect(folder, "cmp")


def test_own_files_are_excluded_too(tmp_path: Path, collect: Collect) -> None:
    (tmp_path / "own.bed").write_text("track x\n1\t5\t9\tname\n3\t0\t2\tname\n")
    table, summary, logged = collect(tmp_path, sizes={"chr1": 9, "chr2": 5}, beds=("own.bed",))
    assert table.iloc[0].tolist() == ["chr1", 5, 9, "bed", "all", "in own.bed"]
    assert total(summary, "bed", "all", "absent") == 1
    assert any("converted (1 -> chr1" in line for line in logged)
    with pytest.raises(GenezipError, match="no contig in common"):
        collect(tmp_path, sizes={"sim1": 9}, beds=("own.bed",))
    with pytest.raises(GenezipError, match="ends at chr1:9, but chr1 has 8 bases"):
        collect(tmp_path, sizes={"chr1": 8}, beds=("own.bed",))


@pytest.mark.parametrize("name", ["my\town.bed", "my\nown.bed"])
def test_a_file_name_that_would_break_the_table_is_refused(
    tmp_path: Path, name: str, collect: Collect
) -> None:
    (tmp_path / name).write_text("chr1\t5\t9\n")
    with pytest.raises(GenezipError, match="has a tab or a line end; rename the file"):
        collect(tmp_path, sizes={"chr1": 9}, beds=(name,))


def test_what_is_written_is_read_back(listed: Write, tmp_path: Path, collect: Collect) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": CMP})
    table, _, _ = collect(folder, "cmp", "tisp")
    out = tmp_path / "exclusions.bed.gz"
    write_exclusions(out, table)
    pd.testing.assert_frame_equal(read_exclusions(out, HG38), table, check_dtype=False)
    before = out.read_bytes()
    write_exclusions(out, table)
    assert out.read_bytes() == before
    with pytest.raises(GenezipError, match="not an interval of this genome"):
        read_exclusions(out, {"chr2": 160})


def test_without_tasks_the_table_is_empty_and_has_its_columns(
    tmp_path: Path, collect: Collect
) -> None:
    table, summary, _ = collect(tmp_path)
    assert table.empty
    assert total(summary, "all", "all", "bp") == 0
    write_exclusions(tmp_path / "none.bed.gz", table)
    again = read_exclusions(tmp_path / "none.bed.gz", HG38)
    assert again.empty
    assert tuple(again.columns) == EXCLUSION_COLUMNS
    (tmp_path / "other.txt").write_text("# some text\n")
    with pytest.raises(GenezipError, match="not a table of exclusions"):
        read_exclusions(tmp_path / "other.txt")


def test_real_contact_map_list(mirror: Path, listed: Write, collect: Collect) -> None:
    """The published list: sizes as counted from it by another program."""
    rows = gzip.decompress((mirror / "labels/splits/akita_sequences.hg38.bed.gz").read_bytes())
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": rows})
    table, summary, _ = collect(folder, "cmp")
    assert total(summary, "cmp", "valid", "intervals") == 419
    assert total(summary, "cmp", "test", "intervals") == 413
    assert merged_bp(table) == 483_917_824
    _, summary, _ = collect(folder, "cmp", "tisp")
    assert total(summary, "all", "all", "bp") == 845_674_071


def test_the_command_writes_both_tables(listed: Write, capsys: pytest.CaptureFixture) -> None:
    folder = listed("cmp", {"contact_map_prediction/sequences.bed": CMP})
    sizes = folder / "chrom.sizes"
    sizes.write_text("".join(f"{name}\t{bp}\n" for name, bp in HG38.items()))
    out, summary = folder / "out" / "exclusions.bed.gz", folder / "out" / "exclusions.tsv"
    arguments = ["leakage", "exclusions", f"--intervals={folder}", f"--chrom-sizes={sizes}"]
    arguments += [f"--root={folder}", f"--out={out}", f"--summary={summary}"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, '--settings={"tasks": ["cmp"]}'])
    assert not ended.value.code
    assert gzip.decompress(out.read_bytes()).decode().splitlines()[:2] == [
        "# chrom\tstart\tend\ttask\tsplit\treason",
        "chr2\t50\t150\tcmp\tvalid\tcontact map window",
    ]
    assert summary.read_text().splitlines()[-1].startswith("all\tall\t3\t152\t0\t0\t0")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, '--settings={"tasks": ["rsap"]}'])
    assert ended.value.code == 1
    assert "rsap.intervals.json does not exist" in capsys.readouterr().err
    assert len(read_exclusions(out)) == 3  # the older table is as it was


def test_a_table_stands_only_beside_its_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    sizes, out = tmp_path / "chrom.sizes", tmp_path / "exclusions.bed"
    sizes.write_text("chr1\t9\n")
    (tmp_path / "summary").mkdir()  # in the place of the file
    arguments = ["leakage", "exclusions", f"--chrom-sizes={sizes}", f"--out={out}"]
    with pytest.raises(SystemExit) as ended:
        main([*arguments, f"--summary={tmp_path / 'summary'}", '--settings={"tasks": []}'])
    assert ended.value.code == 1
    assert "cannot write" in capsys.readouterr().err
    assert not out.exists()
