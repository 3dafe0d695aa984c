"""G-grams of DNA: how fast they are mined and found, against a plain dictionary scan.

    python benchmarks/ggrams.py [FASTA]

The DNA is a FASTA (by default chromosomes of yeast from the folder of ``GENEZIP_MIRROR``), its
words those of a vocabulary of 512 fitted to it. Mining and finding read all words; the scan looks
each run of 2 to 5 words up in a dictionary, on as many words as it needs for a timing, and both
must find the same. One thread, medians of paired runs. Rows with goals: words mined and found per
second, and finding against the scan. Exit codes are those of :mod:`peers`. About a minute.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from peers import Outcome

from genezip.alphabet import encode
from genezip.config import Mining
from genezip.formats.fasta import read_records
from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.models.dnazen.ggrams import Matches, scan
from genezip.models.dnazen.mining import mine, tokenised

GENOME = "other_systems/yeast_S288C.GCA_000146045.2_R64.genomic.fna.gz"
BLOCK, VOCABULARY, RUNS = 512, 512, 5
SCANNED = 100_000  # words of the plain scan
MINED, FOUND, RATIO = 1e6, 2e6, 5.0  # goals: words per second, and times the scan
HEADER = "| what | found | goal | |\n| --- | --- | --- | --- |"


class Rows(Outcome):
    """Prints a row per figure and remembers whether a goal was missed."""

    def row(self, what: str, found: float, unit: str, goal: float | None = None) -> None:
        """Print one row; without a goal it is a comparison."""
        if goal is not None:
            self.count(found >= goal)
        missed = "MISSED" if goal is not None and found < goal else ""
        wanted = "" if goal is None else f"{goal:,.0f} {unit}"
        print(f"| {what} | {found:,.1f} {unit} | {wanted} | {missed} |", flush=True)


def seconds(run: Callable[[], object]) -> float:
    """CPU seconds of one run."""
    began = time.process_time()
    run()
    return time.process_time() - began


def same(one: Matches, other: Matches) -> bool:
    """Whether two searches found the same."""
    names = ("start", "length", "ggram")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def main() -> int:
    """Print the table; the exit code is that of :mod:`peers`."""
    given = sys.argv[1:2] or [str(Path(os.environ.get("GENEZIP_MIRROR", "../shared/data"), GENOME))]
    rows = Rows()
    if not Path(given[0]).is_file():
        rows.leave_out(f"there is no {given[0]}; name a FASTA of a genome")
        return rows.exit_status()
    records = [encode(text, name) for name, text in read_records(Path(given[0]))]
    tokenizer = BPE(fit_tokenizer(records[:6], VOCABULARY, BLOCK), BLOCK)
    ids = np.concatenate([tokenised(one, BLOCK) for one in tokenizer.encode(records)])
    words = int((ids >= 0).sum())
    table = mine(ids, VOCABULARY, Mining())
    few = ids[:SCANNED]
    print(f"{words:,} words, {len(table):,} G-grams at threshold 2\n\n{HEADER}")
    if not same(table.find(few), scan(table, few)):
        print("the search and the dictionary scan differ", file=sys.stderr)
        return 1
    times = [
        (
            seconds(lambda: mine(ids, VOCABULARY, Mining())),
            seconds(lambda: table.find(ids)),
            seconds(lambda: scan(table, few)),
            seconds(lambda: table.cover(ids)),
        )
        for _ in range(RUNS)
    ]
    mined, found, scanned, covered = (median(column) for column in zip(*times, strict=True))
    rows.row("mining", words / mined, "words/s", MINED)
    rows.row("finding all places", words / found, "words/s", FOUND)
    rows.row("dictionary scan", SCANNED / scanned, "words/s")
    ratios = [(one[2] / SCANNED) / (one[1] / words) for one in times]
    rows.row("finding against the scan", median(ratios), "times", RATIO)
    rows.row("covering from the left", words / covered, "words/s")
    return rows.exit_status()


if __name__ == "__main__":
    sys.exit(main())
