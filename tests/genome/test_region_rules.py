import numpy as np
import pandas as pd
import pytest

from genezip.config import Regions
from genezip.errors import GenezipError
from genezip.genome.gene_models import read_gene_models
from genezip.genome.intervals import Covered
from genezip.genome.region_rules import (
    build_region_map,
    promoters,
)
from genezip.region_classes import CLASS_IDS

IDS = 'gene_id "g"; transcript_id "t";'
OTHER = 'gene_id "h"; transcript_id "u";'
SMALL = Regions(promoter_half_width=3, nig_distance=42, transcripts="all", required=[])
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


def build(write_gtf, assembly, rows, settings=SMALL):
    annotation = read_gene_models(write_gtf(rows), "gtf", transcripts=settings.transcripts)
    return build_region_map({"genes": annotation}, assembly, settings)


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

    def test_a_strand_aware_promoter_on_plus(self, write_gtf, make_assembly, drawn):
        aware = SMALL.model_copy(update={"promoter_upstream": 5, "promoter_downstream": 2})
        region_map = build(write_gtf, make_assembly(CHROM), PLUS, aware)
        # TSS 10: [5, 12)
        assert drawn(region_map, "c", 0, 60) == ("nnnnnpppppppuuucccccii" + self.plus_map[22:])

    def test_a_strand_aware_promoter_on_minus_is_the_mirror_image(
        self, write_gtf, make_assembly, drawn
    ):
        aware = SMALL.model_copy(
            update={"promoter_upstream": 5, "promoter_downstream": 2, "nig_distance": 60}
        )
        plus = drawn(build(write_gtf, make_assembly(CHROM), PLUS, aware), "c", 0, 60)
        minus = drawn(build(write_gtf, make_assembly(CHROM), mirrored(PLUS), aware), "c", 0, 60)
        assert minus == plus[::-1]
        assert (minus.index("p"), minus.rindex("p") + 1) == (48, 55)  # TSS 49: [48, 55)

    def test_a_gene_outside_a_segment_decides_near_and_distal(
        self, write_gtf, make_assembly, drawn
    ):
        assembly = make_assembly(CHROM, [("c", 48, 52, "train"), ("c", 52, 58, "test")])
        region_map = build(write_gtf, assembly, PLUS)
        assert drawn(region_map, "c", 48, 58) == self.plus_map[48:58]
        lengths, classes = region_map.runs("c", 50, 58)
        assert lengths.tolist() == [3, 5]  # the run goes on across the two segments
        assert classes.tolist() == [CLASS_IDS["nig"], CLASS_IDS["dig"]]
        assert (lengths.dtype, classes.dtype) == (np.int32, np.uint8)

    def test_a_chromosome_without_genes_is_distal(self, write_gtf, make_assembly, drawn):
        assembly = make_assembly({**CHROM, "empty": "A" * 9})
        region_map = build(write_gtf, assembly, PLUS)
        assert drawn(region_map, "empty", 0, 9) == "d" * 9

    def test_each_segment_is_labelled_from_its_own_set(self, write_gtf, make_assembly, drawn):
        assembly = make_assembly(CHROM, [("c", 0, 30, "train")])
        (segment,) = assembly.segments
        other = segment.__class__(
            **{**vars(segment), "name": "x", "start": 30, "end": 60, "annotation": "b"}
        )
        assembly.segments = (segment, other)
        sets = {
            "genes": read_gene_models(write_gtf(PLUS), "gtf", "all"),
            "b": read_gene_models(
                write_gtf([("c", "exon", 0, 5, "+", IDS)], "b.gtf"), "gtf", "all"
            ),
        }
        region_map = build_region_map(sets, assembly, SMALL)
        assert drawn(region_map, "c", 0, 60) == self.plus_map[:30] + "n" * 13 + "d" * 17


OWN = [
    {"name": "enhancer", "bed": "e.bed", "before": "promoter"},
    {"name": "silencer", "bed": "s.bed", "before": "dig", "colour": "#102030"},
    {"name": "ctcf", "bed": "c.bed", "before": "silencer"},
]


def with_own(*classes):
    return Regions(
        promoter_half_width=3,
        nig_distance=42,
        transcripts="all",
        required=[],
        classes=list(classes or OWN),
    )


def stretches(*spans, chrom="c"):
    return pd.DataFrame(
        {"chrom": chrom, "start": [a for a, _ in spans], "end": [b for _, b in spans]}
    )


def test_own_classes_take_their_place_in_the_priority(write_gtf, messages):
    # enhancer beats all; silencer and ctcf get only what would be distal, ctcf first
    own = {
        "enhancer": stretches((8, 12), (30, 31), (30, 31)),
        "silencer": stretches((40, 58)),
        "ctcf": stretches((56, 60)),
    }
    annotation = read_gene_models(write_gtf(PLUS), "gtf", "all")
    region_map = build_region_map(annotation, {"c": 60}, with_own(), own)
    letters = np.array(list("pcueindEST"))
    assert "".join(letters[region_map.ids("c", 0, 60)]) == (
        "nnnnnnnpEEEEpuuccccciiiiiiiiiiEccccccccccccuuuuuuunnnSSSTTTT"
    )
    assert region_map.region_classes.names[7:] == ("enhancer", "silencer", "ctcf")
    assert messages() == [
        "no base is exon; its rows will be empty",
        "no base is dig; its rows will be empty",
        "the class enhancer got 5 bp",
        "the class silencer got 3 bp",
        "the class ctcf got 4 bp",
    ]


def test_own_classes_must_be_read_first(write_gtf):
    annotation = read_gene_models(write_gtf(PLUS), "gtf", "all")
    with pytest.raises(GenezipError, match="names 'enhancer', but its intervals were not read"):
        build_region_map(annotation, {"c": 60}, with_own(OWN[0]))


def test_whole_chromosomes_without_sequence(write_gtf, make_assembly, drawn):
    annotation = read_gene_models(write_gtf(PLUS), "gtf", "all")
    sizes = {"c": 60, "empty": 9}
    region_map = build_region_map(annotation, sizes, SMALL)
    assert drawn(region_map, "c", 0, 60) == TestByHand.plus_map
    assert drawn(region_map, "empty", 0, 9) == "d" * 9
    assembly = make_assembly({**CHROM, "empty": "A" * 9})
    built = build_region_map({"genes": annotation}, assembly, SMALL)
    assert region_map.table().equals(built.table())
    totals = region_map.totals().set_index("class")["bp"].to_dict()
    counts = {name: TestByHand.plus_map.count(name[0]) for name in ("promoter", "cds", "utr")}
    assert {name: totals[name] for name in counts} == counts
    assert totals["dig"] == TestByHand.plus_map.count("d") + 9
    assert region_map.totals(["empty"]).set_index("class")["fraction"]["dig"] == 1


def test_annotation_and_lengths_of_different_genomes(write_gtf):
    annotation = read_gene_models(write_gtf(PLUS), "gtf", "all")
    with pytest.raises(GenezipError, match="no contig in common"):
        build_region_map(annotation, {"other": 60}, SMALL)
    with pytest.raises(GenezipError, match="ends at c:50, but c has 49 bases: wrong build"):
        build_region_map(annotation, {"c": 49}, SMALL)


def test_a_required_class_must_not_be_empty(write_gtf, make_assembly):
    asked = SMALL.model_copy(update={"required": ["promoter", "exon", "cds"]})
    with pytest.raises(GenezipError, match=r"no base is exon, which regions\.required lists"):
        build(write_gtf, make_assembly(CHROM), PLUS, asked)


def test_another_empty_class_only_warns(write_gtf, make_assembly, messages):
    asked = SMALL.model_copy(update={"required": ["promoter"]})
    build(write_gtf, make_assembly(CHROM), PLUS, asked)
    assert messages() == ["no base is exon; its rows will be empty"]


def test_an_unknown_annotation_set(make_assembly):
    with pytest.raises(GenezipError, match="lists the annotation set 'genes', which is missing"):
        build_region_map({}, make_assembly(CHROM), SMALL)


@pytest.mark.parametrize("strand", ["+", "-"])
def test_promoters_contain_upstream_and_downstream_bases_of_the_strand(strand):
    tss = pd.DataFrame({"chrom": ["c"], "position": [100], "strand": [strand]})
    (row,) = promoters(tss, Regions(promoter_upstream=7, promoter_downstream=4)).to_dict("records")
    step = 1 if strand == "+" else -1
    bases = {100 + step * offset for offset in range(-7, 4)}
    assert set(range(row["start"], row["end"])) == bases


@pytest.mark.slow
def test_windows_need_the_annotation_of_the_whole_genome(mirror):
    """279,272 bases of the 65 windows lie farther than 450 kb from any RefSeq TSS."""
    refseq = read_gene_models(mirror / "annotation" / "refseq_refGene.hg38.bed12.gz", "bed12")
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
        near = Covered(tss[chrom] - 450_000, tss[chrom] + 450_001)
        distal = positions[near.within(positions, positions + 1) == 0]
        far += len(distal)
        inside_gene += int(Covered(*genes[chrom]).within(distal, distal + 1).sum())
    assert far == 279_272
    assert inside_gene == 0
