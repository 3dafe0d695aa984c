"""`genezip corpus` from a simulated genome to a checked corpus, through the real command line."""

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from toolkit.command_line import tree
from toolkit.genomes import simulate

from genezip.alphabet import decode
from genezip.cli import main
from genezip.config import Regions
from genezip.corpus.corpus import CorpusReader
from genezip.genome.region_map import RegionMap
from genezip.genome.region_rules import build_region_map
from genezip.genome.sources.source import Source

SETTINGS = {
    "window_bp": 512,
    "train_windows": 64,
    "valid_windows": 0,
    "validation": "pieces",
    "heldout_window_bp": 1024,
    "homology_max_shared": 0.1,
    "shard_bp": 50 * 512,
}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    """A simulated genome of four short chromosomes with its region map."""
    folder = tmp_path_factory.mktemp("simulated")
    source = simulate(folder / "resources", 60_000, 60_000, 30_000, 30_000)
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


def build(capsys, folder: Path, out: Path, *options: str, **changes: Any) -> tuple[int, str]:
    code, _, err = run(
        capsys,
        "corpus",
        "build",
        f"--source={folder / 'resources' / 'source.json'}",
        f"--regions={folder / 'gene7.bed.gz'}",
        f"--settings={json.dumps(SETTINGS | changes)}",
        f"--out={out}",
        *options,
    )
    return code, err


def test_build_and_check(simulated, tmp_path, capsys) -> None:
    code, err = build(capsys, simulated, tmp_path / "corpus")
    assert code == 0
    assert "train: 64 windows of 512 bp" in err
    manifest = tmp_path / "corpus" / "manifest.json"
    code, out, _ = run(capsys, "corpus", "check", str(manifest))
    assert code == 0 and "all as in the manifest" in out
    reader = CorpusReader(manifest)
    assembly = Source.load(simulated / "resources" / "source.json").assembly()
    regions = RegionMap.read_bed(simulated / "gene7.bed.gz")
    pieces = {piece.name: piece for piece in assembly.segments}
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
        ({"window_bp": 100_000}, "corpus.window_bp is 100000 but the longest of 2 segments"),
        ({"exclude": "all.bed"}, "the corpus is left with no window"),
        ({"exclude": "no.bed"}, "no.bed does not exist"),
        ({"windows_bp": 512}, "unknown key 'windows_bp'"),
        ({"train_windows": 400_000}, "distinct ones exist"),
    ],
)
def test_wrong_input_is_one_sentence(simulated, tmp_path, capsys, changes, sentence) -> None:
    (simulated / "all.bed").write_text("sim1\t0\t60000\nsim2\t0\t60000\n")
    assert build(capsys, simulated, tmp_path / "corpus")[0] == 0
    before = tree(tmp_path)
    excluded = changes.get("exclude")
    options = [f"--exclusions={simulated / excluded}"] if excluded else []
    changed = {key: value for key, value in changes.items() if key != "exclude"}
    code, err = build(capsys, simulated, tmp_path / "corpus", *options, **changed)
    assert code == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("genezip: ") and sentence in last
    assert tree(tmp_path) == before


def test_several_processes_write_the_same_bytes(simulated, tmp_path, capsys) -> None:
    assert build(capsys, simulated, tmp_path / "one")[0] == 0
    assert build(capsys, simulated, tmp_path / "two", "--jobs=2")[0] == 0
    one, two = (tree(tmp_path / name) for name in ("one", "two"))
    assert list(one.values()) == list(two.values()) and len(one) > 5


def test_plan_write_finish(simulated, tmp_path, capsys) -> None:
    """What the workflow does, in two parts written in the wrong order."""
    assert build(capsys, simulated, tmp_path / "one")[0] == 0
    inputs = [f"--source={simulated / 'resources' / 'source.json'}"]
    regions = f"--regions={simulated / 'gene7.bed.gz'}"
    plan = tmp_path / "many" / "plan.parquet"
    settings = f"--settings={json.dumps(SETTINGS)}"
    assert run(capsys, "corpus", "plan", *inputs, settings, f"--out={plan}")[0] == 0
    entries = []
    for part in ("2-of-2", "1-of-2"):
        entries.append(f"--entries={tmp_path / part}.json")
        code, _, err = run(
            capsys, "corpus", "write", f"--plan={plan}", *inputs, regions, f"--part={part}",
            f"--out={tmp_path / part}.json",
        )  # fmt: skip
        assert code == 0, err
    code, _, err = run(capsys, "corpus", "finish", f"--plan={plan}", entries[0])
    assert code == 1 and "was not written; write all parts" in err
    assert run(capsys, "corpus", "finish", f"--plan={plan}", *entries)[0] == 0
    one, many = (tmp_path / name / "train" / "shard-00000.parquet" for name in ("one", "many"))
    windows = [pq.read_table(path, partitioning=None) for path in (one, many)]
    assert windows[0].equals(windows[1])
    code, _, err = run(capsys, "corpus", "write", f"--plan={plan}", *inputs, regions,
                       "--part=3-of-2", f"--out={tmp_path / 'x'}")  # fmt: skip
    assert code == 1 and "--part '3-of-2' is no part" in err
    other = simulated / "resources" / "other.json"
    other.write_text((simulated / "resources" / "source.json").read_text() + " ")
    code, _, err = run(capsys, "corpus", "write", f"--plan={plan}", f"--source={other}", regions,
                       f"--out={tmp_path / 'x'}")  # fmt: skip
    other.unlink()
    assert code == 1 and "was drawn from another genome than" in err
    for text in ("{", "{}", '[{"a": 1}]', None):
        (tmp_path / "x.json").write_text(text or "")
        path = tmp_path / ("x.json" if text else "no.json")
        code, _, err = run(capsys, "corpus", "finish", f"--plan={plan}", f"--entries={path}")
        assert code == 1 and ("corpus write" in err) and "Traceback" not in err


def test_disk_full(simulated, tmp_path, capsys) -> None:
    """A file-size limit stops the shard half-way; the old corpus stays, the next call goes on."""
    assert build(capsys, simulated, tmp_path / "corpus", train_windows=8)[0] == 0
    before = tree(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, hard))
    try:
        code, err = build(capsys, simulated, tmp_path / "corpus")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert code == 1
    assert "genezip: cannot write" in err.strip().splitlines()[-1]
    assert {path: data for path, data in tree(tmp_path).items() if ".part" not in path} == before
    assert not list((tmp_path / ".corpus.part").glob("*/*"))  # nothing half-written
    assert build(capsys, simulated, tmp_path / "corpus")[0] == 0
    assert build(capsys, simulated, tmp_path / "undisturbed")[0] == 0
    assert not (tmp_path / ".corpus.part").exists()
    folders = (tmp_path / "corpus", tmp_path / "undisturbed")
    resumed, whole = (list(tree(folder).values()) for folder in folders)
    assert resumed == whole


def test_check_names_the_broken_file(simulated, tmp_path, capsys) -> None:
    build(capsys, simulated, tmp_path / "corpus")
    shard = tmp_path / "corpus" / "train" / "shard-00001.parquet"
    shard.write_bytes(shard.read_bytes()[:-1])
    manifest = str(tmp_path / "corpus" / "manifest.json")
    code, _, err = run(capsys, "corpus", "check", manifest)
    assert code == 1 and "shard-00001.parquet was altered" in err
    shard.unlink()
    code, _, err = run(capsys, "corpus", "check", manifest)
    assert code == 1 and "shard-00001.parquet does not exist" in err
