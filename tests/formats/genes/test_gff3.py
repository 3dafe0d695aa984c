import gzip
import time
from functools import partial
from types import SimpleNamespace

import pytest

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.assembly import Segment
from genezip.genome.gene_models import read_gene_models
from genezip.genome.region_rules import build_region_map

read_all = partial(read_gene_models, format="gff3", transcripts="all")


def write(tmp_path, *rows):
    lines = [
        f"{chrom}\ttest\t{feature}\t{start + 1}\t{end}\t.\t{strand}\t.\t{attributes}\n"
        for chrom, feature, start, end, strand, attributes in rows
    ]
    path = tmp_path / "a.gff"
    path.write_text("##gff-version 3\n" + "".join(lines) + "###\n##FASTA\n>c\nACGT\n")
    return path


def bounds(table):
    return sorted((int(a), int(b)) for a, b in zip(table["start"], table["end"], strict=True))


def test_gene_mrna_exon_cds(tmp_path):
    annotation = read_all(
        write(
            tmp_path,
            ("c", "region", 0, 100, "+", "ID=c"),
            ("c", "gene", 10, 50, "-", "ID=g;gene=abc%2C1;gene_biotype=protein_coding"),
            ("c", "mRNA", 10, 50, "-", "ID=t;Parent=g"),
            ("c", "exon", 10, 20, "-", "ID=e1;Parent=t"),
            ("c", "exon", 30, 50, "-", "ID=e2;Parent=t"),
            ("c", "CDS", 15, 20, "-", "ID=p;Parent=t"),
            ("c", "CDS", 30, 43, "-", "ID=p;Parent=t"),
        )
    )
    assert bounds(annotation.transcripts) == [(10, 50)]
    row = annotation.transcripts.iloc[0]
    assert (row["transcript_id"], row["gene_id"], row["gene_name"]) == ("t", "g", "abc,1")
    assert row["gene_type"] == "protein_coding"
    assert bounds(annotation.exons) == [(10, 20), (30, 50)]
    assert bounds(annotation.cds) == [(15, 20), (30, 43)]
    assert bounds(annotation.utr) == [(10, 15), (43, 50)]
    assert annotation.tss()["position"].tolist() == [49]


def test_cds_on_the_gene_without_exon_rows(tmp_path):
    annotation = read_all(
        write(
            tmp_path,
            ("c", "gene", 10, 50, "+", "ID=g;Name=thrA"),
            ("c", "CDS", 10, 50, "+", "ID=p;Parent=g"),
            ("c", "pseudogene", 60, 90, "+", "ID=q"),
        )
    )
    assert bounds(annotation.transcripts) == [(10, 50), (60, 90)]
    assert bounds(annotation.exons) == [(10, 50), (60, 90)]
    assert bounds(annotation.cds) == [(10, 50)]
    assert len(annotation.utr) == 0


def test_cds_on_a_gene_that_has_a_transcript_belongs_to_it(tmp_path):
    annotation = read_all(
        write(
            tmp_path,
            ("c", "gene", 10, 50, "+", "ID=g"),
            ("c", "CDS", 15, 30, "+", "ID=p;Parent=g"),
            ("c", "CDS", 29, 45, "+", "ID=p;Parent=g"),  # ribosomal frameshift
            ("c", "mRNA", 10, 50, "+", "ID=t;Parent=g"),
            ("c", "exon", 10, 50, "+", "ID=e;Parent=t"),
        )
    )
    assert annotation.transcripts["transcript_id"].tolist() == ["t"]
    assert set(annotation.cds["transcript_id"]) == {"t"}
    assert bounds(annotation.utr) == [(10, 15), (45, 50)]


def test_an_exon_of_two_transcripts_counts_for_both(tmp_path):
    annotation = read_all(
        write(
            tmp_path,
            ("c", "gene", 0, 50, "+", "ID=g"),
            ("c", "mRNA", 0, 50, "+", "ID=t1;Parent=g"),
            ("c", "lnc_RNA", 0, 50, "+", "ID=t2;Parent=g"),
            ("c", "exon", 0, 50, "+", "Parent=t1,t2"),
            ("c", "CDS", 10, 20, "+", "ID=p;Parent=t1"),
        )
    )
    assert sorted(annotation.exons["transcript_id"]) == ["t1", "t2"]
    assert bounds(annotation.utr) == [(0, 10), (20, 50)]  # t1 only


def test_nested_rna_without_exon_rows_and_rows_without_parent(tmp_path):
    annotation = read_all(
        write(
            tmp_path,
            ("c", "gene", 0, 50, "+", "ID=g"),
            ("c", "primary_transcript", 0, 50, "+", "ID=t;Parent=g"),
            ("c", "exon", 0, 50, "+", "Parent=t"),
            ("c", "miRNA", 10, 30, "+", "ID=m;Parent=t"),
            ("c", "exon", 10, 30, "+", "Parent=m"),
            ("c", "gene", 60, 80, "-", "ID=h"),
            ("c", "tRNA", 60, 80, "-", "ID=r;Parent=h"),
            ("c", "CDS", 90, 99, "+", "ID=alone"),
        )
    )
    table = annotation.transcripts.set_index("transcript_id")
    assert table["gene_id"].to_dict() == {"t": "g", "m": "g", "r": "h", "alone": "alone"}
    assert bounds(annotation.exons) == [(0, 50), (10, 30), (60, 80), (90, 99)]


def test_basic_tag_is_needed_where_it_is_asked_for(tmp_path):
    rows = [
        ("c", "gene", 0, 50, "+", "ID=g"),
        ("c", "mRNA", 0, 50, "+", "ID=t1;Parent=g;tag=CCDS,basic"),
        ("c", "exon", 0, 50, "+", "Parent=t1;tag=CCDS,basic"),
        ("c", "mRNA", 0, 40, "+", "ID=t2;Parent=g"),
        ("c", "exon", 0, 40, "+", "Parent=t2"),
    ]
    assert bounds(read_gene_models(write(tmp_path, *rows), "gff3").exons) == [(0, 50)]
    assert len(read_gene_models(write(tmp_path, *rows), "gff3", transcripts="all").transcripts) == 2
    untagged = [(*row[:5], row[5].replace(";tag=CCDS,basic", "")) for row in rows]
    with pytest.raises(GenezipError, match=r'no row with tag "basic"; set regions\.transcripts'):
        read_gene_models(write(tmp_path, *untagged), "gff3")


def test_yeast(mirror):
    path = mirror / "other_systems" / "yeast_S288C.GCA_000146045.2_R64.genomic.gff.gz"
    annotation = read_all(path)
    with gzip.open(path, "rt") as handle:
        features = [line.split("\t")[2] for line in handle if not line.startswith("#")]
    assert len(annotation.cds) == features.count("CDS") == 6316
    # one transcript for each gene and pseudogene; 47 Ty genes hang their CDS on the gene row
    assert annotation.transcripts["gene_id"].nunique() == 6381 + 18
    assert len(annotation.transcripts) == 6381 + 18
    inside = annotation.exons.merge(annotation.transcripts, on=["transcript_id", "chrom"])
    assert (inside["start_x"] >= inside["start_y"]).all()
    assert (inside["end_x"] <= inside["end_y"]).all()


def test_region_map_of_yeast(mirror, messages):
    """60 % coding, short introns, no distal base: what one expects of a compact genome."""
    path = mirror / "other_systems" / "yeast_S288C.GCA_000146045.2_R64.genomic.gff.gz"
    with gzip.open(path, "rt") as handle:
        heads = [line.split() for line in handle if line.startswith("##sequence-region")]
    sizes = {chrom: int(end) for _, chrom, _, end in heads}
    segments = [
        Segment(c, c, 0, n, "train", "genes", False, False, False) for c, n in sizes.items()
    ]
    assembly = SimpleNamespace(segments=segments, chrom_sizes=sizes)
    region_map = build_region_map(
        {"genes": read_all(path)}, assembly, Regions(promoter_half_width=250)
    )
    table = region_map.table()
    bp = (table["end"] - table["start"]).groupby(table["name"]).sum().to_dict()
    assert bp == {
        "promoter": 2_967_508,
        "cds": 7_257_339,
        "utr": 5,  # bases skipped by ribosomal frameshifts; the file knows no UTR
        "exon": 24_046,
        "intron": 26_327,
        "nig": 1_796_101,
    }
    assert sum(bp.values()) == sum(sizes.values()) == 12_071_326
    assert messages() == ["no base is dig; its rows will be empty"]


def test_bacterial_genes_without_transcripts(mirror):
    name = "ecoli_K12_MG1655.GCF_000005845.2.genomic.gff.gz"
    annotation = read_all(mirror / "other_systems" / name)
    assert len(annotation.cds) == 4337
    assert (annotation.transcripts["gene_type"] == "protein_coding").sum() == 4288
    assert len(annotation.utr) == 0


def test_shared_parts_do_not_take_time(tmp_path):
    """Exons of many isoforms in one row each (FlyBase): copied as columns, not row by row."""
    rows = ["##gff-version 3"]
    for gene in range(1000):
        at = 1 + 1000 * gene
        names = [f"t{gene}.{k}" for k in range(10)]
        rows += [
            f"c\tx\tmRNA\t{at}\t{at + 900}\t.\t+\t.\tID={name};Parent=g{gene}" for name in names
        ]
        rows += [
            f"c\tx\texon\t{at + 100 * k}\t{at + 100 * k + 50}\t.\t+\t.\tParent={','.join(names)}"
            for k in range(9)
        ]
    path = tmp_path / "shared.gff3"
    path.write_text("\n".join(rows) + "\n")
    began = time.process_time()
    assert len(read_gene_models(path, "gff3", "all").exons) == 90_000
    assert time.process_time() - began < 20  # 1 s; row by row 100 s
