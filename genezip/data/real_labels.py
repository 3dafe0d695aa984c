"""Real labels for the pieces of the demo genome: files of the mirror folder, and their list.

``labels.json`` lists the copied files (``files``) or says why there are none (``reason``), so
that a run without the folder goes on and its report can say so.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from genezip.data.task_files import TaskFiles
from genezip.folder import replaced_folder
from genezip.genome.mirror import check_file, checksums
from genezip.provenance import sha256_file, write_json

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
    mirror: Path | None, parts: Sequence[str], out: Path, say: Callable[[str], None]
) -> Path:
    """Copy the label files of some parts, each compared with the folder's checksum table.

    Parameters
    ----------
    mirror : folder, or None where none was named
    parts : keys of :data:`FILES`
    out : folder; replaced as a whole

    Returns
    -------
    ``out/labels.json``. Without a mirror folder it lists nothing and says why; the path of the
    folder stands in no file.

    Raises
    ------
    GenezipError
        If a file is missing, truncated, altered or not in the checksum table.
    """
    names = {name for files in FILES.values() for name in files}
    reason = None
    if mirror is None:
        reason = f"no folder of real data was named ({MIRROR_VARIABLE} is not set)"
    elif not mirror.is_dir():
        reason = f"the folder named by {MIRROR_VARIABLE} does not exist"
    with replaced_folder(out, {LISTING, *names}) as folder:
        entries = []
        if mirror is not None and reason is None:
            table = checksums(mirror / "README.md")
            for part in parts:
                for name, (origin, what, licence) in FILES[part].items():
                    check_file(mirror, origin, table)
                    shutil.copyfile(mirror / origin, folder / name)
                    entries.append(
                        {
                            "path": name,
                            "bytes": table[origin][0],
                            "sha256": sha256_file(folder / name),
                            "part": part,
                            "origin": origin,
                            "release": what,
                            "licence": licence,
                        }
                    )
        write_json(folder / LISTING, {"reason": reason, "files": entries})
    if reason and mirror is not None:
        say(f"labels: {mirror} is no folder")
    say(f"labels: {reason}" if reason else f"labels: {len(entries)} files -> {out}")
    return out / LISTING


def mirror_from_environment() -> Path | None:
    """Folder named by ``GENEZIP_MIRROR``; None where it is not set."""
    named = os.environ.get(MIRROR_VARIABLE)
    return Path(named) if named else None


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
    reason = json.loads(Path(listing).read_text(encoding="utf-8")).get("reason")
    return str(reason) if reason else f"{listing} lists no files of {part}"
