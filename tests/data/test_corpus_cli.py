"""`genezip corpus` from a simulated genome to a checked corpus, through the real command line."""

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genezip.cli import main
from genezip.config import Regions
from genezip.data.corpus import CorpusReader
from genezip.genome.regions import RegionMap, build_region_map
from genezip.genome.source import Source
from genezip.vocab import decode

SETTINGS = {
    "window_bp": 512,
    "train_windows": 64,
    "valid_windows": 0,
    "heldout_window_bp": 1024,
    "homology_k": 31,
    "shard_rows": 50,
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A simulated genome of four short chromosomes with its region map."""
    folder = tmp_path_factory.mktemp("simulated")
    lengths = [f"--chromosome-bp={bp}" for bp in (60_000, 60_000, 30_000, 30_000)]
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "--out", str(folder / "resources"), *lengths])
    assert stop.value.code == 0
    source = Source.load(folder / "resources" / "source.json")
    settings = Regions(nig_distance=5_000)
    build_region_map(source.annotations(), source.assembly(), settings).write_bed9(
        folder / "gene7.bed.gz"
    )
    return folder


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def build(capsys, folder: Path, out: Path, **changes: Any) -> tuple[int, str]:
    code, _, err = run(
        capsys,
        "corpus",
        "build",
        f"--source={folder / 'resources' / 'source.json'}",
        f"--regions={folder / 'gene7.bed.gz'}",
        f"--settings={json.dumps(SETTINGS | changes)}",
        f"--root={folder}",
        f"--out={out}",
    )
    return code, err


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_build_and_check(simulated, tmp_path, capsys) -> None:
    code, err = build(capsys, simulated, tmp_path / "corpus")
    assert code == 0
    assert "train: 64 windows of 512 bp" in err
    manifest = tmp_path / "corpus" / "manifest.json"
    code, out, _ = run(capsys, "corpus", "check", str(manifest))
    assert code == 0 and "all as announced" in out
    reader = CorpusReader(manifest)
    assembly = Source.load(simulated / "resources" / "source.json").assembly()
    regions = RegionMap.read_bed(simulated / "gene7.bed.gz")
    pieces = {piece.name: piece for piece in assembly.pieces}
    for split, chroms in (("train", {"sim1", "sim2"}), ("valid", {"sim3"}), ("test", {"sim4"})):
        windows = list(reader.windows(split))
        assert {window.chrom for window in windows} <= chroms
        for window in windows:
            bp = window.end - window.start
            bases = assembly.sequence(pieces[window.piece], window.start, window.end)
            assert decode(window.ids[:bp]) == bases.tobytes().upper()
            truth = regions.ids(window.chrom, window.start, window.end)
            assert np.array_equal(window.regions[:bp], truth)
    record = reader.manifest["provenance"]
    assert set(record["inputs"]) == {"source", "regions"}
    dropped = reader.manifest["dropped"]
    assert dropped["of"] == 30
    assert reader.manifest["splits"]["test"]["windows"] == 30 - dropped["windows"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window_bp": 100_000}, "corpus.window_bp is 100000 but the longest of 2 pieces"),
        ({"exclude": ["all.bed"]}, "the corpus is left with no window"),
        ({"exclude": ["no.bed"]}, "no.bed does not exist"),
        ({"windows_bp": 512}, "unknown key 'windows_bp'"),
    ],
)
def test_wrong_input_is_one_sentence(simulated, tmp_path, capsys, changes, sentence) -> None:
    (simulated / "all.bed").write_text("sim1\t0\t60000\nsim2\t0\t60000\n")
    assert build(capsys, simulated, tmp_path / "corpus")[0] == 0
    before = content(tmp_path)
    code, err = build(capsys, simulated, tmp_path / "corpus", **changes)
    assert code == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("genezip: ") and sentence in last
    assert content(tmp_path) == before


def test_disk_full(simulated, tmp_path, capsys) -> None:
    """A file-size limit stops the shard half-way; the old corpus stays, nothing else is left."""
    assert build(capsys, simulated, tmp_path / "corpus", train_windows=8)[0] == 0
    before = content(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, hard))
    try:
        code, err = build(capsys, simulated, tmp_path / "corpus")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "genezip: cannot write" in err.strip().splitlines()[-1]
    assert content(tmp_path) == before


def test_check_names_the_broken_file(simulated, tmp_path, capsys) -> None:
    build(capsys, simulated, tmp_path / "corpus")
    shard = tmp_path / "corpus" / "train" / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    manifest = str(tmp_path / "corpus" / "manifest.json")
    code, _, err = run(capsys, "corpus", "check", manifest)
    assert code == 1 and "shard-00001.parquet was altered" in err
    shard.unlink()
    code, _, err = run(capsys, "corpus", "check", manifest)
    assert code == 1 and "shard-00001.parquet is missing" in err
