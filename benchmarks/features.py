"""Features of frozen models: how fast, what feeds them, and how much memory they take.

    python benchmarks/features.py

Four figures, each beside its goal and its ceiling; exit codes are those of :mod:`peers`. One
thread, random weights, synthetic files in a temporary folder, less than 4 minutes.

- States of 450,000 bp, GeneZip-tiny against flat Mamba-2 of the same depth at the trunk's width,
  A B A B ... in one process, both streamed by the same code. A causal bound holds the untrained
  router to the published 137.6 bp per token. Ceiling: the ratio of operations.
- Building both sequences of a pair from a FASTA, against the model that reads them. Ceiling:
  reading and decoding the bases of the span, nothing else.
- Reading TFRecords with their checksums, uncompressed bytes. Ceiling: zlib alone.
- Peak memory of a process that makes features of 1,000 pairs. Floor: the libraries loaded.

Ratios of models are by CPU time, which is all one thread can use; on a busy machine the wall clock
would compare two waits. It stands beside.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from allocator import malloc_settings, restart_with_malloc
from latency_case import processor
from latency_models import ROOT, family, operations, preset
from peers import Outcome

from genezip.alphabet import A_ID, T_ID
from genezip.formats.tfrecord import parse_example, read_payloads
from genezip.genome.assembly import ReferenceGenome
from genezip.inference.forward import base_vectors
from genezip.models.genezip.compressor import GeneZip
from genezip.models.hnet.architecture import Architecture
from genezip.models.hnet.network import build
from genezip.models.pretrained import ModelCard
from genezip.peak import peak_bytes
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.features import write_store
from genezip.tasks.pairs.examples import PairExamples, prepare_pairs
from genezip.tasks.pairs.features import bases_read, full_features, pair_features
from genezip.tasks.pairs.task import EQTL

sys.path.insert(0, str(ROOT / "tests"))
from toolkit.deposits import pairs as deposit
from toolkit.deposits import tfrecords
from toolkit.networks import SMALL

LENGTH = 450_000
PAIRS = 3
N_PAIRS = 1_000
LONGEST = 2  # full features in the process that is weighed
CMP_RECORD = (1_048_576, 996_810)  # bases; bytes of the target
RECORDS = 12
MEMORY = "--memory"
HEADER = "| what | found | goal | ceiling | |\n| --- | --- | --- | --- | --- |"


class Figures(Outcome):
    """Prints a row per figure and remembers whether a goal was missed."""

    def row(self, what: str, found: str, goal: str, ceiling: str, met: bool) -> None:
        """Print one row."""
        self.count(met)
        print(f"| {what} | {found} | {goal} | {ceiling} | {'' if met else 'MISSED'} |", flush=True)


def held(shape: Architecture) -> Architecture:
    """The layout under a causal bound of about 11.8 positions per token and stage."""
    return replace(
        shape, bound="causal", max_chunk=(48, 48), burst=(8, 8), rate=((5, 59), (5, 59))
    )  # fmt: skip


def flat_peer() -> Architecture:
    """Flat Mamba-2 of the depth of GeneZip-tiny, every base a token."""
    peer = next(one for one in family("GeneZip-tiny", preset("tiny")) if one.role == "flat")
    return replace(peer.shape, bound="none")


def random_ids(length: int) -> np.ndarray:
    """uint8 ids of A, C, G, T."""
    return np.random.default_rng(0).integers(A_ID, T_ID + 1, length).astype(np.uint8)


def clocks(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of one run by the wall clock, and of the CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def compressor(shape: Architecture, name: str) -> GeneZip:
    """An untrained network, as a compressor."""
    return GeneZip(build(shape), ModelCard(name, 0, shape, {}, {}))


def speed_of_states(figures: Figures) -> float:
    """Against the flat peer; bases per second of CPU time of GeneZip."""
    ids = random_ids(LENGTH)
    shape, flat = held(preset("tiny")), flat_peer()
    ours, peer = (compressor(one, name) for one, name in ((shape, "tiny"), (flat, "flat")))

    def through(model: GeneZip, bases: np.ndarray) -> None:
        assert sum(len(block) for block in base_vectors(model, bases)) == len(bases)

    for model in (ours, peer):
        through(model, ids[:20_000])
    times = [
        (clocks(lambda: through(ours, ids)), clocks(lambda: through(peer, ids)))
        for _ in range(PAIRS)
    ]
    wall, cpu = (
        statistics.median(other[clock] / own[clock] for own, other in times) for clock in (0, 1)
    )
    rate = LENGTH / statistics.median(own[1] for own, _ in times)
    tokens = len(ours.embed([ids], "token")[0].starts)
    # between stages the bound keeps about the square root of all
    per_stage = [round((LENGTH * tokens) ** 0.5), tokens]
    ceiling = operations(flat, LENGTH, []) / operations(shape, LENGTH, per_stage)
    figures.row(
        f"states, GeneZip-tiny / flat Mamba-2, {LENGTH:,} bp, {LENGTH / tokens:.0f} bp per token",
        f"{cpu:.2f} times ({PAIRS} pairs, {wall:.2f} by wall clock; {rate:,.0f} bp/s)",
        "3 times",
        f"{ceiling:.2f} times",
        cpu >= 3,
    )
    return rate


def pair_examples(folder: Path, more: int) -> PairExamples:
    """A synthetic tissue with its cases and ``more`` random pairs, prepared."""
    listing = deposit.write_eqtl(folder / "deposit", more=more)
    genome = folder / "deposit" / deposit.EQTL_FASTA
    manifest = folder / "data" / "manifest.json"
    files = TaskFiles.load(listing)
    reference = ReferenceGenome(genome)
    prepare_pairs(EQTL.kind, deposit.TISSUE, files, reference, manifest, 5, 0)
    return PairExamples.load(manifest, genome)


def loader(figures: Figures, rate: float) -> None:
    """Bases per second of building pairs, against the model's."""
    with tempfile.TemporaryDirectory() as folder:
        examples = pair_examples(Path(folder), 300)
        rows = range(len(examples))
        places = examples.table[["chrom", "start", "end"]].itertuples(index=False)
        spans = [(str(chrom), int(start), int(end)) for chrom, start, end in places]
        bases = sum(end - start for _, start, end in spans)
        built, read = [], []
        for _ in range(5):
            built.append(clocks(lambda: [examples.sequences(row) for row in rows])[1])
            read.append(clocks(lambda: [examples.genome.ids(*span) for span in spans])[1])
    own, least = (bases / statistics.median(times) for times in (built, read))
    figures.row(
        "building pairs from a FASTA / GeneZip-tiny",
        f"{own / rate:,.0f} times ({own:,.0f} bp/s)",
        "10 times",
        f"{least / rate:,.0f} times",
        own / rate >= 10,
    )


def records(path: Path) -> None:
    """Records as those of contact maps: random one-hot bases and random targets."""
    random = np.random.default_rng(0)
    bases, target = CMP_RECORD

    def payloads() -> Any:
        for _ in range(RECORDS):
            sequence = np.eye(4, dtype=np.uint8)[random.integers(0, 4, bases)].tobytes()
            values = random.normal(size=target // 2).astype(np.float16).tobytes()
            yield tfrecords.example(
                {
                    "sequence": tfrecords.bytes_feature(sequence),
                    "target": tfrecords.bytes_feature(values),
                }
            )

    tfrecords.write(path, payloads())


def tfrecord_reading(figures: Figures) -> None:
    """Uncompressed megabytes per second, checksums on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train-0.tfr"
        records(path)
        packed = path.read_bytes()
        size = len(zlib.decompress(packed)) / 1e6

        def read() -> None:
            assert (
                sum(len(parse_example(payload)) for payload in read_payloads(path)) == 2 * RECORDS
            )

        def inflate() -> None:
            stream = zlib.decompressobj()
            for start in range(0, len(packed), 1 << 18):
                stream.decompress(packed[start : start + (1 << 18)])

        times = [(clocks(read)[1], clocks(inflate)[1]) for _ in range(5)]
    own, least = (size / statistics.median(column) for column in zip(*times, strict=True))
    figures.row(
        f"TFRecords with checksums ({RECORDS} records, {size:,.0f} MB)",
        f"{own:,.0f} MB/s",
        "100 MB/s",
        f"{least:,.0f} MB/s",
        own >= 100,
    )


def weighed() -> None:
    """Features of 1,000 pairs in this process; prints its peaks as JSON.

    Input ``authors`` of all pairs through a network 16 wide, for time; of the first 60 through
    GeneZip-tiny, and ``full`` of the longest ones.
    """
    torch.set_num_threads(1)
    loaded = peak_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        examples = pair_examples(folder, N_PAIRS)
        manifest = folder / "features" / "manifest.json"
        model = compressor(held(SMALL), "small")
        write_store(manifest, pair_features(model, examples, "authors"))
        tiny = compressor(held(preset("tiny")), "tiny")
        few = PairExamples(examples.prepared, examples.genome)
        few.table = examples.table.iloc[:60]
        write_store(manifest, pair_features(tiny, few, "authors"))
        length = examples.table["end"] - examples.table["start"]
        read = 0
        for row in np.argsort(-length.to_numpy())[:LONGEST]:
            pair = examples.sequences(int(row))
            full_features(tiny, pair)
            read += bases_read(tiny, pair)
    print(
        json.dumps(
            {
                "pairs": len(examples),
                "loaded": loaded,
                "peak": peak_bytes(),
                "full_bases": read,
            }
        )
    )


def memory(figures: Figures) -> None:
    """Peak memory of :func:`weighed` in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, MEMORY], capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    peak, loaded = (found[name] / 1e9 for name in ("peak", "loaded"))
    figures.row(
        f"memory, {found['pairs']:,} pairs, {LONGEST} of them whole "
        f"({found['full_bases']:,} bp read)",
        f"{peak:.2f} GB",
        "at most 6 GB",
        f"{loaded:.2f} GB with nothing but the libraries",
        peak <= 6,
    )


def main() -> int:
    """Print the table; the exit codes are those of :mod:`peers`."""
    torch.set_num_threads(1)
    print(f"{processor()}, 1 thread, float32, torch {torch.__version__}")
    print(f"allocator {malloc_settings()}\n\n{HEADER}", flush=True)
    figures = Figures()
    rate = speed_of_states(figures)
    loader(figures, rate)
    tfrecord_reading(figures)
    memory(figures)
    return figures.exit_status()


if __name__ == "__main__":
    restart_with_malloc()
    if MEMORY in sys.argv:
        weighed()
    else:
        sys.exit(main())
