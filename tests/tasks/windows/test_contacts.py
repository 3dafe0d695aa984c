"""Contact maps: a small deposit converted, and every way in which files may be wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toolkit.deposits import cmp, tfrecords
from toolkit.deposits.files import write_fasta, write_listing

from genezip.errors import GenezipError
from genezip.formats.tfrecord import parse_example, read_payloads
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.windows.contacts import prepare_contact_maps
from genezip.tasks.windows.examples import CMP_BP

SPLITS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def deposit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small deposit; read only."""
    folder = tmp_path_factory.mktemp("cmp")
    cmp.write(folder)
    return folder


@pytest.fixture
def copied(deposit: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; the FASTA stays where it is."""
    folder = tmp_path / "deposit"
    shutil.copytree(deposit, folder, ignore=shutil.ignore_patterns("hg38*"))
    return folder


@pytest.fixture
def prepare(deposit: Path, tmp_path: Path) -> Callable[..., Path]:
    def run(folder: Path, genome: Path | None = None) -> Path:
        manifest = tmp_path / "all" / "manifest.json"
        files = TaskFiles.load(folder / "cmp.json")
        prepare_contact_maps(files, genome or deposit / cmp.GENOME, manifest)
        return manifest

    return run


def shard(folder: Path, name: str) -> Path:
    return folder / "contact_map_prediction" / "targets" / f"{name}.tfr"


def rewrite(path: Path, **features: bytes) -> None:
    """The first record of a shard with other features."""
    first, *others = read_payloads(path)
    kept = {key: value for key, value in parse_example(first).items() if isinstance(value, bytes)}
    new = {k: tfrecords.bytes_feature(v) for k, v in {**kept, **features}.items()}
    tfrecords.write(path, [tfrecords.example(new), *others])


def test_targets_come_out_per_cell_line_in_the_order_of_the_triangle(
    deposit: Path, prepare: Callable[..., Path]
) -> None:
    folder = prepare(deposit).parent
    for split, count in (("train", 4), ("valid", 1), ("test", 2)):
        found = np.load(folder / f"targets.{split}.npy", mmap_mode="r")
        assert found.shape == (count, 5, 99_681)
        assert found.dtype == np.dtype("<f2")
        for row in range(count):
            assert np.array_equal(found[row], cmp.target(row, split).T)
    train = np.load(folder / "targets.train.npy")
    # pair (i, j) = (3, 9) of cell line 2 in record 0: 31*3 + 7*9 + 13*2 = 182, minus 125, over 64
    i, j = np.triu_indices(448, 2)
    place = int(np.flatnonzero((i == 3) & (j == 9))[0])
    assert train[0, 2, place] == 57 / 64
    assert not train[1, 3].any() and train[1, 2].any()


def test_the_manifest_tells_what_there_is(deposit: Path, prepare: Callable[..., Path]) -> None:
    prepared = Prepared.load(prepare(deposit), "cmp")
    assert prepared.subset == "all"
    assert prepared.counts == {"train": 4, "valid": 1, "test": 2}
    assert prepared.facts["tracks"] == ["HFF", "H1hESC", "GM12878", "IMR90", "HCT116"]
    assert prepared.facts["bins"] == {"first_bp": 65_536, "width_bp": 2_048, "count": 448}
    assert prepared.facts["target_shape"] == [5, 99_681]
    names = {path.name for path in prepared.folder.iterdir()}
    assert names == {"manifest.json", "examples.parquet", *(f"targets.{s}.npy" for s in SPLITS)}
    assert [path.name for path in prepared.folder.parent.iterdir() if path.name[0] == "."] == []


def test_rows_follow_the_bed_and_windows_that_overlap_are_one_locus(
    deposit: Path, prepare: Callable[..., Path]
) -> None:
    table = Prepared.load(prepare(deposit)).table()
    starts = [65_536, 589_824, 1_665_536, 2_189_824]
    assert table["start"].tolist() == [*starts, starts[0], *starts[:2]]
    assert (table["end"] - table["start"] == CMP_BP).all()
    assert table["split"].tolist() == ["train"] * 4 + ["valid"] + ["test"] * 2
    assert table["example"].tolist() == [0, 1, 2, 3, 0, 0, 1]
    assert table["chrom"].tolist() == ["chr1"] * 4 + ["chr2"] + ["chr3"] * 2
    same = table["locus"].to_numpy()
    assert same[0] == same[1] and same[2] == same[3] and same[5] == same[6]
    assert len({same[0], same[2], same[4], same[5]}) == 4


def test_shards_of_a_doubled_folder_and_a_fasta_without_chr_are_read(tmp_path: Path) -> None:
    listing = cmp.write(tmp_path, train={0: 1}, test={0: 1}, doubled=True)
    bare = tmp_path / "bare.fa"
    bare.write_bytes((tmp_path / cmp.GENOME).read_bytes().replace(b">chr", b">"))
    manifest = tmp_path / "all" / "manifest.json"
    prepare_contact_maps(TaskFiles.load(listing), bare, manifest)
    prepared = Prepared.load(manifest)
    assert prepared.counts == {"train": 1, "valid": 1, "test": 1}
    assert prepared.table()["chrom"].tolist() == ["1", "2", "3"]


def test_shards_in_another_order_are_noticed_with_the_row_that_matches(
    copied: Path, prepare: Callable[..., Path]
) -> None:
    shard(copied, "train-2").rename(shard(copied, "train-x"))
    shard(copied, "train-10").rename(shard(copied, "train-2"))
    shard(copied, "train-x").rename(shard(copied, "train-10"))
    with pytest.raises(GenezipError) as told:
        prepare(copied)
    text = str(told.value)
    assert "record 0 of" in text and "train-2.tfr is not row 2 of train in sequences.bed" in text
    assert "(chr1:1665536-2714112)" in text
    assert "it is row 3 of train (chr1:2189824-3238400) instead" in text
    assert "a shard is missing or out of order (there is no train-1, train-3" in text
    assert "or sequences.bed is not that of the shards; fetch all of them again" in text


def test_a_missing_shard_is_noticed(copied: Path, prepare: Callable[..., Path]) -> None:
    """Without the last one only the count can tell."""
    shard(copied, "train-10").unlink()
    paths = [copied / "contact_map_prediction" / "sequences.bed", *sorted(copied.rglob("*.tfr"))]
    write_listing(copied, "cmp", paths)
    with pytest.raises(GenezipError) as told:
        prepare(copied)
    text = str(told.value)
    assert "the 2 train shards hold 3 records (the last is " in text
    assert "train-2.tfr) (there is no train-1), but sequences.bed has 4 train rows" in text


def test_records_without_a_row_are_counted(copied: Path, prepare: Callable[..., Path]) -> None:
    path = shard(copied, "test-0")
    tfrecords.write(path, [*read_payloads(path), b"one more", b"and one more"])
    with pytest.raises(GenezipError, match=r"hold 4 records \(up to .*test-0.tfr\), but .* 2 test"):
        prepare(copied)


def test_a_truncated_shard_is_named_and_nothing_is_written(
    copied: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    path = shard(copied, "train-2")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(GenezipError, match=r"train-2.tfr, record 0: the compressed file is cut"):
        prepare(copied)
    assert not (tmp_path / "all").exists()


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ({"sequence": bytes(4)}, r"has a sequence of 4 bytes, not 4,194,304; fetch"),
        ({"target": bytes(996_808)}, r"has a target of 996,808 bytes, not 996,810; fetch"),
        (
            {"target": bytes(4 * 199_362)},
            r"a target of 797,448 bytes, not 996,810 \(4 tracks instead of 5\)",
        ),
        ({"sequence": b"\2" * 4_194_304}, r"base 0 of its sequence is no one-hot row"),
    ],
)
def test_a_record_of_another_form_is_refused(
    copied: Path, prepare: Callable[..., Path], features: dict[str, bytes], sentence: str
) -> None:
    rewrite(shard(copied, "valid-0"), **features)
    with pytest.raises(GenezipError, match=rf"record 0 of .*valid-0.tfr.*{sentence}"):
        prepare(copied)


def test_a_record_without_target_is_refused(copied: Path, prepare: Callable[..., Path]) -> None:
    only = tfrecords.example({"sequence": tfrecords.bytes_feature(bytes(4_194_304))})
    tfrecords.write(shard(copied, "valid-0"), [only])
    with pytest.raises(GenezipError, match="has no byte string `target`"):
        prepare(copied)


def letters(path: Path) -> dict[str, np.ndarray]:
    """Chromosomes of a FASTA of 60 letters a line, as ASCII codes."""
    found = {}
    for record in path.read_bytes().split(b">")[1:]:
        head, _, text = record.partition(b"\n")
        codes = np.frombuffer(text.replace(b"\n", b""), dtype=np.uint8)
        found[head.split()[0].decode()] = codes
    return found


def test_a_fasta_of_another_build_is_noticed(
    deposit: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    shifted = {name: np.roll(codes, 1) for name, codes in letters(deposit / cmp.GENOME).items()}
    other = write_fasta(tmp_path / "shifted.fa", shifted)
    with pytest.raises(GenezipError) as told:
        prepare(deposit, other)
    text = str(told.value)
    assert "is not row 0 of train in sequences.bed (chr1:65536-1114112)" in text
    assert "no row of it matches and the FASTA looks like another genome" in text
    assert (
        "the FASTA that Akita's records were cut from is hg38.ml.fa, which the deposit of rsap "
        "holds; name it in benchmarks.cmp.genome"
    ) in text


@pytest.mark.parametrize("count", [1, 1_048, 1_049])
def test_single_bases_that_differ_are_counted_up_to_a_thousandth(
    deposit: Path, prepare: Callable[..., Path], tmp_path: Path, count: int
) -> None:
    """From base 100,000 of chr3 on, in row 0 of test alone: N where a base is stored."""
    changed = letters(deposit / cmp.GENOME)
    chr3 = changed["chr3"].copy()
    was = chr(chr3[100_000]).upper()
    chr3[100_000 : 100_000 + count] = ord("n")
    other = write_fasta(tmp_path / "changed.fa", {**changed, "chr3": chr3})
    if count <= 1_048:
        facts = Prepared.load(prepare(deposit, other)).facts["differing_from_fasta"]["test"]
        assert facts == {"records": 1, "bases": count, "worst_bases": count, "worst_row": 0}
        return
    expected = rf"1,049 of 1,048,576 bases differ, first chr3:100000 \(stored {was}, FASTA N\)"
    with pytest.raises(GenezipError, match=expected):
        prepare(deposit, other)


def test_a_missing_chromosome_stops_before_the_first_record(
    deposit: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    kept = {name: codes for name, codes in letters(deposit / cmp.GENOME).items() if name != "chr3"}
    with pytest.raises(GenezipError, match=r"few.fa has no chromosome chr3"):
        prepare(deposit, write_fasta(tmp_path / "few.fa", kept))
    assert not (tmp_path / ".all.shards").exists()


def test_a_chromosome_that_is_too_short_is_of_another_build(
    deposit: Path, prepare: Callable[..., Path], tmp_path: Path
) -> None:
    short = {name: codes[:1_100_000] for name, codes in letters(deposit / cmp.GENOME).items()}
    with pytest.raises(GenezipError, match=r"ends at chr1:3,238,400, but chr1 has 1,100,000 bases"):
        prepare(deposit, write_fasta(tmp_path / "short.fa", short))
