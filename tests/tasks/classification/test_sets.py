"""Readers of labelled sets: every layout, and a sentence for every wrong input."""

import gzip

import pandas as pd
import pytest
from toolkit.dna import random_dna, reverse_complement

from genezip.errors import GenezipError
from genezip.tasks.classification.sets import (
    labelled,
    read_intervals,
    read_sequences,
    split_files,
)

ROWS = "sequence,label\nACGT,1\nacgu,0\nNNRA,1\n"


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    bases = random_dna(60, 3)
    path.write_text(f">chr1\n{bases}\n>chr2\nACGTACGT\n")
    return path, bases


def test_a_benchmark_is_a_file_for_each_split(tmp_path):
    for part, text in (("train", ROWS), ("test", "label,sequence\n1,TT\n")):
        (tmp_path / f"my_set.{part}.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "my_set.dev.csv").write_text("sequence,label\nGG,0\n")
    others = ("my_set.other.csv", "my_set.train.json", "not_my_set.train.csv", "my_set.csv")
    names = ("my_set.test.csv.gz", "my_set.dev.csv", *others, "my_set.train.csv.gz")
    found = split_files([tmp_path / name for name in names], "my_set")
    assert list(found) == ["train", "valid", "test"]
    table = read_sequences(list(found.values()))
    assert list(table) == ["example", "split", "sequence", "label", "class"]
    assert table["split"].tolist() == ["train"] * 3 + ["valid", "test"]
    assert table["sequence"].tolist() == ["ACGT", "ACGT", "NNNA", "GG", "TT"]
    assert table["label"].tolist() == ["1", "0", "1", "0", "1"]
    assert table["class"].tolist() == [1, 0, 1, 0, 1]
    assert table["example"].tolist() == list(range(5))


@pytest.mark.parametrize("other", ["b/a.dev.csv", "a.validation.csv.gz"])
def test_two_files_of_one_split_are_refused(tmp_path, other):
    paths = [tmp_path / name for name in ("a.train.csv", "a.dev.csv", other)]
    with pytest.raises(
        GenezipError, match=r"a\.dev\.csv and .* both the valid rows of a; list one"
    ):
        split_files(paths, "a")


def test_a_table_may_have_splits_coordinates_and_groups(tmp_path):
    path = tmp_path / "own.tsv"
    pd.DataFrame(
        {
            "more": [1, 2],
            "sequence": ["AC", "GT"],
            "label": ["b", "a"],
            "split": ["dev", "train"],
            "chrom": ["1", "X"],
            "start": [5, 7],
            "end": [7, 9],
            "strand": ["-", None],
            "group": ["x", "y"],
        }
    ).to_csv(path, sep="\t", index=False)
    with pytest.raises(GenezipError, match=r"own\.tsv has no training row of the class 'b'"):
        read_sequences([path])
    path.write_text(path.read_text().replace("dev", ""))
    with pytest.raises(GenezipError, match="no training row"):
        read_sequences([path])
    path.write_text(path.read_text().replace("train", ""))
    table = read_sequences([path])
    assert "more" not in table and table["split"].tolist() == ["", ""]
    assert table["sequence"].tolist() == ["AC", "GT"]  # given bases stay, whatever the strand
    assert table["class"].tolist() == [1, 0]
    assert table[["chrom", "start", "group"]].to_numpy().tolist() == [["1", 5, "x"], ["X", 7, "y"]]


def test_labels_that_are_numbers_are_in_their_order(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("sequence,label\nA,10\nC,9\nG,-1\n" + "A,10\n" * 3)
    assert read_sequences([path])["class"].tolist()[:3] == [2, 1, 0]
    path.write_text("sequence,label\nA,10\nC,9\nG,b\n" + "A,10\n" * 3)
    assert read_sequences([path])["class"].tolist()[:3] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sequence,label\nAC,1\nAZ,0\n", "line 3 of .*a.csv has the letter 'Z' at position 1"),
        ("sequence,label\nAC,1\n,0\n", "line 3 of .*a.csv: its sequence is empty"),
        ("sequence,label\nAC,1\nA,\n", "line 3 of .*a.csv: its label is empty"),
        ("sequence,label\nAC,1\nA,NA\n", "its label is empty .or NA.; mend"),
        (
            "sequence,label,group\nAC,1,g\nA,0,\n",
            "line 3 of .*a.csv: its group is empty .or NA.; m",
        ),
        ("sequence,class\nAC,1\n", "a.csv lacks the columns label"),
        ("sequence,label\nAC,1\nA,1\n", "a.csv has the class '1' alone"),
        ("sequence,label\nAC,.1\nA,.2\nA,.3\n", r"3 classes in 3 rows, '.1' among .* need bins"),
        ("sequence;label\nAC;1\n", "a.csv has the one column 'sequence;label', .* with commas"),
        ("", "a.csv is empty; mend the file"),
        ("sequence,label\n", "a.csv has no row"),
        (
            "sequence,label,split\nAC,1,test\nA,0,x\n",
            r"line 3 .*its split is none of .*dev.* \(x\)",
        ),
        ("sequence,label,split\nAC,1,train\nA,0,test\n", "no training row of the class '0'"),
        ("sequence,label,chrom,end\nAC,1,a,2\n", "has the column chrom and lacks start"),
        (
            "sequence,label,chrom,start,end\nAC,1,a,2,2\n",
            r"line 2 of .*start and end are both 2 \(columns 4 and 5\)",
        ),
        ("sequence,label,chrom,start,end\nAC,1,a,x,2\n", "line 2 of .*start 'x'"),
        ("sequence,label,chrom,start,end\nAC,1,,1,2\n", "line 2 of .*it has no chrom"),
        (
            "sequence,label,chrom,start,end,strand\nAC,1,a,1,2,f\n",
            r"line 2 of .*its strand is none of \+, -, \. \(f\)",
        ),
    ],
)
def test_a_wrong_table_is_one_sentence(tmp_path, text, told):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(GenezipError, match=told) as error:
        read_sequences([path])
    assert "\n" not in str(error.value)


def test_a_table_names_the_column_of_its_label(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("sequence,state,label\nA,on,x\nC,off,x\n")
    assert read_sequences([path], "state")["label"].tolist() == ["on", "off"]
    with pytest.raises(GenezipError, match=r"own\.csv lacks the columns kind"):
        read_sequences([path], "kind")


def test_a_bed_without_a_genome_is_refused(tmp_path):
    path = tmp_path / "own.bed"
    path.write_text("chr1\t0\t5\ta\n")
    with pytest.raises(GenezipError, match="also the FASTA of their genome"):
        read_sequences([path])


def test_labels_of_a_program_may_be_numbers():
    table = labelled([{"sequence": "AC", "label": 10}, {"sequence": "CC", "label": 9}])
    assert table["label"].tolist() == ["10", "9"] and table["class"].tolist() == [1, 0]
    with pytest.raises(GenezipError, match="line 2 of the rows: its label is empty"):
        labelled([{"sequence": "AC", "label": 10}, {"sequence": "CC", "label": None}])


def test_files_of_a_set_have_equal_columns(tmp_path):
    (tmp_path / "a.train.csv").write_text(ROWS)
    (tmp_path / "a.test.csv").write_text("sequence,label,group\nA,1,g\n")
    with pytest.raises(GenezipError, match=r"differ in the column group"):
        read_sequences([tmp_path / "a.train.csv", tmp_path / "a.test.csv"])
    with pytest.raises(GenezipError, match="does not exist"):
        read_sequences([tmp_path / "b.csv"])


def test_a_bed_gets_the_bases_of_its_strand(tmp_path, genome):
    fasta, bases = genome
    bed = tmp_path / "own.bed"
    bed.write_text("# own\nchr1\t3\t20\tyes\t0\t-\n1\t30\t40\tno\t0\t+\nchr2\t0\t8\tno\t0\t.\n")
    table = read_intervals(bed, fasta)
    assert table["sequence"].tolist() == [
        reverse_complement(bases[3:20]),
        bases[30:40],
        "ACGTACGT",
    ]
    assert table["label"].tolist() == ["yes", "no", "no"]
    assert table["split"].tolist() == ["", "", ""]
    assert list(table)[-4:] == ["chrom", "start", "end", "strand"]
    bed.write_text("chr1\t3\t20\tyes\nchr1\t30\t40\tno\n")
    assert "strand" not in read_intervals(bed, fasta)


def test_a_table_of_intervals_names_its_label(tmp_path, genome):
    fasta, bases = genome
    path = tmp_path / "own.csv"
    path.write_text(
        "chrom,start,end,state,label,split,sequence\n"
        "chr1,0,5,on,x,train,\nchr1,9,12,off,x,train,\nchr1,3,6,on,x,test,\n"
    )
    table = read_intervals(path, fasta, "state")
    assert table["label"].tolist() == ["on", "off", "on"]
    assert table["sequence"].tolist() == [bases[:5], bases[9:12], bases[3:6]]
    assert table["split"].tolist() == ["train", "train", "test"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("chr1\t0\t5\ta\nchr1\t50\t61\tb\n", "line 2 of .*chr1:50-61 ends outside .*60 bp"),
        ("chr1\t0\t5\ta\nchr7\t5\t6\tb\n", "has no chromosome chr7"),
        ("# none\n", "own.bed has no interval"),
        (
            "chr1\t0\t5\n",
            "line 1 of .*has 3 tab-separated columns; the label must be in the fourth",
        ),
        ("chr1\t0\t5\ta\t0\t*\n", "strand '\\*'"),
        ("chr1\t9\t5\ta\n", "end 5 lies before start 9"),
        ("chr1\t0\t5\ta\nchr1\t5\t6\ta\n", "has the class 'a' alone"),
    ],
)
def test_a_wrong_bed_is_one_sentence(tmp_path, genome, text, told):
    path = tmp_path / "own.bed"
    path.write_text(text)
    with pytest.raises(GenezipError, match=told):
        read_intervals(path, genome[0])


def test_the_real_sets_have_their_published_sizes(gue_set):
    table = gue_set("mouse_0")
    assert table["split"].value_counts().to_dict() == {"train": 6478, "valid": 810, "test": 810}
    assert set(table["sequence"].str.len()) == {101}
