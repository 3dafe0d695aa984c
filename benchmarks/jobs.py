"""``genezip compress --jobs 2`` against one process: seconds and memory, on two cores.

    python benchmarks/jobs.py [--fasta FASTA] [--bp N] [--pairs N]

The DNA is the first records, of so many bp together, of a FASTA (by default chromosomes of yeast
from the folder of ``GENEZIP_MIRROR``), the model an untrained GeneZip-tiny under a causal bound.
Whole commands of one thread per process are timed by the wall clock, their start included, in pairs
A B A B ...; figures are medians. Both must write the same bytes. Memory is the largest sum over the
processes of a command, in which a page that several share counts once (on Linux); it is taken again
on a quarter of the DNA. Exit codes are those of :mod:`peers`. Some ten minutes on two free cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from allocator import malloc_settings, restart_with_malloc
from features import compressor, held
from ggrams import GENOME
from latency_case import processor
from latency_models import preset
from peers import Outcome

from genezip.formats.fasta import read_records, write_records

JOBS = 2
FASTER, MEMORY, GROWTH = 1.8, 2.2, 1.15  # goals: at least, at most, at most
MODES = {"streams": (), "windows": ("--window-bp", "12800")}
HEADER = "| what | found | goal | |\n| --- | --- | --- | --- |"


class Figures(Outcome):
    """Prints a row per figure and remembers whether a goal was missed."""

    def row(self, what: str, found: str, goal: str, met: bool) -> None:
        """Print one row."""
        self.count(met)
        print(f"| {what} | {found} | {goal} | {'' if met else 'MISSED'} |", flush=True)


def memory(process: psutil.Process) -> int:
    """Bytes of a process and those it started; 0 for one that has ended."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            info = one.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(info, "pss", info.rss)
    return total


def run(
    fasta: Path, model: Path, out: Path, jobs: int, options: tuple[str, ...]
) -> tuple[float, int]:
    """Seconds and peak memory (bytes) of one command."""
    words = [sys.executable, "-m", "genezip", "compress", str(fasta), "--model", str(model)]
    words += ["--out", str(out), "--device", "cpu", "--threads", "1", "--jobs", str(jobs)]
    began, largest = time.perf_counter(), 0
    with subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL) as command:
        process = psutil.Process(command.pid)
        while command.poll() is None:
            try:
                largest = max(largest, memory(process))
            except psutil.NoSuchProcess:
                break
            time.sleep(0.2)
        seconds = time.perf_counter() - began
    if command.returncode:
        raise SystemExit(f"genezip compress ended with {command.returncode}")
    return seconds, largest


def first_records(fasta: Path, bp: int, out: Path) -> int:
    """Write the first records of a FASTA, of at least so many bp together; return their bases."""
    taken, bases = [], 0
    for name, sequence in read_records(fasta):
        if bases >= bp:
            break
        taken.append((name, sequence))
        bases += len(sequence)
    write_records(out, taken)
    return bases


def compare(figures: Figures, folder: Path, fasta: Path, bases: int, pairs: int) -> int:
    """Rows of both modes; the memory of several processes in streams."""
    peak = 0
    for mode, options in MODES.items():
        outs = {jobs: folder / f"{jobs}.parquet" for jobs in (1, JOBS)}
        runs = [
            {jobs: run(fasta, folder / "model", out, jobs, options) for jobs, out in outs.items()}
            for _ in range(pairs)
        ]
        if len({out.read_bytes() for out in outs.values()}) > 1:
            raise SystemExit(f"{mode}: {JOBS} processes wrote other bytes than one")
        one, several = (median(pair[jobs][0] for pair in runs) for jobs in outs)
        ratio = median(pair[1][0] / pair[JOBS][0] for pair in runs)
        figures.row(
            f"{mode} of {bases:,} bp, 1 process / {JOBS}",
            f"{ratio:.2f} times ({one:.1f} s / {several:.1f} s, {pairs} pairs)",
            f"at least {FASTER} times",
            ratio >= FASTER,
        )
        alone, together = (max(pair[jobs][1] for pair in runs) for jobs in outs)
        figures.row(
            f"memory, {mode}, {JOBS} processes / 1",
            f"{together / alone:.2f} times ({together / 1e6:,.0f} MB / {alone / 1e6:,.0f} MB)",
            f"at most {MEMORY} times",
            together <= MEMORY * alone,
        )
        peak = peak or together
    return peak


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="genezip compress by several processes and one.")
    mirror = Path(os.environ.get("GENEZIP_MIRROR", "../shared/data"))
    parser.add_argument("--fasta", type=Path, default=mirror / GENOME, help="of several records")
    parser.add_argument("--bp", type=int, default=12_000_000, help="of the first records")
    parser.add_argument("--pairs", type=int, default=3, help="of runs")
    return parser.parse_args(argv)


def main() -> int:
    """Print the table; the exit code is that of :mod:`peers`."""
    given = arguments()
    figures = Figures()
    if not given.fasta.is_file():
        figures.leave_out(f"there is no {given.fasta}; name a FASTA of several records")
        return figures.exit_status()
    print(f"{processor()}, 1 thread per process, allocator {malloc_settings()}\n\n{HEADER}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compressor(held(preset("tiny")), "tiny").save(folder / "model")
        bases = first_records(given.fasta, given.bp, folder / "whole.fa")
        peak = compare(figures, folder, folder / "whole.fa", bases, given.pairs)
        few = first_records(given.fasta, given.bp // 4, folder / "few.fa")
        _, least = run(folder / "few.fa", folder / "model", folder / "few", JOBS, ())
        figures.row(
            f"memory, streams, {JOBS} processes, {bases:,} bp / {few:,} bp",
            f"{peak / least:.2f} times",
            f"at most {GROWTH} times",
            peak <= GROWTH * least,
        )
    return figures.exit_status()


if __name__ == "__main__":
    restart_with_malloc()
    sys.exit(main())
