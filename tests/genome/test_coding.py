"""Coding sequences of made-up and of real genomes, and windows around genes."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from toolkit.dna import random_dna, reverse_complement
from toolkit.gene_files import read_rows

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.formats.fasta import read_records
from genezip.genome.coding import bases_of, coding_sequences, window_around
from genezip.genome.gene_models import read_gene_models

GENE = "ATGAAACCCGGGTAA"  # 15 bases: M K P G stop
OTHER = "GTGCATCATTGA"


def placed(length, *genes, seed=0):
    """Random bases with (position, text) written over them; positions wrap."""
    bases = list(random_dna(length, seed))
    for at, text in genes:
        for number, base in enumerate(text):
            bases[(at + number) % length] = base
    return "".join(bases)


def gff(tmp_path, *rows, length=None):
    """Annotation of (first, last, name, strand) in 1-based places; ``length`` makes c circular."""
    circle = [("region", 1, length, "ID=c;Is_circular=true")] if length else []
    genes = [
        row
        for first, last, name, strand in rows
        for row in (
            ("gene", first, last, f"ID={name};Name={name.upper()}", strand),
            ("CDS", first, last, f"ID=cds-{name};Parent={name}", strand),
        )
    ]
    return read_rows(tmp_path, "gff3", *circle, *genes)


def table(found):
    columns = ["start", "end", "strand", "gene_id"]
    return [tuple(row) for row in found.table[columns].itertuples(index=False)]


def test_both_strands_and_a_gene_across_the_origin(tmp_path: Path) -> None:
    sequence = placed(100, (10, GENE), (40, reverse_complement(OTHER)), (93, GENE))
    rows = [(11, 25, "a", "+"), (41, 52, "b", "-"), (94, 108, "o", "+")]
    found = coding_sequences(gff(tmp_path, *rows, length=100), {"c": sequence}, 11)
    assert table(found) == [(10, 25, "+", "a"), (40, 52, "-", "b"), (93, 108, "+", "o")]
    assert found.table["name"].tolist() == ["A", "B", "O"]
    assert found.left_out == {} and found.noted == {}
    ids = window_around(sequence, 93, 108, 15, "+", circular=True).ids
    assert decode(ids).decode() == GENE


def test_a_minus_gene_across_the_origin_as_two_rows(tmp_path: Path) -> None:
    sequence = placed(60, (53, reverse_complement(GENE)))
    rows = (
        ("region", 1, 60, "ID=c;Is_circular=true"),
        ("CDS", 54, 60, "ID=x", "-"),
        ("CDS", 1, 8, "ID=x", "-"),
    )
    found = coding_sequences(read_rows(tmp_path, "gff3", *rows), {"c": sequence}, 11)
    assert table(found) == [(53, 68, "-", "x")]
    # without the mark in the file, the caller's word counts
    plain = coding_sequences(read_rows(tmp_path, "gff3", *rows[1:]), {"c": sequence}, 11, ["c"])
    assert table(plain) == [(53, 68, "-", "x")]
    assert decode(window_around(sequence, 53, 68, 15, "-", True).ids).decode() == GENE


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path, messages) -> None:
    genes = {
        "good": "ATGAAATAA",
        "shifted": "ATGAAATAAC",
        "inner": "ATGTAAAAATAA",
        "unknown": "ATGNAATAA",
        "open": "ATGAAAAAA",
        "odd": "CCCAAATAA",
    }
    rows, parts, at = [], [], 0
    for name, text in genes.items():
        rows.append((at + 1, at + len(text), name, "+"))
        parts.append((at, text))
        at += 20
    annotation = read_rows(
        tmp_path,
        "gff3",
        *(("CDS", a, b, f"ID={n}", s) for a, b, n, s in rows),
        ("CDS", 141, 146, "ID=joined"),  # programmed frame shifts: a gap, or one base read twice
        ("CDS", 148, 160, "ID=joined"),
        ("CDS", 161, 166, "ID=slipped"),
        ("CDS", 166, 172, "ID=slipped"),
    )
    found = coding_sequences(annotation, {"c": placed(200, *parts)}, 11)
    assert [row[3] for row in table(found)] == ["good", "open", "odd"]
    assert found.left_out == {
        "compound": 2,
        "ambiguous_base": 1,
        "out_of_frame": 1,
        "internal_stop": 1,
    }
    assert found.noted == {"no_stop": 1, "other_start": 1}
    told = messages()[-1]
    assert "3 of 8 genes have a coding sequence in frame" in told
    assert "internal_stop 1" in told and "no_stop 1" in told


def test_a_gene_with_two_starts_keeps_the_longer_sequence(tmp_path: Path) -> None:
    long = "ATGAAAATGCCCTAA"
    rows = [
        ("gene", 1, 15, "ID=g;Name=mrcB"),
        ("CDS", 1, 15, "ID=p1;Parent=g"),
        ("CDS", 7, 15, "ID=p2;Parent=g"),
    ]
    found = coding_sequences(read_rows(tmp_path, "gff3", *rows), {"c": placed(30, (0, long))}, 11)
    assert table(found) == [(0, 15, "+", "g")] and found.left_out == {}
    gtf = 'gene_id "g"; transcript_id "t";'
    stop_apart = [("CDS", 1, 12, gtf), ("stop_codon", 13, 15, gtf)]
    found = coding_sequences(
        read_rows(tmp_path, "gtf", *stop_apart), {"c": placed(30, (0, long))}, 1
    )
    assert table(found) == [(0, 15, "+", "g")]


def test_the_genetic_code_decides_what_stops(tmp_path: Path) -> None:
    sequence = placed(40, (3, "ATGTGATGGTAA"))  # TGA is tryptophan in code 4
    annotation = gff(tmp_path, (4, 15, "g", "+"))
    assert coding_sequences(annotation, {"c": sequence}, {"c": 4}).left_out == {}
    assert coding_sequences(annotation, {"c": sequence}, 11).left_out == {"internal_stop": 1}
    with pytest.raises(GenezipError, match="7 is not the NCBI number of a genetic code; use one"):
        coding_sequences(annotation, {"c": sequence}, 7)
    with pytest.raises(GenezipError, match="no genetic code is given for the contig c; give one"):
        coding_sequences(annotation, {"c": sequence}, {"d": 4})


def test_an_annotation_of_another_genome_is_one_sentence(tmp_path: Path) -> None:
    rows = [(30 * n + 1, 30 * n + 24, f"g{n}", "-+++"[n % 4]) for n in range(40)]
    annotation = gff(tmp_path, *rows)
    with pytest.raises(GenezipError, match=r"coding sequences of .* give the annotation of this"):
        coding_sequences(annotation, {"c": "TAA" * 400}, 11)
    with pytest.raises(GenezipError, match="beyond the 1,000 bases of c; give the annotation"):
        coding_sequences(annotation, {"c": random_dna(1000)}, 11)
    with pytest.raises(GenezipError, match=r"on the contigs d \(it has some on c\); give the"):
        coding_sequences(annotation, {"d": random_dna(2000)}, 11)


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("circular", [True, False])
def test_windows_wrap_or_shift_and_say_where_the_gene_is(strand: str, circular: bool) -> None:
    contig = random_dna(50, 3)
    rng = np.random.default_rng(0)
    for _ in range(200):
        size, length = int(rng.integers(1, 12)), int(rng.integers(1, 60))
        start = int(rng.integers(0, 50 if circular else 50 - size))
        before = None if rng.random() < 0.5 else int(rng.integers(0, 20))
        found = window_around(contig, start, start + size, length, strand, circular, before)
        text = decode(found.ids).decode()
        shown = contig * 3 if circular else contig
        expected = shown[found.start : found.start + min(length, 50)]
        assert text == (expected if strand == "+" else reverse_complement(expected))
        gene = (contig * 2)[start : start + size]
        gene = gene if strand == "+" else reverse_complement(gene)
        if 0 <= found.offset <= len(text) - size:
            assert text[found.offset : found.offset + size] == gene
        if before is not None and circular and length <= 50:
            assert found.offset == before
        if before is None and length >= size and (not circular or length < 50):
            assert 0 <= found.offset <= len(text) - size  # the gene is inside


def test_windows_by_hand() -> None:
    contig = "AACCGGTTAC"
    assert decode(window_around(contig, 4, 6, 6).ids) == b"CCGGTT"
    assert decode(window_around(contig, 0, 2, 6).ids) == b"AACCGG"  # shifted inwards
    wrapped = window_around(contig, 0, 2, 6, circular=True)
    assert (decode(wrapped.ids), wrapped.offset, wrapped.start) == (b"ACAACC", 2, 8)
    minus = window_around(contig, 6, 8, 5, "-", before=2)  # TT is read AA, after GT
    assert (decode(minus.ids), minus.offset, minus.start) == (b"GTAAC", 2, 5)
    assert decode(bases_of(window_around(contig, 0, 1, 10).ids, -2, 3, "-")) == b"GTTGT"
    with pytest.raises(GenezipError, match="8-12 is not inside its contig of 10 bases; give"):
        window_around(contig, 8, 12, 6)
    with pytest.raises(GenezipError, match="a window of 0 bases is empty; give at least 1"):
        window_around(contig, 1, 2, 0)


GENOMES = {
    "bsubtilis": ("Bacillus_subtilis_best7003.ASM52304v1", 11, 4011),
    "mgenitalium": ("Mycoplasma_genitalium_g37.ASM2732v1", 4, 476),
    "ecoli": ("ecoli_K12_MG1655.GCF_000005845.2", 11, 4284),
}


@pytest.mark.parametrize(
    "name",
    [
        "mgenitalium",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("bsubtilis", "ecoli")),
    ],
)
def test_coding_sequences_of_real_bacteria(mirror: Path, name: str) -> None:
    stem, code, genes = GENOMES[name]
    folder = mirror / "other_systems"
    if name == "ecoli":
        fasta, rows = folder / f"{stem}.genomic.fna.gz", folder / f"{stem}.genomic.gff.gz"
    else:
        folder = folder / "genomes"
        fasta, rows = folder / f"{stem}.dna.toplevel.fa.gz", folder / f"{stem}.46.gff3.gz"
    if not fasta.exists():
        pytest.skip(f"no genome at {fasta}")
    with gzip.open(rows, "rt") as lines:
        fields = [line.split("\t") for line in lines if line.count("\t") == 8]
    cds = [(int(f[3]) - 1, int(f[4]), f[6]) for f in fields if f[2] == "CDS"]
    sequences = dict(read_records(fasta))
    found = coding_sequences(read_gene_models(rows, "gff3", "all"), sequences, code)
    assert len(found.table) == genes
    kept = set(found.table[["start", "end", "strand"]].itertuples(index=False, name=None))
    assert kept <= set(cds)
    if name == "ecoli":
        assert found.left_out["internal_stop"] == 3  # fdhF, fdnG, fdoG: selenocysteine at TGA
    else:
        assert kept == set(cds) and found.left_out == {} and found.noted == {}
