"""Regulatory activity (task ``rsap``): binned tracks of the Basenji2 windows.

Records: Kelley 2020 (PLoS Computational Biology 16:e1008050) and deposit doi:10.7910/DVN/MNUEZR.
A record holds the 131,072 bp of its interval and 896 bins of 128 bp, 8,192 bp cropped on each
side. Inputs are 196,608 bp: the interval and 32,768 bp on both sides (Avsec et al. 2021).
"""

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from genezip.artifacts.manifest import Kind
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.sources.splits import SPLITS
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.windows.bins import RSAP, RSAP_STORED_BP, RSAP_WIDENED
from genezip.tasks.windows.records import Layout
from genezip.tasks.windows.shards import find_shards
from genezip.tasks.windows.stored_windows import prepare_windows
from genezip.tasks.windows.window_rows import read_rows

_FIXED = {
    "seq_length": RSAP_STORED_BP,
    "target_length": RSAP.count,
    "pool_width": RSAP.width_bp,
    "crop_bp": RSAP.first_bp - RSAP_WIDENED,
}
_STATISTICS = Kind(
    "statistics of a Basenji2 deposit",
    None,
    "fetch it first",
    "fetch it again",
    keys=("num_targets", *_FIXED),
)


def prepare_activity(
    files: TaskFiles,
    species: str,
    genome: ReferenceGenome | Path,
    manifest: str | Path,
) -> None:
    """Convert the shards of a species once.

    ``targets.SPLIT.npy``: float16, shape (n, 896, tracks), rows in the order of the split's rows.
    ``examples.parquet``: example, split, chrom, start, end (input of 196,608 bp, which may reach
    beyond the chromosome), locus.

    Parameters
    ----------
    files : TaskFiles
        Lists ``.../SPECIES/sequences.bed``, ``statistics.json`` and
        ``targets/SPLIT-NUMBER.tfr``.
    species : folder of the deposit (``human``)
    genome : ReferenceGenome, or path of the deposit's own FASTA, unpacked
    manifest : ``FOLDER/manifest.json``

    Raises
    ------
    GenezipError
        Files that are missing, damaged, out of order, or do not fit each other or the FASTA.
    """
    if not isinstance(genome, ReferenceGenome):
        genome = ReferenceGenome(genome)
    known = sorted({path.parent.name for path in files.paths if path.name == "sequences.bed"})
    if known and species not in known:
        raise GenezipError(
            f"{files.listing} has no species {species!r}; name a species with --subset (it has "
            f"{', '.join(known)})"
        )
    bed = files.one(f"/{species}/sequences.bed")
    about = files.one(f"/{species}/statistics.json")
    statistics = _statistics(about)
    rows = read_rows(bed, RSAP_STORED_BP, genome)
    _compare_counts(about, statistics, bed, rows)
    layout = Layout(
        task="rsap",
        window_bp=RSAP_STORED_BP,
        widened_bp=RSAP_WIDENED,
        tracks=[str(number) for number in range(statistics["num_targets"])],
        stored=(RSAP.count, statistics["num_targets"]),
        turned=False,
        advice="give the deposit's own FASTA (.ml.fa), unpacked",
        facts={"species": species, "bins": asdict(RSAP)},
    )
    shards = find_shards(files, species)
    inputs = {
        "listing": files.listing,
        "sequences.bed": bed,
        "statistics.json": about,
        "fasta": Path(genome.path),
    }
    prepare_windows(layout, rows, shards, genome, manifest, inputs)


def _statistics(path: Path) -> dict[str, int]:
    """The numbers of ``statistics.json``, with the geometry that this package knows."""
    raw = _STATISTICS.read(path)
    try:
        found = {key: int(raw[key]) for key in _STATISTICS.keys}
        found |= {key: int(raw[key]) for key in map(_count_key, SPLITS) if key in raw}
    except (ValueError, TypeError, OverflowError) as error:
        raise _STATISTICS.unreadable(path, error) from None
    for key, value in _FIXED.items():
        if found[key] != value:
            raise GenezipError(
                f"{path} has {key} {found[key]:,}, this genezip reads {value:,}; "
                "fetch the deposit doi:10.7910/DVN/MNUEZR"
            )
    if found["num_targets"] < 1:
        raise GenezipError(f"{path} has num_targets {found['num_targets']}; fetch it again")
    return found


def _compare_counts(about: Path, statistics: dict[str, int], bed: Path, rows: pd.DataFrame) -> None:
    for split in SPLITS:
        stated = statistics.get(_count_key(split))
        count = int((rows["split"] == split).sum())
        if stated is not None and stated != count:
            raise GenezipError(
                f"{about} states {stated:,} {split} windows, {bed} has {count:,}; fetch both again"
            )


def _count_key(split: str) -> str:
    return f"{split}_seqs"
