import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.annotation import read_bed12, read_gtf
from genezip.genome.genemodel import complete
from genezip.genome.intervals import contains, paint_by_priority
from genezip.genome.regions import RegionMap, build_region_map, class_layers, tss_distance
from genezip.taxonomy import CLASS_IDS

IDS = 'gene_id "g"; transcript_id "t";'
OTHER = 'gene_id "h"; transcript_id "u";'
COLUMNS = ["chrom", "start", "end", "strand", "transcript_id", "gene_id"]
SMALL = Regions(promoter_half_width=3, nig_distance=42, basic_only=False, required=[])
CHROM = {"c": "A" * 60}

# One gene on 60 bases, both ways round. Exons 10-20 and 30-50 (mirrored 10-30 and 40-50), a
# coding part with its stop codon, TSS at base 10 (mirrored: base 49).
PLUS = [
    ("c", "transcript", 10, 50, "+", IDS),
    ("c", "exon", 10, 20, "+", IDS),
    ("c", "exon", 30, 50, "+", IDS),
    ("c", "CDS", 15, 20, "+", IDS),
    ("c", "CDS", 30, 40, "+", IDS),
    ("c", "stop_codon", 40, 43, "+", IDS),
]
PLUS_UTR = [("c", "UTR", 10, 15, "+", IDS), ("c", "UTR", 40, 50, "+", IDS)]


def mirrored(rows):
    return [(c, feature, 60 - end, 60 - start, "-", ids) for c, feature, start, end, _, ids in rows]


def build(write_gtf, assembly, rows, settings=SMALL, say=lambda _: None):
    annotation = read_gtf(write_gtf(rows), basic_only=settings.basic_only)
    return build_region_map({"genes": annotation}, assembly, settings, say)


class TestByHand:
    """Maps written down base by base."""

    #            0         1         2         3         4         5
    #            012345678901234567890123456789012345678901234567890123456789
    plus_map = "nnnnnnnppppppuuccccciiiiiiiiiicccccccccccccuuuuuuunnnddddddd"

    def test_plus_strand(self, write_gtf, make_assembly, drawn):
        region_map = build(write_gtf, make_assembly(CHROM), PLUS + PLUS_UTR)
        assert drawn(region_map, "c", 0, 60) == self.plus_map

    def test_minus_strand(self, write_gtf, make_assembly, drawn):
        region_map = build(write_gtf, make_assembly(CHROM), mirrored(PLUS + PLUS_UTR))
        # TSS is base 49; [46, 52) is promoter, and base 7 is the last within 42 of it
        assert drawn(region_map, "c", 0, 60) == (
            "ddddddd"  # 0-7
            "nnn"  # 7-10
            "uuuuuuu"  # 10-17
            "ccccccccccccc"  # 17-30, stop codon first
            "iiiiiiiiii"  # 30-40
            "ccccc"  # 40-45
            "u"  # 45-46
            "pppppp"  # 46-52
            "nnnnnnnn"  # 52-60
        )

    def test_missing_utr_rows(self, write_gtf, make_assembly, drawn):
        region_map = build(write_gtf, make_assembly(CHROM), PLUS)
        assert drawn(region_map, "c", 0, 60) == self.plus_map

    def test_missing_transcript_rows(self, write_gtf, make_assembly, drawn):
        rows = [("c", "gene", 10, 50, "+", 'gene_id "g";'), *PLUS[1:]]
        assert drawn(build(write_gtf, make_assembly(CHROM), rows), "c", 0, 60) == self.plus_map
        assert drawn(build(write_gtf, make_assembly(CHROM), PLUS[1:]), "c", 0, 60) == self.plus_map

    def test_noncoding_exon_loses_to_everything_but_intron(self, write_gtf, make_assembly, drawn):
        rows = [
            *PLUS,
            ("c", "transcript", 18, 58, "-", OTHER),
            ("c", "exon", 18, 25, "-", OTHER),
            ("c", "exon", 48, 58, "-", OTHER),
        ]
        # the second TSS, base 57, makes [54, 60) promoter
        assert drawn(build(write_gtf, make_assembly(CHROM), rows), "c", 0, 60) == (
            "nnnnnnnppppppuuccccceeeeeiiiiicccccccccccccuuuuuuueeeepppppp"
        )

    def test_promoters_are_clipped_at_the_ends_of_a_contig(self, write_gtf, make_assembly, drawn):
        rows = [
            ("c", "exon", 1, 6, "+", IDS),
            ("c", "exon", 14, 19, "-", OTHER),
        ]
        region_map = build(write_gtf, make_assembly({"c": "A" * 20}), rows)
        # TSS 1: [-2, 4) -> [0, 4); TSS 18: [15, 21) -> [15, 20)
        assert drawn(region_map, "c", 0, 20) == "ppppeennnnnnnneppppp"

    def test_a_gene_outside_a_piece_decides_near_and_distal(self, write_gtf, make_assembly, drawn):
        assembly = make_assembly(CHROM, [("c", 48, 52, "train"), ("c", 52, 58, "test")])
        region_map = build(write_gtf, assembly, PLUS)
        assert drawn(region_map, "c", 48, 58) == self.plus_map[48:58]
        lengths, classes = region_map.runs("c", 50, 58)
        assert lengths.tolist() == [3, 5]  # the run goes on across the two pieces
        assert classes.tolist() == [CLASS_IDS["nig"], CLASS_IDS["dig"]]
        assert (lengths.dtype, classes.dtype) == (np.int32, np.uint8)

    def test_a_chromosome_without_genes_is_distal(self, write_gtf, make_assembly, drawn):
        assembly = make_assembly({**CHROM, "empty": "A" * 9})
        region_map = build(write_gtf, assembly, PLUS)
        assert drawn(region_map, "empty", 0, 9) == "d" * 9

    def test_each_piece_is_labelled_from_its_own_set(self, write_gtf, make_assembly, drawn):
        assembly = make_assembly(CHROM, [("c", 0, 30, "train")])
        (piece,) = assembly.pieces
        other = piece.__class__(
            **{**vars(piece), "name": "x", "start": 30, "end": 60, "annotation": "b"}
        )
        assembly.pieces = (piece, other)
        sets = {
            "genes": read_gtf(write_gtf(PLUS), False),
            "b": read_gtf(write_gtf([("c", "exon", 0, 5, "+", IDS)], "b.gtf"), False),
        }
        region_map = build_region_map(sets, assembly, SMALL, lambda _: None)
        assert drawn(region_map, "c", 0, 60) == self.plus_map[:30] + "n" * 13 + "d" * 17


def test_stretches_without_label_are_refused(write_gtf, make_assembly):
    assembly = make_assembly(CHROM, [("c", 10, 20, "train"), ("c", 30, 60, "test")])
    region_map = build(write_gtf, assembly, PLUS)
    assert region_map.covers(assembly.pieces)
    with pytest.raises(GenezipError, match="does not cover c:15-35"):
        region_map.ids("c", 15, 35)
    with pytest.raises(GenezipError, match="does not cover chrX:0-5"):
        region_map.runs("chrX", 0, 5)
    assert not region_map.covers(make_assembly(CHROM).pieces)


def test_bed9_round_trip_and_colours(write_gtf, make_assembly, tmp_path):
    assembly = make_assembly(CHROM, [("c", 10, 20, "train"), ("c", 30, 60, "test")])
    region_map = build(write_gtf, assembly, PLUS)
    region_map.write_bed9(tmp_path / "map.bed.gz")
    lines = gzip.decompress((tmp_path / "map.bed.gz").read_bytes()).decode().splitlines()
    assert lines[0] == "c\t10\t13\tpromoter\t0\t.\t10\t13\t213,94,0"
    assert lines[2] == "c\t15\t20\tcds\t0\t.\t15\t20\t0,114,178"
    again = RegionMap.read_bed(tmp_path / "map.bed.gz")
    assert again.table().equals(region_map.table())
    first = (tmp_path / "map.bed.gz").read_bytes()
    again.write_bed9(tmp_path / "map.bed.gz")
    assert (tmp_path / "map.bed.gz").read_bytes() == first


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("promoter", "enhancer", "class 'enhancer'; a region map knows promoter"),
        ("c\t15\t20", "c\t14\t20", "overlapping runs, on c"),
        ("c\t15\t20", "c\tx\t20", "line 4 of .* is malformed"),
    ],
)
def test_wrong_region_maps(write_gtf, make_assembly, tmp_path, old, new, sentence):
    build(write_gtf, make_assembly(CHROM), PLUS).write_bed9(tmp_path / "map.bed")
    text = (tmp_path / "map.bed").read_text()
    (tmp_path / "map.bed").write_text(text.replace(old, new, 1))
    with pytest.raises(GenezipError, match=sentence):
        RegionMap.read_bed(tmp_path / "map.bed")


def test_summary_counts_every_split_and_class(write_gtf, make_assembly):
    text = {"c": "A" * 17 + "NNN" + "A" * 31 + "NN" + "A" * 7}
    assembly = make_assembly(text, [("c", 10, 20, "train"), ("c", 50, 60, "test")])
    table = build(write_gtf, assembly, PLUS).summary(assembly)
    assert table["split"].unique().tolist() == ["train", "valid", "test", "all"]
    assert len(table) == 4 * 7
    rows = {(r["split"], r["class"]): (r["bp"], r["n_bp"]) for r in table.to_dict("records")}
    assert rows["train", "promoter"] == (3, 0)
    assert rows["train", "cds"] == (5, 3)
    assert rows["test", "nig"] == (3, 2)
    assert rows["all", "dig"] == (7, 0)
    assert rows["valid", "cds"] == (0, 0)
    fractions = table.groupby("split")["fraction"].sum().to_dict()
    assert fractions == pytest.approx({"train": 1, "valid": 0, "test": 1, "all": 1})


def test_a_required_class_must_not_be_empty(write_gtf, make_assembly):
    asked = SMALL.model_copy(update={"required": ["promoter", "exon", "cds"]})
    with pytest.raises(GenezipError, match=r"no base is exon, which regions\.required lists"):
        build(write_gtf, make_assembly(CHROM), PLUS, asked)


def test_another_empty_class_only_warns(write_gtf, make_assembly):
    said = []
    asked = SMALL.model_copy(update={"required": ["promoter"]})
    build(write_gtf, make_assembly(CHROM), PLUS, asked, said.append)
    assert said == ["no base is exon; its rows will be empty"]


def test_an_unknown_annotation_set(make_assembly):
    with pytest.raises(GenezipError, match="no annotation set is called 'genes'"):
        build_region_map({}, make_assembly(CHROM), SMALL)


def test_tss_distance():
    found = tss_distance(np.array([0, 4, 9, 10, 30]), np.array([10, 4, 10]))
    assert found.tolist() == [4, 0, 1, 0, 20]
    assert tss_distance(np.array([3]), np.array([], dtype=np.int64)).tolist() == [2**63 - 1]


def test_pyranges_sees_the_same_bases(write_gtf, make_assembly):
    region_map = build(write_gtf, make_assembly(CHROM), PLUS)
    ranges = region_map.to_pyranges()
    assert len(ranges.merge()) == 1
    assert ranges[ranges.Name == "cds"].length == 18


spans = st.tuples(st.integers(0, 55), st.integers(1, 25)).map(
    lambda p: (p[0], min(p[0] + p[1], 60))
)
transcripts = st.lists(
    st.tuples(
        spans, st.sampled_from("+-"), st.lists(spans, max_size=3), st.lists(spans, max_size=2)
    ),
    min_size=1,
    max_size=5,
)


@given(transcripts, st.integers(1, 8), st.integers(0, 30))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_map_equals_painting(make_assembly, models, half_width, nig_distance):
    """The built map equals the layers painted base by base, whatever the genes."""
    tables: dict[str, list] = {"transcripts": [], "exons": [], "cds": []}
    for index, (span, strand, exons, cds) in enumerate(models):
        for key, intervals in (("transcripts", [span]), ("exons", exons), ("cds", cds)):
            tables[key] += [("c", a, b, strand, f"t{index}", f"g{index}") for a, b in intervals]
    frames = {key: pd.DataFrame(rows, columns=COLUMNS) for key, rows in tables.items()}
    whole = frames["transcripts"].assign(gene_name="", gene_type="")
    annotation = complete(
        "x", whole, whole.iloc[:0], frames["exons"], frames["cds"], frames["cds"].iloc[:0]
    )
    chosen = Regions(promoter_half_width=half_width, nig_distance=nig_distance, required=[])
    assembly = make_assembly(CHROM, [("c", 5, 20, "train"), ("c", 30, 60, "train")])
    region_map = build_region_map({"genes": annotation}, assembly, chosen, lambda _: None)
    painted = paint_by_priority(class_layers(annotation, chosen)["c"], 0, 60, fill=6)
    for piece in assembly.pieces:
        found = region_map.ids(piece.chrom, piece.start, piece.end)
        assert found.tolist() == painted[piece.start : piece.end].tolist()


def test_windows_need_the_annotation_of_the_whole_genome(mirror):
    """279,272 bases of the 65 windows lie farther than 450 kb from any RefSeq TSS."""
    refseq = read_bed12(mirror / "annotation" / "refseq_refGene.hg38.bed12.gz")
    tss = {chrom: group.to_numpy() for chrom, group in refseq.tss().groupby("chrom")["position"]}
    genes = {
        chrom: (group["start"].to_numpy(), group["end"].to_numpy())
        for chrom, group in refseq.transcripts.groupby("chrom")
    }
    far = inside_gene = 0
    rows = (mirror / "sequence" / "windows_131072bp.hg38.bed").read_text().splitlines()
    assert len(rows) == 65
    for chrom, start, end, _ in (row.split("\t") for row in rows):
        positions = np.arange(int(start), int(end))
        distal = positions[tss_distance(positions, tss[chrom]) > 450_000]
        far += len(distal)
        inside_gene += int(contains(distal, *genes[chrom]).sum())
    assert far == 279_272
    assert inside_gene == 0
