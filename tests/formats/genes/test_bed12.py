import pytest

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models

CODING = "chr1\t10\t50\tNM_1\t0\t-\t15\t43\t0\t2\t10,20,\t0,20,"
NONCODING = "chr1\t60\t80\tNR_1\t0\t+\t80\t80\t0\t1\t20\t0"


def bounds(table):
    return [(int(a), int(b)) for a, b in zip(table["start"], table["end"], strict=True)]


def test_blocks_thick_part_and_rest(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text(f"track name=x\n#chrom\n{CODING}\n{NONCODING}\n")
    annotation = read_gene_models(path, "bed12")
    assert bounds(annotation.transcripts) == [(10, 50), (60, 80)]
    assert bounds(annotation.exons) == [(10, 20), (30, 50), (60, 80)]
    assert bounds(annotation.cds) == [(15, 20), (30, 43)]
    assert sorted(bounds(annotation.utr)) == [(10, 15), (43, 50)]
    assert annotation.tss()["position"].tolist() == [49, 60]
    assert annotation.transcripts["gene_type"].tolist() == ["protein_coding", "noncoding"]


def test_a_name_used_twice_stays_two_transcripts(tmp_path):
    path = tmp_path / "a.bed"
    path.write_text(f"{CODING}\n{CODING.replace('chr1', 'chr2')}\n")
    annotation = read_gene_models(path, "bed12")
    assert annotation.transcripts["transcript_id"].tolist() == ["NM_1", "NM_1_dup1"]
    assert annotation.transcripts["gene_id"].tolist() == ["NM_1", "NM_1"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("\t0,20,", "", "has 11 tab-separated columns instead of 12"),
        ("10,20,\t", "10,x,\t", "columns 7, 8 and 10 to 12 must be whole numbers"),
        ("10,20,\t", "10,\t", "column 10 is 2, but columns 11 and 12 have 1 sizes and 2 starts"),
        ("10,20,\t", "10,19,\t", "blocks do not reach from its start to its end"),
        ("\t0,20,", "\t1,20,", "blocks do not reach from its start to its end"),
        ("\t10\t50", "\t50\t10", "end 10 lies before start 50"),
        ("\t-\t", "\tminus\t", "strand 'minus'"),
        ("\t15\t", "\tx\t", "must be whole numbers"),
    ],
)
def test_malformed_rows_are_named_by_line(tmp_path, old, new, sentence):
    assert CODING.count(old) == 1
    path = tmp_path / "a.bed"
    path.write_text(f"{NONCODING}\n{CODING.replace(old, new)}\n")
    with pytest.raises(GenezipError, match=f"line 2 of .*{sentence}"):
        read_gene_models(path, "bed12")


def test_empty_file(tmp_path):
    (tmp_path / "a.bed").write_text("# nothing\n")
    with pytest.raises(GenezipError, match="has no row"):
        read_gene_models(tmp_path / "a.bed", "bed12")


def test_all_noncoding(tmp_path):
    (tmp_path / "a.bed").write_text(NONCODING + "\n")
    annotation = read_gene_models(tmp_path / "a.bed", "bed12")
    assert len(annotation.cds) == len(annotation.utr) == 0


@pytest.mark.slow
def test_refseq_of_the_whole_genome(mirror):
    annotation = read_gene_models(mirror / "annotation" / "refseq_refGene.hg38.bed12.gz", "bed12")
    assert len(annotation.transcripts) == 67_706
    assert annotation.transcripts["chrom"].nunique() == 263
    assert annotation.transcripts["transcript_id"].is_unique
