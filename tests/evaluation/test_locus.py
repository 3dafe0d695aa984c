"""The locus of the page: choice, bins, region runs, gene models."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from genezip.errors import GenezipError
from genezip.evaluation.locus import (
    BIN_COLUMNS,
    GENE_COLUMNS,
    Locus,
    bin_width,
    bins,
    choose_locus,
    gene_models,
    locus_tables,
    parse_locus,
)
from genezip.genome.gene_models import Annotation
from genezip.inference.table import CompressedFile


def annotation():
    transcripts = pd.DataFrame(
        [
            ("c", 100, 900, "+", "t1", "g1", "GENE", "protein_coding"),
            ("c", 0, 950, "+", "t2", "g1", "GENE", "protein_coding"),
            ("c", 600, 700, "-", "t3", "g2", None, "lncRNA"),
            ("d", 100, 900, "+", "t4", "g3", "ELSEWHERE", "protein_coding"),
        ],
        columns=[
            "chrom", "start", "end", "strand", "transcript_id", "gene_id", "gene_name", "gene_type",
        ],
    )  # fmt: skip
    parts = ["chrom", "start", "end", "strand", "transcript_id"]
    exons = [("c", 100, 300, "+", "t1"), ("c", 850, 900, "+", "t1"), ("c", 0, 950, "+", "t2")]
    cds = pd.DataFrame([("c", 150, 280, "+", "t1"), ("c", 850, 860, "+", "t1")], columns=parts)
    exons = pd.DataFrame(exons, columns=parts)
    return Annotation(transcripts, exons, cds, cds.iloc[:0], "genes")


def write_gtf(folder, genes):
    """The gene models as ``genes.gtf``."""
    of_transcript = genes.transcripts.set_index("transcript_id")
    lines = []
    for feature, table in (
        ("transcript", genes.transcripts), ("exon", genes.exons), ("CDS", genes.cds),
    ):  # fmt: skip
        for row in table.itertuples():
            gene = of_transcript.loc[row.transcript_id]
            words = {"gene_id": gene["gene_id"], "transcript_id": row.transcript_id}
            words |= {"gene_name": gene["gene_name"], "gene_type": gene["gene_type"]}
            text = "".join(f'{key} "{word}"; ' for key, word in words.items() if pd.notna(word))
            cells = (row.chrom, "x", feature, row.start + 1, row.end, ".", row.strand, ".")
            lines.append("\t".join(map(str, cells)) + f'\t{text}tag "basic";\n')
    (folder / "genes.gtf").write_text("".join(lines))


def test_parse():
    assert parse_locus("chr9:120,000-185,536") == Locus("chr9", 120_000, 185_536)
    for text in ("chr9", "chr9:5-5", "chr9:9-5", "chr9:-5-9"):
        with pytest.raises(GenezipError, match=r"report\.loci\) is"):
            parse_locus(text)


def test_a_contig_named_like_a_locus():
    contigs = {"c:1-500", "d"}
    assert parse_locus("c:1-500:0-64", contigs) == Locus("c:1-500", 0, 64)
    assert parse_locus("d:1-500", contigs) == Locus("d", 1, 500)
    with pytest.raises(GenezipError, match="is 'c:1-500'; write it as c:1-500:120,000-185,536"):
        parse_locus(" c:1-500", contigs)


def test_most_promoter_bases(toy):
    regions = np.full(1024, 5)
    regions[500:560] = regions[900:910] = 0
    toy.add_segment("c", "A" * 1024, regions)
    assert choose_locus([Locus("c", 0, 1024)], toy.region_map(), 256) == Locus("c", 320, 576)
    assert choose_locus([Locus("c", 0, 100), Locus("c", 128, 256)], toy.region_map(), 512) == Locus(
        "c", 128, 256
    )


def test_bins_by_hand(toy, save, compressed_window):
    toy.tile(toy.add_segment("c", "A" * 256, "nig"), 128)
    prob = np.repeat([0.25, 0.75], 64).astype(np.float16)
    windows = [compressed_window(place, [0, 32, 64], boundary_prob=prob) for place in toy.corpus]
    table = bins(save("m", windows, seed=0), windows, Locus("c", 64, 224))
    assert table["start"].tolist() == [64, 128, 192]
    assert table["end"].tolist() == [128, 192, 224]
    assert table["boundary_prob"].tolist() == [0.75, 0.25, 0.75]
    assert table["tokens"].tolist() == [1, 2, 1]
    # fewer bins than the smoothing is wide: tokens 1, 2, 0.5 over 64, 64, 32 bp
    assert table["bpt"].iloc[1] == pytest.approx(160 / 3.5, abs=0.001)


def test_a_long_locus_has_as_many_bins_as_a_figure_can_show(toy, save, compressed_window):
    assert [bin_width(n) for n in (1, 65_536, 65_537, 131_072, 285_824)] == [64, 64, 128, 128, 320]
    toy.tile(toy.add_segment("c", "A" * 131_200, "nig"), 65_600)
    windows = [compressed_window(place, [0, 40, 65_000]) for place in toy.corpus]
    table = bins(save("m", windows, seed=0), windows, Locus("c", 0, 131_200))
    assert len(table) == 684  # of 192 bp, the last shorter
    assert table["end"].iloc[-1] == 131_200
    assert table["tokens"].sum() == 6
    # tokens of 40 and 64,960 bp in the first bins: five bins of 192 bp around the third
    bases = 5 * 192
    assert table["bpt"].iloc[2] == pytest.approx(bases / (1 + (bases - 40) / 64_960), abs=0.01)


def test_one_transcript_per_gene_clipped():
    table = gene_models(annotation(), Locus("c", 200, 860))
    assert table.columns.tolist() == list(GENE_COLUMNS[1:])
    found = table[["gene_name", "feature", "start", "end"]].to_numpy().tolist()
    assert found == [
        ["GENE", "transcript", 200, 860],
        ["GENE", "exon", 200, 300],
        ["GENE", "exon", 850, 860],
        ["GENE", "cds", 200, 280],
        ["GENE", "cds", 850, 860],
        ["g2", "transcript", 600, 700],
    ]


def test_genes_of_one_name_are_all_drawn():
    """Y_RNA is many genes; transcripts of one gene overlap."""
    rows = [
        ("t1", "G1", "Y_RNA", 1000, 1100), ("t2", "G1", "Y_RNA", 1050, 1090),
        ("t3", "G2", "Y_RNA", 1100, 1200), ("t4", "G3", "Y_RNA", 5000, 5100),
        ("t5", "G4", "other", 1020, 1080),
    ]  # fmt: skip
    made = annotation()
    transcripts = pd.DataFrame(
        [
            {"chrom": "c", "start": start, "end": end, "strand": "+", "transcript_id": transcript,
             "gene_id": gene, "gene_name": name, "gene_type": "ncRNA"}
            for transcript, gene, name, start, end in rows
        ]
    )  # fmt: skip
    made = replace(made, transcripts=transcripts)
    found = gene_models(made, Locus("c", 900, 6000))
    assert sorted(found["transcript_id"]) == ["t1", "t3", "t4", "t5"]


def test_tables_of_two_models(toy, save, compressed_window):
    regions = np.full(512, 5)
    regions[100:200] = 0
    piece = toy.add_segment("c", "A" * 512, regions)
    toy.tile(piece, 128)
    windows = [compressed_window(place, [0, 64]) for place in toy.corpus]
    files = [save("a", windows, seed=0), save("b", windows[:3], seed=0)]
    toy.sizes["c"] = 1000
    write_gtf(toy.folder, annotation())
    table, genes = locus_tables(files, toy.region_map(), toy.source(), ["c:64-320"])
    assert table.columns.tolist() == list(BIN_COLUMNS)
    counts = table.groupby(["kind", "model"]).size().to_dict()
    assert counts == {("bin", "a"): 4, ("bin", "b"): 4, ("chunk", "a"): 4, ("chunk", "b"): 4}
    runs = table[table["kind"] == "region"][["start", "end", "region"]].to_numpy().tolist()
    assert runs == [[64, 100, "nig"], [100, 200, "promoter"], [200, 320, "nig"]]
    assert set(genes["gene_name"]) == {"GENE"}
    with pytest.raises(GenezipError, match=r"c:300-500 is not covered .* inside c:0-384"):
        locus_tables(files, toy.region_map(), toy.source(), ["c:300-500"])
    toy.add_segment("c:64-320", "ACGT", "nig", split="train")  # a contig that is not held out
    with pytest.raises(GenezipError, match="is 'c:64-320'; write it as c:64-320:120,000-185,536"):
        locus_tables(files, toy.region_map(), toy.source(), ["c:64-320"])
    whole, _ = locus_tables(files, toy.region_map(), toy.source(), [None])
    assert (whole["start"].min(), whole["end"].max()) == (0, 384)


def test_only_the_windows_of_the_loci_are_decoded(toy, save, compressed_window, monkeypatch):
    """All windows of a genome take gigabytes."""
    files = genome_of_genes(toy, save, compressed_window)
    decode, decoded = CompressedFile._window, []

    def counted(self, cells):
        decoded.append((cells["chrom"], cells["start"]))
        return decode(self, cells)

    monkeypatch.setattr(CompressedFile, "_window", counted)
    locus_tables(files, toy.region_map(), toy.source(), ["d:50-128"])
    assert decoded == [("d", 0), ("d", 100)]


def genome_of_genes(toy, save, compressed_window):
    """Two held-out chromosomes; GENE on c, TWICE on both, a soft-masked stretch."""
    for name in "cd":
        piece = toy.add_segment(name, "AC" * 200 + "gt" * 50 + "AC" * 200, "nig", soft_masked=1)
        toy.tile(piece, 100)
    genes = annotation()
    twice = genes.transcripts.iloc[[3, 3]].assign(
        chrom=["c", "d"], gene_name="TWICE", gene_id=["g8", "g9"], transcript_id=["t8", "t9"],
        start=10, end=60,
    )  # fmt: skip
    rows = genes.transcripts[genes.transcripts["transcript_id"] != "t2"]
    exons = genes.exons[genes.exons["transcript_id"] != "t2"]
    genes = replace(genes, transcripts=pd.concat([rows, twice], ignore_index=True), exons=exons)
    write_gtf(toy.folder, genes)
    windows = [compressed_window(place, [0, 50]) for place in toy.corpus]
    return [save("a", windows, seed=0)]


def test_loci_by_name_with_starts_and_repeats(toy, save, compressed_window):
    files = genome_of_genes(toy, save, compressed_window)
    table, genes = locus_tables(files, toy.region_map(), toy.source(), ["d:0-128", "GENE"])
    assert list(dict.fromkeys(table["locus"])) == ["d:0-128", "GENE"]
    own = table[table["locus"] == "GENE"]
    bins_here = own[own["kind"] == "bin"]
    assert (bins_here["start"].min(), bins_here["end"].max()) == (0, 900)  # its flanks are clipped
    starts = own[own["kind"] == "tss"][["start", "region"]].to_numpy().tolist()
    assert starts == [[10, "+"], [100, "+"], [699, "-"]]
    chunks = own[own["kind"] == "chunk"][["start", "end"]].to_numpy().tolist()
    assert chunks == [[at, at + 50] for at in range(0, 900, 50)]
    (dna,) = own[own["kind"] == "dna"]["region"]
    assert dna == "AC" * 200 + "GT" * 50 + "AC" * 200
    repeats = own[own["kind"] == "repeat"][["start", "end", "region"]].to_numpy().tolist()
    assert repeats == [[400, 500, "soft-masked"]]
    assert set(genes.loc[genes["locus"] == "GENE", "gene_name"]) == {"GENE", "TWICE", "g2"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("GENEX", "'GENEX', which is neither an interval nor a gene .*; did you mean GENE"),
        ("zzz", "write chrom:start-end, or another gene"),
        ("TWICE", "the gene TWICE, which the annotation has 2 times, at c:10-60 and d:10-60"),
        ("c:800-2000", "c:800-2000 is not covered by held-out windows"),
        ("c", "is 'c'; write it as"),
    ],
)
def test_loci_that_cannot_be_drawn(toy, save, compressed_window, name, told):
    files = genome_of_genes(toy, save, compressed_window)
    with pytest.raises(GenezipError, match=told):
        locus_tables(files, toy.region_map(), toy.source(), [None, name])
