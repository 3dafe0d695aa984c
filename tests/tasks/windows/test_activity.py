"""Regulatory activity: a small deposit converted, its numbers compared, and wrong files."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toolkit.deposits import rsap, tfrecords

from genezip.errors import GenezipError
from genezip.formats.fasta import unpack_fasta
from genezip.formats.tfrecord import read_payloads
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.windows.activity import prepare_activity


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    return rsap.write(tmp_path / "deposit")


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Path]:
    def run(listing: Path, species: str = "human", genome: Path | None = None) -> Path:
        manifest = tmp_path / species / "manifest.json"
        files = TaskFiles.load(listing)
        prepare_activity(files, species, genome or rsap.genome_of(listing), manifest)
        return manifest

    return run


def own(listing: Path) -> Path:
    return listing.parent / "regulatory_sequence_activity_prediction" / "human"


def mend_statistics(listing: Path, **changes: Any) -> None:
    path = own(listing) / "statistics.json"
    numbers = json.loads(path.read_text()) | changes
    kept = {key: value for key, value in numbers.items() if value is not None}
    path.write_text(json.dumps(kept))


def test_targets_and_widened_windows_by_hand(listing: Path, prepare: Callable[..., Path]) -> None:
    prepared = Prepared.load(prepare(listing), "rsap")
    table = prepared.table()
    assert table["start"].tolist() == [-32_768, 98_304, 229_376, -32_768, 229_376, -32_768, 229_376]
    assert (table["end"] - table["start"] == 196_608).all()
    assert table["example"].tolist() == [0, 1, 2, 0, 1, 0, 1]
    # training inputs overlap after widening; those of valid and test lie apart
    numbers = table["locus"].tolist()
    assert numbers[0] == numbers[1] == numbers[2]
    assert len(set(numbers)) == 5
    assert prepared.counts == {"train": 3, "valid": 2, "test": 2}
    assert prepared.facts["tracks"] == ["0", "1", "2"]
    assert prepared.facts["bins"] == {"first_bp": 40_960, "width_bp": 128, "count": 896}
    codes = rsap.bases(2 * rsap.STORED_BP + rsap.STORED_BP + 10_000, 0)  # chr1: three touch
    found = np.load(prepared.folder / "targets.train.npy")
    assert found.shape == (3, 896, 3) and found.dtype == np.dtype("<f2")
    for row in range(3):
        assert np.array_equal(found[row], rsap.target(codes, row * rsap.STORED_BP, 3))
    # bin 7 of row 1, track 2: G and C among 128 bases from 131,072 + 8,192 + 7*128 + 2
    first = 131_072 + 8_192 + 7 * 128 + 2
    strong = sum(chr(code) in "GCgc" for code in codes[first : first + 128])
    assert found[1, 7, 2] == strong / 128


def test_a_packed_fasta_is_unpacked_first(tmp_path: Path, prepare: Callable[..., Path]) -> None:
    listing = rsap.write(tmp_path / "packed", packed=True)
    packed = TaskFiles.load(listing).one("hg38.ml.fa.gz")
    plain = tmp_path / "hg38.ml.fa"
    unpack_fasta(packed, plain)
    assert Prepared.load(prepare(listing, genome=plain)).counts["test"] == 2


def test_all_5313_tracks_fit(tmp_path: Path, prepare: Callable[..., Path]) -> None:
    one = {0: 1}
    listing = rsap.write(tmp_path / "wide", train=one, valid=one, test=one, tracks=5_313)
    folder = prepare(listing).parent
    (record,) = read_payloads(own(listing) / "targets" / "test-0.tfr")
    assert len(record) > 9_520_896 + 524_288
    found = np.load(folder / "targets.test.npy", mmap_mode="r")
    assert found.shape == (1, 896, 5_313)
    codes = rsap.bases(rsap.STORED_BP + 10_000, 2)
    assert np.array_equal(found[0], rsap.target(codes, 0, 5_313))


def test_a_species_is_its_own_folder(tmp_path: Path, prepare: Callable[..., Path]) -> None:
    listing = rsap.write(tmp_path / "deposit", species="mouse", tracks=2)
    manifest = prepare(listing, "mouse", rsap.genome_of(listing, "mouse"))
    assert Prepared.load(manifest).facts["species"] == "mouse"
    with pytest.raises(
        GenezipError, match=r"no species 'all'; name a species with --subset \(it has mouse\)"
    ):
        prepare(listing, "all", rsap.genome_of(listing, "mouse"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"test_seqs": 3}, r"states 3 test windows, .*sequences.bed has 2"),
        ({"seq_length": 131_073}, r"has seq_length 131,073, this genezip reads 131,072"),
        ({"crop_bp": 0}, r"has crop_bp 0, this genezip reads 8,192"),
        ({"pool_width": None}, r"statistics.json lacks pool_width; fetch it again"),
        ({"num_targets": 0}, r"has num_targets 0"),
        (
            {"num_targets": float("inf")},
            r"statistics.json cannot be read \(cannot convert float inf",
        ),
        ({"num_targets": 4}, r"a target of 5,376 bytes, not 7,168 \(3 tracks instead of 4\)"),
    ],
)
def test_statistics_that_do_not_fit_are_refused(
    listing: Path, prepare: Callable[..., Path], changes: dict[str, Any], sentence: str
) -> None:
    mend_statistics(listing, **changes)
    with pytest.raises(GenezipError, match=sentence):
        prepare(listing)
    assert not (listing.parent.parent / "human").exists()


def test_statistics_without_counts_are_enough(listing: Path, prepare: Callable[..., Path]) -> None:
    mend_statistics(listing, train_seqs=None, valid_seqs=None, test_seqs=None)
    assert Prepared.load(prepare(listing)).counts["train"] == 3


def test_swapped_shards_are_noticed(listing: Path, prepare: Callable[..., Path]) -> None:
    targets = own(listing) / "targets"
    shutil.move(targets / "train-0.tfr", targets / "x")
    shutil.move(targets / "train-1.tfr", targets / "train-0.tfr")
    shutil.move(targets / "x", targets / "train-1.tfr")
    with pytest.raises(GenezipError, match=r"it is row 2 of train \(chr1:262144-393216\) instead"):
        prepare(listing)


def test_a_shard_of_another_split_is_noticed(listing: Path, prepare: Callable[..., Path]) -> None:
    targets = own(listing) / "targets"
    shutil.copy(targets / "test-0.tfr", targets / "valid-0.tfr")
    with pytest.raises(GenezipError) as told:
        prepare(listing)
    text = str(told.value)
    assert "valid-0.tfr is not row 0 of valid in sequences.bed (chr2:0-131072)" in text
    assert "it is row 0 of test (chr3:0-131072) instead" in text
    assert "or sequences.bed is not that of the shards" in text


def changed_fasta(listing: Path, out: Path, chrom: str, places: range) -> Path:
    """The FASTA with the next letter of ACGT at some places."""
    text = bytearray(rsap.genome_of(listing).read_bytes())
    first = text.index(b"\n", text.index(f">{chrom} ".encode())) + 1
    for place in places:
        at = first + place // 60 * 61 + place % 60
        text[at] = b"CGTA"[b"ACGT".index(bytes([text[at]]).upper())]
    out.write_bytes(text)
    return out


def test_as_many_bases_as_the_limit_are_counted_and_one_more_is_refused(
    listing: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    """131 of 131,072 are 0.09995 %, 132 are 0.1007 %. Row 1 of chr1 begins at base 131,072."""
    first = rsap.STORED_BP + 1_000
    enough = changed_fasta(listing, tmp_path / "131.fa", "chr1", range(first, first + 131))
    facts = Prepared.load(prepare(listing, genome=enough)).facts["differing_from_fasta"]
    assert facts["train"] == {"records": 1, "bases": 131, "worst_bases": 131, "worst_row": 1}
    assert facts["test"] == {"records": 0, "bases": 0, "worst_bases": 0, "worst_row": None}
    more = changed_fasta(listing, tmp_path / "132.fa", "chr1", range(first, first + 132))
    with pytest.raises(GenezipError, match=r"132 of 131,072 bases differ, first chr1:132072 "):
        prepare(listing, genome=more)


def test_what_differs_is_said_once_per_split_also_after_going_on(
    listing: Path,
    tmp_path: Path,
    messages: Callable[[], list[str]],
    at_message: Callable[..., AbstractContextManager[None]],
) -> None:
    """20 bases before the border of rows 0 and 1 and 30 after it, and 7 in row 2."""
    border = rsap.STORED_BP
    some = changed_fasta(listing, tmp_path / "a.fa", "chr1", range(border - 20, border + 30))
    genome = tmp_path / "b.fa"
    rest = range(2 * border + 500, 2 * border + 507)
    whole = rsap.genome_of(listing)
    kept = whole.read_bytes()
    whole.write_bytes(some.read_bytes())
    changed_fasta(listing, genome, "chr1", rest)
    whole.write_bytes(kept)
    manifest = tmp_path / "human" / "manifest.json"

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), at_message("train-0", stop):
        prepare_activity(TaskFiles.load(listing), "human", genome, manifest)
    prepare_activity(TaskFiles.load(listing), "human", genome, manifest)
    assert messages()[1] == "rsap: resumed after 1 finished shards"
    assert [text for text in messages() if "differ" in text] == [
        "rsap: 3 of 3 records of train differ from the FASTA, at 57 bases in all (at most 30 of "
        "131,072, row 1)"
    ]
    facts = Prepared.load(manifest).facts["differing_from_fasta"]
    assert facts["train"] == {"records": 3, "bases": 57, "worst_bases": 30, "worst_row": 1}


def test_a_fasta_without_the_masking_of_the_deposit_is_noticed(
    listing: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    """N of ``hg38.ml.fa`` that other copies of the genome spell out."""
    other = tmp_path / "hg38.fa"
    other.write_bytes(rsap.genome_of(listing).read_bytes().replace(b"N", b"A"))
    with pytest.raises(GenezipError) as told:
        prepare(listing, genome=other)
    assert "400 of 131,072 bases differ, first chr1:50000 (stored N, FASTA A)" in str(told.value)
    assert "give the deposit's own FASTA (.ml.fa), unpacked" in str(told.value)


def test_a_record_of_two_is_missed(listing: Path, prepare: Callable[..., Path]) -> None:
    path = own(listing) / "targets" / "valid-0.tfr"
    tfrecords.write(path, [next(iter(read_payloads(path)))])
    with pytest.raises(GenezipError, match=r"the 1 valid shards hold 1 records .* 2 valid rows"):
        prepare(listing)
