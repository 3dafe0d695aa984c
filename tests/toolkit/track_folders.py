"""Folders of tracks of made-up models on a small genome, and a server of a page of them."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from genezip.artifacts.journal import StopRequest
from genezip.browse.server import Answer, serve, server
from genezip.formats.tabix import atomic_indexed, open_indexed
from genezip.inference.tracks import TrackWriter

SIZES = {"ctg|A/1": 40_000, "b:1-2": 3_000}
LONG, SHORT = SIZES


def write_tracks(
    folder: Path, genome: str, model: str, seed: int = 1, sizes: Mapping[str, int] = SIZES
) -> Path:
    """Tracks of a model whose tokens begin at random, opened at bases 1,001 to 6,000."""
    rng = np.random.default_rng(seed)
    chrom = next(iter(sizes))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_indexed(folder / "regions.bed.gz", 0) as part, open_indexed(part) as out:
        out.write(f"{chrom}\t0\t2000\tpromoter\t0\t.\t0\t2000\t213,94,0\n".encode())
    more = {"regions": "regions.bed.gz"}
    locus = (chrom, 1000, 6000)
    with TrackWriter(
        folder, sizes, genome, more, locus=locus, surprisal=True, model=model
    ) as tracks:
        for name, size in sizes.items():
            starts = np.append(0, np.flatnonzero(rng.random(size - 1) < 0.02) + 1)
            prob = rng.random(size).astype(np.float32)
            bits = rng.exponential(2, size).astype(np.float32)
            bits[0] = np.nan
            tracks.add(name, 0, size, np.diff(np.append(starts, size)), prob, bits)
    return folder


@contextmanager
def serving(found: dict[str, Answer]) -> Iterator[str]:
    """Serve in a thread; yield the address."""
    stop = StopRequest()
    with server(found) as made:
        thread = threading.Thread(target=serve, args=(made, stop))
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}/"
        finally:
            stop.requested = True
            thread.join()
