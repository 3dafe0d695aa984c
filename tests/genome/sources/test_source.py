"""source.json: what it promises is checked at the door."""

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyfaidx
import pytest

from genezip.config import Simulation
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes, read_chrom_sizes
from genezip.formats.fasta import read_records, write_records
from genezip.genome.assembly import Segment
from genezip.genome.sources.layout import Draft, staged
from genezip.genome.sources.simulated import simulate
from genezip.genome.sources.source import Source


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with staged(folder) as draft:
        simulate(draft, Simulation(chromosome_bp=[30_000, 20_000], valid=[], test=["sim2"]))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "s")
    return tmp_path / "s"


def test_load_gives_everything(folder: Path) -> None:
    source = Source.load(folder / "source.json")
    source.verify()
    assert (source.kind, source.build) == ("simulated", "simulated")
    assert "\n" not in source.description
    assert [segment.split for segment in source.assembly().segments] == ["train", "test"]
    assert len(source.annotation("genes").tss()) > 0
    assert list(source.annotations()) == ["genes"]
    rmsk, trf = source.rmsk(), source.trf()
    assert rmsk is not None
    assert set(rmsk["chrom"]) == {"sim1", "sim2"}
    assert trf is not None
    assert (trf["end"] <= 30_000).all()


def test_no_repeats_is_none(folder: Path) -> None:
    raw = json.loads((folder / "source.json").read_text())
    raw["repeats"] = {"rmsk": None, "trf": None}
    (folder / "source.json").write_text(json.dumps(raw))
    source = Source.load(folder / "source.json")
    assert source.rmsk() is None
    assert source.trf() is None


def test_repeats_get_the_names_of_the_assembly(
    folder: Path, messages: Callable[[], list[str]]
) -> None:
    raw = json.loads((folder / "source.json").read_text())
    before = Source.load(folder / "source.json").rmsk()
    for name in ("rmsk.out.gz", "trf.bed.gz"):
        text = gzip.decompress((folder / name).read_bytes()).replace(b"sim1", b"chrsim1")
        (folder / name).write_bytes(gzip.compress(text))
        entry = next(entry for entry in raw["files"] if entry["path"] == name)
        entry["bytes"] = (folder / name).stat().st_size
    (folder / "source.json").write_text(json.dumps(raw))
    source = Source.load(folder / "source.json")
    rmsk, trf = source.rmsk(), source.trf()
    assert rmsk is not None
    assert trf is not None
    pd.testing.assert_frame_equal(rmsk, before)
    assert set(trf["chrom"]) == {"sim1", "sim2"}
    assert messages() == [
        f"{name}: contig names converted (chrsim1 -> sim1, 1 in all)"
        for name in ("rmsk.out.gz", "trf.bed.gz")
    ]


def test_unknown_annotation_set(folder: Path) -> None:
    with pytest.raises(GenezipError, match="no annotation set 'refseq'; it has genes"):
        Source.load(folder / "source.json").annotation("refseq")


def test_missing_file_is_named(folder: Path) -> None:
    (folder / "trf.bed.gz").unlink()
    with pytest.raises(GenezipError, match=r"trf\.bed\.gz is missing"):
        Source.load(folder / "source.json")


def test_truncated_file_is_named(folder: Path) -> None:
    path = folder / "pieces.fa"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GenezipError, match=r"pieces\.fa has [\d,]+ bytes, source.json lists"):
        Source.load(folder / "source.json")


def test_altered_file_is_named(folder: Path) -> None:
    path = folder / "pieces.fa"
    text = bytearray(path.read_bytes())
    text[-2] = ord("A") if text[-2] != ord("A") else ord("C")
    path.write_bytes(text)
    source = Source.load(folder / "source.json")  # the size is right
    with pytest.raises(GenezipError, match=r"pieces\.fa was altered"):
        source.verify()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "does not exist; run `genezip fetch` first"),
        ("{", "is not valid JSON"),
        ("[]", "is not a source of DNA; run `genezip fetch` again"),
        ('{"schema_version": 2}', "schema_version 2, this genezip reads 1"),
        ('{"schema_version": 1, "source": "mirror"}', "lacks description, build, fasta"),
    ],
)
def test_wrong_source_json(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "source.json").write_text(text)
    with pytest.raises(GenezipError, match=sentence):
        Source.load(tmp_path / "source.json")


def test_index_is_that_of_pyfaidx(tmp_path: Path) -> None:
    records = [("a", b"ACGT" * 50), ("b:0-60", b"acgtNN" * 10), ("c", b"A")]
    write_records(tmp_path / "x.fa", records)
    ours = (tmp_path / "x.fa.fai").read_text()
    shutil.copy(tmp_path / "x.fa", tmp_path / "y.fa")
    pyfaidx.Faidx(str(tmp_path / "y.fa"))
    assert ours == (tmp_path / "y.fa.fai").read_text()
    assert list(read_records(tmp_path / "x.fa")) == records


def _write(draft: Draft, *segments: tuple[str, int, int, str, bytes]) -> None:
    rows = [
        (Segment(f"{c}:{s}-{e}", c, s, e, split, "genes", False, False, False), sequence)
        for c, s, e, split, sequence in segments
    ]
    draft.write_segments(rows, {"c": 100}, "here", "-", "-")


@pytest.mark.parametrize(
    ("segments", "sentence"),
    [
        ([("c", 0, 5, "train", b"ACG")], "has 3 bases instead of 5"),
        ([("c", 98, 103, "train", b"ACGTA")], "ends beyond c, which has 100 bases"),
        ([("c", 0, 4, "train", b"ACEG")], "letter 'E' at position 2"),
        ([("c", 0, 4, "train", b"ACGT"), ("c", 3, 7, "test", b"ACGT")], "overlap"),
        ([("c", 0, 4, "test", b"ACGT")], "no segment is left to train on"),
    ],
)
def test_wrong_segments(tmp_path: Path, segments: list, sentence: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(GenezipError, match=sentence), staged(tmp_path / "out") as draft:
        _write(draft, *segments)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_the_old_source(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(KeyboardInterrupt), staged(folder) as draft:
        _write(draft, ("c", 0, 4, "train", b"ACGT"))
        raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_new_source_removes_the_files_of_the_old_and_no_others(folder: Path) -> None:
    (folder / "README.md").write_text("mine")
    with staged(folder) as draft:
        _write(draft, ("c", 0, 4, "train", b"ACGT"))
        draft.finish("files", "one segment", "test")
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "chrom.sizes",
        "pieces.fa",
        "pieces.fa.fai",
        "pieces.tsv",
        "source.json",
    ]
    assert Source.load(folder / "source.json").raw["source"] == "files"


def test_lengths_of_hg38() -> None:
    sizes = hg38_sizes()
    assert len(sizes) == 25
    assert (sizes["chr9"], sizes["chrM"]) == (138_394_717, 16_569)
    assert sum(sizes.values()) == 3_088_286_401  # 24 nuclear chromosomes and chrM


def test_the_lengths_of_hg38_are_those_of_pybedtools() -> None:
    pybedtools = pytest.importorskip("pybedtools")
    theirs = {chrom: end for chrom, (_, end) in pybedtools.chromsizes("hg38").items()}
    assert hg38_sizes().items() <= theirs.items()


def test_lengths_from_two_columns_and_from_an_index(tmp_path: Path) -> None:
    (tmp_path / "a.sizes").write_text("chr1\t60\nchr2\t9\n")
    (tmp_path / "a.fai").write_text("chr1\t60\t6\t50\t51\nchr2\t9\t80\t50\t51\n")
    assert read_chrom_sizes(tmp_path / "a.sizes") == {"chr1": 60, "chr2": 9}
    assert read_chrom_sizes(tmp_path / "a.fai") == {"chr1": 60, "chr2": 9}


@pytest.mark.parametrize("packed", [False, True])
def test_lengths_from_a_fasta(tmp_path: Path, packed: bool) -> None:
    text = b">chr1 first\nACGTN\nac\r\n\n>chr2\nA\n"
    (tmp_path / "a.fa").write_bytes(gzip.compress(text) if packed else text)
    assert read_chrom_sizes(tmp_path / "a.fa") == {"chr1": 7, "chr2": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.fa"]  # no index is left behind


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("chr1\t60\nchr2\n", r"line 2 of .* has no contig name \(column 1\) with its length"),
        ("chr1\tlong\n", r"line 1 of .* has no contig name \(column 1\) with its length"),
        ("chr1\t6\nchr1\t6\n", r"line 2 of .* the length of chr1 \(column 1\) a second time"),
        ("@chr1\nACGT\n", r"line 1 of .* name a chrom.sizes, \.fai or FASTA file"),
        (">chr1\nACGT\n>chr2\n", "record 'chr2' of .* has no bases"),
        (">chr1\nACGT\n>chr1\nA\n", "the record chr1 twice"),
        ("# none\n", "names no contig"),
        ("\n", r"is empty; name a chrom.sizes, \.fai or FASTA file"),
    ],
)
def test_wrong_lengths(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "a.sizes").write_text(text)
    with pytest.raises(GenezipError, match=sentence):
        read_chrom_sizes(tmp_path / "a.sizes")


def test_missing_and_packed_lengths(tmp_path: Path) -> None:
    with pytest.raises(GenezipError, match=r"does not exist; name a chrom\.sizes, \.fai or FASTA"):
        read_chrom_sizes(tmp_path / "absent")
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"chr1\t60\n"))
    assert read_chrom_sizes(tmp_path / "a.gz") == {"chr1": 60}
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08\xff\xfe")
    with pytest.raises(GenezipError, match="is a truncated or broken gzip file"):
        read_chrom_sizes(tmp_path / "a.gz")
