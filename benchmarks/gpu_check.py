"""Everything that needs a CUDA GPU, in nine minutes at most, as one JSON file.

    python benchmarks/gpu_check.py --out gpu_check.json            # on a machine with a GPU
    python benchmarks/gpu_check.py --dry-run --out gpu_check.json  # all parts, tiny, on the CPU

Three parts: the tests of the suite that need the device (:mod:`gpu_check_tests`), latency and
peak memory of GeneZip beside its flat peer and a Llama (:mod:`gpu_check_latency`), and training
(:mod:`gpu_check_training`). Every part has its share of ``--minutes``; what does not fit is
listed as not run. Figures stand beside their goals; the exit codes are those of :mod:`peers`: 1
where a goal is missed or a test fails, 3 without a CUDA device or where something was left out.
A dry run judges no device: what it leaves out does not count.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil
import torch
from gpu_check_latency import LENGTHS, Grid, release, run_latency
from gpu_check_report import SHARES, Budget, Report
from gpu_check_tests import run_tests
from gpu_check_training import Runs, run_training
from latency_case import processor
from latency_models import ROOT
from peers import MISSING

from genezip.artifacts.provenance import versions
from genezip.models.layers.ssd import fused_scan

MINUTES = 9.0
# What a part uses where it is installed: name of the distribution, and of its module.
OPTIONAL = {
    "mamba-ssm": "mamba_ssm",
    "causal-conv1d": "causal_conv1d",
    "triton": "triton",
    "transformers": "transformers",
    "pytest": "pytest",
    "hypothesis": "hypothesis",
}

GRID = Grid(("70m", "636m"), LENGTHS, "cuda", seconds=2.0)
RUNS = Runs(
    "70m", "cuda", steps=40, pool=640, learning_rate=1e-3,
    cases=((12_800, 2), (12_800, 8), (128_000, 1), (12_800, 32)),
)  # fmt: skip
DRY_GRID = Grid(("tiny",), (768, 1536), "cpu", seconds=0.0)
DRY_RUNS = Runs(
    "tiny", "cpu", steps=12, pool=20, learning_rate=3e-3,
    cases=((400, 2), (2000, 1)),
)  # fmt: skip


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="All checks that need a CUDA GPU.")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "gpu_check.json", help="file")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all parts together")
    parser.add_argument("--parts", nargs="+", choices=SHARES, default=list(SHARES))
    parser.add_argument("--dry-run", action="store_true", help="tiny models on the CPU")
    parser.add_argument("--tests", type=Path, default=ROOT / "tests", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.minutes <= 0:
        parser.error("--minutes must be above 0")
    return args


def missing_packages() -> dict[str, str]:
    """Optional packages that are not there, or of no use, and why."""
    missing = {
        name: f"No module named {module!r}"
        for name, module in OPTIONAL.items()
        if find_spec(module) is None
    }
    # asked as the package asks: a second import, after one that failed half-way, may succeed
    if fused_scan() is None:
        missing.setdefault("mamba-ssm", "installed, but its compiled parts cannot be imported")
    return missing


def facts(args: argparse.Namespace) -> dict[str, Any]:
    """The head of the file: when, where, with what."""
    found: dict[str, Any] = versions() | {"cuda": torch.version.cuda, "driver": driver()}
    for name in OPTIONAL:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    missing = missing_packages()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "dry_run": args.dry_run,
        "minutes": args.minutes,
        "shares": SHARES,
        "device": processor() if args.dry_run else device(),
        "versions": found,
        "missing_packages": missing,
        "missing_packages_count": len(missing),
        "fused_scan": fused_scan() is not None,
    }


def device() -> dict[str, Any]:
    """What CUDA says of the GPU."""
    said = torch.cuda.get_device_properties(0)
    return {
        "name": said.name,
        "memory_mb": said.total_memory / 1e6,
        "multiprocessors": said.multi_processor_count,
        "capability": f"{said.major}.{said.minor}",
    }


def driver(seconds: float = 60.0) -> str | None:
    """Version of the GPU's driver by its own program; None if that does not answer in time."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired):  # a version is not worth the check
        return None
    lines = done.stdout.splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def main(argv: list[str] | None = None, spent: float = 0.0) -> int:
    """All parts; the exit codes are those of :mod:`peers`. ``spent`` seconds are over already."""
    args = arguments(argv)
    if not args.dry_run and not torch.cuda.is_available():
        print("gpu_check.py: there is no CUDA device; --dry-run needs none", file=sys.stderr)
        return MISSING
    budget = Budget(args.minutes, spent)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    report = Report(args.out, facts(args), budget, judged=not args.dry_run)
    for name, why in report.facts["missing_packages"].items():
        print(f"missing: {name}: {why}", flush=True)
    if not report.facts["fused_scan"]:
        why = report.facts["missing_packages"]["mamba-ssm"]
        report.leave_out("the fused scan of mamba-ssm, plain PyTorch stands in", why)
    if "tests" in args.parts:
        with report.part("tests") as found:
            run_tests(report, found, not args.dry_run, args.tests)
    if "latency" in args.parts:
        with report.part("latency") as found:
            run_latency(report, found, DRY_GRID if args.dry_run else GRID)
    release()
    if "training" in args.parts:
        with report.part("training") as found:
            run_training(report, found, DRY_RUNS if args.dry_run else RUNS)
    status = report.outcome.exit_status()
    report.facts["exit_status"] = status
    report.write()
    print(f"wrote {args.out}: {report.counts()}", flush=True)
    return status


def terminated(number: int, frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C: the report is written, and no test is left running."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminated)
    # what Python took to start and to import torch belongs to the minutes
    sys.exit(main(spent=time.time() - psutil.Process().create_time()))
