"""The list of a task's files, as ``genezip dnalongbench fetch`` writes it, and packed FASTA."""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from genezip.artifacts.files import sha256_file, write_json

DOIS = {
    "cmp": "10.7910/DVN/AZM25S",
    "eqtl": "10.7910/DVN/YUP2G5",
    "etgp": "10.7910/DVN/CTEQXX",
    "tisp": "10.7910/DVN/VXQKWO",
    "rsap": "10.7910/DVN/MNUEZR",
}


def write_listing(folder: Path, task: str, paths: Iterable[Path]) -> Path:
    """``folder/TASK.json`` of files below ``folder``."""
    files = [
        {
            "path": path.relative_to(folder).as_posix(),
            "sha256": sha256_file(path),
            "bytes": path.stat().st_size,
            "url": f"https://dataverse.harvard.edu/{path.relative_to(folder).as_posix()}",
            "licence": "none: made by a test",
            "citation": "none: made by a test",
        }
        for path in paths
    ]
    listing = folder / f"{task}.json"
    write_json(listing, {"task": task, "doi": f"doi:{DOIS[task]}", "files": files})
    return listing


def write_fasta(path: Path, chromosomes: Mapping[str, np.ndarray], packed: bool = False) -> Path:
    """FASTA of ASCII codes, 60 letters a line; ``packed`` is plain gzip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = b"".join(
        b">" + name.encode() + b" made by a test\n" + _lines(codes)
        for name, codes in chromosomes.items()
    )
    path.write_bytes(gzip.compress(text, 1, mtime=0) if packed else text)
    return path


def _lines(codes: np.ndarray, width: int = 60) -> bytes:
    whole = len(codes) // width * width
    lines = np.full((whole // width, width + 1), ord("\n"), dtype=np.uint8)
    lines[:, :width] = codes[:whole].reshape(-1, width)
    rest = codes[whole:].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")


def one_hot(codes: np.ndarray) -> bytes:
    """Bytes of (L, 4) booleans, columns A, C, G, T; any other letter is a row of zeros."""
    letters = codes & 0xDF  # upper case
    return (letters[:, None] == np.frombuffer(b"ACGT", dtype=np.uint8)).tobytes()


def slice_of(codes: np.ndarray, start: int, end: int) -> np.ndarray:
    """Bases of an interval; N outside the chromosome."""
    found = np.full(end - start, ord("N"), dtype=np.uint8)
    lo, hi = max(start, 0), min(end, len(codes))
    found[lo - start : hi - start] = codes[lo:hi]
    return found
