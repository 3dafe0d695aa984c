"""A small deposit of regulatory activity: real record sizes, few records and tracks.

Track t of a bin is the number of its 128 bases that are G or C, shifted by t bases, over 128:
a head can learn it. Training intervals touch, so that their widened inputs overlap; those of
valid and test lie apart. The first interval of each split begins at its chromosome.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from toolkit.deposits.files import one_hot, slice_of, write_fasta, write_listing
from toolkit.deposits.tfrecords import bytes_feature, example, int64_feature
from toolkit.deposits.tfrecords import write as write_records

STORED_BP = 131_072
CROP_BP, BIN_BP, BINS = 8_192, 128, 896
CHROMOSOMES = {"train": "chr1", "valid": "chr2", "test": "chr3"}
_STEP = {"train": STORED_BP, "valid": 2 * STORED_BP, "test": 2 * STORED_BP}
N_RUN = (50_000, 50_400)  # of every chromosome


def genome_of(listing: Path, species: str = "human") -> Path:
    """The FASTA of a deposit that :func:`write` made unpacked."""
    return _own(listing.parent, species) / "seqs" / "hg38.ml.fa"


def bases(length: int, seed: int) -> np.ndarray:
    """ASCII codes of a chromosome: mixed case, GC content that varies, one run of N."""
    rng = np.random.default_rng(seed)
    gc = 0.3 + 0.3 * np.sin(np.arange(length) / 5_000 + seed) ** 2
    strong = rng.random(length) < gc
    second = rng.random(length) < 0.5
    codes = np.where(strong, np.where(second, ord("G"), ord("C")), np.where(second, 65, 84))
    codes = codes.astype(np.uint8)
    codes[np.arange(length) // 3_000 % 2 == 1] |= 0x20
    codes[slice(*N_RUN)] = ord("N")
    return codes


def target(codes: np.ndarray, start: int, tracks: int) -> np.ndarray:
    """Target of the interval that begins at ``start``: float16 (896, tracks), as stored."""
    first = start + CROP_BP
    shifts = np.minimum(np.arange(tracks), 64)
    letters = slice_of(codes, first, first + BINS * BIN_BP + 64) & 0xDF
    strong = np.isin(letters, np.frombuffer(b"CG", dtype=np.uint8))
    sums = np.concatenate([[0], np.cumsum(strong)])
    places = np.arange(BINS)[:, None] * BIN_BP + shifts
    return ((sums[places + BIN_BP] - sums[places]) / BIN_BP).astype("<f2")


def write(
    folder: Path,
    seed: int = 0,
    train: Mapping[int, int] | None = None,
    valid: Mapping[int, int] | None = None,
    test: Mapping[int, int] | None = None,
    tracks: int = 3,
    species: str = "human",
    packed: bool = False,
) -> Path:
    """Write the deposit of a species below ``folder``.

    Parameters
    ----------
    train, valid, test : number of shard -> records; default 0: 2, 1: 1; 0: 2; 0: 2
    packed : whether the FASTA is ``hg38.ml.fa.gz``, as the deposit has it

    Returns
    -------
    Path of ``rsap.json``
    """
    shards = {"train": train or {0: 2, 1: 1}, "valid": valid or {0: 2}, "test": test or {0: 2}}
    own = _own(folder, species)
    rows, paths, genome = [], [], {}
    for place, (split, numbers) in enumerate(shards.items()):
        chrom, step = CHROMOSOMES[split], _STEP[split]
        count = sum(numbers.values())
        codes = bases((count - 1) * step + STORED_BP + 10_000, seed + place)
        genome[chrom] = codes
        row = 0
        for number in sorted(numbers):
            records = []
            for _ in range(numbers[number]):
                start, end = row * step, row * step + STORED_BP
                rows.append(f"{chrom}\t{start}\t{end}\t{split}\n")
                features = {
                    "target": bytes_feature(target(codes, start, tracks).tobytes()),
                    "sequence": bytes_feature(one_hot(codes[start:end])),
                }
                if row % 2:
                    features["genome"] = int64_feature(0)
                records.append(example(features))
                row += 1
            paths.append(write_records(own / "targets" / f"{split}-{number}.tfr", records))
    bed, about = own / "sequences.bed", own / "statistics.json"
    bed.write_text("".join(rows))
    statistics = {
        "num_targets": tracks,
        **{f"{split}_seqs": sum(numbers.values()) for split, numbers in shards.items()},
        "seq_length": STORED_BP,
        "pool_width": BIN_BP,
        "crop_bp": CROP_BP,
        "target_length": BINS,
    }
    about.write_text(json.dumps(statistics, indent=4))
    fasta = own / "seqs" / ("hg38.ml.fa.gz" if packed else "hg38.ml.fa")
    write_fasta(fasta, genome, packed)
    return write_listing(folder, "rsap", [bed, about, fasta, *sorted(paths)])


def _own(folder: Path, species: str) -> Path:
    return folder / "regulatory_sequence_activity_prediction" / species
