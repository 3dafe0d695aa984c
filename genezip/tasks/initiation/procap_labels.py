"""PRO-cap counts on the segments of a genome, and the blocks that are tested in turn.

A prepared folder holds the blocks (``examples.parquet``) and the paths of the two bigWigs, from
which the counts are read. No base within ``gap_bp`` of a test block is used in training.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from genezip import config
from genezip.alphabet import encode
from genezip.artifacts.files import sha256_file
from genezip.errors import GenezipError
from genezip.formats.bigwig import open_bigwig
from genezip.genome.assembly import Assembly, Segment
from genezip.tasks.base import NotMeasured
from genezip.tasks.deposits import FILES, TaskFiles
from genezip.tasks.examples import Prepared, preparing
from genezip.tasks.initiation.examples import far_from_n, relative_entry
from genezip.tasks.label_files import same_genome

NAME, SUBSET = "initiation", "procap"
BIGWIGS = ("procap.plus.bw", "procap.minus.bw")
LONGEST_BP = 20_000_000  # of a segment whose vectors of every base are held in memory
CHROM = "chr22"  # the bigWigs name every chromosome but have values of this one alone


@dataclass(frozen=True)
class CountedSegment:
    """A segment of the genome with counts."""

    segment: Segment
    ids: np.ndarray  # uint8 array, shape (L,), token ids
    counts: np.ndarray  # float32 array, shape (2, L), 5' ends on the forward and the reverse strand
    scored: np.ndarray  # bool array, shape (L,), False within 500 bp of an N


@dataclass(frozen=True)
class Block:
    """Neighbouring bases, ``first`` to ``last``, of one segment that are in one fold."""

    segment: int
    first: int
    last: int
    fold: int


@dataclass(frozen=True)
class Sampled:
    """Sampled bases of a segment: those with signal, and some of the others."""

    at: np.ndarray  # int64 array, positions in the segment
    weight: np.ndarray  # float64 array, number of bases that each represents


@dataclass(frozen=True)
class ProcapExamples:
    """Segments with counts, cut into blocks."""

    segments: list[CountedSegment]
    blocks: list[Block]  # in the order of their numbers
    names: list[str]  # segment and first base of every block

    @classmethod
    def load(cls, manifest: str | Path, source: str | Path) -> "ProcapExamples":
        """Open a prepared folder, its genome (``source.json``) and the bigWigs."""
        prepared = Prepared.load(manifest, NAME)
        assembly = same_genome(prepared, source).assembly()
        again = replace(FILES, again="fetch the labels and prepare the task again")
        again.check_files(manifest, prepared.facts["bigwigs"])
        plus, minus = (prepared.folder / entry["path"] for entry in prepared.facts["bigwigs"])
        segments = read_initiation(plus, minus, assembly)
        columns = ["segment", "first", "last", "fold"]
        table = prepared.table()
        cut = [Block(*map(int, cells)) for cells in table[columns].itertuples(index=False)]
        return cls(segments, cut, table["block"].tolist())

    @cached_property
    def targets(self) -> list[np.ndarray]:
        """ln(count + 1) of every segment, (2, L); NaN at bases without training and scoring."""
        return [np.where(s.scored, np.log1p(s.counts), np.nan) for s in self.segments]


def prepare_procap(
    assembly: Assembly,
    files: TaskFiles,
    source: Path,
    settings: config.Labels,
    seed: int,
    manifest: Path,
) -> Prepared:
    """Cut the segments that have counts into blocks, and the blocks into folds.

    Where no segment has counts, one is too long, or the blocks are too few, the task is not
    measured. ``source`` is ``source.json`` of the genome; the seed is that of the sampled bases
    without signal.
    """
    if reason := too_long(segment for segment in assembly.segments if segment.chrom == CHROM):
        raise NotMeasured(reason)
    plus, minus = (files.one(name) for name in BIGWIGS)
    segments = read_initiation(plus, minus, assembly)
    if not segments:
        raise NotMeasured("the genome of this run has no segment of chr22 with PRO-cap counts")
    cut = blocks([len(segment.ids) for segment in segments], settings.block_bp, settings.folds)
    names = [f"{segments[b.segment].segment.name}+{b.first}" for b in cut]
    examples = ProcapExamples(segments, cut, names)
    sampled = sample(examples.targets, settings.zero_share, seed)
    if not has_training_bases(cut, examples.targets, sampled, settings.gap_bp):
        blocks_of = f"{len(cut)} block{'s' if len(cut) > 1 else ''} of {settings.block_bp:,} bp"
        raise NotMeasured(
            f"PRO-cap counts cover {blocks_of}, too few to learn some and test the others"
        )
    table = pd.DataFrame(cut).assign(split="test", block=names)
    table.insert(0, "example", np.arange(len(cut)))
    folder = manifest.resolve().parent
    inputs = dict(zip(BIGWIGS, (plus, minus), strict=True))
    with preparing(manifest, NAME, SUBSET, inputs) as draft:
        draft.write_examples(table)
        draft.facts = {
            "bigwigs": [relative_entry(path, folder) for path in (plus, minus)],
            "genome_sha256": sha256_file(source),
        }
    return Prepared.load(manifest, NAME)


def too_long(segments: Iterable[Segment]) -> str | None:
    """Reason why vectors of every base do not fit in memory; None where they fit."""
    for segment in segments:
        if segment.length > LONGEST_BP:
            return (
                f"the segment {segment.name} has {segment.length:,} bp, and vectors of every base "
                f"are held in memory for segments of at most {LONGEST_BP:,} bp"
            )
    return None


def read_initiation(plus: Path, minus: Path, assembly: Assembly) -> list[CountedSegment]:
    """Counts on every segment of :data:`CHROM` that has any.

    A segment without counts is DNA to which short reads do not map uniquely, so its zeros are
    uninformative. The bigWigs have one count per base; a reverse strand may be negative.
    """
    tracks = [open_bigwig(path, "fetch the labels again") for path in (plus, minus)]
    try:
        found = []
        for segment in assembly.segments:
            if segment.chrom != CHROM:
                continue
            values = []
            for path, track in zip((plus, minus), tracks, strict=True):
                if track.chroms().get(segment.chrom, 0) < segment.end:
                    raise GenezipError(
                        f"{path} ends before {segment.name}; it is of another genome build"
                    )
                row = track.values(segment.chrom, segment.start, segment.end, numpy=True)
                values.append(np.abs(np.nan_to_num(row)))
            counts = np.stack(values).astype(np.float32)
            if counts.any():
                ids = encode(assembly.sequence(segment), segment.name)
                found.append(CountedSegment(segment, ids, counts, far_from_n(ids)))
        return found
    finally:
        for track in tracks:
            track.close()


def blocks(lengths: Iterable[int], block_bp: int, folds: int) -> list[Block]:
    """Cut segments of these lengths (bp) into blocks, which are assigned to folds in turn.

    The last block of a segment is shorter than ``block_bp``.
    """
    found: list[Block] = []
    for segment, length in enumerate(lengths):
        for first in range(0, length, block_bp):
            last = min(first + block_bp, length)
            found.append(Block(segment, first, last, len(found) % folds))
    return found


def training_mask(length: int, test: Iterable[Block], gap_bp: int) -> np.ndarray:
    """Mask of the training bases of a segment: farther than ``gap_bp`` from every test block."""
    free = np.ones(length, dtype=bool)
    for block in test:
        free[max(block.first - gap_bp, 0) : block.last + gap_bp] = False
    return free


def training_bases(test: list[Block], targets: list[np.ndarray], gap_bp: int) -> list[np.ndarray]:
    """Mask of the scored training bases of each segment."""
    return [
        training_mask(target.shape[1], [b for b in test if b.segment == number], gap_bp)
        & np.isfinite(target[0])
        for number, target in enumerate(targets)
    ]


def has_training_bases(
    cut: list[Block], targets: list[np.ndarray], sampled: list[Sampled], gap_bp: int
) -> bool:
    """Whether every fold has a sampled training base."""
    for fold in {block.fold for block in cut}:
        free = training_bases([block for block in cut if block.fold == fold], targets, gap_bp)
        if not any(f[s.at].any() for f, s in zip(free, sampled, strict=True)):
            return False
    return True


def sample(targets: list[np.ndarray], zero_share: float, seed: int) -> list[Sampled]:
    """Sample all bases with signal on either strand, and a random share of the others.

    Targets are float (2, L), NaN where a base is not scored; a sampled base without signal has the
    weight 1 / ``zero_share``.
    """
    random = np.random.default_rng(seed)
    found = []
    for target in targets:
        signal = np.asarray((target > 0).any(axis=0))
        at = np.flatnonzero(signal | (random.random(len(signal)) < zero_share))
        found.append(Sampled(at, np.where(signal[at], 1.0, 1 / zero_share)))
    return found
