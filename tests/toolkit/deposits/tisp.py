"""A small deposit of the task tisp: five contigs, ten sparse bigWigs, two lists of intervals."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyBigWig

from toolkit.deposits.files import write_fasta, write_listing

BASE = "transcription_initiation_signal_prediction"
FASTA = f"{BASE}/seqs/Homo_sapiens.GRCh38.dna.primary_assembly.fa"
SIZES = {
    "chr1": 420_000,
    "chr8": 310_000,
    "chr9": 270_000,
    "chr10": 330_000,
    "KI270728.1": 20_000,
}
N_RUN = ("chr8", 140_000, 140_030)
PLUS = ("chr8", 99_000, 101_000)  # over the edge of the first and the third window
MINUS = ("chr8", 205_000, 206_500)
FILES = (
    "agg.plus.bw.bedgraph.bw",
    "agg.encodecage.plus.v2.bedgraph.bw",
    "agg.encoderampage.plus.v2.bedgraph.bw",
    "agg.plus.grocap.bedgraph.sorted.merged.bw",
    "agg.plus.allprocap.bedgraph.sorted.merged.bw",
    "agg.minus.allprocap.bedgraph.sorted.merged.bw",
    "agg.minus.grocap.bedgraph.sorted.merged.bw",
    "agg.encoderampage.minus.v2.bedgraph.bw",
    "agg.encodecage.minus.v2.bedgraph.bw",
    "agg.minus.bw.bedgraph.bw",
)
_PEAK_STEP = 500


def write(
    folder: Path,
    seed: int = 0,
    bare_names: bool = False,
    shorter: bool = False,
    flat: bool = False,
    sizes: Mapping[str, int] = SIZES,
) -> Path:
    """Write a deposit.

    Parameters
    ----------
    folder : Path
    seed : int
    bare_names : bool
        Chromosomes of the FASTA are called 1, 8, ... as Ensembl does; bigWigs keep ``chr``.
    shorter : bool
        chr8 of the fourth bigWig is 1 bp shorter than in the FASTA.
    flat : bool
        The lists of intervals lie beside the bigWigs, without a folder of their own.
    sizes : Mapping[str, int]
        Contig -> length (bp).

    Returns
    -------
    Path, ``tisp.json`` in the folder
    """
    fasta = folder / FASTA
    names = {name: name.removeprefix("chr") if bare_names else name for name in sizes}
    write_fasta(fasta, {names[name]: codes for name, codes in bases(seed, sizes).items()})
    targets = folder / BASE / "targets"
    targets.mkdir(parents=True, exist_ok=True)
    found = signal(seed, sizes)
    paths = []
    for track, name in enumerate(FILES):
        lengths = {chrom: values.shape[1] for chrom, values in found.items()}
        if shorter and track == 3:
            lengths["chr8"] -= 1
        paths.append(targets / name)
        _write_bigwig(paths[-1], {chrom: values[track] for chrom, values in found.items()}, lengths)
    lists = targets if flat else targets / "blacklists"
    lists.mkdir(exist_ok=True)
    for strand, interval in (("plus", PLUS), ("minus", MINUS)):
        text = "\t".join(map(str, interval)) + "\n"
        paths.append(lists / f"fantom.blacklist8.{strand}.bed.gz")
        paths[-1].write_bytes(gzip.compress(text.encode(), mtime=0))
    return write_listing(folder, "tisp", [fasta, *paths])


def bases(seed: int = 0, sizes: Mapping[str, int] = SIZES) -> dict[str, np.ndarray]:
    """ASCII codes of every contig; about half in lower case."""
    rng = np.random.RandomState(seed)
    found = {}
    for chrom, length in sizes.items():
        codes = np.frombuffer(b"ACGTacgt", dtype=np.uint8)[rng.randint(0, 8, length)]
        if chrom == N_RUN[0]:
            codes[N_RUN[1] : N_RUN[2]] = ord("N")
        found[chrom] = codes
    return found


def signal(seed: int = 0, sizes: Mapping[str, int] = SIZES) -> dict[str, np.ndarray]:
    """What the bigWigs hold: contig -> float32 (10, length), NaN where they have no value.

    Peaks of three bases, about every 500 bp; the same places in all tracks, as in real assays,
    with other heights. The scaffold has none.
    """
    rng = np.random.RandomState(seed + 1)
    found = {}
    for chrom, length in sizes.items():
        if not chrom.startswith("chr"):
            continue
        values = np.full((len(FILES), length), np.nan, dtype=np.float32)
        starts = np.arange(_PEAK_STEP // 2, length - _PEAK_STEP, _PEAK_STEP)
        starts = starts + rng.randint(0, _PEAK_STEP // 2, len(starts))
        heights = rng.uniform(0.1, 3, (len(FILES), len(starts)))
        for offset in range(3):
            values[:, starts + offset] = heights / (offset + 1)
        found[chrom] = values
    return found


def _write_bigwig(path: Path, values: dict[str, np.ndarray], lengths: dict[str, int]) -> None:
    handle = pyBigWig.open(str(path), "w")
    handle.addHeader(list(lengths.items()))
    for chrom, column in values.items():
        places = np.flatnonzero(~np.isnan(column))
        handle.addEntries(
            [chrom] * len(places),
            places.tolist(),
            ends=(places + 1).tolist(),
            values=column[places].astype(float).tolist(),
        )
    handle.close()
