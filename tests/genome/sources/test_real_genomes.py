"""The source `genomes` on real bacteria, with the numbers of the README beside the files."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from genezip.config import Genome, Regions, parse
from genezip.genome.intervals import Covered
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.fetch import fetch
from genezip.genome.sources.source import Source

FOLDER = "other_systems/genomes/"
ECOLI = "other_systems/ecoli_K12_MG1655.GCF_000005845.2.genomic"
BSUBTILIS = f"{FOLDER}Bacillus_subtilis_best7003.ASM52304v1"
MGENITALIUM = f"{FOLDER}Mycoplasma_genitalium_g37.ASM2732v1"
MTUBERCULOSIS = f"{FOLDER}Mycobacterium_tuberculosis_H37Rv.AL123456.3"
GENOMES = [
    {
        "name": "ecoli",
        "fasta": f"{ECOLI}.fna.gz",
        "annotation": f"{ECOLI}.gff.gz",
        "valid": ["NC_000913.3:3,400,000-3,550,000"],
        "test": ["NC_000913.3:3,713,322-4,641,652"],
    },
    {
        "name": "bsubtilis",
        "fasta": f"{BSUBTILIS}.dna.toplevel.fa.gz",
        "annotation": f"{BSUBTILIS}.46.gff3.gz",
        "split": "test",
    },
    {
        "name": "mgenitalium",
        "fasta": f"{MGENITALIUM}.dna.toplevel.fa.gz",
        "annotation": f"{MGENITALIUM}.46.gff3.gz",
        "split": "test",
        "genetic_code": 4,
    },
    {
        "name": "cdiphtheriae",
        "fasta": f"{FOLDER}Corynebacterium_diphtheriae_NCTC11397.GCF_001457455.1.fna.gz",
        "circular": True,
    },
    {
        "name": "mtuberculosis",
        "fasta": f"{MTUBERCULOSIS}.fna.gz",
        "annotation": f"{MTUBERCULOSIS}.cds.tsv.gz",
        "circular": True,
    },
]
BP = {
    "ecoli": 4_641_652,
    "bsubtilis": 4_043_042,
    "mgenitalium": 580_076,
    "cdiphtheriae": 2_463_666,
    "mtuberculosis": 4_411_532,
}
CDS = {"bsubtilis": 4_011, "mgenitalium": 476, "mtuberculosis": 4_031}


@pytest.fixture(scope="module")
def source(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Source:
    if not (mirror / FOLDER).is_dir():
        pytest.skip(f"the mirror folder {mirror} has no bacterial genomes")
    settings = parse(Genome, {"sources": ["genomes"], "genomes": GENOMES})
    return fetch(settings, tmp_path_factory.mktemp("bacteria"), mirror)


@pytest.mark.slow
def test_bases_genes_and_circles(source: Source) -> None:
    sizes, sets = source.chrom_sizes(), source.annotations("all")
    for organism in source.organisms:
        (contig,) = organism.contigs
        assert sizes[contig] == BP[organism.name]
        assert organism.circular == {contig}
        if organism.name in CDS:
            assert sets[organism.name].cds["transcript_id"].nunique() == CDS[organism.name]
    assert [one.name for one in source.organisms if not one.seen] == ["bsubtilis", "mgenitalium"]
    used = pd.Series(0, index=["train", "valid", "test"])
    for segment in source.assembly().segments:
        used[segment.split] += segment.length
    assert used["valid"] == 150_000
    assert used["test"] == 4_641_652 - 3_713_322 + 4_043_042 + 580_076
    assert used.sum() == sum(BP.values())


@pytest.mark.slow
def test_most_bases_are_coding(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    sets = source.annotations("all")
    settings = Regions(promoter_half_width=1, transcripts="all", required=["promoter", "cds"])
    regions = build_region_map(sets, source.assembly(), settings)
    shares = {}
    for organism in source.organisms:
        table = regions.totals(organism.contigs).set_index("class")
        shares[organism.name] = table["fraction"]
    with capsys.disabled():
        print("\n", pd.DataFrame(shares).round(4).to_string())
    for name in ("ecoli", "bsubtilis", "mgenitalium", "mtuberculosis"):
        assert 0.80 < shares[name]["cds"] < 0.92
        assert shares[name]["unannotated"] == 0
        cds = sets[name].cds  # counted again, without the map; promoters take 2 bp per gene
        covered = Covered(cds["start"].to_numpy(), cds["end"].to_numpy()).bp / BP[name]
        assert covered - 0.003 < shares[name]["cds"] <= covered
    assert shares["cdiphtheriae"]["unannotated"] == 1


Rows = Callable[[], list[str]]


@pytest.mark.slow
def test_nothing_is_left_out(mirror: Path, tmp_path: Path, messages: Rows) -> None:
    """No contig name is converted, and no row of an annotation is dropped."""
    if not (mirror / FOLDER).is_dir():
        pytest.skip(f"the mirror folder {mirror} has no bacterial genomes")
    settings = parse(Genome, {"sources": ["genomes"], "genomes": GENOMES[2:]})
    found = fetch(settings, tmp_path, mirror)
    (message,) = messages()
    assert message == f"source genomes: {found.description}"
