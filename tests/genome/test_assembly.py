import shutil

import numpy as np
import pyfaidx
import pytest
from toolkit.dna import random_dna

from genezip.errors import GenezipError
from genezip.genome import assembly as assembly_module
from genezip.genome.assembly import Assembly

GENOME = {"chr1": "ACGTNNacgtACGTAC", "chr2": "TTTTNRYAAA"}
SEGMENTS = [("chr1", 2, 12, "train"), ("chr1", 12, 16, "valid"), ("chr2", 0, 10, "test")]


def reopen(folder):
    return Assembly.open(
        folder / "pieces.fa", folder / "pieces.tsv", folder / "chrom.sizes", "tiny"
    )


def test_bases_are_asked_for_by_genome_coordinate(make_assembly):
    assembly = make_assembly(GENOME, SEGMENTS)
    segment = assembly.segments[0]
    assert segment.length == 10
    assert assembly.sequence(segment).tobytes() == b"GTNNacgtAC"
    assert assembly.sequence(segment, 6, 8).tobytes() == b"ac"
    assert assembly.sequence(segment, 6, 6).tolist() == []
    assert assembly.ids(segment, 2, 7).tolist() == [5, 6, 7, 7, 3]
    assert assembly.chrom_sizes == {"chr1": 16, "chr2": 10}
    assert [p.name for p in assembly.segments_of("test")] == ["chr2:0-10"]


def test_bases_outside_a_segment_are_refused(make_assembly):
    assembly = make_assembly(GENOME, SEGMENTS)
    with pytest.raises(GenezipError, match="chr1:0-5 is not inside the segment chr1:2-12"):
        assembly.sequence(assembly.segments[0], 0, 5)


@pytest.mark.parametrize("block", [3, 1000])
def test_n_runs_are_whole_across_blocks(make_assembly, monkeypatch, block):
    monkeypatch.setattr(assembly_module, "_BLOCK_BP", block)
    assembly = make_assembly(GENOME, SEGMENTS)
    found = [np.stack(assembly.n_runs(segment), axis=1).tolist() for segment in assembly.segments]
    assert found == [[[4, 6]], [], [[4, 7]]]  # R and Y are no certain bases either


def test_missing_fasta(make_assembly, tmp_path):
    make_assembly(GENOME, SEGMENTS)
    (tmp_path / "pieces.fa").unlink()
    with pytest.raises(GenezipError, match=r"pieces\.fa does not exist"):
        reopen(tmp_path)


def test_fasta_that_cannot_be_indexed(make_assembly, tmp_path):
    make_assembly(GENOME, SEGMENTS)
    (tmp_path / "pieces.fa").write_text(">chr1:2-12\nAC\nACGT\nA\nACG\n")
    (tmp_path / "pieces.fa.fai").unlink()
    with pytest.raises(GenezipError, match=r"pieces\.fa cannot be indexed"):
        reopen(tmp_path)


def test_fasta_cut_short_under_its_index(make_assembly, tmp_path):
    make_assembly(GENOME, SEGMENTS)
    index = (tmp_path / "pieces.fa.fai").read_bytes()
    text = (tmp_path / "pieces.fa").read_text()
    (tmp_path / "pieces.fa").write_text(text[:-6])
    (tmp_path / "pieces.fa.fai").write_bytes(index)  # newer than the FASTA, so it is trusted
    with pytest.raises(GenezipError, match=r"cut short, or .*record chr2:0-10 is not at"):
        reopen(tmp_path)


@pytest.mark.parametrize(("width", "end"), [(60, "\n"), (7, "\n"), (7, "\r\n"), (1000, "\n")])
def test_every_stretch_equals_pyfaidx(make_assembly, tmp_path, width, end):
    text = random_dna(125, 3, "ACGTNacgtn")
    make_assembly({"chr1": "N" * 50 + text}, [("chr1", 50, 175, "train")])
    lines = end.join(text[i : i + width] for i in range(0, 125, width))
    (tmp_path / "pieces.fa").write_bytes(f">chr1:50-175 more{end}{lines}{end}".encode())
    (tmp_path / "pieces.fa.fai").unlink(missing_ok=True)
    assembly = reopen(tmp_path)
    segment = assembly.segments[0]
    slow = pyfaidx.Fasta(str(tmp_path / "pieces.fa"), as_raw=True, sequence_always_upper=False)
    for start in range(50, 175, 3):
        for stop in range(start + 1, 176, 5):
            found = assembly.sequence(segment, start, stop).tobytes().decode()
            truth = text[start - 50 : stop - 50]
            assert found == slow[segment.name][start - 50 : stop - 50] == truth


def test_index_of_another_file(make_assembly, tmp_path):
    """Equal names and lengths, other offsets: a longer header line shifts all bases."""
    make_assembly(GENOME, SEGMENTS)
    index = tmp_path / "pieces.fa.fai"
    before = index.read_bytes()
    path = tmp_path / "pieces.fa"
    path.write_text(path.read_text().replace(">chr1:12-16", ">chr1:12-16 a longer line"))
    index.write_bytes(before)  # newer than the FASTA, so it is trusted
    with pytest.raises(GenezipError, match=r"pieces\.fa\.fai is stale: record chr1:12-16"):
        reopen(tmp_path)
    index.unlink()
    reopen(tmp_path)


@pytest.mark.parametrize("letters", [1, 4095, 4096, 4097, 10_000])
def test_header_lines_of_any_length(make_assembly, tmp_path, letters):
    make_assembly(GENOME, SEGMENTS)
    path = tmp_path / "pieces.fa"
    for name in [segment.name for segment in reopen(tmp_path).segments]:
        path.write_text(path.read_text().replace(f">{name}", f">{name} {'x' * letters}"))
    (tmp_path / "pieces.fa.fai").unlink()
    segment = reopen(tmp_path).segments[0]
    found = reopen(tmp_path).sequence(segment, segment.start, segment.end).tobytes().decode()
    assert found == GENOME[segment.chrom][segment.start : segment.end]


def test_record_missing_or_of_another_length(make_assembly, tmp_path):
    make_assembly(GENOME, SEGMENTS)
    table = (tmp_path / "pieces.tsv").read_text()
    (tmp_path / "pieces.tsv").write_text(table.replace("chr1:12-16\t", "chr1:twelve\t"))
    with pytest.raises(GenezipError, match="has no record chr1:twelve"):
        reopen(tmp_path)
    (tmp_path / "pieces.tsv").write_text(table.replace("\t12\t16\t", "\t12\t15\t"))
    with pytest.raises(GenezipError, match=r"chr1:12-16 .* has 4 bases, .* lists 3"):
        reopen(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("chr1:12-16\tchr1\t12", "chr1:2-12\tchr1\t12", "lists the segment chr1:2-12 twice"),
        ("chr1\t12\t16", "chr1\t11\t15", "chr1:2-12 and chr1:12-16 .* overlap"),
        ("chr2\t0\t10", "chr2\t0\t11", "outside chr2, which has 10 bases: wrong build"),
        ("chr2\t0\t10", "chr3\t0\t10", "is on chr3, which has no length"),
        ("\ttest\t", "\theld\t", "has split 'held'"),
        ("chr2\t0\t10", "chr2\tzero\t10", "line 4 .* is malformed"),
        ("\tsplit\t", "\tpart\t", "lacks the column split"),
    ],
)
def test_wrong_segment_tables(make_assembly, tmp_path, old, new, sentence):
    make_assembly(GENOME, SEGMENTS)
    table = tmp_path / "pieces.tsv"
    assert table.read_text().count(old) == 1
    table.write_text(table.read_text().replace(old, new))
    with pytest.raises(GenezipError, match=sentence):
        reopen(tmp_path)


def test_missing_or_broken_tables(make_assembly, tmp_path):
    make_assembly(GENOME, SEGMENTS)
    shutil.copy(tmp_path / "chrom.sizes", tmp_path / "kept")
    (tmp_path / "chrom.sizes").write_text("chr1\t16\nchr2\t10\nchr1\t16\n")
    with pytest.raises(GenezipError, match=r"line 3 of .*chrom\.sizes .* a second time"):
        reopen(tmp_path)
    (tmp_path / "chrom.sizes").write_text("chr1\t16\nchr2 10\n")
    with pytest.raises(GenezipError, match=r"line 2 of .*chrom\.sizes"):
        reopen(tmp_path)
    shutil.copy(tmp_path / "kept", tmp_path / "chrom.sizes")
    (tmp_path / "pieces.tsv").unlink()
    with pytest.raises(GenezipError, match=r"pieces\.tsv does not exist"):
        reopen(tmp_path)
