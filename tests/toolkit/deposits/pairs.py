"""Small deposits of the tasks eqtl and etgp: every case of the input rule, on a toy genome.

Five chromosomes, so that five folds by chromosome exist; chr21 and chr22 hold the cases. Bases come
from numpy's frozen generator, so that fingerprints of sequences stay the same for ever.
"""

import gzip
from pathlib import Path

import numpy as np

from toolkit.deposits.files import write_listing

EQTL_FASTA = "eQTL/seqs/hg38.fa"
ETGP_FASTA = "enhancer_target_gene/seqs/hg19.fa"
TISSUE = "Whole_Blood"
SCREEN = "CRISPRi_EPI_K562_hg19"
SIZES = {"chr21": 700_000, "chr22": 700_000, "chr1": 100_000, "chr2": 100_000, "chr3": 100_000}
FLANKS = (
    "tss_flank_upstream\t3000   int\ntss_flank_downstream 3000\tint\n"
    "region_flank_upstream  500 int\nregion_flank_downstream\t500\tint\n"
)
HEAD = "gene_chrom gene_start gene_end gene_strand gene_id region_chrom region_start region_end"

# what, chromosome, gene start, gene end, strand, variant start, length of allele1, bases of allele2
# ("*": another base, or the same where the length changes; "?": another last base), target, subset
CASES = [
    ("downstream", "chr21", 100_000, 120_000, "+", 140_000, 1, "*", "positive", "train"),
    ("upstream", "chr21", 300_000, 310_000, "+", 250_000, 1, "*", "positive", "test"),
    ("right", "chr21", 200_000, 210_000, "-", 260_000, 1, "*", "negative", "train"),
    ("left", "chr21", 400_000, 410_000, "-", 350_000, 1, "*", "negative", "test"),
    ("inside", "chr21", 500_000, 560_000, "-", 520_000, 1, "*", "positive", "valid"),
    ("insertion", "chr21", 100_000, 120_000, "+", 150_000, 1, "*ACGTT", "negative", "valid"),
    ("deletion", "chr21", 300_000, 310_000, "+", 240_000, 4, "*", "negative", "train"),
    ("before_0", "chr22", 1_000, 5_000, "+", 30_000, 1, "*", "negative", "test"),
    ("overlap", "chr22", 50_000, 60_000, "+", 52_000, 2, "*?", "positive", "train"),
    ("long", "chr22", 100_000, 130_000, "+", 553_451, 1, "*", "negative", "train"),
    ("at_cutoff", "chr22", 100_000, 130_000, "+", 553_501, 1, "*", "negative", "valid"),
    ("small_1", "chr1", 40_000, 45_000, "+", 50_000, 1, "*", "positive", "train"),
    ("small_2", "chr2", 40_000, 45_000, "-", 60_000, 1, "*", "negative", "valid"),
    ("small_3", "chr3", 40_000, 45_000, "+", 30_000, 1, "*", "positive", "test"),
    ("too_far", "chr22", 100_000, 130_000, "+", 553_502, 1, "*", "negative", "train"),
    ("two_chromosomes", "chr22", 100_000, 130_000, "+", 140_000, 1, "*", "negative", "test"),
    ("no_strand", "chr22", 100_000, 130_000, ".", 140_000, 1, "*", "negative", "train"),
    ("wrong_allele", "chr22", 100_000, 130_000, "+", 150_000, 1, "*", "negative", "train"),
]
"""What fixture rows show; the last four never become examples."""

# Between windows (two overlap), over the edge of one, in one and beyond the span, and elsewhere.
MASKED = [
    ("chr21", 120_000, 120_050),
    ("chr21", 120_040, 120_100),
    ("chr21", 139_400, 139_600),
    ("chr21", 140_400, 140_600),
    ("chr21", 260_000, 260_010),
    ("chr22", 52_800, 52_900),
    ("chr22", 300_000, 300_007),
    ("chr99", 5, 6),
]


def write_eqtl(
    folder: Path, seed: int = 0, more: int = 0, reach: int = 20_000, cases: bool = True
) -> Path:
    """Write a deposit of one tissue.

    Parameters
    ----------
    folder : Path
    seed : int
    more : int
        Random rows besides the cases: a third positive, spread over the five chromosomes, three
        rows per gene. A positive has twelve G in place of twelve bases and lies nearer; a negative
        has twelve A. Of ten rows six are for training.
    reach : int
        Longest distance of these rows (bp).
    cases : bool
        Whether the cases are in it; two of them are as long as an input can be.

    Returns
    -------
    Path, ``eqtl.json`` in the folder
    """
    genome = _genome(seed)
    rows: list[list[object]] = []
    for number, case in enumerate(CASES if cases else ()):
        name, chrom, gene_start, gene_end, strand, start, length, other, target, subset = case
        own = genome[chrom][start : start + length].upper()
        if name == "wrong_allele":
            own = _other(own)
        where = "chr21" if name == "two_chromosomes" else chrom
        new = other.replace("*", own[0] if length > 1 or len(other) > 1 else _other(own))
        new = new.replace("?", _other(own[-1]))
        gene = f"ENSG{gene_start:08d}.{chrom.removeprefix('chr')}"
        ids = f"{where}_{start + 1}_{own}_{new}_b38"
        place = (chrom, gene_start, gene_end, strand, gene, where, start, start + length, ids)
        rows.append([*place, own, new, target, subset, number * 7])
    for random_row in _planted(genome, more, seed, reach, 12):
        *own_gene, chrom, start, end, target, subset = random_row
        own = genome[chrom][start:end].upper()
        new = ("G" if target == "positive" else "A") * 12
        ids = f"{chrom}_{start + 1}_{own}_{new}_b38"
        rows.append([*own_gene, chrom, start, end, ids, own, new, target, subset, 0])
    head = f"{HEAD} region_id allele1 allele2 target subset distance_to_tss".split()
    config = (
        "organism\thuman  string\ngenome_fa seqs/hg38.fa string\nunknown_key  x,y list\n"
        f"seq_len_cutoff\t450000\tint\n{FLANKS}"
        f"eQTL_file targets/{TISSUE}.data.tsv string\n"
        f"eQTL_tabix_file\tblacklist/{TISSUE}.blacklist.bed.gz string\n"
    )
    files: dict[str, bytes] = {
        f"eQTL/config/gtex_hg38.{TISSUE}.config": config.encode(),
        f"eQTL/targets/{TISSUE}.data.tsv": _table(head, rows),
        f"eQTL/blacklist/{TISSUE}.blacklist.bed.gz": _bed(MASKED),
        EQTL_FASTA: _fasta(genome),
    }
    return write_files(folder, "eqtl", files)


def write_etgp(folder: Path, seed: int = 0, more: int = 0, reach: int = 20_000) -> Path:
    """Write a deposit of one screen; elements are 300 bp around the variants of the other task.

    Positive elements among the ``more`` rows are two thirds G and C in runs, the others as the
    rest of the genome. The chain file cuts the span of the first row in two.

    Returns
    -------
    Path, ``etgp.json`` in the folder
    """
    genome = _genome(seed)
    rows = []
    for case in CASES[:-1]:
        name, chrom, gene_start, gene_end, strand, start, _, _, target, subset = case
        where = "chr21" if name == "two_chromosomes" else chrom
        end = start + (1 if name in ("long", "at_cutoff", "too_far") else 300)
        gene = f"GENE{gene_start}_{chrom}"
        rows.append(
            [chrom, gene_start, gene_end, strand, gene, where, start, end, target, subset, 0]
        )
    for row in _planted(genome, more, seed, reach, 300):
        *place, chrom, start, end, target, subset = row
        if target == "positive":
            rich = "GGGCGCGTAC" * 30
            genome[chrom] = genome[chrom][:start] + rich[: end - start] + genome[chrom][end:]
        rows.append([*place, chrom, start, end, target, subset, 0])
    head = f"{HEAD} target subset distance_to_tss".split()
    config = (
        "genome_fa seqs/hg19.fa string\nseq_len_cutoff 450000 int\n"
        f"{FLANKS}EPI_file  tables/K562.pairs.data.tsv\tstring\n"
        "enhancer_tabix_file masks/others.bed.gz string\n"
    )
    base = "enhancer_target_gene"
    files = {
        f"{base}/config/{SCREEN}.config": config.encode(),
        f"{base}/tables/K562.pairs.data.tsv": _table(head, rows),
        f"{base}/masks/others.bed.gz": _bed(MASKED),
        f"{base}/hg19ToHg38.over.chain.gz": gzip.compress(CHAIN.encode(), mtime=0),
        ETGP_FASTA: _fasta(genome),
    }
    return write_files(folder, "etgp", files)


# hg19 chr21 to hg38, true lengths: 0-120,000 moves by 1,000, the rest by 5,001,000.
CHAIN = (
    "chain 9 chr21 48129895 + 0 120000 chr21 46709983 + 1000 121000 1\n120000\n\n"
    "chain 8 chr21 48129895 + 120000 700000 chr21 46709983 + 5121000 5701000 2\n580000\n\n"
)


def write_files(folder: Path, task: str, files: dict[str, bytes]) -> Path:
    """Write files and the list of them."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return write_listing(folder, task, [folder / name for name in files])


def _genome(seed: int) -> dict[str, str]:
    """Random bases, a quarter of them lower case, with a run of N on every chromosome."""
    rng = np.random.RandomState(seed)
    found = {}
    for chrom, length in SIZES.items():
        codes = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.randint(0, 4, length)]
        soft = np.repeat(rng.randint(0, 4, length // 1_000) == 0, 1_000)
        codes = np.where(soft, codes + 32, codes).astype(np.uint8)
        codes[26_000:26_050] = ord("N")
        found[chrom] = codes.tobytes().decode()
    return found


def _planted(
    genome: dict[str, str], more: int, seed: int, reach: int, width: int
) -> list[tuple[str, int, int, str, str, str, int, int, str, str]]:
    """Random rows: gene and place of the other side, target and subset."""
    rng = np.random.RandomState(seed + 1)
    chroms = list(genome)
    rows: list[tuple[str, int, int, str, str, str, int, int, str, str]] = []
    taken = {chrom: [(26_000, 26_050)] for chrom in chroms}
    while len(rows) < more:
        number = len(rows) // 3
        chrom = chroms[number % len(chroms)]
        length = SIZES[chrom]
        draw = np.random.RandomState(seed + 2 + number)
        tss = int(draw.randint(reach + 5_000, length - reach - 5_000))
        strand = "+-"[draw.randint(2)]
        gene_start, gene_end = (tss, tss + 2_000) if strand == "+" else (tss - 1_999, tss + 1)
        target = "positive" if rng.rand() < 1 / 3 else "negative"
        furthest = reach // 2 if target == "positive" else reach
        start = tss + int(rng.choice([-1, 1])) * int(rng.randint(4_000, max(furthest, 4_001)))
        end = start + width
        if any(low < end and start < high for low, high in taken[chrom]):
            continue
        taken[chrom].append((start, end))
        subset = ("train",) * 6 + ("valid",) * 2 + ("test",) * 2
        rows.append(
            (
                chrom,
                gene_start,
                gene_end,
                strand,
                f"ENSGMORE{number:06d}.1",
                chrom,
                start,
                end,
                target,
                subset[rng.randint(10)],
            )
        )
    return rows


def _other(base: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A", "N": "A"}[base[0]]


def _table(head: list[str], rows: list[list]) -> bytes:
    lines = ["\t".join(head), *("\t".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _bed(rows: list[tuple[str, int, int]]) -> bytes:
    text = "".join(f"{chrom}\t{start}\t{end}\tx\n" for chrom, start, end in rows)
    return gzip.compress(text.encode(), mtime=0)


def _fasta(genome: dict[str, str]) -> bytes:
    lines = []
    for chrom, bases in genome.items():
        lines.append(f">{chrom}\n")
        lines += [bases[at : at + 60] + "\n" for at in range(0, len(bases), 60)]
    return "".join(lines).encode()
