"""Real labels for the segments of the demo genome: files of a mirror folder or of public servers.

``labels.json`` lists the files (``files``) and says for every part without any why (``reasons``),
so that a run that cannot have them goes on and its report can say so.
"""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

from genezip.artifacts.files import write_json
from genezip.artifacts.folder import replaced_folder
from genezip.artifacts.manifest import file_entries
from genezip.download import SourceUnavailable
from genezip.genome.sources.mirror import check_file, checksums
from genezip.genome.sources.source import Source
from genezip.tasks.base import NotMeasured
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.public_labels import PublicLabels

logger = logging.getLogger(__name__)

BUILD = "hg38"
LISTING = "labels.json"
MIRROR_VARIABLE = "GENEZIP_MIRROR"

_PROCAP = "labels/transcription_initiation/procap.sum_of_three.{}.chr22.hg38.bw"
_SCREEN = "labels/enhancer_gene/EPCrisprBenchmark_combined_data.{}.GRCh38.tsv.gz"

_PROCAP_IS = (
    "PRO-cap 5' ends, sum of three cell types (Yu lab, ENCODE)",
    "public data, cite ENCODE",
)
_SCREEN_LICENCE = "MIT, cite ENCODE-rE2G (Gschwind et al.)"

# part -> short name -> (path in the mirror folder, what it is, licence)
FILES: dict[str, dict[str, tuple[str, str, str]]] = {
    "initiation": {
        "procap.plus.bw": (_PROCAP.format("plus"), *_PROCAP_IS),
        "procap.minus.bw": (_PROCAP.format("minus"), *_PROCAP_IS),
    },
    "contacts": {
        "hic.tsv.gz": (
            "labels/contacts/hic_chr22_5kb_raw_counts.hg38.tsv.gz",
            "Hi-C raw counts, 5 kb bins (example of the ABC model)",
            "MIT",
        ),
    },
    "elements": {
        "elements.tsv.gz": (
            "labels/genomic_benchmarks/human_ensembl_regulatory.with_sequence.tsv.gz",
            "Ensembl 97 regulatory elements (Genomic Benchmarks)",
            "Apache-2.0; Ensembl open",
        ),
    },
    "enhancer_gene": {
        "screen.train.tsv.gz": (
            _SCREEN.format("training_K562"),
            "CRISPRi pairs, K562",
            _SCREEN_LICENCE,
        ),
        "screen.test.tsv.gz": (
            _SCREEN.format("heldout_5_cell_types"),
            "CRISPRi pairs, held out, five cell types",
            _SCREEN_LICENCE,
        ),
    },
}


def fetch_labels(
    mirror: Path | None,
    parts: Sequence[str],
    out: Path,
    public: PublicLabels | None = None,
    source: Source | None = None,
) -> Path:
    """Bring the label files of some parts: from the mirror folder, else from public servers.

    Parameters
    ----------
    mirror : folder, or None where none was named; its files are compared with its checksum table
    parts : keys of :data:`FILES`
    out : folder; replaced as a whole
    public : where to look without a mirror folder; None asks no server
    source : the genome of the run; labels that do not belong to it are not fetched

    Returns
    -------
    ``out/labels.json``. A part that cannot be had has no file and a reason in it; the path of
    the mirror folder stands in no file.

    Raises
    ------
    GenezipError
        If a file is truncated, altered or not in the checksum table of the mirror folder, or no
        server has the right one.
    """
    names = {name for files in FILES.values() for name in files}
    entries: list[dict[str, object]] = []
    reasons: dict[str, str] = {}
    no_mirror = None
    if mirror is None:
        no_mirror = f"no folder of real data was named ({MIRROR_VARIABLE} is not set)"
    elif not mirror.is_dir():
        logger.warning(f"labels: {mirror} is no folder")
        no_mirror = f"the folder named by {MIRROR_VARIABLE} does not exist"
    unfit = None if source is None else unfit_genome(source)
    with replaced_folder(out, {LISTING, *names}) as folder:
        for part in parts:
            try:
                if unfit is not None:
                    reasons[part] = unfit
                elif mirror is not None and no_mirror is None:
                    entries += _from_mirror(mirror, part, folder)
                elif public is not None:
                    entries += public.get(part, folder)
                else:
                    reasons[part] = str(no_mirror)
            except SourceUnavailable as error:
                reasons[part] = f"{no_mirror}, and the public files cannot be had: {error}"
        write_json(folder / LISTING, {"reasons": reasons, "files": entries})
    logger.info(f"labels: {len(entries)} files -> {out}")
    for reason in dict.fromkeys(reasons.values()):
        left = ", ".join(part for part in parts if reasons.get(part) == reason)
        logger.warning(
            f"labels: none for {left}: {reason}; the chapter on real labels goes without "
            f"(delete {out} to try again)"
        )
    return out / LISTING


def _from_mirror(mirror: Path, part: str, folder: Path) -> list[dict[str, object]]:
    """Copy the files of a part; returns their entries."""
    table = checksums(mirror / "README.md")
    entries: list[dict[str, object]] = []
    for name, (origin, what, licence) in FILES[part].items():
        check_file(mirror, origin, table)
        shutil.copyfile(mirror / origin, folder / name)
        (entry,) = file_entries(folder, [name])
        about = {"part": part, "origin": origin, "release": what, "licence": licence}
        entries.append(entry | about)
    return entries


def unfit_genome(source: Source) -> str | None:
    """Why real labels say nothing about a genome; None where they do."""
    if source.kind == "simulated":
        return "the DNA of this run is simulated, and real labels say nothing about it"
    if source.build != BUILD:
        return f"the labels are of {BUILD}, the genome of this run is {source.build}"
    return None


def missing_reason(listing: str | Path, part: str) -> str | None:
    """Why a part has no labels; None where its files are listed.

    Raises
    ------
    GenezipError
        If the list itself is missing or unreadable.
    """
    files = TaskFiles.load(listing, advice="run `genezip labels fetch` first")
    listed = {path.name for path in files.paths}
    if set(FILES[part]) <= listed:
        return None
    return str(files.facts.get("reasons", {}).get(part, f"{listing} lists no files of {part}"))


def measurable(files: TaskFiles, part: str, source: str | Path) -> Source:
    """The genome of a run, where a part has labels that say something about it.

    Parameters
    ----------
    files : ``labels.json``
    part : key of :data:`FILES`
    source : ``source.json``

    Raises
    ------
    NotMeasured
        If the files of the part are not listed, or the labels are of another genome.
    GenezipError
        If the genome is missing or incomplete.
    """
    if reason := missing_reason(files.listing, part):
        raise NotMeasured(reason)
    found = Source.load(source)
    if reason := unfit_genome(found):
        raise NotMeasured(reason)
    return found
