"""Forward latency and peak memory from 1 kb to 1 Mb, as a table and a figure.

    python benchmarks/latency.py --preset tiny                    # figure, then goals, CPU
    python benchmarks/latency.py --goals-only                     # all goals, one CPU thread
    python benchmarks/latency.py --preset 70m --device cuda       # bf16 autocast

Batch of one; GeneZip, its flat peer, H-Net at 3 bp per token, the U-Net and a flat model of
equal size (:mod:`latency_models`), or dnaHNet, its fixed grid and its flat network, on a repeated
snippet, as published, and on real sequence.
The weights are random unless ``--model`` names a trained GeneZip. Writes ``latency.tsv``,
``latency.svg`` and ``latency.png``. On a CPU the goals follow (:mod:`latency_goals`), with the
exit codes of :mod:`peers`. On a GPU the distance to the analytic floors is printed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from allocator import restart_with_malloc
from latency_case import COLUMNS, Case, as_json, contenders, measure
from latency_figure import write as write_figure
from latency_floors import distances
from latency_goals import run_goals
from latency_models import GENEZIP_BPT, PRESETS, ROOT
from latency_sequence import default_fasta, longest_known
from peers import Outcome

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError

LENGTHS = tuple(2**power for power in range(10, 21))
INPUTS = REPEATED, REAL = "repeated snippet", "real sequence"
KILLED = -9  # what a process leaves that the system ended for lack of memory


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Forward latency and peak memory.")
    parser.add_argument("--preset", choices=PRESETS, help="default: tiny (goals: all)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="bp")
    parser.add_argument("--max-length", type=int, help="leave out longer ones (bp)")
    parser.add_argument("--fasta", type=Path, help="real sequence; default: the demo's genome")
    parser.add_argument(
        "--input", choices=INPUTS, action="append", help="repeat for more; default: both"
    )
    parser.add_argument("--model", help="trained GeneZip to take the preset's place")
    parser.add_argument("--bpt", type=float, default=GENEZIP_BPT, help="of untrained GeneZip")
    parser.add_argument("--seconds", type=float, default=10.0, help="for the repeats of a case")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--segment", type=int, help="positions per segment; default: network's")
    parser.add_argument("--fixed-capacity", action="store_true", help="read no token count")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "latency", help="folder")
    parser.add_argument("--goals-only", action="store_true", help="only the goals (CPU)")
    parser.add_argument("--no-goals", action="store_true", help="only the figure")
    args = parser.parse_args(argv)
    wanted = [length for length in args.lengths if length <= (args.max_length or length)]
    if not wanted or min(wanted) < 1:
        parser.error("no length is left to time; give --lengths of 1 bp and more")
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("device cuda is asked for, but none is there; use --device cpu")
    if args.device == "cuda" and args.goals_only:
        parser.error("the goals are of the CPU; leave out --device cuda or --goals-only")
    args.lengths = sorted(set(wanted))
    return args


def cases(args: argparse.Namespace, sequence: Path | None) -> Iterator[Case]:
    """Every model on every input at every length; the model changes last."""
    for role in contenders(args.preset, args.bpt, args.model):
        for kind in args.input or INPUTS:
            path = sequence if kind == REAL else None
            for length in args.lengths:
                yield Case(
                    preset=args.preset, role=role, input=kind, length=length,
                    sequence=None if path is None else str(path), device=args.device,
                    threads=args.threads, seconds=args.seconds, bpt=args.bpt, model=args.model,
                    fixed_capacity=args.fixed_capacity, segment=args.segment,
                )  # fmt: skip


def in_own_process(case: Case) -> dict[str, Any]:
    """The row of a case, timed by a fresh interpreter."""
    command = [sys.executable, str(Path(__file__).with_name("latency_case.py")), as_json(case)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == KILLED:
        return skipped(case, "the process was killed, most likely out of memory")
    if done.returncode != 0:
        raise RuntimeError(f"{case} failed:\n{done.stderr}")
    return dict(json.loads(done.stdout))


def skipped(case: Case, why: str) -> dict[str, Any]:
    """A row without a time, and the reason."""
    name = contenders(case.preset, case.bpt, case.model)[case.role].name
    known = {"model": name, "role": case.role, "input": case.input, "length_bp": case.length}
    return {**dict.fromkeys(COLUMNS), **known, "device": case.device, "note": why}


def real_sequence(args: argparse.Namespace, folder: Path) -> tuple[Path | None, int, str]:
    """Bases without N as .npy, how many there are, and why there are no more."""
    fasta = args.fasta or default_fasta()
    if fasta is None:
        return None, 0, "no FASTA: give --fasta or set GENEZIP_MIRROR"
    ids = longest_known(fasta, max(args.lengths))
    path = folder / "sequence.npy"
    np.save(path, ids)
    return path, len(ids), f"{fasta.name} has no more than {len(ids):,} bases in a row without N"


def run_cases(args: argparse.Namespace, outcome: Outcome) -> pd.DataFrame:
    """The table, written anew after every row so that an interruption loses one case."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        sequence, known, why = real_sequence(args, Path(name))
        for case in cases(args, sequence):
            if case.input == REAL and case.length > known:
                row = skipped(case, why)
                if not known:  # else the curve ends where the sequence does
                    outcome.leave_out(why)
            else:
                row = measure(case) if args.device == "cuda" else in_own_process(case)
                outcome.count(True)  # a figure has no goal; that memory ran out is a result, too
            rows.append(row)
            print(line(row), flush=True)
            table = pd.DataFrame(rows, columns=COLUMNS)
            with atomic_path(args.out / "latency.tsv") as temporary:
                table.to_csv(temporary, sep="\t", index=False, float_format="%.6g")
    return table


def line(row: dict[str, Any]) -> str:
    """A row for the reader who waits."""
    start = f"{row['model']:24} {row['input']:16} {row['length_bp']:>9,} bp  "
    if row["median_ms"] is None:
        return start + str(row["note"])
    return (
        f"{start}{row['median_ms']:>10,.1f} ms  peak {row['peak_mb']:>7,.0f} MB  "
        f"tokens {row['tokens_per_stage'] or row['length_bp']}"
    )


def main(argv: list[str] | None = None) -> int:
    """Table, figure, goals; the exit codes are those of :mod:`peers`."""
    args = arguments(argv)
    outcome = Outcome()
    if args.goals_only:
        run_goals([args.preset] if args.preset else list(PRESETS), outcome)
        return outcome.exit_status()
    args.preset = args.preset or "tiny"
    table = run_cases(args, outcome)
    write_figure(table, args.out)
    print(f"wrote {args.out}/latency.tsv, latency.svg and latency.png")
    for text in distances(table):
        print(text)
    if not args.no_goals and args.device == "cpu":
        run_goals([args.preset], outcome)
    return outcome.exit_status()


if __name__ == "__main__":
    restart_with_malloc()
    try:
        sys.exit(main())
    except GenezipError as error:
        print(f"latency.py: {error}", file=sys.stderr)
        sys.exit(2)
