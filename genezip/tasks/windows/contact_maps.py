"""Contact maps (task ``cmp``): the windows of Akita with five maps each.

Records: Fudenberg et al. 2020 (Nature Methods 17:1111) and deposit doi:10.7910/DVN/AZM25S. A map
is the upper triangle of 448 x 448 bins from the second diagonal on, row by row: the order of
``numpy.triu_indices(448, 2)``.
"""

from dataclasses import asdict
from pathlib import Path

from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.windows.bins import CMP_BP, CMP_FULL
from genezip.tasks.windows.records import Layout
from genezip.tasks.windows.shards import find_shards
from genezip.tasks.windows.stored_windows import prepare_windows
from genezip.tasks.windows.window_rows import read_rows

TRACKS = ("HFF", "H1hESC", "GM12878", "IMR90", "HCT116")
"""Cell lines in the order of the last axis of a stored target."""
FIRST_DIAGONAL = 2
N_VALUES = (CMP_FULL.count - FIRST_DIAGONAL) * (CMP_FULL.count - FIRST_DIAGONAL + 1) // 2
assert N_VALUES == 99_681

_FOLDER = "contact_map_prediction"


def prepare_contact_maps(
    files: TaskFiles, genome: ReferenceGenome | Path, manifest: str | Path
) -> None:
    """Convert the shards once; every subset (cell line) reads the same folder.

    ``targets.SPLIT.npy``: float16, shape (n, 5, 99_681), logarithm of observed over expected
    contacts, rows in the order of the split's rows. ``examples.parquet``: example, split, chrom,
    start, end (window of 1,048,576 bp, hg38), locus.

    Parameters
    ----------
    files : TaskFiles
        Lists ``.../contact_map_prediction/targets/SPLIT-NUMBER.tfr`` and ``sequences.bed``.
    genome : ReferenceGenome, or path of a FASTA of hg38
    manifest : ``FOLDER/manifest.json``

    Raises
    ------
    GenezipError
        Files that are missing, damaged, out of order, or do not fit the FASTA.
    """
    if not isinstance(genome, ReferenceGenome):
        genome = ReferenceGenome(genome)
    bed = files.one("/sequences.bed")
    layout = Layout(
        task="cmp",
        window_bp=CMP_BP,
        widened_bp=0,
        tracks=list(TRACKS),
        stored=(N_VALUES, len(TRACKS)),
        turned=True,
        advice=(
            "the FASTA that Akita's records were cut from is hg38.ml.fa, which the deposit of rsap "
            "holds; name it in benchmarks.cmp.genome"
        ),
        facts={"bins": asdict(CMP_FULL), "first_diagonal": FIRST_DIAGONAL},
    )
    rows = read_rows(bed, layout.window_bp, genome)
    shards = find_shards(files, _FOLDER)
    inputs = {"listing": files.listing, "sequences.bed": bed, "fasta": Path(genome.path)}
    prepare_windows(layout, rows, shards, genome, manifest, inputs)
