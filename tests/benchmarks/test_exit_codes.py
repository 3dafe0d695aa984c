"""How benchmarks end: what compared nothing, or not everything, never ends like a success."""

import os
import subprocess
import sys
from pathlib import Path

import allocator
import corpus
import features
import latency
import latency_goals
import pairs
import peers
import pytest
import region_map
import routing
import ssd

REPO = Path(__file__).resolve().parents[2]

PROGRAMS = (
    "compress", "corpus", "features", "ggrams", "gpu_check", "intervals", "jobs", "latency",
    "layers", "mixing", "region_map", "routing", "ssd",
)  # fmt: skip


@pytest.fixture
def right_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings for which a program would start anew, in place of this process."""
    monkeypatch.setenv(allocator.TUNABLES, allocator.MALLOC)


@pytest.fixture
def no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that has none of them."""

    for name in (
        "mamba_ssm", "mamba_ssm.modules.ssd_minimal", "h_net_dynamic_chunking",
        "transformers.models.mamba2.modeling_mamba2",
    ):  # fmt: skip
        monkeypatch.setitem(sys.modules, name, None)  # Python's way to say: not to be imported


def outcome(rows: int = 0, missed: int = 0, missing: str = "") -> peers.Outcome:
    found = peers.Outcome()
    for row in range(rows):
        found.count(row >= missed)
    if missing:
        found.leave_out(missing)
    return found


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (outcome(rows=2), 0),
        (outcome(rows=2, missed=1), 1),
        (outcome(rows=2, missed=1, missing="no peer"), 1),
        (outcome(rows=2, missing="no peer"), 3),
        (outcome(missing="no peer"), 3),
        (outcome(), 3),
    ],
)
def test_the_four_ways_to_end(found: peers.Outcome, code: int) -> None:
    assert found.exit_status() == code


def test_what_is_missing_is_said_once_and_last(capsys: pytest.CaptureFixture[str]) -> None:
    found = outcome(rows=1, missing="no peer")
    found.leave_out("no peer")
    found.exit_status()
    said = capsys.readouterr()
    assert said.out.count("no peer") == 1
    assert said.err == "not everything was compared: no peer\n"


def test_every_program_ends_by_these_codes() -> None:
    """Each program of the folder is known here, and none has an ending of its own."""
    main = "def main("
    found = {path.stem for path in (REPO / "benchmarks").glob("*.py") if main in path.read_text()}
    assert found == set(PROGRAMS)
    for name in PROGRAMS:
        text = (REPO / "benchmarks" / f"{name}.py").read_text(encoding="utf-8")
        assert ".exit_status()" in text, name
    for table in (pairs.Table, corpus.Table, features.Figures, region_map.Goals):
        assert issubclass(table, peers.Outcome)


@pytest.mark.usefixtures("right_allocator", "no_peers")
def test_the_scan_without_any_peer_compared_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert ssd.main([]) == peers.MISSING
    assert "transformers cannot be imported" in capsys.readouterr().err


@pytest.mark.usefixtures("right_allocator")
def test_the_scan_without_one_peer_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def some(table: pairs.Table) -> dict[str, ssd.Scan]:
        table.leave_out("mamba-ssm is not installed")
        return {"loop": ssd.ours}

    # what this machine would need seconds to time
    monkeypatch.setattr(ssd, "seconds", lambda run: 1.0)
    monkeypatch.setattr(pairs.Table, "compare", lambda self, *row: self.count(True))
    assert ssd.main(["64"], some) == peers.MISSING


@pytest.mark.usefixtures("right_allocator", "no_peers")
def test_routing_without_its_peer_is_not_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    # rows that this machine would need seconds to time
    for row in ("against_loops", "share_of_a_step"):
        monkeypatch.setattr(routing, row, lambda table, *_: table.count(True))
    assert routing.main() == peers.MISSING


def test_region_map_without_data_or_bedtools_is_not_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert region_map.main([str(tmp_path)]) == peers.MISSING
    (tmp_path / region_map.REFSEQ).parent.mkdir()
    (tmp_path / region_map.REFSEQ).touch()
    # rows of the whole genome, which take minutes
    for row in ("whole_genome", "against_pyranges"):
        monkeypatch.setattr(region_map, row, lambda goals, _: goals.same("x", True))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert region_map.main([str(tmp_path)]) == peers.MISSING


def test_a_preset_without_a_goal_compared_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert latency_goals.goals(["636m"]) == []
    assert latency.main(["--preset", "636m", "--goals-only"]) == peers.MISSING
    assert "636m has no goal on a CPU" in capsys.readouterr().err


def test_a_figure_without_real_sequence_is_not_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    timed = {"model": "m", "input": latency.REPEATED, "length_bp": 64, "median_ms": 1.0,
             "peak_mb": 1.0, "tokens_per_stage": "4"}  # fmt: skip
    # no real data, and no timing of this machine
    monkeypatch.setattr(latency, "default_fasta", lambda: None)
    monkeypatch.setattr(latency, "in_own_process", lambda _: timed)
    monkeypatch.setattr(latency, "write_figure", lambda *_: None)
    call = ["--preset", "tiny", "--lengths", "64", "--no-goals", "--out", str(tmp_path)]
    assert latency.main(call) == peers.MISSING
    assert "no FASTA" in capsys.readouterr().err


@pytest.mark.slow  # a process of its own
def test_the_program_itself_ends_so(tmp_path: Path) -> None:
    """In a fresh process, where the peers cannot be imported whether installed or not."""
    for name in ("transformers", "mamba_ssm", "h_net_dynamic_chunking"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('blocked')\n")
    path = os.pathsep.join([str(tmp_path), str(REPO)])
    done = subprocess.run(
        [sys.executable, str(REPO / "benchmarks" / "ssd.py"), "64"],
        env={
            **os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1",
            allocator.TUNABLES: allocator.MALLOC,
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert "not everything was compared" in done.stderr.splitlines()[-1]


def test_a_program_starts_anew_with_the_allocator_of_the_workflow() -> None:
    program = (
        "import allocator; allocator.restart_with_malloc(); print(allocator.malloc_settings())"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPO / "benchmarks"), str(REPO)]),
    }
    environment.pop(allocator.TUNABLES, None)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (allocator.MALLOC if sys.platform == "linux" else "default")


def test_make_installs_the_peers_and_lets_no_skip_pass(repo: Path) -> None:
    text = (repo / "Makefile").read_text(encoding="utf-8")
    recipe = text.split("\ncheck-all:")[1].split("\n\n")[0]
    assert recipe.split("\n")[0].split()[0] == "peers"
    assert "GENEZIP_REQUIRE_PEERS=1" in recipe
    for name in PROGRAMS:
        assert f"benchmarks/{name}.py" in recipe
    pins = dict(
        line.split("==")
        for line in (repo / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert f"mamba-ssm=={pins['mamba-ssm']}" in text
    for name in ("transformers", "h-net-dynamic-chunking", "einops"):
        assert name in pins
