"""A SLURM cluster of one node, in a folder and on ports of its own.

It runs as the user of the tests: munge with a key of the folder, one controller, one daemon. A
partition ``urgent`` preempts jobs of ``calm``, which are requeued.
"""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
SBIN = "/usr/sbin"  # where daemons lie, also where PATH has no such folder

CONF = """
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
CryptoType=crypto/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SlurmUser={user}
SlurmdUser={user}
ReturnToService=2
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/slurmd
StateSaveLocation={folder}/state
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdTimeout=8
SlurmdParameters=config_overrides
KillWait=30
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=3
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=localhost NodeAddr=127.0.0.1 CPUs=2 RealMemory=20000 State=UNKNOWN
PartitionName=calm Nodes=localhost Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=60
PartitionName=urgent Nodes=localhost MaxTime=INFINITE State=UP PriorityTier=9
"""


def missing() -> str | None:
    """Why there can be no cluster here; None if there can."""
    absent = [name for name in PROGRAMS if found(name) is None]
    if absent:
        return f"needs SLURM and munge ({', '.join(absent)} not found)"
    try:
        import snakemake_executor_plugin_slurm  # noqa: F401
    except ImportError:
        return "needs snakemake-executor-plugin-slurm"
    return None


def found(program: str) -> str | None:
    """Path of a program of SLURM or munge."""
    return shutil.which(program) or shutil.which(program, path=SBIN)


def wait_for(holds: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.1)


class Cluster:
    """The daemons and their commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The executor plugin drops SLURM's variables in a job, so that programs find the cluster by
        # wrappers, not by the environment.
        conf, programs = folder / "slurm.conf", folder / "bin"
        programs.mkdir()
        for name in ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct"):
            if (path := found(name)) is not None:
                wrapper = programs / name
                wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {path} "$@"\n')
                wrapper.chmod(0o755)
        self.environment = {
            **os.environ,
            "SLURM_CONF": str(conf),
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        }
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *options: str) -> None:
        """Start a daemon in the foreground of a process of its own."""
        program = found(name)
        assert program is not None
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                [program, *options], env=self.environment, stdout=out, stderr=out,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def run(self, *command: str) -> str:
        """Output of a command of SLURM."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=30
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def node_is(self, state: str) -> bool:
        """Whether the node has a state, such as idle."""
        return self.run("sinfo", "-h", "-o", "%t").splitlines()[:1] == [state]

    def job_of(self, rule: str) -> str | None:
        """Number of the running job of a rule; None without one."""
        for line in self.run("squeue", "-h", "-t", "R", "-o", "%i %k").splitlines():
            number, _, comment = line.partition(" ")
            if rule in comment:
                return number
        return None

    def crash(self) -> None:
        """The node goes down: its daemon and all that runs in jobs are killed at once."""
        self.daemons["slurmd"].kill()
        self.daemons["slurmd"].wait()
        for number in self.processes("slurmstepd"):
            os.kill(number, signal.SIGKILL)
        for number in self.processes(""):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    def processes(self, command: str) -> list[int]:
        """Processes of jobs of this cluster whose command line holds a text."""
        found = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                number = int(entry.name)
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                variables = (entry / "environ").read_bytes()
                own = str(self.folder).encode() in variables
                in_job = b"\0SLURM_JOB_ID=" in b"\0" + variables or "slurmstepd" in line
                if own and in_job and command in line and number != os.getpid():
                    found.append(number)
        return found


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """A running cluster, which ends with the block."""
    folder.mkdir(parents=True)
    for name in ("slurmd", "state"):
        (folder / name).mkdir()
    sockets = [socket.socket() for _ in range(2)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    text = CONF.format(controller=ports[0], daemon=ports[1], folder=folder, user=getpass.getuser())
    (folder / "slurm.conf").write_text(text)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(256))
    key.chmod(0o400)
    made = Cluster(folder)
    try:
        made.start(
            "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={folder}/munge.socket", f"--pid-file={folder}/munge.pid",
            f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed",
        )  # fmt: skip
        wait_for(lambda: (folder / "munge.socket").exists(), "munged")
        made.start("slurmctld", "-D")
        made.start("slurmd", "-D", "-N", "localhost")
        wait_for(lambda: made.node_is("idle"), "an idle node")
        yield made
    finally:
        for number in made.processes(""):
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for name in ("slurmd", "slurmctld", "munged"):
            if name in made.daemons:
                made.daemons[name].terminate()
        for daemon in made.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
