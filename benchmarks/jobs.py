"""``genezip compress --jobs 2`` against one process: seconds and memory, on two cores.

    python benchmarks/jobs.py [--fasta FASTA] [--bp N] [--pairs N]

The DNA is the first records, of so many bp together, of a FASTA (by default the chromosomes of
yeast, twice, from the folder of ``GENEZIP_MIRROR``), the model an untrained GeneZip-tiny under a
causal bound.
Whole commands of one thread per process are timed by the wall clock, their start included, in pairs
A B A B ...; figures are medians. Both must write the same bytes. Memory is the largest sum over
the processes of a command, in which a page that several share counts once (on Linux), on a quarter
of the DNA and once on all of it. Exit codes are those of :mod:`peers`. Ten minutes on two cores.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any

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


def command(
    fasta: Path, model: Path, out: Path, jobs: int, options: tuple[str, ...]
) -> "subprocess.Popen[bytes]":
    """A command that has begun."""
    words = [sys.executable, "-m", "genezip", "compress", str(fasta), "--model", str(model)]
    words += ["--out", str(out), "--device", "cpu", "--threads", "1", "--jobs", str(jobs)]
    return subprocess.Popen([*words, *options], stdout=subprocess.DEVNULL)


def seconds(*given: Any) -> float:
    """Seconds of one :func:`command`, with nothing beside it."""
    began = time.perf_counter()
    if status := command(*given).wait():
        raise SystemExit(f"genezip compress ended with {status}")
    return time.perf_counter() - began


def peak(*given: Any) -> int:
    """Largest memory (bytes) of one :func:`command`, looked up every fifth of a second."""
    largest = 0
    with command(*given) as running:
        process = psutil.Process(running.pid)
        while running.poll() is None:
            with suppress(psutil.NoSuchProcess):
                largest = max(largest, memory(process))
            time.sleep(0.2)
    if running.returncode:
        raise SystemExit(f"genezip compress ended with {running.returncode}")
    return largest


def first_records(fasta: Path, bp: int, out: Path) -> int:
    """Write the first records of a FASTA, of at least so many bp together; return their bases.

    Where it has fewer, it begins again: what a command takes to start counts less with more DNA.
    """
    taken: list[tuple[str, bytes]] = []
    bases = 0
    for copy in itertools.count(1):
        for name, sequence in read_records(fasta):
            if bases >= bp:
                write_records(out, taken)
                return bases
            taken.append((f"{name}_{copy}", sequence))
            bases += len(sequence)
    raise AssertionError


def faster(figures: Figures, folder: Path, bases: int, pairs: int, mode: str) -> None:
    """A row of whole commands in turn."""
    fasta, model = folder / "whole.fa", folder / "model"
    outs = {jobs: folder / f"{jobs}.parquet" for jobs in (1, JOBS)}
    runs = [
        {jobs: seconds(fasta, model, out, jobs, MODES[mode]) for jobs, out in outs.items()}
        for _ in range(pairs)
    ]
    if len({out.read_bytes() for out in outs.values()}) > 1:
        raise SystemExit(f"{mode}: {JOBS} processes wrote other bytes than one")
    one, several = (median(pair[jobs] for pair in runs) for jobs in outs)
    ratio = median(pair[1] / pair[JOBS] for pair in runs)
    figures.row(
        f"{mode} of {bases:,} bp, 1 process / {JOBS}",
        f"{ratio:.2f} times ({one:.1f} s / {several:.1f} s, {pairs} pairs)",
        f"at least {FASTER} times",
        ratio >= FASTER,
    )


def larger(figures: Figures, folder: Path, bases: int, few: int) -> None:
    """Rows of memory, in runs of their own: to look it up takes time from the command."""
    model, out = folder / "model", folder / "weighed"
    found = {}
    for mode, options in MODES.items():
        for jobs in (1, JOBS):
            found[mode, jobs] = peak(folder / "few.fa", model, out, jobs, options)
        alone, together = found[mode, 1], found[mode, JOBS]
        figures.row(
            f"memory, {mode} of {few:,} bp, {JOBS} processes / 1",
            f"{together / alone:.2f} times ({together / 1e6:,.0f} MB / {alone / 1e6:,.0f} MB)",
            f"at most {MEMORY} times",
            together <= MEMORY * alone,
        )
    most, least = peak(folder / "whole.fa", model, out, JOBS, ()), found["streams", JOBS]
    figures.row(
        f"memory, streams, {JOBS} processes, {bases:,} bp / {few:,} bp",
        f"{most / least:.2f} times",
        f"at most {GROWTH} times",
        most <= GROWTH * least,
    )


def arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="genezip compress by several processes and one.")
    mirror = Path(os.environ.get("GENEZIP_MIRROR", "../shared/data"))
    parser.add_argument("--fasta", type=Path, default=mirror / GENOME, help="of several records")
    parser.add_argument("--bp", type=int, default=24_000_000, help="of the first records")
    parser.add_argument("--pairs", type=int, default=2, help="of runs")
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
        few = first_records(given.fasta, given.bp // 4, folder / "few.fa")
        seconds(folder / "few.fa", folder / "model", folder / "warm", 1, ())  # compiles
        for mode in MODES:
            faster(figures, folder, bases, given.pairs, mode)
        larger(figures, folder, bases, few)
    return figures.exit_status()


if __name__ == "__main__":
    restart_with_malloc()
    sys.exit(main())
