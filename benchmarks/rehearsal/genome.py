"""Made-up files of GRCh38 at their true size: bases, genes, repeats.

Lengths of chromosomes and their gaps are true, bases are random and half of them soft-masked.
Genes are RefSeq's, in the form of GENCODE. Repeats have the numbers of rows, the columns and the
common names of UCSC's tables, at random places. All files have the names that a download gives
them, so that the source ``download`` reads them from a folder (``GENEZIP_FETCHED``).
"""

import gzip
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from genezip.artifacts.files import atomic_path
from genezip.errors import GenezipError
from genezip.formats.chrom_sizes import hg38_sizes

GENOME = "GRCh38.primary_assembly.genome.fa.gz"
GENES = "gencode.v49.basic.annotation.gtf.gz"
RMSK = "rmsk.txt.gz"
TRF = "simpleRepeat.txt.gz"
RMSK_ROWS, TRF_ROWS = 5_500_000, 1_000_000
GAPS = Path(__file__).with_name("hg38_gaps.tsv")
TELOMERE_BP = 10_000
LINE = 60
_BLOCK_BP = 60_000_000
_SOFT_BP = 5_000  # stretches of one case
_LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
# Name, class, family and share of the commonest repeats, roughly as in UCSC's rmsk of hg38.
REPEATS = (
    ("AluSx", "SINE", "Alu", 0.12),
    ("AluY", "SINE", "Alu", 0.10),
    ("MIR", "SINE", "MIR", 0.11),
    ("L1MC4", "LINE", "L1", 0.12),
    ("L1PA4", "LINE", "L1", 0.06),
    ("L2a", "LINE", "L2", 0.09),
    ("MLT1B", "LTR", "ERVL-MaLR", 0.07),
    ("THE1B", "LTR", "ERVL-MaLR", 0.06),
    ("MER5A", "DNA", "hAT-Charlie", 0.09),
    ("(TG)n", "Simple_repeat", "Simple_repeat", 0.13),
    ("A-rich", "Low_complexity", "Low_complexity", 0.04),
    ("ALR/Alpha", "Satellite", "centr", 0.01),
)


def sizes(chroms: list[str] | None = None) -> dict[str, int]:
    """Lengths of the 24 chromosomes and of chrM (bp), or of some of them."""
    found = hg38_sizes()
    return {chrom: found[chrom] for chrom in chroms or found}


def gaps(chrom: str) -> list[tuple[int, int]]:
    """Runs of N: the large gaps and 10 kb at both ends."""
    table = pd.read_csv(GAPS, sep="\t", comment="#")
    own = table[table["chrom"] == chrom]
    length = sizes()[chrom]
    ends = [] if chrom == "chrM" else [(0, TELOMERE_BP), (length - TELOMERE_BP, length)]
    return [*zip(own["start"].tolist(), own["end"].tolist(), strict=True), *ends]


def write_chromosome(folder: Path, build: dict[str, int], chrom: str) -> Path:
    """``CHROM.fa.gz``: one gzip member, so that members can be joined to a FASTA."""
    length, path = build[chrom], folder / f"{chrom}.fa.gz"
    if path.exists():
        return path
    rng = np.random.default_rng(length)
    with atomic_path(path) as part, gzip.GzipFile(part, "wb", 1, mtime=0) as packed:
        packed.write(f">{chrom}\n".encode())
        for start in range(0, length, _BLOCK_BP):
            packed.write(_lines(_bases(rng, start, min(start + _BLOCK_BP, length), chrom)))
    return path


def _bases(rng: np.random.Generator, start: int, end: int, chrom: str) -> np.ndarray:
    """ASCII codes of a stretch."""
    codes = _LETTERS[np.frombuffer(rng.bytes(end - start), dtype=np.uint8) & 3]
    stretches = rng.integers(0, 2, -(-(end - start) // _SOFT_BP), dtype=np.uint8)
    codes |= (stretches * 0x20).repeat(_SOFT_BP)[: end - start]
    for low, high in gaps(chrom):
        codes[max(low - start, 0) : max(high - start, 0)] = ord("N")
    return codes


def _lines(codes: np.ndarray) -> bytes:
    whole = len(codes) // LINE * LINE
    lines = np.full((whole // LINE, LINE + 1), ord("\n"), dtype=np.uint8)
    lines[:, :LINE] = codes[:whole].reshape(-1, LINE)
    rest = codes[whole:].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")


def write_members(folder: Path, build: dict[str, int], jobs: int) -> list[Path]:
    """A packed FASTA of each chromosome of a build (name -> bp), in its order."""
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(partial(write_chromosome, folder, build), build))


def join_members(path: Path, members: list[Path]) -> Path:
    """A packed FASTA of several chromosomes."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part, open(part, "wb") as out:
        for member in members:
            if not member.stat().st_size:
                raise GenezipError(f"{member} was emptied; delete {member.parent}")
            out.write(member.read_bytes())
    return path


def write_genes(path: Path, bed12: Path) -> Path:
    """RefSeq transcripts as GENCODE writes basic ones, each with a gene of its own."""
    if path.exists():
        return path
    known = sizes()
    with (
        atomic_path(path) as part,
        gzip.open(part, "wt", 1) as out,
        gzip.open(bed12, "rt") as rows,
    ):
        out.write("##description: RefSeq transcripts in the form of GENCODE\n")
        for number, line in enumerate(rows):
            fields = line.rstrip("\n").split("\t")
            if fields[0] in known:
                out.writelines(_gtf(fields, number))
    return path


def _gtf(fields: list[str], number: int) -> Iterator[str]:
    """Gene, transcript, exons, CDS and UTR of a row of BED12."""
    chrom, start, end, name, _, strand, thick_start, thick_end = fields[:8]
    lengths, offsets = ([int(n) for n in column.split(",") if n] for column in fields[10:12])
    low, high = int(thick_start), int(thick_end)
    kind = "protein_coding" if low < high else "lncRNA"
    gene = f'gene_id "{name}.{number}"; gene_type "{kind}"; gene_name "{name}";'
    own = f'{gene} transcript_id "{name}.{number}.1"; transcript_type "{kind}"; tag "basic";'

    def row(feature: str, first: int, last: int, attributes: str) -> str:
        return f"{chrom}\tRefSeq\t{feature}\t{first + 1}\t{last}\t.\t{strand}\t.\t{attributes}\n"

    yield row("gene", int(start), int(end), gene)
    yield row("transcript", int(start), int(end), own)
    for length, offset in zip(lengths, offsets, strict=True):
        first = int(start) + offset
        last = first + length
        yield row("exon", first, last, own)
        if kind != "protein_coding":
            continue
        for feature, a, b in (
            ("UTR", first, min(last, low)),
            ("CDS", max(first, low), min(last, high)),
            ("UTR", max(first, high), last),
        ):
            if a < b:
                yield row(feature, a, b, own)


def _places(rows: int, mean_bp: int, seed: int) -> pd.DataFrame:
    """Intervals over all chromosomes in the order of UCSC's tables, in proportion to length."""
    rng = np.random.default_rng(seed)
    lengths = sizes()
    share = np.array(list(lengths.values()), dtype=np.float64)
    of = np.sort(rng.choice(len(share), rows, p=share / share.sum()))
    length = np.minimum(10 + rng.exponential(mean_bp, rows).astype(np.int64), 9_000)
    start = (rng.random(rows) * (share[of] - length)).astype(np.int64)
    order = np.lexsort([start, of])
    chrom = pd.Categorical.from_codes(of[order], pd.Index(list(lengths)))
    start, length = start[order], length[order]
    return pd.DataFrame({"chrom": chrom, "start": start, "end": start + length})


def write_rmsk(path: Path, rows: int = RMSK_ROWS) -> Path:
    """UCSC's table rmsk: names and shares of :data:`REPEATS`, a tenth of them rare names."""
    if path.exists():
        return path
    rng = np.random.default_rng(2)
    where = _places(rows, 280, seed=1)
    shares = np.array([share for *_, share in REPEATS])
    of = rng.choice(len(REPEATS), rows, p=shares / shares.sum())
    names, classes, families = (np.array(column) for column in list(zip(*REPEATS, strict=True))[:3])
    rare = rng.random(rows) < 0.1
    numbers = rng.integers(0, 1_200, rows).astype(str)
    name = np.where(rare, np.char.add(names[of], np.char.add("-", numbers)), names[of])
    length = (where["end"] - where["start"]).to_numpy()
    forward = rng.random(rows) < 0.5
    left = where["end"].to_numpy() - where["chrom"].map(sizes()).to_numpy(np.int64)
    columns = {
        "bin": np.full(rows, 585),
        "score": rng.integers(180, 3_000, rows),
        "div": rng.integers(0, 350, rows),
        "del": rng.integers(0, 80, rows),
        "ins": rng.integers(0, 80, rows),
        "chrom": where["chrom"].astype(str),
        "start": where["start"],
        "end": where["end"],
        "left": left,
        "strand": np.where(forward, "+", "-"),
        "name": name,
        "class": classes[of],
        "family": families[of],
        "first": np.where(forward, 1, -1),
        "last": length,
        "rest": np.where(forward, -1, 1),
        "id": np.arange(rows) % 9 + 1,
    }
    return _write_table(path, columns)


def write_trf(path: Path, rows: int = TRF_ROWS) -> Path:
    """UCSC's table simpleRepeat: periods of 1 to 60 bases."""
    if path.exists():
        return path
    rng = np.random.default_rng(4)
    where = _places(rows, 60, seed=3)
    period = np.minimum(1 + rng.exponential(12, rows).astype(np.int64), 60)
    units = np.array([("ACGTTGCA" * 8)[:length] for length in range(61)])
    copies = (where["end"] - where["start"]).to_numpy() / period
    columns = {
        "bin": np.full(rows, 585),
        "chrom": where["chrom"].astype(str),
        "start": where["start"],
        "end": where["end"],
        "name": np.full(rows, "trf"),
        "period": period,
        "copies": np.maximum(copies, 1.9).round(1),
        "consensus": period,
        "match": rng.integers(70, 101, rows),
        "indel": rng.integers(0, 10, rows),
        "score": rng.integers(50, 400, rows),
        **{letter: np.full(rows, 25) for letter in "ACGT"},
        "entropy": np.full(rows, 1.9),
        "sequence": units[period],
    }
    return _write_table(path, columns)


def _write_table(path: Path, columns: dict[str, object]) -> Path:
    """A tab-separated table without a head, packed."""
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with atomic_path(path) as part, pa.CompressedOutputStream(str(part), "gzip") as out:
        pa.csv.write_csv(pa.table(columns), out, options)
    return path


def write_all(folder: Path, bed12: Path, jobs: int) -> list[Path]:
    """All files of the genome below ``folder``; those that are there are kept.

    Returns
    -------
    Packed FASTA of each chromosome, to join
    """
    members = write_members(folder / "members", sizes(), jobs)
    join_members(folder / GENOME, members)
    write_genes(folder / GENES, bed12)
    write_rmsk(folder / RMSK)
    write_trf(folder / TRF)
    return members
