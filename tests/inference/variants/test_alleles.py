"""Alternative alleles become replaced bases, as short as they can be, or have a reason."""

import pytest
from toolkit.variants import CHR1, CHR2, row, write_reference

from genezip.alphabet import decode, reverse_complement
from genezip.alphabet import encode as ids_of
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.variants.alleles import (
    REASONS,
    Allele,
    Reference,
    allele_of,
    disagreement,
)
from genezip.inference.variants.vcf import Record

B = CHR1.upper()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    path = write_reference(tmp_path_factory.mktemp("reference") / "my.fa")
    return Reference(ReferenceGenome(path))


def record_of(text: str) -> Record:
    cells = text.split("\t", 8)
    return Record(9, tuple(cells), int(cells[1]))


def found(reference: Reference, *cells: object) -> Allele | str:
    record = record_of(row("chr1", *cells))  # type: ignore[arg-type]
    assert disagreement(record, "chr1", reference) is None
    return allele_of(record, 0, "chr1", reference)


def test_an_allele_is_as_short_as_it_can_be(reference: Reference) -> None:
    new = "C" if B[99] != "C" else "G"
    snv = Allele("chr1", 99, 100, new.encode())
    assert found(reference, 100, B[99], new) == snv
    assert found(reference, 98, B[97:103], B[97:99] + new + B[100:103]) == snv
    assert found(reference, 100, B[99].lower(), new.lower()) == snv
    # bases that both share at the end are taken off first, as by other programs
    assert found(reference, 100, B[99], B[99] + "T" * 3 + B[99]) == Allele(
        "chr1", 99, 99, (B[99] + "TTT").encode()
    )
    deleted = found(reference, 100, B[99:105], B[99])
    assert isinstance(deleted, Allele) and deleted.longer == -5 and deleted.alt == b""


def test_symbols_with_an_end_are_explicit(reference: Reference) -> None:
    assert found(reference, 100, B[99], "<DEL>", "END=140") == Allele("chr1", 100, 140, b"")
    assert found(reference, 100, B[99], "<DEL:ME>", "SVLEN=-40") == Allele("chr1", 100, 140, b"")
    assert found(reference, 100, B[99], "<DUP:TANDEM>", "SVLEN=12") == Allele(
        "chr1", 100, 100, B[100:112].encode()
    )
    inverted = decode(reverse_complement(ids_of(B[100:112])))
    assert found(reference, 100, B[99], "<INV>", "END=112;SVLEN=12") == Allele(
        "chr1", 100, 112, inverted
    )
    record = record_of(row("chr1", 100, B[99], "<DEL>,<DUP>", "END=140;SVLEN=-40,12"))
    assert allele_of(record, 1, "chr1", reference) == Allele("chr1", 100, 100, B[100:112].encode())


@pytest.mark.parametrize(
    ("pos", "ref", "alt", "info", "reason"),
    [
        (100, B[99], ".", ".", "no_alt"),
        (100, B[99], "*", ".", "overlapping_deletion"),
        (100, B[99], f"{B[99]}[chr2:5[", ".", "breakend"),
        (100, B[99], f".{B[99]}", ".", "breakend"),
        (100, B[99], "<INS>", "SVLEN=9", "symbolic"),
        (100, B[99], "<CNV>", "END=200", "symbolic"),
        (100, B[99], "<*>", ".", "symbolic"),
        (100, B[99], "<DEL>", ".", "no_end"),
        (100, B[99], "<DEL>", "END=140;SVLEN=-41", "no_end"),
        (100, B[99], "<DUP>", "SVLEN=10001", "longer_than_10000_bp"),
        (100, B[99], B[99] + "ACGT" * 2501, ".", "longer_than_10000_bp"),
        (401, "N", "A", ".", "reference_has_n"),
        (400, B[399], "<DEL>", "END=410", "reference_has_n"),
        (100, B[99], "R", ".", "alt_has_n"),
        (100, B[99], B[99], ".", "same_as_reference"),
        (0, "N", "]chr2:9]A", ".", "breakend"),
        (0, "N", "<DEL>", "END=5", "telomere"),
    ],
)
def test_what_has_no_score(
    reference: Reference, pos: int, ref: str, alt: str, info: str, reason: str
) -> None:
    assert found(reference, pos, ref, alt, info) == reason
    assert reason in REASONS


def test_n_agrees_with_every_base(reference: Reference) -> None:
    inserted = found(reference, 100, "N", "NACGG")
    assert inserted == Allele("chr1", 100, 100, b"ACGG")
    assert disagreement(record_of(row("chr1", 401, "ACG", "A")), "chr1", reference) is None


@pytest.mark.parametrize(
    ("chrom", "pos", "ref", "alt", "info", "said"),
    [
        ("chr2", 300, CHR2[299] + "A", "A", ".", "chr2:300 ends at 301, but the contig has 300"),
        ("chr2", 900, "A", "C", ".", "chr2:900 ends at 900, but the contig has 300 bases"),
        ("chr2", 10, "N", "<DEL>", "END=301", "chr2:10 has END 301, but the contig has 300"),
        ("chr2", 0, "A", "C", ".", "chr2:0 ends at 0, but the contig has 300 bases"),
    ],
)
def test_how_a_record_disagrees(
    reference: Reference, chrom: str, pos: int, ref: str, alt: str, info: str, said: str
) -> None:
    record = record_of(row(chrom, pos, ref, alt, info))
    assert said in str(disagreement(record, chrom, reference))
