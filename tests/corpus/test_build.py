"""Corpora of the tiny genome of the toolkit: windows, manifest, exclusions, wrong input."""

import dataclasses
import errno
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toolkit.corpora import World, build, change, content, corpus_settings

from genezip.alphabet import N_ID, decode, encode
from genezip.corpus.build import (
    build_corpus,
)
from genezip.corpus.corpus import CorpusReader, check_corpus
from genezip.errors import GenezipError
from genezip.region_classes import CLASS_IDS


@dataclass(frozen=True)
class Whole:
    """A corpus that tests read and none changes."""

    world: World
    folder: Path
    reader: CorpusReader


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    world, out = World(folder), folder / "corpus"
    return Whole(world, out, build(world, corpus_settings(), out))


def test_windows_carry_sequence_and_labels_of_their_place(whole) -> None:
    world, reader = whole.world, whole.reader
    for split, length in (("train", 64), ("valid", 128), ("test", 128)):
        for window in reader.windows(split):
            bp = window.end - window.start
            truth = world.sequences[window.chrom][window.start : window.end].upper()
            assert decode(window.ids[:bp]) == truth.encode()
            assert (window.ids[bp:] == N_ID).all()
            labels = world.region_map.ids(window.chrom, window.start, window.end)
            assert np.array_equal(window.regions[:bp], labels)
            assert (window.regions[bp:] == CLASS_IDS["dig"]).all()
            assert len(window.ids) == len(window.regions) == length
            share = np.mean(window.ids == N_ID)
            assert window.n_fraction == pytest.approx(share)
    assert check_corpus(reader, world.assembly(), world.region_map) == 40 + 5 + 7


def test_anchors_follow_the_setting_of_the_region_map(world, settings, tmp_path) -> None:
    """A mistake in the annotation is said, never answered by other transcripts."""
    world.tagged = False
    with pytest.raises(GenezipError, match="no row with the tag"):
        build(world, settings, tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()
    build_corpus(world, world.region_map, settings, tmp_path / "corpus", transcripts="all")
    modes = CorpusReader(tmp_path / "corpus" / "manifest.json").load("train")[2]["sampling_mode"]
    assert {"tss", "cds"} <= set(modes)


def test_training_windows_keep_the_rules(whole) -> None:
    _, _, table = whole.reader.load("train")
    assert len(table) == 40
    assert set(table["chrom"]) == {"a"}  # d is shorter than a window
    assert (table["start"] >= 100).all() and (table["end"] <= 4100).all()
    assert (table["end"] - table["start"] == 64).all()
    assert ((table["end"] <= 2000) | (table["start"] >= 2300)).all()  # no N
    assert set(table["sampling_mode"]) == {"uniform", "tss", "cds"}


def test_validation_tiles_leave_out_n(whole) -> None:
    _, _, table = whole.reader.load("valid")
    # Tiles of 128 bp: the first two touch the N of b, the last 104 bp are no full window.
    assert table["start"].tolist() == [256, 384, 512, 640, 768]


def test_heldout_tiles_without_the_copied_one(whole) -> None:
    reader = whole.reader
    _, _, table = reader.load("test")
    # All N at 0 is kept, the reverse complement of training DNA at 256 is not.
    assert table["start"].tolist() == [0, 128, 384, 512, 640, 768, 896]
    assert table["end"].tolist()[-1] == 1000
    assert reader.manifest["dropped"] == {"windows": 1, "of": 8, "threshold": 0.1, "k": 21}
    dropped = pd.read_csv(whole.folder / "dropped.tsv", sep="\t")
    assert dropped[["chrom", "start", "shared_fraction"]].values.tolist() == [["c", 256, 1.0]]
    homology = pd.read_csv(whole.folder / "heldout_homology.tsv", sep="\t")
    assert homology["dropped"].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert homology["kmers"].tolist() == [0, *[108] * 6, 84]


def test_without_short_windows_and_filter(world, settings, tmp_path) -> None:
    reader = build(
        world, change(settings, keep_short=False, homology_max_shared=None), tmp_path / "corpus"
    )
    assert reader.load("test")[2]["start"].tolist() == [0, 128, 256, 384, 512, 640, 768]
    assert reader.manifest["dropped"]["windows"] == 0
    assert not (tmp_path / "corpus" / "heldout_homology.tsv").exists()


def test_manifest_counts(whole, settings) -> None:
    reader = whole.reader
    entry = reader.manifest["splits"]["test"]
    assert entry["windows"] == 7
    assert entry["bp"] == 7 * 128
    assert entry["padding_bp"] == 24
    assert entry["n_bp"] == 128 + 24
    # Real bases 0-256 and 384-1000: intron from 900; padding is dig.
    assert entry["composition"] == {
        "promoter": 0,
        "cds": 0,
        "utr": 0,
        "exon": 0,
        "intron": 100,
        "nig": 256 + 516,
        "dig": 24,
    }
    assert entry["sampling_modes"] == {"tile": 7}
    train = reader.manifest["splits"]["train"]
    assert sum(train["sampling_modes"].values()) == train["windows"] == 40
    assert sum(train["composition"].values()) == train["bp"] == 40 * 64
    assert [(f["path"], f["rows"]) for f in reader.files("train")] == [
        ("train/shard-00000.parquet", 16),
        ("train/shard-00001.parquet", 16),
        ("train/shard-00002.parquet", 8),
    ]
    assert reader.manifest["source"] == "simulated"
    assert reader.manifest["settings"] == settings.model_dump()


def test_equal_seeds_give_equal_bytes(world, settings, tmp_path) -> None:
    for name in ("one", "two"):
        build(world, settings, tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")
    build(world, change(settings, seed=1), tmp_path / "two")
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert one["train/shard-00000.parquet"] != two["train/shard-00000.parquet"]
    readers = [CorpusReader(tmp_path / name / "manifest.json") for name in ("one", "two")]
    same = [reader.load("test")[0] for reader in readers]
    assert np.array_equal(*same)  # tiles do not depend on the seed


def test_drawn_validation_windows(world, settings, tmp_path) -> None:
    reader = build(world, change(settings, valid_windows=5), tmp_path / "corpus")
    assert reader.manifest["splits"]["valid"]["windows"] == 5
    table = reader.load("valid")[2]
    assert set(table["chrom"]) == {"b"}
    assert (table["end"] - table["start"] == 64).all()


def test_validation_windows_from_training_pieces(world, settings, tmp_path) -> None:
    pieces = (world.folder / "pieces.tsv").read_text().replace("valid", "test")
    (world.folder / "pieces.tsv").write_text(pieces)
    with pytest.raises(GenezipError, match=r"no validation window: name chromosomes"):
        build(world, settings, tmp_path / "corpus")
    drawn = change(settings, valid_windows=5, validation="paper")
    reader = build(world, drawn, tmp_path / "corpus")
    train, valid = (reader.load(split)[2] for split in ("train", "valid"))
    assert set(valid["chrom"]) == {"a"}
    assert valid["start"].tolist() != train["start"].tolist()[:5]  # a stream of its own


def test_excluded_intervals(world, settings, tmp_path) -> None:
    excluded = [("a", 200, 900), ("b", 256, 257), ("c", 0, 900)]
    reader = build(world, settings, tmp_path / "corpus", excluded)
    train, valid, test = (reader.load(split)[2] for split in ("train", "valid", "test"))
    assert ((train["end"] <= 200) | (train["start"] >= 900)).all()
    assert valid["start"].tolist() == [384, 512, 640, 768]
    assert len(test) == 7  # held-out DNA is what the exclusion protects


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"window_bp": 5000}, "window_bp is 5000 but the longest of 2 segments .* has 4000 bp"),
        ({"excluded": [("a", 0, 5000)]}, r"no window: of \d+ candidates of the mode cds"),
        (
            {"train_windows": 9000},
            r"1,\d+ windows of the mode cds, but only \d+ distinct",
        ),
        ({"heldout_window_bp": 2000, "keep_short": False}, "no held-out window of 2000 bp"),
        ({"homology_max_shared": 0.0, "homology_k": 1}, "all 8 share more than 0 of their"),
        ({"heldout_window_bp": 2000}, r"^corpus\.heldout_window_bp is 2000 but the longest of"),
        ({"heldout_window_bp": 900}, "validation window: all 1 hold too much N"),
    ],
)
def test_wrong_input_leaves_an_old_corpus_alone(world, settings, tmp_path, keys, sentence) -> None:
    if keys.get("homology_k") == 1:  # the window of N alone would stay
        text = (world.folder / "pieces.fa").read_text().replace("N" * 128, "A" * 128)
        (world.folder / "pieces.fa").write_text(text)
    out = tmp_path / "corpus"
    out.mkdir()
    (out / "manifest.json").write_text("old")
    excluded = keys.pop("excluded", ())
    with pytest.raises(GenezipError, match=sentence):
        build(world, change(settings, **keys), out, excluded)
    assert content(out) == {"manifest.json": b"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "source"]


def test_a_mode_without_anchor(world, settings, tmp_path) -> None:
    own = world.annotation_set
    world.annotation_set = dataclasses.replace(own, cds=own.cds.iloc[:0])
    with pytest.raises(GenezipError, match="no CDS lies in the segments"):
        build(world, settings, tmp_path / "corpus")


def test_full_disk(world, settings, tmp_path, monkeypatch) -> None:
    out = tmp_path / "corpus"
    build(world, settings, out)
    before = content(out)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("genezip.artifacts.tables.pq.ParquetWriter", full)
    with pytest.raises(GenezipError, match=r"cannot write .*: No space left on device"):
        build(world, change(settings, seed=1), out)
    assert content(out) == before


def test_strict_splits_share_no_base(world, settings, tmp_path) -> None:
    strict = change(
        settings, validation="strict", valid_windows=20, strict_block_bp=500,
        strict_valid_fraction=0.4, sampling={"uniform": 1, "tss": 0, "cds": 0},
    )  # fmt: skip
    reader = build(world, strict, tmp_path / "corpus")
    train, valid = (reader.load(split)[2] for split in ("train", "valid"))
    assert len(train) == 40 and len(valid) == 20
    blocks = {name: {*(table["start"] // 500), *((table["end"] - 1) // 500)} for name, table in
              (("train", train), ("valid", valid))}  # fmt: skip
    assert not blocks["train"] & blocks["valid"]
    assert set(valid["chrom"]) == {"a"}  # from the training segments, not from b


def test_manifest_has_no_time_and_no_place(whole) -> None:
    text = (whole.folder / "manifest.json").read_text()
    assert str(whole.folder.parent) not in text
    assert json.loads(text)["schema_version"] == 2


def test_sequences_are_upper_case(whole) -> None:
    window = next(iter(whole.reader.windows("valid")))  # lower case in the FASTA
    assert np.array_equal(window.ids, encode(whole.world.sequences["b"][window.start : window.end]))
    assert (window.ids <= N_ID).all()
