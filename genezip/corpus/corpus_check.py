"""Checking a corpus: files against the manifest, windows against genome and region map."""

from pathlib import Path

import numpy as np

from genezip import alphabet
from genezip.artifacts.files import sha256_file
from genezip.corpus.corpus import CorpusReader, Window
from genezip.corpus.plan import PLAN, SPLITS, Progress
from genezip.corpus.shards import ShardFile
from genezip.errors import GenezipError
from genezip.genome.assembly import Assembly
from genezip.genome.region_map import RegionMap
from genezip.region_classes import CLASS_IDS


def check_corpus(
    reader: CorpusReader,
    progress: Progress,
    assembly: Assembly | None = None,
    region_map: RegionMap | None = None,
) -> int:
    """Verify a corpus; return how many windows it has.

    Every file must be there with its hash, belong to the plan, and hold as many windows as
    announced, each of full length with region runs that tile it. With an assembly every window
    must hold the bases of its place, with a region map the classes.

    Raises
    ------
    GenezipError
        At the first thing that is wrong.
    """
    reader.need("classes", "tables", "splits", "plan", "regions")
    if region_map is not None and region_map.taxonomy.names != reader.taxonomy.names:
        raise GenezipError(
            f"{reader.path} has the region classes {', '.join(reader.taxonomy.names)}, the region "
            f"map {', '.join(region_map.taxonomy.names)}; give the map that it was built with"
        )
    files = _check_files(reader, progress)
    total = sum(entry["rows"] for split in SPLITS for entry in reader.files(split))
    pieces = {piece.name: piece for piece in assembly.pieces} if assembly else {}
    done = 0
    for split in SPLITS:
        count = 0
        for window in reader.windows(split):
            if done % 1024 == 0:
                progress("checking windows", done, total)
            _check_window(reader, window)
            if assembly is not None:
                piece = pieces.get(window.piece)
                if piece is None or not piece.start <= window.start < window.end <= piece.end:
                    raise _wrong(reader, window, f"lies in no piece {window.piece} of the source")
                real = assembly.ids(piece, window.start, window.end)
                _check_equal(reader, window, window.ids, real, "base", "the FASTA")
            if region_map is not None:
                labels = region_map.ids(window.chrom, window.start, window.end)
                _check_equal(reader, window, window.regions, labels, "class", "the region map")
            count += 1
            done += 1
        announced = reader.manifest["splits"][split]["windows"]
        if count != announced:
            raise GenezipError(
                f"{reader.path} announces {announced} {split} windows, its shards hold {count}; "
                "build the corpus again"
            )
    progress("checking windows", done, total)
    known = {path.relative_to(reader.path.parent).as_posix() for path in files}
    for split in SPLITS:
        for path in (reader.path.parent / split).glob("*.parquet"):
            if f"{split}/{path.name}" not in known:
                raise GenezipError(
                    f"{path} is not in the manifest; remove it, or build the corpus again"
                )
    return done


def _check_files(reader: CorpusReader, progress: Progress) -> list[Path]:
    folder = reader.path.parent
    entries = [*reader.manifest["files"], *reader.manifest["tables"]]
    if (folder / PLAN).exists():
        entries.append({"path": PLAN, "sha256": reader.manifest["plan"]})
    for done, entry in enumerate(entries):
        progress("checking files", done, len(entries))
        path = folder / entry["path"]
        if not path.exists():
            raise GenezipError(f"{path} is missing; build the corpus again")
        if sha256_file(path) != entry["sha256"]:
            raise GenezipError(
                f"{path} was altered (its sha256 is not that of the manifest); "
                "build the corpus again"
            )
    progress("checking files", len(entries), len(entries))
    for entry in reader.manifest["files"]:
        with ShardFile(folder / entry["path"]) as shard:
            head = shard.head
            found = (head.plan, head.regions, head.split, head.taxonomy)
            told = [reader.manifest["plan"], reader.manifest["regions"], entry["split"]]
            if found != (*told, reader.taxonomy):
                raise GenezipError(
                    f"{shard.path} belongs to another plan, split or region map; build the corpus "
                    "again"
                )
    return [folder / entry["path"] for entry in reader.manifest["files"]]


def _check_window(reader: CorpusReader, window: Window) -> None:
    """Padding is N and dig, and the stored share of N is that of the bases."""
    real = window.end - window.start
    if not 0 < real <= len(window.ids):
        raise _wrong(reader, window, f"has {len(window.ids)} bases for {real}")
    padded = (window.ids[real:] == alphabet.N_ID) & (window.regions[real:] == CLASS_IDS["dig"])
    if not padded.all():
        raise _wrong(reader, window, "has padding that is not N and dig")
    share = float((~alphabet.is_base(window.ids)).mean())
    if abs(share - window.n_fraction) > 1e-6:
        raise _wrong(reader, window, f"has {share:.6f} of N, n_fraction says {window.n_fraction:g}")


def _check_equal(
    reader: CorpusReader,
    window: Window,
    found: np.ndarray,
    truth: np.ndarray,
    what: str,
    where: str,
) -> None:
    differ = np.flatnonzero(found[: len(truth)] != truth)
    if len(differ):
        place = window.start + int(differ[0])
        raise _wrong(
            reader,
            window,
            f"has {len(differ)} {what}{'es' if what == 'class' else 's'} that are not those of "
            f"{where}, the first at {window.chrom}:{place:,}",
        )


def _wrong(reader: CorpusReader, window: Window, what: str) -> GenezipError:
    return GenezipError(
        f"the {window.split} window {window.chrom}:{window.start:,}-{window.end:,} of "
        f"{reader.path} {what}; build the corpus again"
    )
