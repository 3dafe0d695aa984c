"""Windows of a deposit's shards, converted once: ``targets.SPLIT.npy`` and ``examples.parquet``."""

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from genezip.artifacts.folder import refuse_foreign
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.tasks.examples import EXAMPLES, MANIFEST, preparing
from genezip.tasks.windows.records import TARGETS, Conversion, Layout
from genezip.tasks.windows.shards import Shards
from genezip.tasks.windows.window_rows import widened

logger = logging.getLogger(__name__)


def prepare_windows(
    layout: Layout,
    rows: pd.DataFrame,
    shards: list[Shards],
    genome: ReferenceGenome,
    manifest: str | Path,
    inputs: Mapping[str, Path],
) -> None:
    """Convert the shards of a deposit; ``manifest.json`` is written last.

    Every record is compared with the FASTA; what differs (0.1 % of a record at most) is counted
    in the fact ``differing_from_fasta``. An interrupted conversion goes on when it is called again
    with the same files: finished shards lie in ``.FOLDER.shards`` beside the folder.

    Parameters
    ----------
    layout : Layout
    rows : DataFrame of :func:`genezip.tasks.windows.window_rows.read_rows`
    shards : of every split
    genome : ReferenceGenome
    manifest : ``FOLDER/manifest.json``; the folder's name is the subset
    inputs : name -> file, whose SHA-256 goes into the manifest

    Raises
    ------
    GenezipError
        A record of the wrong length or not of its row, too few or too many records, a damaged
        shard, no room on the disk.
    """
    folder = Path(manifest).resolve().parent
    refuse_foreign(folder, (MANIFEST, EXAMPLES, *TARGETS))
    work = folder.with_name(f".{folder.name}.shards")
    conversion = Conversion(layout, rows, genome, work)
    try:
        conversion.begin(inputs)
        for split in shards:
            conversion.convert(split)
    except OSError as error:
        if error.filename is not None and not str(error.filename).startswith(str(work)):
            raise
        raise GenezipError(
            f"cannot write {folder}: {error.strerror}; free space or choose another folder "
            "(finished shards are kept)"
        ) from error
    logger.info(f"{layout.task}: every record is the window of its row; hashing the targets")
    with preparing(manifest, layout.task, folder.name, inputs, own=TARGETS) as draft:
        for name in TARGETS:
            _second_name(work / name, draft.folder / name)
        draft.write_examples(widened(rows, layout.widened_bp))
        draft.facts = {
            "tracks": layout.tracks,
            "window_bp": layout.window_bp + 2 * layout.widened_bp,
            "stored_bp": layout.window_bp,
            "target_shape": list(layout.shape),
            "build": genome.build(),
            "differing_from_fasta": {
                split: found.facts() for split, found in conversion.differences.items()
            },
            "chromosome_bp": {chrom: genome.length(chrom) for chrom in rows["chrom"].unique()},
            **layout.facts,
        }
    shutil.rmtree(work)


def _second_name(source: Path, target: Path) -> None:
    """The same file under a second name, so that a failure from here on loses nothing.

    File systems without hard links get it moved.
    """
    try:
        os.link(source, target)
    except OSError:
        source.rename(target)
