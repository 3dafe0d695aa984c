"""The source `genomes`: several genomes in one, what is refused, and where files are found."""

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from toolkit.several_genomes import dna_of, fetch_all, write_fasta, write_gff3

from genezip.config import Genome, Regions, parse
from genezip.download.catalogue import SOURCES, read_sources
from genezip.errors import GenezipError
from genezip.genome.organisms import Organism, organism_of_contig
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.fetch import fetch, plan_download
from genezip.genome.sources.source import Source

CDS = "seqid\tstart0\tend\tstrand\tlocus_tag\tgene\nplasmid\t10\t40\t-\tp1\trep\n"
REGIONS = Regions(promoter_half_width=5, transcripts="all", required=[])


def ids_of(source: Source, chrom: str) -> set[str]:
    """Classes of a contig."""
    regions = build_region_map(source.annotations("all"), source.assembly(), REGIONS)
    names = regions.region_classes.names
    return {names[number] for number in regions.ids(chrom, 0, source.chrom_sizes()[chrom])}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Files of three genomes whose first records have one name."""
    write_fasta(tmp_path, "a.fa", dna_of(1, Chromosome=300))
    write_gff3(tmp_path, "a.gff3", [("Chromosome", 20, 80, "+")], {"Chromosome": 300})
    write_fasta(tmp_path, "b.fa", dna_of(2, Chromosome=200, plasmid=100))
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress(CDS.encode()))
    write_fasta(tmp_path, "c.fa", dna_of(3, Chromosome=150))
    return tmp_path


A = {"name": "a", "fasta": "a.fa", "annotation": "a.gff3"}
B = {"name": "b", "fasta": "b.fa", "annotation": "b.tsv.gz", "circular": True, "genetic_code": 4}
C = {"name": "c", "fasta": "c.fa"}


def test_organisms_contigs_and_splits(root: Path) -> None:
    parts = {"valid": ["Chromosome:100-150"], "test": ["Chromosome:150-300"]}
    source = fetch_all(root, root / "out", A | parts, B | {"split": "test"}, C)
    source.verify()
    both = ("b.Chromosome", "b.plasmid")
    assert source.organisms == (
        Organism("a", ("a.Chromosome",), frozenset({"a.Chromosome"}), "a", 11, True),
        Organism("b", both, frozenset(both), "b", 4, False),
        Organism("c", ("c.Chromosome",), frozenset(), None, 11, True),
    )
    assert organism_of_contig(source.organisms)["b.plasmid"].name == "b"
    sizes = {"a.Chromosome": 300, "b.Chromosome": 200, "b.plasmid": 100, "c.Chromosome": 150}
    assert source.chrom_sizes() == sizes
    assembly = source.assembly()
    rows = [(s.name, s.start, s.end, s.split, s.annotation) for s in assembly.segments]
    assert rows == [
        ("a.Chromosome:0-100", 0, 100, "train", "a"),
        ("a.Chromosome:100-150", 100, 150, "valid", "a"),
        ("a.Chromosome:150-300", 150, 300, "test", "a"),
        ("b.Chromosome", 0, 200, "test", "b"),
        ("b.plasmid", 0, 100, "test", "b"),
        ("c.Chromosome", 0, 150, "train", "unannotated"),
    ]
    dna = dna_of(1, Chromosome=300)["Chromosome"]
    assert assembly.contig("a.Chromosome").tobytes().decode() == dna
    assert assembly.sequence(assembly.segments[1]).tobytes().decode() == dna[100:150]
    assert not assembly.wraps(assembly.segments[0])  # a part of a circle
    plasmid = dna_of(2, Chromosome=200, plasmid=100)["plasmid"]
    across = assembly.sequence(assembly.segments[4], 90, 130).tobytes().decode()
    assert across == plasmid[90:] + plasmid[:30]
    assert assembly.sequence(assembly.segments[4], -5, 3).tobytes().decode() == (
        plasmid[-5:] + plasmid[:3]
    )


def test_every_genome_has_its_own_genes(root: Path) -> None:
    source = fetch_all(root, root / "out", A, B, C)
    sets = source.annotations("all")
    assert list(sets) == ["a", "b", "unannotated"]
    assert sets["a"].cds[["chrom", "start", "end"]].values.tolist() == [["a.Chromosome", 20, 80]]
    assert sets["b"].cds[["chrom", "start", "end"]].values.tolist() == [["b.plasmid", 10, 40]]
    assert sets["a"].circular == {"a.Chromosome": 300}
    assert sets["b"].circular == {"b.Chromosome": 200, "b.plasmid": 100}
    assert sets["unannotated"].tss().empty


def test_bases_without_annotation_have_their_own_class(root: Path) -> None:
    source = fetch_all(root, root / "out", A, B, C)
    assert ids_of(source, "c.Chromosome") == {"unannotated"}
    assert ids_of(source, "b.plasmid") == {"promoter", "cds", "nig"}
    regions = build_region_map(source.annotations("all"), source.assembly(), REGIONS)
    totals = regions.totals().set_index("class")["bp"]
    assert totals["unannotated"] == 150
    assert totals.sum() == 750
    classes = regions.region_classes
    assert all("unannotated" not in names for names in classes.groups.values())
    targets = dict.fromkeys(classes.names[:-1], 2.0) | {"nig": 7.0}
    assert classes.complete(targets, "x")["unannotated"] == 7
    chosen = REGIONS.model_copy(update={"unannotated_bpt": 5.0})
    explicit = build_region_map(source.annotations("all"), source.assembly(), chosen)
    assert explicit.region_classes.complete(targets, "x")["unannotated"] == 5


def test_the_class_exists_only_where_a_genome_lacks_annotation(root: Path) -> None:
    source = fetch_all(root, root / "out", A, B)
    assert list(source.annotations("all")) == ["a", "b"]
    regions = build_region_map(source.annotations("all"), source.assembly(), REGIONS)
    assert "unannotated" not in regions.region_classes.names


def test_the_map_equals_one_made_with_bedtools(root: Path) -> None:
    pytest.importorskip("pybedtools")
    from genezip.genome.verify import verify_region_map

    source = fetch_all(root, root / "out", A, B, C)
    sets, assembly = source.annotations("all"), source.assembly()
    found = build_region_map(sets, assembly, REGIONS)
    outcome = verify_region_map(found, sets, assembly, REGIONS)
    assert (outcome.bp, outcome.different) == (750, 0)


def test_genbank_holds_annotation_and_sequence(root: Path) -> None:
    dna = dna_of(4, x=90)["x"]
    lines = [
        "LOCUS       AB1                       90 bp    DNA     circular BCT 01-JAN-2000",
        *("ACCESSION   AB1", "VERSION     AB1.2", "FEATURES             Location/Qualifiers"),
        *("     CDS             11..40", '                     /locus_tag="g"', "ORIGIN"),
        *(f"{at + 1:>9} {dna[at : at + 60].lower()}" for at in (0, 60)),
        "//",
    ]
    (root / "x.gbk").write_text("\n".join(lines) + "\n")
    whole = fetch_all(root, root / "out", {"name": "x", "annotation": "x.gbk"})
    twice = {"name": "x", "fasta": "x.gbk", "annotation": "x.gbk", "circular": False}
    for source, circular in ((whole, True), (fetch_all(root, root / "two", twice), False)):
        assert source.assembly().contig("x.AB1.2").tobytes().decode() == dna
        assert source.annotation("x").cds[["start", "end"]].values.tolist() == [[10, 40]]
        assert bool(source.organisms[0].circular) is circular
    assert not (root / "out" / "x.fa").exists()


COPY = {"name": "copy", "fasta": "copy.fa"}


@pytest.mark.parametrize(
    ("genomes", "sentence"),
    [
        ([A | {"fasta": "no.fa"}], "genome a: no.fa does not exist: neither the folder"),
        ([A | {"annotation": "no.gff3"}], "genome a: no.gff3 does not exist: neither the folder"),
        ([A | {"fasta": "a.faa"}], "genome a: .*a.faa holds proteins, not DNA: its record p has"),
        ([A | {"fasta": "c.fa"}], "genome a: a.gff3 marks Chromosome as circular with 300 bases"),
        ([C | {"annotation": "beyond.gff3"}], "ends at Chromosome:160, but Chromosome has 150 bas"),
        ([A | {"annotation": "other.gff3"}], "genome a: other.gff3 and the assembly have no conti"),
        ([A, A], "genomes lists a twice; give each its own name"),
        ([A, C | {"name": "A"}], "genomes lists A and a, one name on some disks"),
        ([A | {"split": "test"}], "no genome of genomes has split: train"),
        ([A | {"test": ["Chromosome"]}], "no segment is left to train on"),
        ([A, COPY | {"split": "test"}], "a.Chromosome and copy.x have the same sequence .use: tra"),
        ([A | {"valid": ["chr1"]}], "genome a: genome.valid names chr1, which is not in"),
        ([A | {"test": ["Chromosome:200-400"]}], "genome a: .* not part of Chromosome .300 bp."),
        ([A | {"split": "test", "test": ["x"]}, C], "the genome a is for test as a whole"),
        ([A | {"genetic_code": 7}], "genetic code 7, which is no NCBI number"),
        ([{"name": "x", "annotation": "a.gff3"}], "only GenBank annotation holds the sequence"),
        ([B | {"annotation": "bad.tsv"}], "bad.tsv is not a table of CDS: its header lacks seqid"),
        ([B | {"annotation": "a.fa"}], "a.fa does not show its format; use .gtf"),
        ([A | {"name": "a.b"}], "'genomes.0.name': String should match pattern"),
        ([A | {"name": "unannotated"}], "no genome can have the name unannotated"),
    ],
)
def test_wrong_genomes_are_one_sentence(
    root: Path, genomes: list[dict[str, Any]], sentence: str
) -> None:
    write_fasta(root, "a.faa", {"p": "MKLVEFAILPQW"})
    write_fasta(root, "copy.fa", {"x": dna_of(1, Chromosome=300)["Chromosome"].lower()})
    write_gff3(root, "other.gff3", [("NC_1", 20, 80, "+")])
    write_gff3(root, "beyond.gff3", [("Chromosome", 130, 160, "+")])
    (root / "bad.tsv").write_text(CDS.replace("seqid", "chrom"))
    with pytest.raises(GenezipError, match=sentence) as caught:
        fetch_all(root, root / "out", *genomes)
    assert "\n" not in str(caught.value)
    assert not (root / "out").exists()


def test_one_sequence_in_two_splits_of_one_genome(root: Path) -> None:
    """Copies within one use, such as two equal plasmids, are allowed."""
    plasmid = dna_of(5, p=80)["p"]
    write_fasta(root, "d.fa", dna_of(6, Chromosome=90) | {"p1": plasmid, "p2": plasmid.lower()})
    entry = {"name": "d", "fasta": "d.fa"}
    assert len(fetch_all(root, root / "out", entry).chrom_sizes()) == 3
    with pytest.raises(GenezipError, match=r"d\.p1 and d\.p2 have the same sequence .use: train a"):
        fetch_all(root, root / "two", entry | {"test": ["p2"]})


def test_keys_of_one_genome_are_refused(root: Path) -> None:
    tree = {"sources": ["genomes"], "genomes": [A], "valid": ["chr1"]}
    with pytest.raises(GenezipError, match=r"genome\.valid selects nothing of the source `genomes"):
        fetch(parse(Genome, tree), root / "out", root=root)


def test_files_lie_in_the_repository_or_the_mirror(root: Path) -> None:
    """A file of the mirror is compared with the checksum table of the nearest README.md."""
    folder = root / "mirror" / "other"
    folder.mkdir(parents=True)
    for name in ("a.fa", "a.gff3"):
        (root / name).rename(folder / name)
    data = (folder / "a.fa").read_bytes()
    row = f"| `a.fa` | x | {len(data)} | `{hashlib.md5(data).hexdigest()}` |\n"
    (folder / "README.md").write_text(row)
    entry = A | {"fasta": "other/a.fa", "annotation": "other/a.gff3"}
    source = fetch_all(root, root / "out", entry, C, mirror=root / "mirror")
    assert [one.name for one in source.organisms] == ["a", "c"]
    assert str(root) not in str(source.raw)
    (folder / "a.fa").write_bytes(data.swapcase())
    with pytest.raises(GenezipError, match=r"genome a: .*a\.fa was altered: its md5 is not"):
        fetch_all(root, root / "out", entry, C, mirror=root / "mirror")


def test_public_files_have_rows(tmp_path: Path) -> None:
    """The plan lists the addresses; a folder of fetched files stands for the servers."""
    name = "other_systems/genomes/Mycoplasma_genitalium_g37.ASM2732v1"
    entry = {
        "name": "m",
        "fasta": f"{name}.dna.toplevel.fa.gz",
        "annotation": f"{name}.46.gff3.gz",
    }
    settings = parse(Genome, {"sources": ["genomes"], "genomes": [entry]})
    (tmp_path / "none").mkdir()
    lines = plan_download(settings, tmp_path, fetched=tmp_path / "none", root=tmp_path)
    assert len([line for line in lines if "ORForise/b057c82625e2cea32251ff" in line]) == 2
    with pytest.raises(GenezipError, match=r"genome m: the folder .* of fetched files lacks geno"):
        fetch(settings, tmp_path / "out", root=tmp_path, fetched=tmp_path / "none")


def test_rows_of_bacteria_are_pinned() -> None:
    table = read_sources(SOURCES)
    rows = [row for name, rows in table.items() for row in rows if "other_systems/" in name]
    assert len(rows) == 15
    for row in rows:
        assert str(row.checksum).startswith("sha256:")
        assert row.n_bytes
        commit = row.url.removeprefix("https://raw.githubusercontent.com/").split("/")[2]
        assert len(commit) == 40 and set(commit) <= set("0123456789abcdef")


def test_rows_of_bacteria_are_the_files_of_the_mirror(mirror: Path) -> None:
    """Byte for byte, except M. tuberculosis (from GenBank) and E. coli (packed again)."""
    table = read_sources(SOURCES)
    for name in table:
        if not name.startswith("other_systems/genomes") or "tuberculosis" in name:
            continue
        (row,) = table[name]
        data = (mirror / name).read_bytes()
        assert len(data) == row.n_bytes
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == row.checksum
