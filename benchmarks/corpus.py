"""Writing and reading a corpus of 12,800-bp windows, on one core, and memory over an epoch.

The genome is made of random bases and runs of random classes, which compress no better than
real DNA. Writing begins when the windows are drawn. Reading is the training stream: shuffled
batches of 256 windows as uint8 ids and labels. The usual loader fetches every window with
pyfaidx, looks up its letters one by one as published DNA models do, and its labels interval by
interval.
Memory is the peak (Linux) of a process that does nothing but read one epoch, whose first quarter
fills the buffers. Times are processor seconds of this process, so that others on the machine
count little and waiting for the disk does not count; they are paired, figures are medians.

    python benchmarks/corpus.py [windows]
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from bisect import bisect_right
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyfaidx
from peers import Outcome

from genezip.alphabet import N_ID
from genezip.config import Corpus
from genezip.corpus.build import finish_corpus, write_shards
from genezip.corpus.corpus import CorpusReader
from genezip.corpus.plan import MANIFEST, PLAN, write_plan
from genezip.corpus.stream import WindowStream
from genezip.genome.assembly import SEGMENT_COLUMNS, Assembly
from genezip.genome.region_map import RegionMap
from genezip.genome.sources.splits import SPLITS
from genezip.peak import peak_bytes
from genezip.region_classes import CLASSES

WINDOW_BP = 12_800
WINDOWS = 80_000  # 1.02 Gb: the first quarter of an epoch fills the buffers
BATCH = 256
PAIRS = 7
LINE_BP = 60
RUN_BP = 1_500  # mean length of a run of one class
PIECES_BP = {"train": 30_000_000, "valid": 1_000_000, "test": 1_000_000}
IDS = {"A": 3, "C": 4, "G": 5, "T": 6}

WRITE_GOAL = 100.0  # Mb/s
READ_GOAL = 200.0  # Mb/s
RATIO_GOAL = 25.0
MEMORY_GOAL = 1.05


@dataclass(frozen=True)
class Genome:
    """The genome on disk, and its labels by chromosome as starts and class ids."""

    fasta: Path
    assembly: Assembly
    region_map: RegionMap
    labels: dict[str, tuple[list[int], list[int]]]


def make_genome(folder: Path) -> Genome:
    """One chromosome per split: random bases in lines of 60 letters, random runs of classes."""
    rng = np.random.default_rng(0)
    fasta, runs, labels = folder / "genome.fa", {}, {}
    pieces = ["\t".join(SEGMENT_COLUMNS)]
    with open(fasta, "wb") as out:
        for split, length in PIECES_BP.items():
            out.write(f">{split}\n".encode())
            codes = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, length)]
            lines = codes[: length // LINE_BP * LINE_BP].reshape(-1, LINE_BP)
            ends = np.full((len(lines), 1), ord("\n"), dtype=np.uint8)
            out.write(np.hstack([lines, ends]).tobytes())
            out.write(codes[lines.size :].tobytes() + b"\n")
            pieces.append(f"{split}\t{split}\t0\t{length}\t{split}\tgenes\t0\t0\t0")
            starts = np.unique(np.append(rng.integers(0, length, length // RUN_BP), 0))
            classes = rng.integers(0, len(CLASSES), len(starts)).astype(np.uint8)
            runs[split] = (starts, np.append(starts[1:], length), classes)
            labels[split] = (starts.tolist(), classes.tolist())
    (folder / "pieces.tsv").write_text("\n".join(pieces) + "\n")
    sizes = "".join(f"{split}\t{length}\n" for split, length in PIECES_BP.items())
    (folder / "chrom.sizes").write_text(sizes)
    assembly = Assembly.open(fasta, folder / "pieces.tsv", folder / "chrom.sizes", "random")
    return Genome(fasta, assembly, RegionMap(runs), labels)


def draw(count: int) -> dict[str, pd.DataFrame]:
    """Windows of every split, drawn uniformly."""
    rng = np.random.default_rng(1)
    frames = {}
    for split in SPLITS:
        rows = count if split == "train" else 256
        start = rng.integers(0, PIECES_BP[split] - WINDOW_BP, rows)
        columns = {"piece": split, "start": start, "end": start + WINDOW_BP}
        frames[split] = pd.DataFrame({**columns, "sampling_mode": "uniform"})
    return frames


def write_corpus(genome: Genome, folder: Path, count: int) -> list[float]:
    """Write a corpus whose windows are drawn; returns the Mb/s of each of several parts."""
    settings = Corpus(window_bp=WINDOW_BP, heldout_window_bp=WINDOW_BP, train_windows=count)
    head = {"source": "random", "build": "random", "provenance": {}, "tables": [], "dropped": {}}
    plan = write_plan(folder / PLAN, draw(count), settings, head)
    source: Any = SimpleNamespace(assembly=lambda: genome.assembly)
    parts = min(PAIRS, len(plan.counts()))
    entries, rates = [], []
    for part in range(1, parts + 1):
        began = time.process_time()
        own = write_shards(plan, source, genome.region_map, folder, part=part, of=parts)
        bp = sum(entry["rows"] for entry in own) * WINDOW_BP
        rates.append(bp / (time.process_time() - began) / 1e6)
        entries += own
    finish_corpus(plan, entries, folder)
    return rates


class CharacterTokenizer:
    """One call per letter, in the manner of tokenizers written for words.

    HyenaDNA and Caduceus read DNA so: text becomes a list of letters, each letter is looked up
    by a method (which first asks whether the token was added later), the list becomes an array.
    """

    def __init__(self) -> None:
        self.vocabulary, self.added, self.unknown = dict(IDS), {"[PAD]": 0}, N_ID

    def __call__(self, text: str) -> np.ndarray:
        """Token ids (uint8)."""
        return np.array([self.id_of(token) for token in list(text)], dtype=np.uint8)

    def id_of(self, token: str) -> int:
        """Id of a token, added ones first."""
        return self.added[token] if token in self.added else self.id_in_vocabulary(token)

    def id_in_vocabulary(self, token: str) -> int:
        """Id of a token of the vocabulary."""
        return self.vocabulary.get(token, self.unknown)


class UsualLoader:
    """One window at a time: pyfaidx, letter by letter into a list, interval by interval."""

    def __init__(self, genome: Genome) -> None:
        self.fasta, self.labels = pyfaidx.Fasta(str(genome.fasta)), genome.labels
        self.tokenize = CharacterTokenizer()

    def window(self, chrom: str, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Token ids and region classes of a window (uint8)."""
        ids = self.tokenize(str(self.fasta[chrom][start:end]).upper())
        starts, classes = self.labels[chrom]
        regions = np.empty(end - start, dtype=np.uint8)
        run = bisect_right(starts, start) - 1
        while run < len(starts) and starts[run] < end:
            regions[max(starts[run] - start, 0) :] = classes[run]
            run += 1
        return ids, regions


def rate_of_stream(stream: WindowStream, batches: int) -> float:
    """Mb/s of some batches."""
    began = time.process_time()
    for _ in range(batches):
        stream.next_batch()
    return batches * stream.batch * WINDOW_BP / (time.process_time() - began) / 1e6


def rate_of_loader(loader: UsualLoader, table: pd.DataFrame) -> float:
    """Mb/s of some windows, stacked into one batch."""
    began = time.process_time()
    places = table[["chrom", "start", "end"]].itertuples(index=False, name=None)
    ids, regions = zip(*(loader.window(*place) for place in places), strict=True)
    bp = np.stack(ids).size
    np.stack(regions)
    return bp / (time.process_time() - began) / 1e6


def agree(reader: CorpusReader, loader: UsualLoader) -> pd.DataFrame:
    """Both read the same (else the comparison would mean nothing); windows for the loader."""
    shard = reader.shard(reader.files("train")[0])
    for row in range(64):
        place = shard.table.iloc[row]
        ids, regions = loader.window(place["chrom"], place["start"], place["end"])
        if not np.array_equal(ids, shard.ids[row]) or not np.array_equal(
            regions, shard.regions[row]
        ):
            raise SystemExit(f"the loaders differ at {place['chrom']}:{place['start']}")
    return shard.table


def peak_memory(manifest: Path) -> tuple[float, float]:
    """Peak resident memory (MB) of this process after a quarter of an epoch, and after all."""
    pa.set_cpu_count(1)
    stream = WindowStream(CorpusReader(manifest), BATCH)
    peaks = []
    for part in (stream.windows_per_epoch // 4, stream.windows_per_epoch):
        while stream.position < part:
            stream.next_batch()
        peaks.append(peak_bytes() / 1e6)
    return peaks[0], peaks[1]


class Table(Outcome):
    """Prints one row per figure and remembers whether a goal was missed."""

    def __init__(self) -> None:
        super().__init__()
        print("| what | figure | goal | remark |\n|---|---|---|---|")

    def row(self, what: str, figure: float, goal: float, at_most: bool = False) -> None:
        """Print a figure beside its goal."""
        right = figure <= goal if at_most else figure >= goal
        self.count(right)
        sign = "<=" if at_most else ">="
        remark = "" if right else "MISSED"
        print(f"| {what} | {figure:.4g} | {sign} {goal:g} | {remark} |", flush=True)


def main() -> int:
    """Print every figure beside its goal."""
    pa.set_cpu_count(1)
    count = int(sys.argv[1]) if sys.argv[1:] else WINDOWS
    print(f"numpy {np.__version__}, pyarrow {pa.__version__}, {count} windows, {PAIRS} pairs\n")
    table = Table()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "corpus"
        folder.mkdir()
        genome = make_genome(Path(name))
        rates = write_corpus(genome, folder, count)
        table.row("writing, Mb/s", statistics.median(rates), WRITE_GOAL)
        reader = CorpusReader(folder / MANIFEST)
        loader = UsualLoader(genome)
        windows = agree(reader, loader)
        stream = WindowStream(reader, BATCH)
        batches = min(40, max(1, count // BATCH))
        rate_of_stream(stream, batches), rate_of_loader(loader, windows[:8])  # warm up
        pairs = [
            (rate_of_stream(stream, batches), rate_of_loader(loader, windows[64 * n : 64 * n + 64]))
            for n in range(PAIRS)
        ]
        ours, usual = (statistics.median(column) for column in zip(*pairs, strict=True))
        table.row("reading, Mb/s", ours, READ_GOAL)
        print(f"| the usual loader, Mb/s | {usual:.4g} | | |")
        ratio = statistics.median(first / second for first, second in pairs)
        table.row("reading / the usual loader", ratio, RATIO_GOAL)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            early, late = fresh.submit(peak_memory, folder / MANIFEST).result()
        print(f"| peak memory after 1/4 of an epoch, MB | {early:.4g} | | |")
        print(f"| peak memory after an epoch, MB | {late:.4g} | | |")
        table.row("peak after an epoch / after 1/4", late / early, MEMORY_GOAL, at_most=True)
    return table.exit_status()


if __name__ == "__main__":
    sys.exit(main())
