"""Reading and checking: every way in which a corpus can be wrong is named with its file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genezip.artifacts.files import sha256_file
from genezip.corpus.build import build_corpus
from genezip.corpus.corpus import CorpusReader, check_corpus
from genezip.errors import GenezipError
from genezip.region_classes import CLASS_IDS

SHARD = "train/shard-00001.parquet"


@pytest.fixture
def corpus(world, settings, tmp_path) -> Path:
    build_corpus(world, world.region_map, settings, tmp_path / "corpus")
    return tmp_path / "corpus"


def reader_of(corpus: Path) -> CorpusReader:
    return CorpusReader(corpus / "manifest.json")


def check(corpus: Path, *sources: object) -> int:
    return check_corpus(reader_of(corpus), *sources)


def rewrite(corpus: Path, change) -> None:
    """Write a shard anew and give the manifest its hash, so that only content can betray it."""
    table = change(pq.read_table(corpus / SHARD, partitioning=None))
    pq.write_table(table, corpus / SHARD)
    manifest = json.loads((corpus / "manifest.json").read_text())
    for entry in manifest["files"]:
        if entry["path"] == SHARD:
            entry["sha256"] = sha256_file(corpus / SHARD)
    (corpus / "manifest.json").write_text(json.dumps(manifest))


def replace(table: pa.Table, name: str, row: int, value: object) -> pa.Table:
    cells = table[name].to_pylist()
    cells[row] = value
    index = table.schema.get_field_index(name)
    return table.set_column(index, table.schema.field(index), pa.array(cells, table[name].type))


def test_load_stacks_the_windows(corpus) -> None:
    ids, regions, table = reader_of(corpus).load("train")
    windows = list(reader_of(corpus).windows("train"))
    assert ids.shape == regions.shape == (40, 64)
    assert ids.dtype == regions.dtype == np.uint8
    assert np.array_equal(ids, np.stack([window.ids for window in windows]))
    assert np.array_equal(regions, np.stack([window.regions for window in windows]))
    assert table["start"].tolist() == [window.start for window in windows]
    assert {window.split for window in windows} == {"train"}


def test_a_flipped_byte(corpus) -> None:
    data = bytearray((corpus / SHARD).read_bytes())
    data[len(data) // 2] ^= 1
    (corpus / SHARD).write_bytes(data)
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet was altered"):
        check(corpus)


def test_a_missing_shard(corpus) -> None:
    (corpus / SHARD).unlink()
    for act in (check, lambda corpus: reader_of(corpus).load("train")):
        with pytest.raises(GenezipError, match=r"train/shard-00001\.parquet does not exist; build"):
            act(corpus)


def test_a_shard_too_many(corpus) -> None:
    shutil.copy(corpus / SHARD, corpus / "train/shard-00007.parquet")
    with pytest.raises(GenezipError, match=r"shard-00007\.parquet is not in the manifest"):
        check(corpus)


def test_bases_and_classes_of_another_place(corpus, world) -> None:
    """A window that is whole in itself, but not what genome and region map say."""
    assert check(corpus, world.assembly(), world.region_map) == 52
    table = pq.read_table(corpus / SHARD, partitioning=None)
    bases = table["sequence"][2].as_py()
    other = bases[:10] + (b"A" if bases[10:11] != b"A" else b"C") + bases[11:]
    place = table["start"][2].as_py() + 10
    rewrite(corpus, lambda table: replace(table, "sequence", 2, other))
    assert check(corpus) == 52
    with pytest.raises(GenezipError, match=rf"1 bases that .* FASTA, the first at a:{place:,}"):
        check(corpus, world.assembly())
    rewrite(
        corpus,
        lambda table: replace(
            replace(table, "region_lengths", 3, [64]), "region_classes", 3, [CLASS_IDS["dig"]]
        ),
    )
    with pytest.raises(GenezipError, match="64 classes that are not those of the region map"):
        check(corpus, None, world.region_map)


def test_a_wrong_share_of_n(corpus) -> None:
    rewrite(corpus, lambda table: replace(table, "n_fraction", 0, 0.5))
    with pytest.raises(GenezipError, match=r"has 0\.000000 of N, but n_fraction is 0\.5"):
        check(corpus)


def test_a_shard_of_another_plan(corpus, world, settings, tmp_path) -> None:
    other = settings.model_copy(update={"seed": 1})
    build_corpus(world, world.region_map, other, tmp_path / "other")
    shutil.copy(tmp_path / "other" / SHARD, corpus / SHARD)
    rewrite(corpus, lambda table: table)
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet belongs to another plan"):
        check(corpus)


def test_an_altered_table(corpus) -> None:
    (corpus / "dropped.tsv").write_text("")
    with pytest.raises(GenezipError, match=r"dropped\.tsv was altered"):
        check(corpus)


def test_a_missing_row(corpus) -> None:
    rewrite(corpus, lambda table: table.slice(0, 15))
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet has 15 rows, .* lists 16"):
        check(corpus)


def test_a_missing_entry(corpus) -> None:
    manifest = json.loads((corpus / "manifest.json").read_text())
    manifest["files"] = [f for f in manifest["files"] if f["path"] != SHARD]
    (corpus / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GenezipError, match="lists 40 train windows, its shards hold 24"):
        check(corpus)


@pytest.mark.parametrize(
    ("lengths", "classes"),
    [
        ([63], [5]),  # one base short
        ([64, 1], [5, 5]),  # one too many
        ([32, 0, 32], [5, 4, 5]),  # an empty run
        ([64], [7]),  # no such class
        ([32, 32], [5]),  # a run without class
    ],
)
def test_runs_that_do_not_tile(corpus, lengths, classes) -> None:
    rewrite(
        corpus,
        lambda table: replace(
            replace(table, "region_lengths", 3, lengths), "region_classes", 3, classes
        ),
    )
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet holds region runs .* 64 bp"):
        check(corpus)


def test_a_sequence_of_another_length(corpus) -> None:
    rewrite(corpus, lambda table: replace(table, "sequence", 0, b"ACGT"))
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet holds a sequence .* 64 bp"):
        check(corpus)


def test_files_that_are_no_shards(corpus) -> None:
    (corpus / SHARD).write_bytes(b"text")
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet cannot be read"):
        reader_of(corpus).load("train")
    pq.write_table(pa.table({"a": [1]}), corpus / SHARD)
    with pytest.raises(GenezipError, match=r"shard-00001\.parquet is not a corpus shard"):
        reader_of(corpus).load("train")


def test_manifests_that_cannot_be_read(corpus) -> None:
    shutil.copytree(corpus, corpus.parent / "other")
    other = corpus.parent / "other" / "manifest.json"
    other.write_text(other.read_text().replace('"schema_version": 2', '"schema_version": 9'))
    with pytest.raises(GenezipError, match="has schema_version 9, this genezip reads 2"):
        CorpusReader(other)
    other.write_text('{"schema_version": 2}')
    with pytest.raises(GenezipError, match="lacks files"):
        CorpusReader(other).load("train")
    for text, sentence in (("{", "is not valid JSON"), ("[]", "is not a corpus manifest")):
        other.write_text(text)
        with pytest.raises(GenezipError, match=f"{sentence}.*; build the corpus again"):
            CorpusReader(other)
    with pytest.raises(GenezipError, match="does not exist"):
        CorpusReader(corpus / "absent.json")


def test_an_unknown_split(corpus) -> None:
    with pytest.raises(ValueError, match="split must be"):
        reader_of(corpus).load("validation")
