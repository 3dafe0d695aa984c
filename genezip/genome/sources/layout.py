"""Write a source in the layout that all sources share.

Files are written into a hidden folder and moved to ``out`` at the end, ``source.json`` last. If
anything fails, ``out`` is unchanged.
"""

import errno
import gzip
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genezip.alphabet import encode
from genezip.artifacts.destination import file_target, folder_target
from genezip.artifacts.files import move_file, sha256_file, write_json
from genezip.config import Genome
from genezip.errors import GenezipError
from genezip.formats.fasta import write_records
from genezip.genome.assembly import SEGMENT_COLUMNS, Segment, check_no_overlap
from genezip.genome.organisms import Organism
from genezip.genome.sources.source import SOURCE
from genezip.genome.sources.splits import Region, split_of


@dataclass
class Draft:
    """A source being written."""

    folder: Path  # temporary folder of the files
    segments: list[Segment] = field(default_factory=list)  # those that are written
    annotations: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeats: dict[str, str | None] = field(default_factory=lambda: {"rmsk": None, "trf": None})
    files: list[dict[str, Any]] = field(default_factory=list)

    def record(self, name: str, origin: str, release: str, licence: str) -> None:
        """List a written file in ``source.json``."""
        path = self.folder / name
        self.files.append(
            {
                "path": name,
                "sha256": sha256_file(path),
                "bytes": path.stat().st_size,
                "origin": origin,
                "release": release,
                "licence": licence,
            }
        )

    def write_segments(
        self,
        segments: Iterable[tuple[Segment, bytes]],
        chrom_sizes: Mapping[str, int],
        origin: str,
        release: str,
        licence: str,
    ) -> None:
        """Write ``pieces.fa`` with index, ``pieces.tsv`` and ``chrom.sizes``.

        All three are listed in ``source.json`` with one origin.

        Parameters
        ----------
        segments : each with its sequence as ASCII, case as in the source
        chrom_sizes : true length of every chromosome (bp)
        """

        def checked() -> Iterator[tuple[str, bytes]]:
            for segment, sequence in segments:
                encode(sequence, segment.name)  # raises for an invalid letter
                if len(sequence) != segment.end - segment.start:
                    raise GenezipError(
                        f"the sequence of {segment.name} has {len(sequence)} bases instead of "
                        f"{segment.end - segment.start} (from {origin})"
                    )
                if segment.end > chrom_sizes.get(segment.chrom, 0):
                    raise GenezipError(
                        f"{segment.name} ends beyond {segment.chrom}, which has "
                        f"{chrom_sizes.get(segment.chrom, 0)} bases: wrong build?"
                    )
                self.segments.append(segment)
                yield segment.name, sequence

        write_records(self.folder / "pieces.fa", checked())
        check_no_overlap(self.segments)
        if not any(segment.split == "train" for segment in self.segments):
            raise GenezipError(
                "no segment is left to train on; take a chromosome out of genome.valid or "
                "genome.test, or widen genome.chromosomes"
            )
        rows = ["\t".join(SEGMENT_COLUMNS)]
        for segment in self.segments:
            cells = (getattr(segment, name) for name in SEGMENT_COLUMNS)
            rows.append("\t".join(str(int(c)) if isinstance(c, bool) else str(c) for c in cells))
        (self.folder / "pieces.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        sizes = "".join(f"{chrom}\t{length}\n" for chrom, length in chrom_sizes.items())
        (self.folder / "chrom.sizes").write_text(sizes, encoding="utf-8")
        for name in ("pieces.fa", "pieces.fa.fai", "pieces.tsv", "chrom.sizes"):
            self.record(name, origin, release, licence)

    def annotate(self, name: str, path: str, form: str) -> None:
        """List a written file as the annotation set ``name`` in the format ``form``."""
        self.annotations[name] = {"path": path, "format": form}

    def annotate_organism(
        self, name: str, path: str, form: str, contigs: Mapping[str, str], circular: Iterable[str]
    ) -> None:
        """List the annotation of one of several genomes.

        ``contigs`` gives the contig in the source for each name in the file, ``circular`` those
        names in the file that are circular.
        """
        self.annotate(name, path, form)
        self.annotations[name] |= {"contigs": dict(contigs), "circular": sorted(circular)}

    def copy(self, source: Path, name: str, origin: str, release: str, licence: str) -> str:
        """Copy a file unchanged; return its name in the source."""
        shutil.copyfile(source, self.folder / name)
        self.record(name, origin, release, licence)
        return name

    def write_gzip(
        self, name: str, lines: Iterable[bytes], origin: str, release: str, licence: str
    ) -> str:
        """Write lines (with line ends) as gzip without a date, which makes it reproducible."""
        with (
            open(self.folder / name, "wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        ):
            for line in lines:
                packed.write(line)
        self.record(name, origin, release, licence)
        return name

    def finish(
        self, kind: str, description: str, build: str, organisms: Sequence[Organism] = ()
    ) -> None:
        """Write ``source.json``, which completes the source."""
        several = {"organisms": [one.to_dict() for one in organisms]} if organisms else {}
        write_json(
            self.folder / "source.json",
            SOURCE.head(
                source=kind,
                description=description,
                build=build,
                fasta="pieces.fa",
                pieces="pieces.tsv",
                chrom_sizes="chrom.sizes",
                annotations=self.annotations,
                repeats=self.repeats,
                files=self.files,
                **several,
            ),
        )


def segment_of(
    region: Region, settings: Genome, annotation: str, name: str | None = None, **marks: bool
) -> Segment:
    """The segment of an interval; ``marks`` are soft_masked, rmsk and trf."""
    return Segment(
        name=name or region.name,
        chrom=region.chrom,
        start=region.start,
        end=region.end,
        split=split_of(region.chrom, region.marked, settings),
        annotation=annotation,
        **marks,
    )


def is_soft_masked(sequence: bytes) -> bool:
    """Whether any base of a sequence is in lower case."""
    return any(letter in sequence for letter in b"acgt")


@contextmanager
def staged(out: str | Path) -> Iterator[Draft]:
    """Yield a draft; its files are moved into ``out`` when the block succeeds.

    Files that only an earlier ``source.json`` in ``out`` lists are removed; all others stay.
    """
    out = folder_target(out)
    parent = out
    while not parent.is_dir():
        parent = parent.parent
    stage = parent / f".{out.name}.part"
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir()
        draft = Draft(stage)
        yield draft
        _move(draft, out)
    except OSError as error:
        mine = error.filename is None or str(error.filename).startswith(str(stage))
        if not mine and error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        raise GenezipError(
            f"cannot write into {out}: {error.strerror or error}; free space or choose "
            "another folder"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _move(draft: Draft, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    old = _listed(out / "source.json")
    # removed first, so that an old table never lists new files
    file_target(out / "source.json").unlink(missing_ok=True)
    new = [entry["path"] for entry in draft.files]
    for name in [*new, "source.json"]:
        move_file(draft.folder / name, out / name)
    for name in sorted(old - set(new)):
        (out / name).unlink(missing_ok=True)


def _listed(source_json: Path) -> set[str]:
    """Names of the files of an earlier source; empty if it is missing or unreadable."""
    try:
        raw = json.loads(source_json.read_text(encoding="utf-8"))
        names = {entry["path"] for entry in raw["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
    return {name for name in names if Path(name).name == name}
