"""A corpus written shard by shard: interrupted, by several jobs, from other plans or maps."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toolkit.corpora import build, change, content

from genezip.corpus.build import (
    finish_corpus,
    plan_corpus,
    write_shards,
)
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.writer import ShardWriter
from genezip.errors import GenezipError
from genezip.region_classes import CLASS_IDS


def test_an_interrupted_build_goes_on(world, settings, tmp_path, monkeypatch) -> None:
    """What was whole is kept, what was not is written again: the bytes are those of one run."""
    build(world, settings, tmp_path / "undisturbed")
    out, part = tmp_path / "corpus", tmp_path / ".corpus.part"
    write, written = ShardWriter._write, []

    def interrupted(self: ShardWriter, path: Path, shard: Any) -> Any:
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(shard.path)
        return write(self, path, shard)

    monkeypatch.setattr(ShardWriter, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(world, settings, out)
    assert not out.exists()
    assert len(list(part.glob("*/*.parquet"))) == 3
    # one of the three loses its end, as in a power cut; another one is of no plan
    broken, foreign = part / "train/shard-00001.parquet", part / "train/shard-00077.parquet"
    broken.write_bytes(broken.read_bytes()[:-200])
    foreign.write_bytes(b"old")
    written.clear()
    monkeypatch.setattr(
        ShardWriter,
        "_write",
        lambda self, path, shard: (written.append(shard.path), write(self, path, shard))[1],
    )
    build(world, settings, out)
    assert "train/shard-00001.parquet" in written
    assert not {"train/shard-00000.parquet", "train/shard-00002.parquet"} & set(written)
    assert content(out) == content(tmp_path / "undisturbed")
    assert not part.exists()


def test_parts_of_another_plan_are_not_kept(world, settings, tmp_path) -> None:
    build(world, settings, tmp_path / "one")
    (tmp_path / "one").rename(tmp_path / ".two.part")
    other = change(settings, seed=1)
    build(world, other, tmp_path / "two")
    build(world, other, tmp_path / "three")
    assert content(tmp_path / "two") == content(tmp_path / "three")


@pytest.mark.parametrize("of", [1, 2, 5, 40])
def test_jobs_write_the_same_bytes(world, settings, tmp_path, of) -> None:
    build(world, settings, tmp_path / "one")
    plan = plan_corpus(world, settings, tmp_path / "many" / "plan.parquet")
    parts = [
        write_shards(plan, world, world.region_map, tmp_path / "many", part=part, of=of)
        for part in range(of, 0, -1)
    ]
    finish_corpus(plan, [entry for part in parts for entry in part], tmp_path / "many")
    assert content(tmp_path / "many") == content(tmp_path / "one")


def test_a_part_that_is_missing(world, settings, tmp_path) -> None:
    plan = plan_corpus(world, settings, tmp_path / "corpus" / "plan.parquet")
    entries = write_shards(plan, world, world.region_map, tmp_path / "corpus", part=1, of=2)
    with pytest.raises(GenezipError, match=r"train/shard-0000\d\.parquet of .* was not written"):
        finish_corpus(plan, entries, tmp_path / "corpus")
    assert not (tmp_path / "corpus" / "manifest.json").exists()


def test_shards_with_labels_of_another_map_are_written_again(world, settings, tmp_path) -> None:
    """The plan knows nothing of labels, so the shards must tell which map they carry."""
    folder = tmp_path / "corpus"
    plan = plan_corpus(world, settings, folder / "plan.parquet")
    write_shards(plan, world, world.region_map, folder)
    (folder / "manifest.json").write_text("{}")
    world.region_map.chromosomes["a"][:] = CLASS_IDS["dig"]
    entries = write_shards(plan, world, world.region_map, folder, part=1, of=2)
    assert not (folder / "manifest.json").exists()  # it would vouch for the old labels
    assert entries[0]["composition"]["dig"] == 16 * 64
    other = write_shards(plan, world, world.region_map, folder, part=2, of=2)
    manifest = finish_corpus(plan, [*entries, *other], folder)
    assert manifest["splits"]["train"]["composition"]["dig"] == 40 * 64
    assert manifest["regions"] == world.region_map.sha256()


def test_shards_of_two_maps_make_no_corpus(world, settings, tmp_path) -> None:
    folder = tmp_path / "corpus"
    plan = plan_corpus(world, settings, folder / "plan.parquet")
    entries = write_shards(plan, world, world.region_map, folder, part=1, of=2)
    world.region_map.chromosomes["a"][:] = CLASS_IDS["dig"]
    entries += write_shards(plan, world, world.region_map, folder, part=2, of=2)
    with pytest.raises(GenezipError, match="written with different region maps"):
        finish_corpus(plan, entries, folder)


def test_shards_of_two_plans_make_no_corpus(world, settings, tmp_path) -> None:
    folder = tmp_path / "corpus"
    plan = plan_corpus(world, settings, folder / "plan.parquet")
    old = write_shards(plan, world, world.region_map, folder)
    plan = plan_corpus(world, change(settings, seed=5), folder / "plan.parquet")
    write_shards(plan, world, world.region_map, folder, part=1, of=2)
    with pytest.raises(GenezipError, match=r"shard-0000\d\.parquet was written from another plan"):
        finish_corpus(plan, old, folder)


def test_a_plan_leaves_foreign_files_alone(world, settings, tmp_path) -> None:
    plan = tmp_path / "corpus" / "plan.parquet"
    (tmp_path / "corpus" / "train").mkdir(parents=True)
    (tmp_path / "corpus" / "train" / "mine.txt").write_text("mine")
    with pytest.raises(GenezipError, match=r"train/mine\.txt is not a shard of a corpus"):
        plan_corpus(world, settings, plan)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(GenezipError, match=r"mine\.txt, which would be lost"):
        plan_corpus(world, settings, tmp_path / "other" / "plan.parquet")
    with pytest.raises(GenezipError, match=r"name it .*new/plan\.parquet"):
        plan_corpus(world, settings, tmp_path / "new" / "my.parquet")
    assert content(tmp_path / "corpus") == {"train/mine.txt": b"mine"}


def test_a_plan_for_a_genome_that_lacks_a_piece(world, settings, tmp_path) -> None:
    plan = plan_corpus(world, settings, tmp_path / "corpus" / "plan.parquet")
    pieces = (world.folder / "pieces.tsv").read_text()
    fasta = (world.folder / "pieces.fa").read_text()
    (world.folder / "pieces.tsv").write_text(pieces.replace("a:100-4100", "renamed"))
    (world.folder / "pieces.fa").write_text(fasta.replace("a:100-4100", "renamed"))
    (world.folder / "pieces.fa.fai").unlink()
    with pytest.raises(GenezipError, match="windows of a:100-4100, which the genome lacks"):
        write_shards(plan, world, world.region_map, tmp_path / "corpus")


def test_a_shard_with_a_damaged_footer_is_written_again(world, settings, tmp_path) -> None:
    build(world, settings, tmp_path / "one")
    folder = tmp_path / "two"
    plan = plan_corpus(world, settings, folder / "plan.parquet")
    write_shards(plan, world, world.region_map, folder)
    shard = folder / "train" / "shard-00001.parquet"
    whole = shard.read_bytes()
    for place in range(-1, -len(whole), -97):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        shard.write_bytes(damaged)
        write_shards(plan, world, world.region_map, folder)
        assert shard.read_bytes() in (whole, bytes(damaged))
        if shard.read_bytes() != whole:  # where nothing reads: an unused byte of the footer
            assert pq.read_table(shard, partitioning=None).equals(
                pq.read_table(pa.BufferReader(whole), partitioning=None)
            )


def test_a_new_plan_removes_the_manifest(world, settings, tmp_path) -> None:
    """Its shards are about to be replaced; between the two there is no corpus."""
    build(world, settings, tmp_path / "corpus")
    plan_corpus(world, settings, tmp_path / "corpus" / "plan.parquet")
    with pytest.raises(GenezipError, match="build the corpus first"):
        CorpusReader(tmp_path / "corpus" / "manifest.json")
