"""The workflow on SLURM: a run through a cluster of one node, and what the profile submits."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
import yaml
from toolkit import slurm
from toolkit.snakemake_runs import jobs_of, pretended_conda, snakemake

from genezip.config import needs

# Training that lasts for some attempts.
OVERLAY = """
pretrain: {steps: 900, checkpoint_every: 30, validate_every: 450}
models: {hnet-tiny: {pretrain: {steps: 4}}}
"""
TARGETS = ["results/pretrain/genezip-tiny.seed0/model.safetensors", "results/compress/markov.tsv"]
SUBMISSION = """
executor: slurm
jobs: 2
latency-wait: 20
retries: 6
slurm-requeue: true
slurm-no-account: true
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
seconds-between-status-checks: 1
default-resources:
  slurm_partition: calm
  slurm_extra: "'--signal=TERM@20'"
set-resources:
  pretrain:
    runtime: 1
"""


def layers(repo: Path, folder: Path) -> list[str | Path]:
    (folder / "overlay.yaml").write_text(OVERLAY)
    found = [repo / "config" / "config.yaml", repo / "tests" / "workflow" / "config.yaml"]
    call: list[str | Path] = ["--snakefile", repo / "workflow" / "Snakefile"]
    return [*call, "--configfile", *found, folder / "overlay.yaml", "--", *TARGETS]


@pytest.fixture
def cluster() -> Iterator[slurm.Cluster]:
    """A cluster in a folder of a short name: its sockets have at most 107 letters."""
    if (reason := slurm.missing()) is not None:
        pytest.skip(reason)
    with (
        TemporaryDirectory(prefix="slurm-") as folder,
        slurm.cluster(Path(folder) / "made") as made,
    ):
        yield made


@pytest.mark.slow
def test_a_run_that_is_disturbed_in_every_way_ends_as_an_undisturbed_one(
    cluster: slurm.Cluster, repo: Path, tmp_path: Path
) -> None:
    """A failed job, scancel, a preempting job, a crash of the node, and the time limit."""
    calm = tmp_path / "calm"
    calm.mkdir()
    done = snakemake(calm, "--cores", "2", *layers(repo, calm), timeout=600)
    assert done.returncode == 0, done.stdout[-4000:]

    folder = tmp_path / "disturbed"
    (folder / "profile").mkdir(parents=True)
    (folder / "profile" / "profile.yaml").write_text(SUBMISSION)
    words = ["-m", "snakemake", "--profile", "profile", *map(str, layers(repo, folder))]
    environment = {
        name: value
        for name, value in cluster.environment.items()
        if name not in ("PYTHONPATH", "GENEZIP_MIRROR")
    }
    python = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join(
        [environment["PATH"].split(os.pathsep)[0], python, environment["PATH"]]
    )
    with open(tmp_path / "log", "wb") as log:
        run = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=environment, stdout=log, stderr=log
        )
    state = folder / "results/pretrain/checkpoints/genezip-tiny.seed0/state.pt"

    def training(since: float) -> Callable[[], bool]:
        """Whether a job trains that has written a checkpoint since then."""

        def holds() -> bool:
            assert run.poll() is None, (tmp_path / "log").read_text()[-4000:]
            there = state.exists() and state.stat().st_mtime > since
            return there and cluster.job_of("pretrain") is not None

        return holds

    def kill_program() -> None:
        for number in cluster.processes("-m genezip pretrain"):
            os.kill(number, signal.SIGKILL)

    def cancel() -> None:
        cluster.run("scancel", str(cluster.job_of("pretrain")))

    def preempt() -> None:
        cluster.run(
            "sbatch", "--partition=urgent", "--ntasks=1", "--cpus-per-task=2", "--mem=100",
            "--output=/dev/null", "--wrap=sleep 2",
        )  # fmt: skip

    def crash() -> None:
        cluster.crash()
        slurm.wait_for(
            lambda: cluster.node_is("down*") or cluster.node_is("down"), "a node that is down"
        )
        cluster.start("slurmd", "-D", "-N", "localhost")

    try:
        for disturb in (kill_program, cancel, preempt, crash):
            slurm.wait_for(training(time.time()), f"training before {disturb.__name__}", 240)
            before = cluster.job_of("pretrain")
            disturb()
            slurm.wait_for(
                lambda job=before: (
                    cluster.job_of("pretrain") != job  # type: ignore[misc]
                    or not training(0)()
                ),
                f"the end of the job after {disturb.__name__}",
            )
        assert run.wait(900) == 0, (tmp_path / "log").read_text()[-6000:]
    finally:
        run.kill()
    said = (tmp_path / "log").read_text()
    assert "genezip-tiny: resuming at step" in "".join(
        path.read_text() for path in (folder / "logs").rglob("*.log")
    ), said[-4000:]
    for target in TARGETS:
        assert (folder / target).read_bytes() == (calm / target).read_bytes(), target


# --- what the shipped profile submits


@pytest.mark.slow
def test_the_shipped_profile_can_be_planned(repo: Path, tmp_path: Path) -> None:
    """Its options are known, and a rule asks for nothing that a cluster lacks."""
    pytest.importorskip("snakemake_executor_plugin_slurm")
    done = snakemake(
        tmp_path, "-n", "--profile", repo / "workflow" / "profiles" / "slurm",
        "--snakefile", repo / "workflow" / "Snakefile",
        "--configfile", repo / "config" / "config.yaml", "--", "all",
        PATH=pretended_conda(tmp_path / "bin"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert jobs_of(done.stdout)["pretrain"] == 2


def job_of(rule: str, profile: dict, **more: object) -> SimpleNamespace:
    """A job of a rule at full scale with the default resources of the profile."""
    found = needs(rule, "full")
    defaults = {
        key: value.strip("'") if isinstance(value, str) else value
        for key, value in profile["default-resources"].items()
    }
    values = {**defaults, **found.resources, **more}

    class Resources(SimpleNamespace):
        def get(self, name: str, default: object = None) -> object:
            return getattr(self, name, default)

    return SimpleNamespace(threads=found.threads, resources=Resources(**values))


def submitted(repo: Path, rule: str, **more: object) -> str:
    pytest.importorskip("snakemake_executor_plugin_slurm")
    from snakemake_executor_plugin_slurm.submit_string import get_submit_command

    profile = yaml.safe_load((repo / "workflow/profiles/slurm/profile.yaml").read_text())
    names = ("run_uuid", "slurm_logfile", "comment_str", "account", "partition", "workdir")
    params = dict.fromkeys(names, "x") | {"account": "-A me", "partition": "-p gpu"}
    settings = SimpleNamespace(
        requeue=profile["slurm-requeue"], no_requeue=False, qos=None, reservation=None
    )
    return str(get_submit_command(job_of(rule, profile, **more), params, settings))


@pytest.mark.parametrize("gpus", [1, 8])
def test_gpus_of_a_job_are_on_one_node_and_each_has_its_cores(repo: Path, gpus: int) -> None:
    line = submitted(repo, "pretrain", gpu=gpus)
    for option in (
        "--nodes=1",
        "--cpus-per-gpu=8",
        "--requeue",
        "--signal=TERM@300",
        "--mem 64000",
    ):
        assert option in line, line
    assert "--ntasks" not in line and "--cpus-per-task" not in line


def test_training_on_several_nodes_has_a_task_on_each(repo: Path) -> None:
    """As the comment of the profile says."""
    more = {"nodes": 4, "gpu": 32, "mpi": "srun", "tasks": 4, "tasks_per_gpu": 0}
    line = submitted(repo, "pretrain", **more)
    for option in ("--nodes=4", "--ntasks=4", "--cpus-per-gpu=8"):
        assert option in line, line
    assert "ntasks-per-gpu" not in line
    text = (repo / "workflow/profiles/slurm/profile.yaml").read_text()
    assert all(f"pretrain:{name}={value}" in text for name, value in more.items())


def test_a_job_without_a_gpu_is_one_task(repo: Path) -> None:
    line = submitted(repo, "report")
    assert "--ntasks=1" in line and "--cpus-per-task=1" in line and "-t 240" in line
    assert "--nodes" not in line and "gpu" not in line.replace("-p gpu", "")


def test_the_profile_goes_on_and_tries_again(repo: Path) -> None:
    profile = yaml.safe_load((repo / "workflow/profiles/slurm/profile.yaml").read_text())
    assert profile["retries"] >= 3 and profile["keep-going"] and profile["slurm-requeue"]
    assert profile["rerun-incomplete"]
    text = (repo / "pyproject.toml").read_text()
    assert '"snakemake-executor-plugin-slurm>=2.7.1,<3"' in text
