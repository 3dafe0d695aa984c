"""What is shown: the tracks of one or several folders, their genome and a locus.

A folder of tracks has an IGV session, which names its files. Only files inside the folder, and the
FASTA of the genome, are ever read.
"""

import filecmp
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from genezip.artifacts.tables import read_tsv
from genezip.errors import GenezipError
from genezip.formats.bigwig import open_bigwig
from genezip.formats.fasta import FastaIndex, index_fasta
from genezip.formats.igv import Session, Track, read_igv_session, read_shown_locus, shown_locus
from genezip.formats.tabix import index_of

SESSION = "igv_session.xml"
AGAIN = "write the tracks again"
LOCUS_BP = 100_000
"""Length of the interval that is shown where nothing names one."""
COLOURS = ("106,31,160", "26,26,26", "0,96,107", "140,45,4", "63,74,138", "91,127,43")
"""Colours of the models (r,g,b): the first two are those of the report."""

Interval = tuple[str, int, int]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShownTrack:
    """A track of a session with the paths of its files on this machine.

    ``folder`` is the number of its folder among those given, ``at`` its path in there.
    """

    track: Track
    folder: int
    at: str
    path: Path
    index: Path | None = None


@dataclass(frozen=True)
class View:
    """All that is shown.

    Attributes
    ----------
    folders : as given
    tracks : from top to bottom
    sizes : lengths of the contigs (bp), in the order of the tracks
    genome : id of the genome in IGV (``hg38``); empty for others
    fasta : FASTA of the genome with its indexes; None where bases are not shown
    locus : (chrom, start, end), 0-based, half-open
    """

    folders: list[Path]
    tracks: list[ShownTrack]
    sizes: dict[str, int]
    genome: str
    fasta: FastaIndex | None
    locus: Interval = field(default=("", 0, 0))

    def at(self, locus: str | None) -> "View":
        """The same at a locus (:func:`find_locus`); None keeps that of the session."""
        return self if locus is None else replace(self, locus=find_locus(locus, self.sizes))


def view_of(
    folders: Sequence[Path],
    scratch: Path,
    fasta: Path | None = None,
    with_bases: bool = True,
) -> View:
    """Open folders of tracks.

    Tracks of several folders are ordered by what they show, each folder has a colour, and equal
    tracks have one scale. A title that two folders have is followed by the folder.

    Parameters
    ----------
    scratch : folder for an index of the FASTA, if none lies beside it
    fasta : in place of the genome that the sessions name
    with_bases : whether to show the bases of the genome
    """
    sessions = [_session(folder) for folder in folders]
    tracks = _arranged(folders, [_files(*one) for one in zip(folders, sessions, strict=True)])
    sizes = _sizes(tracks)
    named = next((session.genome for session in sessions if session.genome), "")
    index = None
    if with_bases and fasta is None:
        fasta = _named_fasta(folders, sessions)
    if with_bases and fasta is not None:
        index = index_fasta(fasta, scratch)
        _check_contigs(index, sizes)
    elif with_bases:
        genome = f"the genome {named} is no file" if named else "the tracks name no genome"
        logger.info(f"{genome}, so no bases are shown; --fasta names them")
    locus = next((session.locus for session in sessions if session.locus), None)
    if locus is None or not _inside(locus, sizes):
        chrom, length = next(iter(sizes.items()))
        locus = (chrom, 0, min(length, LOCUS_BP))
    return View(list(folders), tracks, sizes, "" if _is_path(named) else named, index, locus)


def find_locus(text: str, sizes: dict[str, int]) -> Interval:
    """The interval that a text means.

    It is ``chrom:start-end``, counted from 1 as in a genome browser, a whole contig, or the first
    locus of a table of ``genezip evaluate locus``.
    """
    if text in sizes:
        return text, 0, sizes[text]
    locus = read_shown_locus(text)
    if locus is None and Path(text).is_file():
        locus = first_locus(Path(text))
    if locus is None:
        contig = text.partition(":")[0]
        if contig and contig == text:
            raise _no_contig(contig, sizes)
        raise GenezipError(
            f"--locus is {text!r}; write chrom:start-end, counted from 1, as "
            f"{shown_locus((next(iter(sizes)), 1000, 51_000))}"
        )
    if locus[0] not in sizes:
        raise _no_contig(locus[0], sizes)
    if not _inside(locus, sizes):
        raise GenezipError(
            f"the locus {shown_locus(locus)} ends beyond {locus[0]}, which has "
            f"{sizes[locus[0]]:,} bases; choose one inside"
        )
    return locus


def first_locus(path: Path) -> Interval:
    """The first locus of a table of ``genezip evaluate locus``."""
    table = read_tsv(path, ("locus", "kind", "chrom", "start", "end"), ("locus", "chrom"))
    bins = table[(table["kind"] == "bin") & (table["locus"] == table["locus"].iloc[0])]
    if bins.empty:
        raise GenezipError(f"{path} has no locus; write it again")
    return str(bins["chrom"].iloc[0]), int(bins["start"].min()), int(bins["end"].max())


def session_of(view: View, relative_to: Path) -> Session:
    """One IGV session of all that is shown, to be written into the folder ``relative_to``.

    Its tracks lie in this folder or below, because a browser finds them from there.
    """
    base = Path(os.path.realpath(relative_to))

    def there(path: Path) -> str:
        return os.path.relpath(path, base).replace(os.sep, "/")

    tracks = []
    for shown in view.tracks:
        if not shown.path.is_relative_to(base):
            raise GenezipError(
                f"{shown.path} is not in the folder of the session, {relative_to}, or below; "
                "write the session into a folder that has all tracks"
            )
        index = None if shown.index is None else there(shown.index)
        tracks.append(replace(shown.track, path=there(shown.path), index=index))
    return Session(
        tracks, view.genome if view.fasta is None else there(view.fasta.path), view.locus
    )


def _session(folder: Path) -> Session:
    if not (folder / SESSION).is_file():
        wrong = "has no tracks" if folder.is_dir() else "is not a folder"
        raise GenezipError(
            f"{folder} {wrong}: there is no {folder / SESSION}; `genezip compress my.fa --out "
            f"tokens.parquet --tracks {folder}` writes them"
        )
    session = read_igv_session(folder / SESSION)
    if not session.tracks:
        raise GenezipError(f"{folder / SESSION} lists no track; {AGAIN}")
    return session


def _files(folder: Path, session: Session) -> list[tuple[Track, Path, Path | None]]:
    """The tracks of a session with their files, which must lie in its folder."""
    inside = Path(os.path.realpath(folder))
    found = []
    for track in session.tracks:
        path = Path(os.path.realpath(folder / track.path))
        if not path.is_relative_to(inside):
            raise GenezipError(
                f"{folder / SESSION} names {track.path}, which leads out of the folder; copy the "
                "file into the folder, or write the tracks again"
            )
        if not path.is_file():
            raise GenezipError(
                f"{folder / SESSION} names {track.path}, which does not exist; {AGAIN}"
            )
        index = None if track.is_bigwig else index_of(path)
        found.append((track, path, index))
    return found


def _arranged(
    folders: Sequence[Path], found: Sequence[list[tuple[Track, Path, Path | None]]]
) -> list[ShownTrack]:
    """Tracks of all folders from top to bottom, by what they show, with colours and scales."""
    several = len(folders) > 1
    titles = [track.title for tracks in found for track, *_ in tracks]
    kinds: dict[str, list[ShownTrack]] = {}
    for number, (folder, tracks) in enumerate(zip(folders, found, strict=True)):
        names = [other.name for other in folders].count(folder.name)
        label = folder.name if names == 1 else str(folder)
        for track, path, index in tracks:
            same = kinds.setdefault(path.name if several else track.path, [])
            if path.name == "regions.bed.gz" and any(
                filecmp.cmp(path, other.path, shallow=False) for other in same
            ):
                continue  # one map of regions for all models
            shown = track
            if several:
                title = track.title
                if titles.count(title) > 1 and not _is_regions(track):
                    title = f"{title} ({label})"
                scale = path.stem if track.is_bigwig else None
                shown = replace(track, title=title, rgb=COLOURS[number % len(COLOURS)], scale=scale)
            elif track.rgb is None:
                shown = replace(track, rgb=COLOURS[0])
            if not track.is_bigwig:
                shown = replace(shown, rgb=None)  # every row has its own
            same.append(ShownTrack(shown, number, track.path, path, index))
    return [shown for same in kinds.values() for shown in same]


def _is_regions(track: Track) -> bool:
    return Path(track.path).name == "regions.bed.gz"


def _sizes(tracks: Sequence[ShownTrack]) -> dict[str, int]:
    """Lengths of the contigs, as all bigWig files have them."""
    sizes: dict[str, int] = {}
    first = None
    for shown in tracks:
        if not shown.track.is_bigwig:
            continue
        with open_bigwig(shown.path, AGAIN) as file:
            here = file.chroms()
        for chrom, length in here.items():
            if sizes.setdefault(chrom, length) != length:
                raise GenezipError(
                    f"{first} and {shown.path} are of different genomes: {chrom} has "
                    f"{sizes[chrom]:,} and {length:,} bases; show them apart"
                )
        first = first or shown.path
    if not sizes:
        raise GenezipError(f"{tracks[0].path.parent} has no bigWig; {AGAIN}")
    return sizes


def _named_fasta(folders: Sequence[Path], sessions: Sequence[Session]) -> Path | None:
    """The FASTA that the sessions name; None for a genome that is no file."""
    for folder, session in zip(folders, sessions, strict=True):
        path = folder / session.genome
        # where the folder is a link, the path may start from the link or from its target
        places = (path, Path(os.path.normpath(path)))
        if session.genome and (found := next((p for p in places if p.is_file()), None)):
            return found
        if _is_path(session.genome):
            raise GenezipError(
                f"the genome of {folder / SESSION}, {os.path.normpath(path)}, does not exist; "
                "name the FASTA by --fasta, or show the tracks without it by --no-bases"
            )
    return None


def _is_path(genome: str) -> bool:
    """Whether the genome of a session is a file, not an id of IGV, which is one word."""
    return any(sign in genome for sign in "/.\\")


def _check_contigs(fasta: FastaIndex, sizes: dict[str, int]) -> None:
    """Refuse a FASTA of another genome; it may lack some contigs."""
    shared = [chrom for chrom in sizes if chrom in fasta.sizes]
    if not shared:
        raise GenezipError(
            f"{fasta.path} has no contig of the tracks ({_some(sizes)}); name their FASTA by "
            "--fasta, or show them without it by --no-bases"
        )
    for chrom in shared:
        if fasta.sizes[chrom] != sizes[chrom]:
            raise GenezipError(
                f"{chrom} has {fasta.sizes[chrom]:,} bases in {fasta.path} and {sizes[chrom]:,} in "
                "the tracks; name the FASTA they were made from by --fasta"
            )


def _inside(locus: Interval, sizes: dict[str, int]) -> bool:
    chrom, start, end = locus
    return 0 <= start < end <= sizes.get(chrom, 0)


def _no_contig(name: str, sizes: dict[str, int]) -> GenezipError:
    return GenezipError(f"the tracks have no contig {name!r}; they have {_some(sizes)}")


def _some(sizes: dict[str, int]) -> str:
    names = list(sizes)
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
