"""A small deposit of contact maps: real record sizes, few records, cheap bases.

Windows of a split come in pairs that overlap by half, pairs lie apart: two windows, one locus.
Bases repeat every 256 bp except for a number at each start, with another unit every 65,536 bp, so
that packed files stay small and any shift shows. Targets are whole multiples of 1/64 that depend
on i, j and cell line.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from toolkit.deposits.files import one_hot, write_fasta, write_listing
from toolkit.deposits.tfrecords import bytes_feature, example, int64_feature
from toolkit.deposits.tfrecords import write as write_records

WINDOW_BP = 1_048_576
N_VALUES = 99_681
GENOME = "hg38.fa"  # beside the listing
CHROMOSOMES = {"train": "chr1", "valid": "chr2", "test": "chr3"}
N_RUN = (400_000, 403_000)  # of every chromosome
_UNIT_BP, _BLOCK_BP = 256, 65_536
_FIRST, _STEP, _PAIR = 65_536, 524_288, 1_600_000


def start_of(row: int) -> int:
    """Where window ``row`` of a split begins."""
    return _FIRST + row // 2 * _PAIR + row % 2 * _STEP


def bases(length: int, seed: int) -> np.ndarray:
    """ASCII codes of a chromosome: mixed case, one run of N."""
    rng = np.random.default_rng(seed)
    letters = np.frombuffer(b"ACGTacgtaattACGTgcgc", dtype=np.uint8)
    blocks = rng.choice(letters, (-(-length // _BLOCK_BP), 1, _UNIT_BP))
    codes = blocks.repeat(_BLOCK_BP // _UNIT_BP, axis=1).reshape(-1, _UNIT_BP)
    numbers = np.arange(len(codes))[:, None] >> np.arange(0, 16, 2) & 3  # eight digits of base 4
    codes[:, :8] = np.frombuffer(b"ACGT", dtype=np.uint8)[numbers]
    flat = codes.reshape(-1)[:length].copy()
    flat[slice(*N_RUN)] = ord("N")
    return flat


def target(record: int, split: str) -> np.ndarray:
    """Target of a record: float16 (99_681, 5), as stored.

    Record 0 of every split is the plain index pattern; record 1 has no contact at all in cell
    line 3.
    """
    i, j = np.triu_indices(448, 2)
    turn = record + 3 * list(CHROMOSOMES).index(split)
    index = (31 + 2 * turn) * i + (7 + turn) * j
    values = ((index[:, None] + 13 * np.arange(5)) % 251 - 125).astype(np.float16) / 64
    if record == 1:
        values[:, 3] = 0
    return values.astype("<f2")


def write(
    folder: Path,
    seed: int = 0,
    train: Mapping[int, int] | None = None,
    valid: Mapping[int, int] | None = None,
    test: Mapping[int, int] | None = None,
    doubled: bool = False,
) -> Path:
    """Write deposit, ``sequences.bed`` and ``hg38.fa`` below ``folder``.

    Parameters
    ----------
    train, valid, test : number of shard -> records; default 0: 2, 2: 1, 10: 1; 0: 1; 0: 2
    doubled : whether shards lie in the folder of that name twice, as the whole zip unpacks

    Returns
    -------
    Path of ``cmp.json``
    """
    shards = {
        "train": train or {0: 2, 2: 1, 10: 1},
        "valid": valid or {0: 1},
        "test": test or {0: 2},
    }
    own = folder / "contact_map_prediction"
    rows, paths, genome = [], [], {}
    for place, (split, numbers) in enumerate(shards.items()):
        chrom = CHROMOSOMES[split]
        count = sum(numbers.values())
        codes = bases(start_of(count - 1) + WINDOW_BP + 50_000, seed + place)
        genome[chrom] = codes
        row = 0
        for number in sorted(numbers):
            records = []
            for _ in range(numbers[number]):
                start, end = start_of(row), start_of(row) + WINDOW_BP
                rows.append(f"{chrom}\t{start}\t{end}\t{split}\n")
                features = {
                    "sequence": bytes_feature(one_hot(codes[start:end])),
                    "target": bytes_feature(target(row, split).tobytes()),
                }
                if row % 2 == 0:
                    features = {"genome": int64_feature(0), **features}
                records.append(example(features))
                row += 1
            targets = own / own.name / "targets" if doubled else own / "targets"
            paths.append(write_records(targets / f"{split}-{number}.tfr", records, level=3))
    bed = own / "sequences.bed"
    bed.write_text("".join(rows))
    write_fasta(folder / GENOME, genome)
    # as text sorts them: train-10 before train-2
    return write_listing(folder, "cmp", [bed, *sorted(paths)])
