"""The context-mixing model of DNA: how fast, how well, and how much memory.

    python benchmarks/mixing.py [FASTA]

One thread reads the genome of E. coli K-12 (by default from the folder of ``GENEZIP_MIRROR``): its
first 80 % to learn from, then the last fifth, base by base, still adapting, as GeCo reads a file.
Beside its bits per base stand those of Markov models fitted on the same first part, and of
compressors of the standard library that read all bases packed four to a byte, in the same process.
Rows with goals: bases per second of CPU time, bits on the last fifth (and the gain over the best
Markov model), bytes of the tables. Exit codes are those of :mod:`peers`. About 2 minutes.
"""

import bz2
import gzip
import lzma
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from Bio import SeqIO
from peers import Outcome

from genezip.alphabet import A_ID, T_ID, encode
from genezip.evaluation.markov import choose_strengths, negative_log_likelihood, train
from genezip.evaluation.mixing import MixingModel

GENOME = "other_systems/ecoli_K12_MG1655.GCF_000005845.2.genomic.fna.gz"
ORDERS = (2, 4, 6, 8, 9, 10, 11, 12)
WINDOW = 8192
SPEED, BITS, MEMORY = 150_000, 1.87, 400e6
HEADER = "| what | found | goal | |\n| --- | --- | --- | --- |"


class Rows(Outcome):
    """Prints a row per figure and remembers whether a goal was missed."""

    def row(self, what: str, found: str, goal: str = "", met: bool | None = None) -> None:
        """Print one row; without a goal it is a comparison."""
        if met is not None:
            self.count(met)
        print(f"| {what} | {found} | {goal} | {'MISSED' if met is False else ''} |", flush=True)


def genome(path: Path) -> np.ndarray:
    """Token ids of the first record of a FASTA, which may be compressed (.gz)."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as lines:
        record = next(SeqIO.parse(lines, "fasta"))
    return encode(record.seq, record.id)


def seconds(run: Callable[[], object]) -> tuple[float, object]:
    """CPU seconds of one run, and its result."""
    began = time.process_time()
    result = run()
    return time.process_time() - began, result


def packed(ids: np.ndarray) -> bytes:
    """Bases four to a byte; N as A."""
    digits = np.where((ids >= A_ID) & (ids <= T_ID), ids - A_ID, 0).astype(np.uint8)
    four = np.append(digits, np.zeros(-len(digits) % 4, np.uint8)).reshape(-1, 4)
    return (four << np.array([6, 4, 2, 0], dtype=np.uint8)).sum(axis=1, dtype=np.uint8).tobytes()


def main() -> int:
    """Print the table; the exit code is that of :mod:`peers`."""
    given = sys.argv[1:2] or [str(Path(os.environ.get("GENEZIP_MIRROR", "../shared/data"), GENOME))]
    path = Path(given[0])
    rows = Rows()
    if not path.is_file():
        rows.leave_out(f"there is no {path}; name a FASTA of a genome")
        return rows.exit_status()
    ids = genome(path)
    cut = len(ids) * 4 // 5
    head, tail = ids[:cut], ids[cut:]
    MixingModel.fit([head[:1000]], 1000).score(head[:100])  # compiles
    print(HEADER)

    model = MixingModel(len(ids))
    reading, _ = seconds(lambda: model.read(head))
    memory = model.memory_bytes
    windows = [tail[start : start + WINDOW] for start in range(0, len(tail), WINDOW)]
    scoring, alone = seconds(lambda: np.concatenate([model.score(window) for window in windows]))
    more, nats = seconds(lambda: model.read(tail, continues=True))
    assert isinstance(nats, np.ndarray) and isinstance(alone, np.ndarray)
    known = (tail >= A_ID) & (tail <= T_ID)
    bits = float(nats[known].mean() / np.log(2))

    speed = len(ids) / (reading + more)
    rows.row("mixing, reading", f"{speed:,.0f} bp/s", f"{SPEED:,} bp/s", speed >= SPEED)
    speed = len(tail) / scoring
    rows.row(
        f"mixing, windows of {WINDOW:,} bp", f"{speed:,.0f} bp/s", f"{SPEED:,} bp/s", speed >= SPEED
    )
    rows.row("mixing, tables", f"{memory / 1e6:.0f} MB", f"{MEMORY / 1e6:.0f} MB", memory <= MEMORY)
    apart = float(alone[known].mean() / np.log(2))
    rows.row(f"mixing, windows of {WINDOW:,} bp", f"{apart:.4f} bits per base")

    markov = train([(head, 0)], max(ORDERS))
    # no DNA is set aside: the best strengths of all give Markov models their best case
    markov = choose_strengths(markov, windows[::5])
    markov_nats = np.concatenate(
        [negative_log_likelihood(markov, part)[:, 1:] for part in np.array_split(tail, 8)], axis=1
    )
    by_order = markov_nats.sum(axis=1) / known.sum() / np.log(2)
    for order in ORDERS:
        rows.row(f"Markov, order {order}, interpolated", f"{by_order[order]:.4f} bits per base")
    best = float(by_order.min())
    rows.row("mixing, last fifth", f"{bits:.4f} bits per base", f"{BITS}", bits <= BITS)
    rows.row("mixing - best Markov", f"{bits - best:+.4f} bits per base", "below 0", bits < best)

    whole, first = packed(ids), packed(head)
    for name, compress in (("xz", lzma.compress), ("bz2", bz2.compress)):
        took, size = seconds(lambda compress=compress: len(compress(whole)))  # type: ignore[misc]
        assert isinstance(size, int)
        rest = 8 * (size - len(compress(first))) / len(tail)
        rows.row(
            f"{name}, two bits to a base", f"{rest:.3f} bits per base, {len(ids) / took:,.0f} bp/s"
        )
    return rows.exit_status()


if __name__ == "__main__":
    sys.exit(main())
