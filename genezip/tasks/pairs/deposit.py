"""The files of one table of gene pairs, found, read and checked against the genome.

Files: DNALongBench (doi 10.1038/s41467-025-65077-4), deposits doi:10.7910/DVN/YUP2G5 (eqtl) and
CTEQXX (etgp). A config file names the table and the BED of masked stretches.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from genezip.alphabet import encode
from genezip.errors import GenezipError
from genezip.genome.assembly import ReferenceGenome
from genezip.genome.names import translate
from genezip.tasks.deposits import TaskFiles
from genezip.tasks.pairs.gene_pairs import Flanks, read_flanks, read_pair_table, read_settings

TARGETS = {"positive": 1, "negative": 0}
MOST_DIFFERING = 0.1
"""Share of reference alleles that may differ from the FASTA before it counts as another build."""

PUBLISHED_ROWS = {
    "Adipose_Subcutaneous": (1_280, 566, 335),
    "Artery_Tibial": (2_742, 865, 570),
    "Cells_Cultured_fibroblasts": (1_496, 573, 364),
    "Muscle_Skeletal": (2_158, 617, 413),
    "Nerve_Tibial": (2_984, 977, 649),
    "Skin_Not_Sun_Exposed_Suprapubic": (2_509, 700, 474),
    "Skin_Sun_Exposed_Lower_leg": (3_359, 927, 633),
    "Thyroid": (2_491, 832, 550),
    "Whole_Blood": (1_379, 516, 323),
    "CRISPRi_EPI_K562_hg19": (2_066, 266, 270),
}
"""Rows (train, valid, test) of the published tables, before any is dropped."""

PUBLISHED_EXAMPLES = {
    "Adipose_Subcutaneous": (1_279, 565, 332),
    "CRISPRi_EPI_K562_hg19": (2_066, 266, 270),
}
"""Numbers without pairs that are too far apart, where they are published."""


@dataclass(frozen=True)
class PairKind:
    """The kind of the pairs of a task, and the names of its files."""

    task: str
    config: str  # name of the config file of a subset, with ``{}`` for the subset
    keys: tuple[str, str]  # keys of the config that name the table and the BED of masked stretches
    # values where the config lacks these keys; empty where the keys are required
    usual: tuple[str, str] = ("", "")
    # columns with both alleles of a variant; empty where an element is masked
    alleles: tuple[str, ...] = ()


VARIANTS = PairKind(
    "eqtl",
    "gtex_hg38.{}.config",
    ("eQTL_file", "eQTL_tabix_file"),
    ("targets/{}.data.tsv", "blacklist/{}.blacklist.bed.gz"),
    ("allele1", "allele2"),
)
ELEMENTS = PairKind("etgp", "{}.config", ("EPI_file", "enhancer_tabix_file"))


@dataclass(frozen=True)
class PairDeposit:
    """Files of one subset."""

    kind: PairKind
    config: Path
    table: Path
    mask: Path
    flanks: Flanks

    @classmethod
    def find(cls, kind: PairKind, subset: str, files: TaskFiles) -> "PairDeposit":
        """Find the config of a subset by its name, and the table and mask that it names.

        The official name is a tissue, or for elements the name of the config file without its
        ending.
        """
        name = f"/{kind.config.format(subset)}"
        prefix = kind.config.partition("{}")[0]
        configs = [path for path in files.paths if path.suffix == ".config"]
        known = sorted(path.stem.removeprefix(prefix) for path in configs)
        if known and not any(str(path).endswith(name) for path in configs):
            raise GenezipError(
                f"{files.listing} has no subset {subset!r}; name one with --subset (it has "
                f"{', '.join(known)})"
            )
        config = files.one(name)
        settings = read_settings(config)
        found = []
        for key, usual in zip(kind.keys, kind.usual, strict=True):
            value = settings.get(key, usual.format(subset))
            if not value:
                raise GenezipError(f"{config} names no {key}; fetch it again")
            found.append(files.one(f"/{Path(value).name}"))
        return cls(kind, config, found[0], found[1], read_flanks(config))

    def read(self) -> pd.DataFrame:
        """All rows of the table, with ``label`` (int8: 0 or 1) and any alleles in upper case."""
        pairs = read_pair_table(self.table, ("target", *self.kind.alleles))
        self._refuse(
            pairs, ~pairs["target"].isin(TARGETS), "its target is neither positive nor negative"
        )
        self._refuse(pairs, pairs["gene_id"] == "", "it has no gene_id")
        empty = pairs["region_end"] <= pairs["region_start"]
        self._refuse(pairs, empty, "its region has no base")
        for name in self.kind.alleles:
            pairs[name] = pairs[name].str.upper()
            wrong = ~pairs[name].str.fullmatch("[ACGTN]+")
            self._refuse(pairs, wrong, f"its {name} is not written in A, C, G, T and N")
        return pairs.assign(label=pairs["target"].map(TARGETS).astype(np.int8))

    def _refuse(self, pairs: pd.DataFrame, wrong: pd.Series, what: str) -> None:
        if wrong.any():
            line = int(np.flatnonzero(wrong)[0]) + 2
            raise GenezipError(f"line {line} of {self.table} is malformed: {what}; fetch it again")


def differing_alleles(pairs: pd.DataFrame, genome: ReferenceGenome) -> np.ndarray:
    """True where the bases at the variant are not ``allele1`` (bool array, shape (n,)).

    A variant that is longer or shorter than its allele differs without a look at its bases.
    Rows on chromosomes that the FASTA lacks count as equal.
    """
    known = {
        chrom: translate(chrom, genome.sizes) in genome.sizes
        for chrom in pairs["region_chrom"].unique()
    }
    columns = pairs[["region_chrom", "region_start", "region_end", "allele1"]]
    return np.array(
        [
            known[chrom]
            and (
                end - start != len(allele)
                or not np.array_equal(genome.ids(chrom, start, end), encode(allele))
            )
            for chrom, start, end, allele in columns.itertuples(index=False, name=None)
        ],
        dtype=bool,
    )


def refuse_other_build(
    pairs: pd.DataFrame, differs: np.ndarray, genome: ReferenceGenome, table: Path
) -> None:
    """Refuse a FASTA that differs in more than a tenth of the reference alleles."""
    if differs.sum() <= MOST_DIFFERING * len(pairs):
        return
    suffixes = {"_b38": "hg38", "_b37": "hg19"}
    named = [
        f"{build} ({suffix})"
        for suffix, build in suffixes.items()
        if pairs["region_id"].str.endswith(suffix).any()
    ]
    raise GenezipError(
        f"{int(differs.sum()):,} of {len(pairs):,} reference alleles of {table} are not in "
        f"{genome.path}, which looks like {genome.build()}; the ids of the variants name "
        f"{' and '.join(named) or 'no build'}; give the FASTA of that build"
    )


def refuse_other_name(subset: str, genome: ReferenceGenome) -> None:
    """Refuse a FASTA of another build than that in a subset's name, hg19 or hg38.

    This check is for elements, which have no allele to compare.
    """
    named = re.findall("hg19|hg38", subset)
    build = genome.build()
    if named and build in ("hg19", "hg38") and build not in named:
        raise GenezipError(
            f"{subset} is of {named[0]}, but {genome.path} looks like {build}; give the FASTA of "
            f"{named[0]}"
        )
