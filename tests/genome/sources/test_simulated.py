"""The simulated genome keeps what it promises: its truth is true base for base."""

import gzip
import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import reverse_complement

from genezip.artifacts.files import sha256_file
from genezip.config import Simulation
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.genome.sources.layout import staged
from genezip.genome.sources.simulated import default_splits, simulate
from genezip.genome.sources.simulated_genes import Gene, gencode_rows
from genezip.genome.sources.source import Source

SETTINGS = Simulation(
    seed=3, chromosome_bp=[400_000, 60_000, 60_000], valid=["sim2"], test=["sim3"]
)
STOPS = {"TAA", "TAG", "TGA"}


def make(out: Path, settings: Simulation) -> Source:
    with staged(out) as draft:
        simulate(draft, settings)
    return Source.load(out / "source.json")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return make(tmp_path_factory.mktemp("simulated"), SETTINGS)


@pytest.fixture(scope="module")
def genome(source: Source) -> dict[str, bytes]:
    return dict(read_records(source.folder / "pieces.fa"))


@pytest.fixture(scope="module")
def transcripts(source: Source) -> dict[str, dict[str, list[tuple[str, int, int, str]]]]:
    """transcript id -> feature -> rows (chrom, start, end, strand), 0-based half-open."""
    found: dict[str, dict[str, list[tuple[str, int, int, str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for line in (
        gzip.decompress((source.folder / "genes.gtf.gz").read_bytes()).decode().splitlines()
    ):
        if line.startswith("#"):
            continue
        f = line.split("\t")
        match = re.search('transcript_id "([^"]+)"', f[8])
        if match:
            assert 'tag "basic"' in f[8]
            found[match[1]][f[2]].append((f[0], int(f[3]) - 1, int(f[4]), f[6]))
    return found


def spliced(genome: dict[str, bytes], rows: list[tuple[str, int, int, str]]) -> str:
    text = "".join(genome[c][s:e].decode().upper() for c, s, e, _ in sorted(rows))
    if rows[0][3] == "-":
        text = reverse_complement(text)
    return text


def test_coding_genes_translate(genome, transcripts) -> None:  # type: ignore[no-untyped-def]
    strands = set()
    coding = [rows for rows in transcripts.values() if "CDS" in rows]
    assert len(coding) >= 8
    for rows in coding:
        cds = spliced(genome, rows["CDS"] + rows["stop_codon"])
        codons = [cds[i : i + 3] for i in range(0, len(cds), 3)]
        assert len(cds) % 3 == 0
        assert codons[0] == "ATG"
        assert codons[-1] in STOPS
        assert not STOPS & set(codons[:-1])
        strands.add(rows["CDS"][0][3])
    assert strands == {"+", "-"}
    assert any("CDS" not in rows for rows in transcripts.values())  # non-coding genes too


def test_introns_begin_gt_and_end_ag(genome, transcripts) -> None:  # type: ignore[no-untyped-def]
    seen = 0
    for rows in transcripts.values():
        exons = sorted(rows["exon"])
        for left, right in pairwise(exons):
            intron = spliced(genome, [(left[0], left[2], right[1], left[3])])
            assert (intron[:2], intron[-2:]) == ("GT", "AG")
            seen += 1
    assert seen > 20


def test_exons_are_cds_and_utr(transcripts) -> None:  # type: ignore[no-untyped-def]
    for rows in transcripts.values():
        if "CDS" in rows:
            covered = sum(e - s for _, s, e, _ in rows["CDS"] + rows["UTR"])
            assert covered == sum(e - s for _, s, e, _ in rows["exon"])


def test_soft_masking_is_the_repeats(source: Source, genome: dict[str, bytes]) -> None:
    rmsk = gzip.decompress((source.folder / "rmsk.out.gz").read_bytes()).decode()
    trf = gzip.decompress((source.folder / "trf.bed.gz").read_bytes()).decode()
    expected = {name: np.zeros(len(sequence), dtype=bool) for name, sequence in genome.items()}
    for line in rmsk.splitlines()[3:]:
        f = line.split()
        assert len(f) == 15
        expected[f[4]][int(f[5]) - 1 : int(f[6])] = True
    for line in trf.splitlines()[1:]:
        g = line.split("\t")
        assert len(g) == 16
        assert not expected[g[0]][int(g[1]) : int(g[2])].any()  # tandem beside interspersed
        if int(g[4]) <= 12:
            expected[g[0]][int(g[1]) : int(g[2])] = True
    for name, sequence in genome.items():
        lower = np.frombuffer(sequence, dtype=np.uint8) >= ord("a")
        assert np.array_equal(lower, expected[name])
        assert 0.1 < lower.mean() < 0.6


def test_promoters_are_rich_in_cpg(genome, transcripts) -> None:  # type: ignore[no-untyped-def]
    def observed_over_expected(text: str) -> float:
        c, g = text.count("C"), text.count("G")
        return text.count("CG") * len(text) / (c * g)

    near = ""
    for rows in transcripts.values():
        chrom, start, end, strand = rows["transcript"][0]
        tss = start if strand == "+" else end - 1
        near += genome[chrom][max(0, tss - 250) : tss + 250].decode().upper()
    everything = "".join(text.decode().upper() for text in genome.values())
    assert observed_over_expected(near) > 0.6
    assert observed_over_expected(everything) < 0.4


def test_there_are_gaps_and_a_desert(genome, transcripts) -> None:  # type: ignore[no-untyped-def]
    for name, sequence in genome.items():
        assert sequence.count(b"N") >= len(sequence) // 60
        assert sequence.startswith(b"N")
        spans = sorted(
            rows["transcript"][0][1:3]
            for rows in transcripts.values()
            if rows["transcript"][0][0] == name
        )
        edges = [0, *(edge for span in spans for edge in span), len(sequence)]
        gaps = [right - left for left, right in zip(edges[::2], edges[1::2], strict=True)]
        assert max(gaps) >= len(sequence) // 5


def test_equal_seeds_give_equal_files(tmp_path: Path, source: Source) -> None:
    again = make(tmp_path / "again", SETTINGS)
    other = make(tmp_path / "other", SETTINGS.model_copy(update={"seed": 4}))
    assert again.raw == source.raw
    hashes = {sha256_file(s.folder / "source.json") for s in (source, again, other)}
    assert len(hashes) == 2


def test_splits(source: Source) -> None:
    rows = (source.folder / "pieces.tsv").read_text().splitlines()[1:]
    assert [row.split("\t")[4] for row in rows] == ["train", "valid", "test"]
    assert default_splits(4) == (["sim3"], ["sim4"])
    assert default_splits(2) == ([], ["sim2"])
    assert default_splits(1) == ([], [])


def test_gtf_of_a_gene_written_out() -> None:
    # exons 10-20 and 30-44 on minus: transcript bases 0-14 lie at 43..30, 14-24 at 19..10;
    # CDS 6-18: stop codon 15-18
    gene = Gene(7, "c", 10, 44, "-", ((30, 44), (10, 20)), (6, 18), True)
    rows = [line.split("\t")[:8] for line in gencode_rows(gene)]
    short = [(r[2], int(r[3]), int(r[4]), r[7]) for r in rows]
    assert short == [
        ("gene", 11, 44, "."),
        ("transcript", 11, 44, "."),
        ("exon", 31, 44, "."),
        ("exon", 11, 20, "."),
        ("CDS", 31, 38, "0"),
        ("CDS", 20, 20, "1"),
        ("start_codon", 36, 38, "0"),
        ("stop_codon", 17, 19, "0"),
        ("UTR", 39, 44, "."),
        ("UTR", 11, 19, "."),
    ]
    assert gene.tss == 43


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (Simulation(chromosome_bp=[5000]), "sim1 has 5000 bp; use at least 20000"),
        (Simulation(chromosome_bp=[20_000, 20_000]), "names sim3, sim4"),
    ],
)
def test_wrong_settings(tmp_path: Path, settings: Simulation, sentence: str) -> None:
    with pytest.raises(GenezipError, match=sentence):
        make(tmp_path / "out", settings)
    assert list(tmp_path.iterdir()) == []
