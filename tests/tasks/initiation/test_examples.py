"""The task tisp as deposited: windows, tracks with replaced intervals, positions that count."""

import multiprocessing
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from toolkit.deposits import tisp

from genezip.alphabet import decode
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.examples import Prepared
from genezip.tasks.initiation.examples import InitiationExamples, prepare_initiation
from genezip.tasks.initiation.tracks import TRACKS

FACTOR = 0.61357


class Deposit:
    """A deposit written for a test, and where it is prepared."""

    def __init__(self, folder: Path, **options: bool) -> None:
        self.listing = tisp.write(folder, **options)
        self.fasta = folder / tisp.FASTA
        self.targets = folder / tisp.BASE / "targets"
        self.manifest = folder / "data" / "manifest.json"

    def prepare(self, seed: int = 0, windows: int = 20) -> Prepared:
        files, genome = TaskFiles.load(self.listing), ReferenceGenome(self.fasta)
        return prepare_initiation(files, genome, self.manifest, seed, windows)

    def load(self) -> InitiationExamples:
        return InitiationExamples.load(self.manifest, self.fasta)


@pytest.fixture(scope="module")
def deposit(tmp_path_factory: pytest.TempPathFactory) -> Deposit:
    """Shared by tests that change nothing."""
    found = Deposit(tmp_path_factory.mktemp("tisp"))
    found.prepare()
    return found


@pytest.fixture(scope="module")
def examples(deposit: Deposit) -> InitiationExamples:
    return deposit.load()


def slow_targets() -> dict[str, np.ndarray]:
    """Whole chromosomes: replaced where a list says so, then missing values are 0."""
    found = {}
    for chrom, values in tisp.signal().items():
        values = values.copy()
        for (where, start, end), target, source in ((tisp.PLUS, 0, 1), (tisp.MINUS, 9, 8)):
            for place in range(start, end) if where == chrom else ():
                values[target, place] = np.float32(FACTOR) * values[source, place]
        found[chrom] = np.where(np.isnan(values), np.float32(0), values)
    return found


def test_windows_of_the_splits(examples: InitiationExamples) -> None:
    """chr10 has 330 kb, chr8 310 kb and chr9 270 kb; 420 kb of chr1 are left for training."""
    table = examples.table
    assert examples.prepared.counts == {"train": 20, "valid": 6, "test": 11}
    places = table.groupby("split")["chrom"].agg(lambda column: list(dict.fromkeys(column)))
    assert places.to_dict() == {"train": ["chr1"], "valid": ["chr10"], "test": ["chr8", "chr9"]}
    test = table[table["split"] == "test"]
    assert test["example"].tolist() == list(range(11))
    assert test["start"].tolist()[-2:] == [150_000, 170_000]
    assert test[["keep_start", "keep_end"]].to_numpy().tolist()[5] == [235_000, 285_000]
    train = table[table["split"] == "train"]
    assert (train["end"] - train["start"]).eq(100_000).all()
    assert train["keep_start"].equals(train["start"])
    assert train["start"].between(50_000, 270_000).all()
    assert set(test["block"]) == {"chr8:0", "chr9:0"}


def test_every_target_is_that_of_whole_chromosomes(examples: InitiationExamples) -> None:
    slow = slow_targets()
    assert list(TRACKS.values()) == list(tisp.FILES)
    for row, one in enumerate(examples.table.itertuples()):
        found = examples.targets(row)
        assert found.shape == (10, 100_000)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, slow[one.chrom][:, one.start : one.end], rtol=1e-6)
        assert found.any(axis=1).all()


def test_replaced_values_by_hand(examples: InitiationExamples) -> None:
    """The list of plus covers 99,000-101,000 of chr8, that of minus 205,000-206,500."""
    found = examples.tracks.values("chr8", 98_000, 208_000)
    stored = np.nan_to_num(tisp.signal()["chr8"][:, 98_000:208_000])
    for target, source, start, end in ((0, 1, 1_000, 3_000), (9, 8, 107_000, 108_500)):
        assert stored[source, start:end].any()
        expected = 0.61357 * stored[source, start:end]
        np.testing.assert_allclose(found[target, start:end], expected, rtol=1e-6)
        assert np.array_equal(found[target, :start], stored[target, :start])
        assert np.array_equal(found[target, end:], stored[target, end:])
    for track in range(1, 9):
        assert np.array_equal(found[track], stored[track])


def test_positions_near_n_are_not_scored(examples: InitiationExamples) -> None:
    """30 N from 140,000 on: 139,500 to 140,530 lie within 500 bp of one, and nothing else."""
    kept = 0
    for row, one in enumerate(examples.table.itertuples()):
        found = examples.scored(row)
        assert found.shape == (one.keep_end - one.keep_start,)
        if (one.split, one.chrom, one.keep_start) == ("test", "chr8", 125_000):
            dropped = np.flatnonzero(~found) + 125_000
            assert (dropped[0], dropped[-1], len(dropped)) == (139_500, 140_529, 1_030)
        elif one.split != "train":
            assert found.all()
        kept += int(found.sum()) if one.split == "test" else 0
    assert kept == 310_000 - 50_000 + 270_000 - 50_000 - 1_030


def test_ids_are_the_bases_of_the_window(examples: InitiationExamples) -> None:
    codes = tisp.bases()
    for row in (0, 22, 28, 36):
        one = examples.table.iloc[row]
        expected = codes[one["chrom"]][one["start"] : one["end"]].tobytes().upper()
        assert decode(examples.ids(row)) == expected


def test_training_windows_come_in_any_order(examples: InitiationExamples, deposit: Deposit) -> None:
    """Number 20 of 20 windows is the first again."""
    later, first = examples.training(13), examples.training(0)
    again = deposit.load()
    for number, (ids, targets) in ((0, first), (13, later), (20, first)):
        assert np.array_equal(again.training(number)[0], ids)
        assert np.array_equal(again.training(number)[1], targets)
    assert not np.array_equal(first[0], later[0])


def test_more_training_windows_begin_with_the_same_ones(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path)
    few = deposit.prepare(windows=5).table()
    many = deposit.prepare(windows=9).table()
    assert many["start"].tolist()[:5] == few["start"].tolist()[:5]
    assert (
        deposit.prepare(seed=1, windows=5).table()["start"].tolist()[:5]
        != few["start"][:5].tolist()
    )


def test_bare_names_and_lists_without_their_folder_give_the_same(
    tmp_path: Path, examples: InitiationExamples
) -> None:
    deposit = Deposit(tmp_path, bare_names=True, flat=True)
    deposit.prepare()
    found = deposit.load()
    assert set(found.table["chrom"]) == {"1", "8", "9", "10"}
    assert found.table["start"].tolist() == examples.table["start"].tolist()
    for row in (0, 27, 30):
        assert np.array_equal(found.targets(row), examples.targets(row))
        assert np.array_equal(found.ids(row), examples.ids(row))
        assert np.array_equal(found.scored(row), examples.scored(row))


def test_another_process_opens_the_tracks_itself(examples: InitiationExamples) -> None:
    """Handles of bigWigs cannot be handed over, neither by pickle nor by fork."""
    expected = examples.targets(27)
    tracks = pickle.loads(pickle.dumps(examples.tracks))
    one = examples.table.iloc[27]
    assert np.array_equal(tracks.values(one["chrom"], one["start"], one["end"]), expected)
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    child = fork.Process(target=lambda: there.send(examples.targets(27)))
    child.start()
    assert here.poll(30)
    assert np.array_equal(here.recv(), expected)
    child.join()
    assert np.array_equal(examples.targets(27), expected)


def test_a_bigwig_of_another_build_is_one_sentence(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path, shorter=True)
    sentence = (
        "agg.plus.grocap.bedgraph.sorted.merged.bw has chr8 with 309,999 bases, .* has 310,000 "
        r"\(it looks like another genome\); give tracks and FASTA of one build"
    )
    with pytest.raises(GenezipError, match=sentence):
        deposit.prepare()
    assert not deposit.manifest.parent.exists()


def test_a_missing_or_broken_track_is_one_sentence(tmp_path: Path) -> None:
    deposit = Deposit(tmp_path)
    deposit.prepare()
    path = deposit.targets / tisp.FILES[2]
    whole = path.read_bytes()
    path.write_text("this is text")
    sentence = r"rampage.plus.v2.bedgraph.bw has 12 bytes, .*tisp.json lists .*; fetch it again"
    with pytest.raises(GenezipError, match=sentence):
        deposit.prepare()
    other = bytearray(whole)
    other[:4] = b"text"
    path.write_bytes(other)
    with pytest.raises(GenezipError, match=r"rampage.plus.v2.bedgraph.bw cannot be read as a"):
        deposit.prepare()
    path.unlink()
    with pytest.raises(GenezipError, match=r"rampage.plus.* does not exist; fetch it again"):
        deposit.prepare()
    with pytest.raises(GenezipError, match=r"rampage.plus.* is missing; fetch it and prepare"):
        deposit.load()
    path.write_bytes(whole)
    deposit.load()
    text = deposit.listing.read_text().replace(tisp.FILES[2], "other.bw")
    deposit.listing.write_text(text)
    with pytest.raises(GenezipError, match=r"lists no file /agg.encoderampage.plus.v2.bedgr"):
        deposit.prepare()


def test_a_bigwig_that_is_cut_short_is_noticed(tmp_path: Path) -> None:
    """pyBigWig opens it and reads what is left."""
    deposit = Deposit(tmp_path)
    path = deposit.targets / tisp.FILES[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GenezipError, match=r"agg.plus.bw.bedgraph.bw has .* bytes, .* lists"):
        deposit.prepare()
    assert not deposit.manifest.parent.exists()


def test_a_damaged_bigwig_is_one_sentence_with_the_place(tmp_path: Path) -> None:
    """The right size, and every block of data overwritten."""
    deposit = Deposit(tmp_path)
    path = deposit.targets / tisp.FILES[0]
    content = bytearray(path.read_bytes())
    (first,), (last,) = struct.unpack_from("<Q", content, 16), struct.unpack_from("<Q", content, 24)
    content[first + 8 : last] = b"Z" * (last - first - 8)
    path.write_bytes(content)
    deposit.prepare()
    examples = deposit.load()
    sentence = r"agg.plus.bw.bedgraph.bw cannot be read at chr10:0-100000 \(.*\); fetch it again"
    with pytest.raises(GenezipError, match=sentence):
        examples.targets(20)


def test_another_fasta_than_the_prepared_one_is_refused(deposit: Deposit, tmp_path: Path) -> None:
    other = tmp_path / "other.fa"
    other.write_text(">chr1\nACGT\n")
    with pytest.raises(GenezipError, match="has other chromosomes than the FASTA"):
        InitiationExamples.load(deposit.manifest, other)
