import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models
from genezip.genome.names import match_chrom_style, match_intervals, translate


@pytest.fixture
def annotation_on(write_gtf):
    def make(*chroms, end=50):
        return read_gene_models(
            write_gtf([(c, "exon", 10, end, "+", f'transcript_id "t{c}";') for c in chroms]),
            "gtf",
            transcripts="all",
        )

    return make


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (["1", "X", "MT"], ["chr1", "chrX", "chrM"]),
        (["chr1", "chrX", "chrM"], ["1", "X", "MT"]),
        (["chrI", "chrMT"], ["I", "MT"]),
    ],
)
def test_names_are_converted_and_it_is_said(annotation_on, theirs, ours, messages):
    matched = match_chrom_style(annotation_on(*theirs), dict.fromkeys(ours, 50))
    assert matched.transcripts["chrom"].tolist() == ours
    assert matched.exons["chrom"].tolist() == ours
    assert messages() == [
        f"genes.gtf: contig names converted ({theirs[0]} -> {ours[0]}, {len(ours)} in all)"
    ]


def test_equal_names_are_left_alone_in_silence(annotation_on, messages):
    annotation = annotation_on("1", "MT")
    assert match_chrom_style(annotation, {"1": 50, "MT": 50}) is annotation
    assert messages() == []


def test_contigs_that_the_assembly_lacks_are_dropped_with_their_number(
    annotation_on, messages, caplog
):
    annotation = annotation_on("chr1", "chr6_alt", end=50)
    matched = match_chrom_style(annotation, {"chr1": 50})
    assert matched.exons["chrom"].tolist() == ["chr1"]
    assert messages() == [
        "genes.gtf: 1 transcripts with 1 parts on 1 contigs that the assembly lacks are left out "
        "(chr6_alt)"
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_nothing_in_common_names_both(annotation_on):
    with pytest.raises(
        GenezipError,
        match=r"no contig in common \(it has a, b, c, ...; the assembly chr1, chr2\)",
    ):
        match_chrom_style(annotation_on("a", "b", "c", "d"), {"chr1": 50, "chr2": 50})


def test_a_row_beyond_its_contig_is_another_build(annotation_on):
    with pytest.raises(
        GenezipError, match=r"row of t1 that ends at chr1:51, but chr1 has 50 bases: wrong build"
    ):
        match_chrom_style(annotation_on("1", end=51), {"chr1": 50})


@pytest.mark.parametrize(
    ("name", "contigs", "found"),
    [
        ("1", ["chr1", "1"], "1"),  # the name itself goes first
        ("a%3Db%3Bc", ["a=b;c"], "a=b;c"),  # as GFF3 must write it
        ("a%3Db", ["a%3Db", "a=b"], "a%3Db"),
        ("x%", ["x"], "x%"),
        ("chr1:0-500", ["1:0-500"], "1:0-500"),
        ("ctg:1-500", ["ctg"], "ctg:1-500"),  # never a part of another contig
    ],
)
def test_odd_names(name, contigs, found):
    assert translate(name, dict.fromkeys(contigs, 1)) == found


def test_categories_keep_their_kind():
    table = pd.DataFrame({"chrom": ["1", "alt", "1"], "start": [0, 1, 2], "end": [5, 6, 7]})
    table["chrom"] = table["chrom"].astype("category")
    matched = match_intervals("a", table, {"chr1": 9, "chr2": 9})
    assert matched["chrom"].tolist() == ["chr1", "chr1"]
    assert list(matched["chrom"].cat.categories) == ["chr1"]


def test_intervals_are_matched_like_annotation(messages):
    table = pd.DataFrame(
        {"chrom": ["1", "alt", "1", "MT"], "start": [0, 1, 2, 3], "end": [5, 6, 7, 8]}
    )
    matched = match_intervals("a.bed", table, {"chr1": 7, "chrM": 8})
    assert matched.to_dict("list") == {
        "chrom": ["chr1", "chr1", "chrM"],
        "start": [0, 2, 3],
        "end": [5, 7, 8],
    }
    assert messages() == [
        "a.bed: contig names converted (1 -> chr1, 2 in all)",
        "a.bed: 1 intervals on 1 contigs that the assembly lacks are left out (alt)",
    ]
    with pytest.raises(GenezipError, match=r"a\.bed has a row that ends at chr1:7, but chr1 has 6"):
        match_intervals("a.bed", table, {"chr1": 6, "chrM": 8})
