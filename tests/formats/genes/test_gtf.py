import gzip
from collections import Counter

import pyranges
import pytest

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models

IDS = 'gene_id "g1"; transcript_id "t1"; '
OTHER = 'gene_id "g1"; transcript_id "t2";'
BASIC = IDS + 'tag "CCDS"; tag "basic"; tag "appris";'


def bounds(table):
    return sorted((int(a), int(b)) for a, b in zip(table["start"], table["end"], strict=True))


def test_every_tag_attribute_is_seen(write_gtf):
    path = write_gtf(
        [
            ("chr1", "gene", 0, 90, "+", 'gene_id "g1"; gene_name "ONE"; gene_type "lncRNA";'),
            ("chr1", "transcript", 10, 50, "+", BASIC + ' gene_name "ONE"; gene_type "lncRNA";'),
            ("chr1", "exon", 10, 20, "+", BASIC),
            ("chr1", "exon", 30, 50, "+", BASIC),
            ("chr1", "transcript", 0, 90, "+", OTHER + ' tag "not_basic";'),
            ("chr1", "exon", 0, 90, "+", OTHER),
        ]
    )
    annotation = read_gene_models(path, "gtf")
    assert annotation.transcripts.to_dict("records") == [
        {
            "chrom": "chr1",
            "start": 10,
            "end": 50,
            "strand": "+",
            "transcript_id": "t1",
            "gene_id": "g1",
            "gene_name": "ONE",
            "gene_type": "lncRNA",
        }
    ]
    assert bounds(annotation.exons) == [(10, 20), (30, 50)]
    assert len(read_gene_models(path, "gtf", transcripts="all").transcripts) == 2


def test_no_basic_tag_says_what_to_set(write_gtf):
    path = write_gtf([("chr1", "transcript", 10, 50, "+", IDS), ("chr1", "exon", 10, 50, "+", IDS)])
    with pytest.raises(
        GenezipError, match=r"no row with tag \"basic\"; set regions.transcripts: all"
    ):
        read_gene_models(path, "gtf")


def test_stop_codon_is_cds_and_tss_is_zero_based(write_gtf):
    rows = [
        ("chr1", "transcript", 10, 50, "-", IDS),
        ("chr1", "exon", 10, 50, "-", IDS),
        ("chr1", "CDS", 23, 40, "-", IDS),
        ("chr1", "stop_codon", 20, 23, "-", IDS),
        ("chr1", "start_codon", 37, 40, "-", IDS),
    ]
    annotation = read_gene_models(write_gtf(rows), "gtf", transcripts="all")
    assert bounds(annotation.cds) == [(20, 23), (23, 40)]
    assert bounds(annotation.utr) == [(10, 20), (40, 50)]
    assert annotation.tss()["position"].tolist() == [49]
    plus = [(*row[:4], "+", row[5]) for row in rows]
    assert read_gene_models(write_gtf(plus), "gtf", transcripts="all").tss()[
        "position"
    ].tolist() == [10]


@pytest.mark.parametrize("names", [("UTR", "UTR"), ("five_prime_utr", "three_prime_utr")])
def test_utr_rows_of_gencode_and_ensembl(write_gtf, names):
    rows = [
        ("1", "transcript", 10, 50, "+", IDS),
        ("1", "exon", 10, 50, "+", IDS),
        ("1", "CDS", 20, 40, "+", IDS),
        ("1", names[0], 10, 20, "+", IDS),
        ("1", names[1], 43, 50, "+", IDS),  # the stop codon is left out, as Ensembl does
    ]
    assert bounds(read_gene_models(write_gtf(rows), "gtf", transcripts="all").utr) == [
        (10, 20),
        (43, 50),
    ]


def test_missing_utr_rows_use_the_own_cds_only(write_gtf):
    noncoding = 'gene_id "g1"; transcript_id "t3";'
    rows = [
        ("chr1", "exon", 10, 20, "+", IDS),
        ("chr1", "exon", 30, 50, "+", IDS),
        ("chr1", "CDS", 35, 40, "+", IDS),
        ("chr1", "exon", 5, 60, "+", OTHER),
        ("chr1", "CDS", 15, 60, "+", OTHER),
        ("chr1", "exon", 0, 70, "+", noncoding),
    ]
    utr = read_gene_models(write_gtf(rows), "gtf", transcripts="all").utr
    assert bounds(utr[utr["transcript_id"] == "t1"]) == [(10, 20), (30, 35), (40, 50)]
    assert bounds(utr[utr["transcript_id"] == "t2"]) == [(5, 15)]
    assert len(utr) == 4


def test_a_gene_swallows_no_part_that_has_a_transcript_id(write_gtf):
    gene = ("chr1", "gene", 8, 50, "-", 'gene_id "g1"; gene_name "ONE";')
    parts = [("chr1", "exon", 10, 20, "-", IDS), ("chr1", "exon", 30, 50, "-", OTHER)]
    annotation = read_gene_models(write_gtf([gene, *parts]), "gtf", transcripts="all")
    assert bounds(annotation.transcripts) == [(10, 20), (30, 50)]
    assert annotation.transcripts["transcript_id"].tolist() == ["t1", "t2"]
    assert annotation.transcripts["gene_id"].tolist() == ["g1", "g1"]
    assert sorted(annotation.tss()["position"]) == [19, 49]


def test_a_gene_without_transcripts_is_one(write_gtf):
    gene = ("chr1", "gene", 8, 50, "-", 'gene_id "g1"; gene_name "ONE";')
    parts = [("chr1", "exon", *span, "-", 'gene_id "g1";') for span in ((10, 20), (30, 50))]
    annotation = read_gene_models(write_gtf([gene, *parts]), "gtf", transcripts="all")
    assert bounds(annotation.transcripts) == [(8, 50)]
    assert annotation.transcripts["transcript_id"].tolist() == ["g1"]
    assert annotation.transcripts["gene_name"].tolist() == ["ONE"]
    assert set(annotation.exons["transcript_id"]) == {"g1"}
    assert annotation.tss()["position"].tolist() == [49]


def test_without_gene_and_transcript_rows_spans_are_transcripts(write_gtf):
    path = write_gtf(
        [
            ("chr1", "exon", 10, 20, "+", IDS),
            ("chr1", "exon", 30, 50, "+", IDS),
            ("chr1", "exon", 60, 70, "-", 'gene_id "g2";'),
        ]
    )
    annotation = read_gene_models(path, "gtf", transcripts="all")
    assert bounds(annotation.transcripts) == [(10, 50), (60, 70)]
    assert annotation.transcripts["transcript_id"].tolist() == ["t1", "g2"]


def test_a_gene_whose_transcripts_are_not_basic_stays_out(write_gtf):
    path = write_gtf(
        [
            ("chr1", "transcript", 10, 50, "+", BASIC),
            ("chr1", "exon", 10, 50, "+", BASIC),
            ("chr1", "gene", 60, 90, "+", 'gene_id "g2";'),
            ("chr1", "transcript", 60, 90, "+", 'gene_id "g2"; transcript_id "t9";'),
            ("chr1", "gene", 100, 120, "+", 'gene_id "g3";'),
        ]
    )
    assert bounds(read_gene_models(path, "gtf").transcripts) == [(10, 50)]


def test_a_transcript_without_any_part_is_one_exon(write_gtf):
    path = write_gtf([("chr1", "transcript", 10, 50, "+", IDS)])
    assert bounds(read_gene_models(path, "gtf", transcripts="all").exons) == [(10, 50)]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("chr1\tt\texon\t1\t9\t.\t+\t.", r"line 3 .* has 8 tab-separated columns instead of 9"),
        (
            "chr1\tt\texon\tone\t9\t.\t+\t.\tx",
            r"line 3 .* start 'one' \(column 4\) is no",
        ),
        (
            "chr1\tt\texon\t0\t9\t.\t+\t.\tx",
            r"line 3 .* 0 lies before .* base, 1 \(column 4\)",
        ),
        (
            "chr1\tt\texon\t9\t8\t.\t+\t.\tx",
            r"line 3 .* 8 lies before start 9 \(columns 5 and",
        ),
        (
            "chr1\tt\texon\t1\t9\t.\tplus\t.\tx",
            r"line 3 .* 'plus' is none of .* \(column 7\)",
        ),
    ],
)
def test_malformed_rows_are_named_by_line(write_gtf, line, sentence):
    path = write_gtf([("chr1", "exon", 10, 50, "+", BASIC)])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(GenezipError, match=sentence):
        read_gene_models(path, "gtf")


def test_gff3_given_as_gtf(write_gtf):
    path = write_gtf([("chr1", "exon", 10, 50, "+", "ID=e1;Parent=t1")])
    with pytest.raises(GenezipError, match=r"exon row at chr1:11-50 has neither transcript_id"):
        read_gene_models(path, "gtf", transcripts="all")


def test_truncated_gzip_is_named(write_gtf, tmp_path):
    rows = [("chr1", "exon", i, i + 9, "+", f'gene_id "g{i}"; tag "basic";') for i in range(3000)]
    whole = gzip.compress(write_gtf(rows).read_bytes())
    path = tmp_path / "cut.gtf.gz"
    path.write_bytes(whole)
    assert len(read_gene_models(path, "gtf").exons) == 3000
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GenezipError, match=r"cut\.gtf\.gz is a truncated or broken gzip file"):
        read_gene_models(path, "gtf")


def test_empty_missing_and_unknown(tmp_path, write_gtf):
    with pytest.raises(GenezipError, match=r"absent\.gtf does not exist"):
        read_gene_models(tmp_path / "absent.gtf", "gtf")
    with pytest.raises(GenezipError, match="no gene, transcript, exon or CDS row"):
        read_gene_models(write_gtf([]), "gtf")  # a header alone
    (tmp_path / "nothing.gtf").write_text("")
    with pytest.raises(GenezipError, match=r"nothing\.gtf is empty"):
        read_gene_models(tmp_path / "nothing.gtf", "gtf")
    with pytest.raises(GenezipError, match="'gtf2' is not an annotation format"):
        read_gene_models(write_gtf([]), "gtf2")


def test_gencode_38_chr17_basic_rows(mirror):
    """104,215 rows are tagged basic; start codons (3,657) are not needed, stops are CDS."""
    path = mirror / "annotation" / "gencode.v38.annotation.chr17.gtf.gz"
    annotation = read_gene_models(path, "gtf")
    counts = {name: len(table) for name, table in annotation.tables().items()}
    assert counts == {"transcripts": 5962, "exons": 44718, "cds": 36180 + 3668, "utr": 10030}
    assert sum(counts.values()) + 3657 == 104_215


@pytest.mark.slow  # of pyranges, not of ours
def test_a_reader_with_one_tag_per_row_loses_most_basic_rows(mirror):
    """pyranges keeps the last `tag` of a row, so that filtering its column loses 83 %."""
    path = mirror / "annotation" / "gencode.v38.annotation.chr17.gtf.gz"
    with gzip.open(path, "rt") as handle:
        basic = Counter(line.split("\t")[2] for line in handle if 'tag "basic";' in line)
    assert basic == {
        "transcript": 5962,
        "exon": 44_718,
        "CDS": 36_180,
        "UTR": 10_030,
        "start_codon": 3657,
        "stop_codon": 3668,
    }  # no gene row, and no selenocysteine row in this file
    assert basic.total() == 104_215
    table = pyranges.read_gtf(str(path)).df
    seen = int((table["tag"] == "basic").sum())
    assert seen == 17_444
    assert round(100 * (1 - seen / basic.total())) == 83


@pytest.mark.parametrize(
    "name", ["gencode.v22.annotation.chr22.gtf.gz", "ensembl91.GRCh38.chr9_1-1000000.gtf.gz"]
)
def test_derived_utr_equals_the_rows_of_real_files(mirror, tmp_path, name):
    """The rule for missing UTR rows gives, base for base, the UTR that the file spells out."""
    path = mirror / "annotation" / name
    with gzip.open(path, "rt") as handle:
        lines = [line for line in handle if line.split("\t")[2].lower()[-3:] != "utr"]
    (tmp_path / "without.gtf").write_text("".join(lines))
    stated = read_gene_models(path, "gtf")
    derived = read_gene_models(tmp_path / "without.gtf", "gtf")

    def bases(annotation):
        # CDS wins over UTR in the map; GENCODE counts the stop codon as UTR, Ensembl does not
        utr, cds = set(), set()
        for table, found in ((annotation.utr, utr), (annotation.cds, cds)):
            for start, end in bounds(table):
                found.update(range(start, end))
        return utr - cds

    assert bases(stated) == bases(derived)
    assert len(bases(stated)) > 10_000
