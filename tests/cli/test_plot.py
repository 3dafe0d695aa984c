"""``genezip plot``: its files, and wrong input with one sentence and nothing half-written."""

import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from toolkit.command_line import tree
from toolkit.compressed_fasta import write_model
from toolkit.dna import random_dna
from toolkit.networks import LONG_CHUNKS

Cli = Callable[..., str]
GTF = 'c\tx\t{feature}\t1001\t{end}\t.\t+\t.\tgene_id "G"; transcript_id "T"; gene_name "GENE9";\n'


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "causal", **LONG_CHUNKS)
    write_model(folder / "sequence", k_min=(30, 4))
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "my.fa").write_text(f">c\n{random_dna(5_000, 1)}\n>d\n{random_dna(90, 2)}\n")
    (tmp_path / "out").mkdir()
    return tmp_path


def gtf(folder: Path, end: int = 1600, contig: str = "c") -> Path:
    path = folder / "genes.gtf"
    rows = "".join(GTF.format(feature=feature, end=end) for feature in ("transcript", "exon"))
    path.write_text(rows.replace("c\tx", f"{contig}\tx"))
    return path


def test_a_picture_with_genes(here: Path, models: Path, works: Cli) -> None:
    out = here / "out" / "a.svg"
    works("plot", here / "my.fa", "c:801-1,800", "--model", models / "causal",
          "--gtf", gtf(here), "--out", out)  # fmt: skip
    assert "GENE9" in out.read_text() and "c:801-1,800" in out.read_text()
    assert list(tree(here / "out")) == ["a.svg"]


@pytest.mark.parametrize(("model", "bound"), [("causal", "causal"), ("sequence", "causal")])
def test_mutations_are_a_picture_and_a_table(
    here: Path, models: Path, works: Cli, model: str, bound: str
) -> None:
    table = here / "out" / "m.tsv"
    works("plot", here / "my.fa", "c:3,001-3,040", "--model", models / model, "--mutate",
          "--at", 3021, "--table", table, "--out", here / "out" / "m.png")  # fmt: skip
    rows = pd.read_csv(table, sep="\t")
    assert len(rows) == 120 and set(rows["cut"]) == {3_020}
    assert (rows["start"].min(), rows["end"].max()) == (3_000, 3_040)
    sequence = random_dna(5_000, 1)
    assert [sequence[at] for at in rows["start"]] == rows["ref"].tolist()


def test_a_model_of_the_bound_sequence_is_drawn_in_windows(
    here: Path, models: Path, works: Cli
) -> None:
    out = here / "out" / "a.svg"
    works("plot", here / "my.fa", "c:801-1,800", "--model", models / "sequence", "--out", out)
    assert "Bound sequence; read in independent windows of 12,800 bp" in out.read_text()


@pytest.mark.parametrize(
    ("region", "more", "words"),
    [
        ("c:4,001-5,001", (), "reaches out of c, which has 5,000 bases"),
        ("e:1-20", (), "has no contig 'e'; it has c, d"),
        ("c:500-400", (), "has no length"),
        ("c:500-500", (), "has no length"),
        ("c:1-100", ("--at", 5), "no mutations are asked for"),
        ("c:1-100", ("--table", "t.tsv"), "--table is the table of --mutate"),
        ("c:1-100", ("--mutate", "--at", 101), "the cut 101 is outside the region"),
        ("c:1-600", ("--mutate",), "mutations are drawn of at most 500"),
        ("c:1-100", ("--mutate", "--at", 1), "begins a token whatever it is"),
    ],
)
def test_wrong_input(
    here: Path, models: Path, fails: Cli, region: str, more: tuple[object, ...], words: str
) -> None:
    said = fails("plot", here / "my.fa", region, "--model", models / "causal",
                 "--out", here / "out" / "a.svg", *more)  # fmt: skip
    assert words in said and ";" in said
    assert tree(here / "out") == {}


def test_no_probability_no_mutations(here: Path, fails: Cli) -> None:
    said = fails("plot", here / "my.fa", "c:1-100", "--model", "fixed:6", "--mutate",
                 "--out", here / "out" / "a.svg")  # fmt: skip
    assert "fixed-6 gives no boundary probability" in said
    assert tree(here / "out") == {}


def test_genes_of_another_genome(here: Path, fails: Cli) -> None:
    command = ("plot", here / "my.fa", "c:1-100", "--model", "fixed:6",
               "--out", here / "out" / "a.svg", "--gtf")  # fmt: skip
    said = fails(*command, gtf(here, contig="chr7"))
    assert "no contig in common (it has chr7; the assembly c, d)" in said
    said = fails(*command, gtf(here, end=5_001))
    assert "ends at c:5,001, but c has 5,000 bases" in said
    assert tree(here / "out") == {}


def test_outputs_that_cannot_be_written(here: Path, fails: Cli) -> None:
    command = ("plot", here / "my.fa", "c:1-100", "--model", "fixed:6", "--out")
    assert "is neither SVG nor PNG" in fails(*command, here / "out" / "a.jpg")
    assert "it is a folder" in fails(*command, folder(here / "out" / "b.svg"))
    (here / "file").write_text("")
    assert "cannot make the folder" in fails(*command, here / "file" / "a.svg")
    if os.geteuid():
        (here / "out").chmod(0o555)
        assert "Permission denied" in fails(*command, here / "out" / "a.svg")
        (here / "out").chmod(0o755)


def folder(path: Path) -> Path:
    path.mkdir()
    return path
