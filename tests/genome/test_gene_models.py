"""Choice of transcripts by tag and of genes by type, in every format."""

import gzip

import pytest

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models

GTF = [
    ("c", "gene", 0, 90, "+", 'gene_id "g"; {kind} "protein_coding";'),
    ("c", "transcript", 0, 50, "+", 'gene_id "g"; transcript_id "t1"; {kind} "protein_coding"; '
     'tag "basic"; tag "Ensembl_canonical"; tag "MANE_Select";'),
    ("c", "exon", 0, 50, "+", 'gene_id "g"; transcript_id "t1"; tag "basic"; '
     'tag "Ensembl_canonical"; tag "MANE_Select";'),
    ("c", "transcript", 0, 90, "+", 'gene_id "g"; transcript_id "t2"; {kind} "protein_coding"; '
     'tag "basic";'),
    ("c", "exon", 0, 90, "+", 'gene_id "g"; transcript_id "t2"; tag "basic";'),
    ("c", "gene", 100, 120, "-", 'gene_id "h"; {kind} "lncRNA";'),
    ("c", "transcript", 100, 120, "-", 'gene_id "h"; transcript_id "u"; {kind} "lncRNA"; '
     'tag "Ensembl_canonical";'),
    ("c", "exon", 100, 120, "-", 'gene_id "h"; transcript_id "u"; tag "Ensembl_canonical";'),
]  # fmt: skip
GFF3 = """c\t.\tgene\t1\t90\t.\t+\t.\tID=gene:g;{kind}=protein_coding
c\t.\tmRNA\t1\t50\t.\t+\t.\tID=t1;Parent=gene:g;tag=basic,{tag}
c\t.\texon\t1\t50\t.\t+\t.\tParent=t1
c\t.\tmRNA\t1\t90\t.\t+\t.\tID=t2;Parent=gene:g;tag=basic
c\t.\texon\t1\t90\t.\t+\t.\tParent=t2
c\t.\tncRNA_gene\t101\t120\t.\t-\t.\tID=gene:h;{kind}=lncRNA
c\t.\tlnc_RNA\t101\t120\t.\t-\t.\tID=u;Parent=gene:h
c\t.\texon\t101\t120\t.\t-\t.\tParent=u
"""
BED12 = (
    "c\t10\t50\tNM_1\t0\t-\t15\t43\t0\t2\t10,20,\t0,20,\n"
    "c\t60\t80\tNR_1\t0\t+\t80\t80\t0\t1\t20\t0\n"
)


def ids(annotation):
    return sorted(annotation.transcripts["transcript_id"])


def written(tmp_path, text):
    (tmp_path / "a").write_text(text)
    return tmp_path / "a"


@pytest.fixture
def gtf(write_gtf):
    def write(kind="gene_type"):
        return write_gtf([(*row[:5], row[5].replace("{kind}", kind)) for row in GTF])

    return write


@pytest.mark.parametrize(
    ("transcripts", "kept"),
    [("all", ["t1", "t2", "u"]), ("basic", ["t1", "t2"]), ("canonical", ["t1", "u"])],
)
def test_gtf_transcripts_by_tag(gtf, transcripts, kept):
    annotation = read_gene_models(gtf(), "gtf", transcripts)
    assert ids(annotation) == kept
    assert sorted(annotation.exons["transcript_id"]) == kept


@pytest.mark.parametrize("tag", ["Ensembl_canonical", "MANE_Select", "CCDS,MANE Select"])
def test_gff3_transcripts_by_tag(tmp_path, tag):
    path = written(tmp_path, GFF3.format(kind="biotype", tag=tag))
    annotation = read_gene_models(path, "gff3", "canonical")
    assert ids(annotation) == sorted(annotation.exons["transcript_id"]) == ["t1"]
    assert ids(read_gene_models(path, "gff3", "basic")) == ["t1", "t2"]
    assert ids(read_gene_models(path, "gff3", "all")) == ["t1", "t2", "u"]


@pytest.mark.parametrize("kind", ["gene_type", "gene_biotype"])
def test_gtf_genes_by_type(gtf, kind):
    annotation = read_gene_models(gtf(kind), "gtf", "all", ["lncRNA"])
    assert ids(annotation) == annotation.exons["transcript_id"].tolist() == ["u"]
    assert (
        len(read_gene_models(gtf(kind), "gtf", "all", ["protein_coding", "lncRNA"]).transcripts)
        == 3
    )


def test_gtf_types_of_gene_rows_serve_transcripts_that_name_none(write_gtf):
    """NCBI gives the type on the gene row only."""
    rows = [
        ("c", "gene", 0, 50, "+", 'gene_id "g"; gene_biotype "lncRNA";'),
        ("c", "transcript", 0, 50, "+", 'gene_id "g"; transcript_id "t"; transcript_biotype "x";'),
        ("c", "exon", 0, 50, "+", 'gene_id "g"; transcript_id "t";'),
        ("c", "gene", 60, 80, "+", 'gene_id "h"; gene_biotype "tRNA";'),
        ("c", "exon", 90, 95, "+", 'gene_id "i"; transcript_id "v"; gene_biotype "miRNA";'),
    ]
    table = read_gene_models(write_gtf(rows), "gtf", "all").transcripts.set_index("transcript_id")
    assert table["gene_type"].to_dict() == {"t": "lncRNA", "h": "tRNA", "v": "miRNA"}
    assert ids(read_gene_models(write_gtf(rows), "gtf", "all", ["lncRNA"])) == ["t"]


@pytest.mark.parametrize("kind", ["gene_type", "gene_biotype", "biotype"])
def test_gff3_genes_by_type(tmp_path, kind):
    path = written(tmp_path, GFF3.format(kind=kind, tag="x"))
    assert ids(read_gene_models(path, "gff3", "all", ["lncRNA"])) == ["u"]


def test_bed12_genes_by_derived_type(tmp_path):
    path = written(tmp_path, BED12)
    coding = read_gene_models(path, "bed12", "basic", ["protein_coding"])
    assert ids(coding) == ["NM_1"]
    assert len(coding.exons) == 2
    noncoding = read_gene_models(path, "bed12", "all", ["noncoding"])
    assert (ids(noncoding), len(noncoding.cds), len(noncoding.utr)) == (["NR_1"], 0, 0)


def test_a_type_that_no_gene_has_names_those_found(gtf, tmp_path, write_gtf):
    with pytest.raises(
        GenezipError,
        match=r"is of the type 'mRNA', which regions\.gene_types lists; the file has "
        "protein_coding, lncRNA$",
    ):
        read_gene_models(gtf(), "gtf", "all", ["protein_coding", "mRNA"])
    with pytest.raises(GenezipError, match=r"the file has protein_coding, noncoding$"):
        read_gene_models(written(tmp_path, BED12), "bed12", "all", ["lncRNA"])
    untyped = write_gtf([("c", "exon", 0, 9, "+", 'transcript_id "t";')])
    with pytest.raises(GenezipError, match=r"the file has no type at all$"):
        read_gene_models(untyped, "gtf", "all", ["lncRNA"])


def test_canonical_without_tags_is_one_sentence_in_every_format(tmp_path, write_gtf):
    untagged = write_gtf([("c", "exon", 0, 9, "+", 'transcript_id "t"; tag "basic";')])
    files = {
        "gtf": untagged,
        "gff3": written(tmp_path, GFF3.format(kind="biotype", tag="CCDS")),
    }
    (tmp_path / "b").write_text(BED12)
    for form, path in {**files, "bed12": tmp_path / "b"}.items():
        with pytest.raises(
            GenezipError, match='no row with tag "Ensembl_canonical" or "MANE_Select"; set'
        ) as caught:
            read_gene_models(path, form, "canonical")
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_one_canonical_transcript_per_gene_of_gencode_38(mirror):
    path = mirror / "annotation" / "gencode.v38.annotation.chr17.gtf.gz"
    table = read_gene_models(path, "gtf", "canonical").transcripts
    with gzip.open(path, "rt") as handle:
        genes = sum(line.split("\t")[2] == "gene" for line in handle if line[0] != "#")
    assert len(table) == table["gene_id"].nunique() == genes == 3057
    coding = read_gene_models(path, "gtf", "canonical", ["protein_coding"]).transcripts
    assert set(coding["gene_type"]) == {"protein_coding"}
    assert 1000 < len(coding) < 1300
