"""Files that the texts say a reader has: a genome, labels, and models of several systems."""

import gzip
import random
from pathlib import Path

import torch

from genezip.models.bpe.compressor import BPE
from genezip.models.bpe.vocabulary import fit_tokenizer
from genezip.region_classes import CLASSES
from toolkit.dna import random_dna, random_ids
from toolkit.networks import published_weights, save_toy, small_network


def write_all(folder: Path) -> None:
    """Everything below, where the texts expect it."""
    (folder / "my.fa").write_text(">mine\n" + "ACGTTGCAGGCTANNNacgtRYK" * 500 + "\n")
    rows = ["100\t700\tfirst\t0\t-", "9000\t9600\tsecond\t0\t+", "400\t900\tthird\t0\t."]
    (folder / "regions.bed").write_text("".join(f"mine\t{row}\n" for row in rows))
    own_genome(folder / "data")
    own_labels(folder)
    like_the_demo(folder / "runs" / "demo" / "results" / "pretrain" / "genezip-tiny.seed0")
    BPE(fit_tokenizer([random_ids(5000)], 64, 4096), 4096).save(folder / "bpe")
    torch.save(published_weights(), folder / "pytorch_model.bin")


def own_genome(folder: Path) -> None:
    """my.fa.gz, my.gff3.gz, my.gtf.gz, my.fa.out.gz: six chromosomes, a gene every 20 kb."""
    folder.mkdir(parents=True)
    random.seed(0)
    fasta, gff, gtf = [], ["##gff-version 3"], []
    for number in range(1, 7):
        chrom, length = f"chr{number}", 2_100_000 if number == 6 else 300_000
        fasta.append(f">{chrom}\n{''.join(random.choices('ACGT', k=length))}\n")
        for at in range(10_000, length - 10_000, 20_000):
            parts = [("exon", at, at + 300), ("exon", at + 900, at + 1500)]
            parts += [("CDS", at + 100, at + 300), ("CDS", at + 900, at + 1200)]
            gene, row = f"{chrom}g{at}", f"{chrom}\tx\t{{}}\t{{}}\t{{}}\t.\t+\t.\t"
            gff.append(row.format("gene", at + 1, at + 1500) + f"ID={gene}")
            gff.append(row.format("mRNA", at + 1, at + 1500) + f"ID=t{gene};Parent={gene}")
            for kind, start, end in parts:
                gff.append(row.format(kind, start + 1, end) + f"Parent=t{gene}")
                ids = f'gene_id "{gene}"; transcript_id "t{gene}"; tag "basic";'
                gtf.append(row.format(kind, start + 1, end) + ids)
    for name, text in (
        ("my.fa.gz", "".join(fasta)),
        ("my.gff3.gz", "\n".join(gff) + "\n"),
        ("my.fa.out.gz", "There were no repetitive sequences detected in my.fa\n"),
        ("my.gtf.gz", "\n".join(gtf) + "\n"),
    ):
        (folder / name).write_bytes(gzip.compress(text.encode(), compresslevel=1))
    (folder / "enhancers.bed").write_text("chr1\t50000\t50600\nchr2\t70000\t70600\n")


def own_labels(folder: Path) -> None:
    """genome.fa and enhancers.bed: ten labelled intervals on each of six chromosomes."""
    records, lines = [], []
    for number in range(6):
        records.append(f">chr{number}\n{random_dna(3000, number)}\n")
        for place in range(10):
            at = 100 + 280 * place
            lines.append(f"chr{number}\t{at}\t{at + 120}\t{'no' if place % 2 else 'yes'}\n")
    (folder / "genome.fa").write_text("".join(records))
    (folder / "enhancers.bed").write_text("".join(lines))


def like_the_demo(folder: Path) -> None:
    """A model folder such as `make demo` leaves behind, of a network that runs in no time."""
    targets = dict.fromkeys(CLASSES, 32.0)
    save_toy(folder, small_network(0), seed=0, name="genezip-tiny", targets=targets)
