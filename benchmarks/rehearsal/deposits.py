"""Made-up deposits of DNALongBench: records of true shape, many rows where they are cheap.

==== ========================================================= =====================================
task true                                                      thinned
==== ========================================================= =====================================
cmp  windows of Akita, records                                 every 200th row
eqtl rows of one tissue, of the published numbers per split    the other tissues; six chromosomes
etgp columns                                                   60 of 2,602 rows
tisp windows, ten tracks, a peak in every 500 bp               chromosomes of 4 to 12 Mb
rsap records of 5,313 tracks                                   36 of 38,171 rows
==== ========================================================= =====================================

Targets are random; what is measured is what they cost. FASTA of pairs and of ``rsap`` have the six
chromosomes from chr17 on (rsap chr1, too), those of etgp with the lengths of hg19.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from toolkit.deposits import pairs, rsap, tisp
from toolkit.deposits.files import one_hot, write_listing
from toolkit.deposits.tfrecords import bytes_feature, example
from toolkit.deposits.tfrecords import write as write_records

from genezip.alphabet import decode
from genezip.formats.chrom_sizes import hg19_sizes
from genezip.genome.assembly import ReferenceGenome

from . import genome as made_up

CHROMS = [f"chr{number}" for number in range(17, 23)]
AKITA_BP, AKITA_VALUES, LINES = 1_048_576, 99_681, 5
EVERY = 200  # of Akita's windows
AKITA_ROWS = {"train": 7_008, "valid": 419, "test": 413}
LARGEST = "chr1"  # also in the FASTA of rsap: a genome is unpacked chromosome by chromosome
TRACKS = 5_313
RSAP_ROWS = {"train": 24, "valid": 4, "test": 8}
TISSUE, SCREEN = "Artery_Tibial", "CRISPRi_EPI_K562_hg19"
TISSUES = {TISSUE: 4_177, "Skin_Sun_Exposed_Lower_leg": 4_919}  # and seven smaller ones
TISSUE_ROWS = {"train": 2_742, "valid": 865, "test": 570}
SCREEN_ROWS = {"train": 44, "valid": 8, "test": 8}
TISP_SIZES = {
    "chr1": 12_000_000,
    "chr8": 6_000_000,
    "chr9": 6_000_000,
    "chr10": 4_000_000,
    "KI270728.1": 20_000,
}
FULL_ROWS = {"cmp": 7_840, "eqtl": 31_282, "etgp": 2_602, "rsap": 38_171}
"""Rows of the deposits."""
FULL_TISP_BP = 283_533_353
"""Bases of chr8 and chr9, whose windows are tested."""


def hg19() -> dict[str, int]:
    """Lengths of the chromosomes of the task etgp (bp)."""
    found = hg19_sizes()
    return {chrom: found[chrom] for chrom in CHROMS}


def write_contacts(folder: Path, fasta: Path, akita: Path) -> Path:
    """Contact maps of every :data:`EVERY`-th window of Akita's list; ``cmp.json``."""
    reader = ReferenceGenome(fasta)
    rng = np.random.default_rng(5)
    rows = pd.read_csv(akita, sep="\t", header=None, names=["chrom", "start", "end", "split"])
    own = folder / "thinned" / "contact_map_prediction"
    paths, kept = [], []
    for split, of_split in rows.groupby("split", sort=False):
        chosen = of_split.iloc[::EVERY]
        kept.append(chosen)

        def records(chosen: pd.DataFrame = chosen) -> Iterator[bytes]:
            for chrom, start in zip(chosen["chrom"], chosen["start"].tolist(), strict=True):
                target = rng.normal(0, 0.3, (AKITA_VALUES, LINES)).astype("<f2")
                yield _record(reader, chrom, start, start + AKITA_BP, target)

        paths.append(write_records(own / "targets" / f"{split}-0.tfr", records()))
    bed = own / "sequences.bed"
    pd.concat(kept).to_csv(bed, sep="\t", header=False, index=False)
    return write_listing(folder, "cmp", [bed, *paths])


def write_activity(folder: Path, fasta: Path, members: list[Path]) -> Path:
    """Regulatory activity at :data:`RSAP_ROWS` windows; ``rsap.json``."""
    reader = ReferenceGenome(fasta)
    rng = np.random.default_rng(6)
    own = folder / "regulatory_sequence_activity_prediction" / "human"
    rows, paths = [], []
    for place, (split, count) in enumerate(RSAP_ROWS.items()):
        chrom = CHROMS[place]
        starts = [20_000_000 + 2 * rsap.STORED_BP * number for number in range(count)]
        rows += [(chrom, start, start + rsap.STORED_BP, split) for start in starts]

        def records(chrom: str = chrom, starts: list[int] = starts) -> Iterator[bytes]:
            for start in starts:
                target = rng.gamma(0.3, 2.0, (rsap.BINS, TRACKS)).astype("<f2")
                yield _record(reader, chrom, start, start + rsap.STORED_BP, target)

        paths.append(write_records(own / "targets" / f"{split}-0.tfr", records()))
    bed, about = own / "sequences.bed", own / "statistics.json"
    pd.DataFrame(rows).to_csv(bed, sep="\t", header=False, index=False)
    counts = {f"{split}_seqs": count for split, count in RSAP_ROWS.items()}
    fixed = {"pool_width": rsap.BIN_BP, "crop_bp": rsap.CROP_BP, "target_length": rsap.BINS}
    about.write_text(
        json.dumps({"num_targets": TRACKS, "seq_length": rsap.STORED_BP, **fixed, **counts})
    )
    packed = made_up.join_members(own / "seqs" / "hg38.ml.fa.gz", members)
    return write_listing(folder, "rsap", [bed, about, packed, *paths])


def _record(reader: ReferenceGenome, chrom: str, start: int, end: int, target: np.ndarray) -> bytes:
    codes = np.frombuffer(decode(reader.ids(chrom, start, end)), dtype=np.uint8)
    features = {"sequence": one_hot(codes), "target": target.tobytes()}
    return example({name: bytes_feature(value) for name, value in features.items()})


def write_variants(folder: Path, fasta: Path, members: list[Path]) -> Path:
    """Pairs of variant and gene of one tissue; ``eqtl.json``."""
    reader = ReferenceGenome(fasta)

    def alleles(chrom: str, start: int, end: int) -> list[str]:
        own = decode(reader.ids(chrom, start, end)).decode()
        return [f"{chrom}_{start + 1}_{own}_b38", own, "C" if own != "C" else "G"]

    rows = _pairs(TISSUE_ROWS, 1, alleles)
    head = f"{pairs.HEAD} region_id allele1 allele2 target subset distance_to_tss".split()
    config = (
        f"genome_fa seqs/hg38.fa string\nseq_len_cutoff 450000 int\n{pairs.FLANKS}"
        f"eQTL_file targets/{TISSUE}.data.tsv string\n"
        f"eQTL_tabix_file blacklist/{TISSUE}.blacklist.bed.gz string\n"
    )
    base = folder / "eQTL"
    files = {
        base / "config" / f"gtex_hg38.{TISSUE}.config": config.encode(),
        base / "targets" / f"{TISSUE}.data.tsv": _table(head, rows),
        base / "blacklist" / f"{TISSUE}.blacklist.bed.gz": _mask(rows),
    }
    packed = made_up.join_members(base / "seqs" / "hg38.fa.gz", members)
    return _listed(folder, "eqtl", files, packed)


def write_elements(folder: Path, members: list[Path]) -> Path:
    """Pairs of enhancer and gene; ``etgp.json``."""
    rows = _pairs(SCREEN_ROWS, 500, lambda chrom, start, end: [])
    head = f"{pairs.HEAD} target subset distance_to_tss".split()
    config = (
        f"genome_fa seqs/hg19.fa string\nseq_len_cutoff 450000 int\n{pairs.FLANKS}"
        "EPI_file tables/K562.pairs.data.tsv string\n"
        "enhancer_tabix_file masks/others.bed.gz string\n"
    )
    base = folder / "enhancer_target_gene"
    files = {
        base / "config" / f"{SCREEN}.config": config.encode(),
        base / "tables" / "K562.pairs.data.tsv": _table(head, rows),
        base / "masks" / "others.bed.gz": _mask(rows),
        base / "hg19ToHg38.over.chain.gz": gzip.compress(_chain().encode(), mtime=0),
    }
    packed = made_up.join_members(base / "seqs" / "hg19.fa.gz", members)
    return _listed(folder, "etgp", files, packed)


def write_initiation(folder: Path) -> Path:
    """Initiation on chromosomes of :data:`TISP_SIZES`; ``tisp.json``."""
    return tisp.write(folder, sizes=TISP_SIZES)


def _pairs(
    counts: dict[str, int], width: int, more: Callable[[str, int, int], list[str]]
) -> list[list[object]]:
    """Rows of pairs: distances of up to 440 kb, a tenth positive and nearer, three rows a gene."""
    rng = np.random.default_rng(7)
    splits = rng.permutation(np.repeat(list(counts), list(counts.values())))
    rows: list[list[object]] = []
    for number, split in enumerate(splits):
        if number % 3 == 0:
            chrom = CHROMS[number // 3 % len(CHROMS)]
            # chr21 and chr22 begin with long gaps
            tss = int(
                rng.integers(20_000_000, min(hg19()[chrom], made_up.sizes()[chrom]) - 2_000_000)
            )
            strand = "+-"[number // 3 % 2]
        body = (tss, tss + 2_000) if strand == "+" else (tss - 1_999, tss + 1)
        positive = rng.random() < 0.1
        reach = 60_000 if positive else 440_000
        start = tss + int(rng.choice([-1, 1])) * int(rng.integers(4_000, reach))
        end = start + width
        target = "positive" if positive else "negative"
        gene = f"ENSG{number // 3:011d}.1"
        own = more(chrom, start, end)
        rows.append([chrom, *body, strand, gene, chrom, start, end, *own, target, str(split), 0])
    return rows


def _table(head: list[str], rows: list[list[object]]) -> bytes:
    lines = ["\t".join(head), *("\t".join(map(str, row)) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _mask(rows: list[list[object]]) -> bytes:
    """Every region of the rows, as the deposits mask all but the own one."""
    places = sorted({(str(row[5]), int(str(row[6])), int(str(row[7]))) for row in rows})
    text = "".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in places)
    return gzip.compress(text.encode(), mtime=0)


def _chain() -> str:
    """Every chromosome of hg19 aligned to that of hg38 from its start on."""
    blocks = []
    theirs = made_up.sizes()
    for number, (chrom, length) in enumerate(hg19().items()):
        own = min(length, theirs[chrom])
        sides = f"{chrom} {length} + 0 {own} {chrom} {theirs[chrom]} + 0 {own}"
        blocks.append(f"chain 9 {sides} {number + 1}\n{own}\n\n")
    return "".join(blocks)


def _listed(folder: Path, task: str, files: dict[Path, bytes], packed: Path) -> Path:
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return write_listing(folder, task, [*files, packed])
