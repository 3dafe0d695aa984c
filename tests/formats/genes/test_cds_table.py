"""A table of coding sequences: columns by name, 0-based starts, and what is refused."""

import gzip

import pytest

from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models

HEAD = "seqid\tstart0\tend\tstrand\tlocus_tag\tgene\tproduct\tcompound\n"
ROWS = (
    'c\t9\t309\t+\tRv1\tdnaA\tinitiator; of "replication"\t0\n'
    "c\t400\t460\t-\tRv2\t\thypothetical\t0\n"
    "c\t500\t560\t.\t\t\t\t1\n"
)


def rows(table, *columns):
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_every_row_is_a_coding_transcript(tmp_path):
    path = tmp_path / "a.cds.tsv.gz"
    path.write_bytes(gzip.compress((HEAD + "# a comment\n" + ROWS).encode()))
    found = read_gene_models(path, transcripts="all")  # the format is inferred from the name
    names = ("chrom", "start", "end", "strand", "gene_id", "gene_name", "gene_type")
    assert rows(found.transcripts, *names) == [
        ("c", 9, 309, "+", "Rv1", "dnaA", "protein_coding"),
        ("c", 400, 460, "-", "Rv2", "Rv2", "protein_coding"),
        # gene models of all formats read an unknown strand as +
        ("c", 500, 560, "+", "c:500-560.", "c:500-560.", "protein_coding"),
    ]
    assert rows(found.cds, "start", "end") == rows(found.exons, "start", "end")
    assert rows(found.cds, "start", "end") == [(9, 309), (400, 460), (500, 560)]
    assert found.utr.empty
    assert found.tss()["position"].tolist() == [9, 459, 500]


def test_columns_in_another_order_and_without_names_of_genes(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("end\tnote\tseqid\tstrand\tstart0\n309\tx\tc\t-\t9\n")
    found = read_gene_models(path, transcripts="all")
    assert rows(found.cds, "chrom", "start", "end", "strand") == [("c", 9, 309, "-")]


def test_two_rows_of_one_locus_stay_two_transcripts_of_one_gene(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(HEAD + ROWS + "c\t700\t760\t+\tRv1\tdnaA\t\t0\n")
    found = read_gene_models(path, transcripts="all").transcripts
    assert found["transcript_id"].tolist() == ["Rv1", "Rv2", "c:500-560.", "Rv1_dup1"]
    assert found["gene_id"].tolist()[-1] == "Rv1"


def test_a_row_across_the_origin_of_a_circular_contig(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(HEAD + "c\t980\t1040\t-\tg\t\t\t0\n")
    found = read_gene_models(path, transcripts="all", circular={"c": 1000})
    assert sorted(rows(found.cds, "start", "end")) == [(0, 40), (980, 1000)]
    assert found.tss()["position"].tolist() == [39]


def test_tags(tmp_path, messages):
    path = tmp_path / "a.tsv"
    path.write_text(HEAD + ROWS)
    assert len(read_gene_models(path).transcripts) == 3
    assert messages() == ["a.tsv: a table of CDS has no tags, so all 3 rows are used"]
    with pytest.raises(GenezipError, match=r"has no row with tag .* set regions.transcripts: all"):
        read_gene_models(path, transcripts="canonical")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD.replace("start0", "start") + ROWS, "not a table of CDS: its header lacks start0; "),
        (
            HEAD.replace("\t", ",") + ROWS,
            "lacks seqid, start0, end, strand; name the columns seqid",
        ),
        (HEAD, "a.tsv has no row below its header"),
        (HEAD + ROWS.replace("\t309", "\t9", 1), "line 2 of .* start and end are both 9 .* empty"),
        (HEAD + ROWS.replace("460", "4e2"), r"line 3 of .* end '4e2' \(column 3\) is not a whole"),
        (HEAD + ROWS.replace("\t+", "\tplus"), "line 2 of .* strand 'plus' is none of"),
        (
            HEAD + ROWS.replace("\t1\n", "\n"),
            "line 4 of .* has 7 tab-separated columns instead of 8",
        ),
    ],
)
def test_wrong_tables_are_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(GenezipError, match=sentence) as caught:
        read_gene_models(path, transcripts="all")
    assert "\n" not in str(caught.value)
