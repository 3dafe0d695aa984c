"""Sections of the genome: sources of DNA, and region classes of its bases."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from genezip.config.section import Section
from genezip.errors import GenezipError
from genezip.region_classes import MORE_COLOURS, UNANNOTATED, RegionClasses, UserClass


class Simulation(Section):
    """The simulated genome, used without real data and by the tests."""

    seed: int = Field(0, ge=0, description="seed of the simulated genome")
    chromosome_bp: list[int] = Field(
        [1_500_000, 1_500_000, 700_000, 900_000],
        description="length of each simulated chromosome (bp), named sim1, sim2, ...",
    )
    valid: list[str] = Field(["sim3"], description="simulated chromosomes for validation")
    test: list[str] = Field(["sim4"], description="simulated chromosomes held out")


GENETIC_CODES = frozenset({*range(1, 7), *range(9, 17), *range(21, 34)})
"""NCBI numbers of the genetic codes."""


class OneGenome(Section):
    """A genome of the source `genomes`."""

    name: str = Field(
        pattern="^[A-Za-z0-9_][A-Za-z0-9_-]*$",
        description="name in tables, and before its contigs: `ecoli.NC_000913.3`",
    )
    fasta: str | None = Field(
        None,
        description="FASTA or GenBank (plain, gz or bgz); null: the sequence of a GenBank "
        "`annotation`. Here and in `annotation` a path in the repository, else in the folder "
        "GENEZIP_MIRROR, else a name in the table of public files",
    )
    annotation: str | None = Field(
        None,
        description="GTF, GFF3, BED12, GenBank or table of CDS (plain or gz); null: none, and its "
        "bases are of the region class `unannotated`",
    )
    genetic_code: int = Field(
        11, description="NCBI number of the genetic code of its genes: 11 of bacteria, 4, 1, ..."
    )
    circular: bool | None = Field(
        None,
        description="whether its contigs are circular; null: what the annotation says, else linear",
    )
    split: Literal["train", "valid", "test"] = Field(
        "train", description="use of the genome, except for the parts in `valid` and `test`"
    )
    valid: list[str] = Field(
        [],
        description="contigs for validation, or parts, `contig:start-end` (0-based, half-open), "
        "named as in its files",
    )
    test: list[str] = Field([], description="contigs or parts held out, as in `valid`")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fasta is None and self.annotation is None:
            raise ValueError(f"the genome {self.name} has no fasta; name its file")
        if self.name in (UNANNOTATED, "all"):
            raise ValueError(f"no genome can have the name {self.name}; use another word")
        if self.genetic_code not in GENETIC_CODES:
            raise ValueError(
                f"the genome {self.name} has the genetic code {self.genetic_code}, which is no "
                "NCBI number; bacteria have 11, Mycoplasma 4, the standard code is 1"
            )
        if self.split != "train" and (self.valid or self.test):
            raise ValueError(
                f"the genome {self.name} is for {self.split} as a whole; leave its valid and test "
                "empty, or set split: train"
            )
        return self


class Genome(Section):
    """Where sequence, annotation and repeats come from (rule `fetch`)."""

    build: str = Field("hg38", description="name of the assembly, shown in tracks and report")
    sources: list[Literal["mirror", "download", "simulated", "files", "genomes"]] = Field(
        ["mirror", "download"],
        description="sources tried in this order; every result row names the one used",
    )
    selection: Literal["demo", "full"] = Field(
        "full",
        description="`full`: whole chromosomes; `demo`: the GRCh38 slices and 131,072 bp windows",
    )
    fasta: str | None = Field(
        None,
        description="source `files`: FASTA (plain, gz or bgz), relative to the repository",
    )
    annotation: str | None = Field(
        None,
        description="source `files`: GTF, GFF3, BED12, GenBank or table of CDS (plain or gz)",
    )
    rmsk: str | None = Field(None, description="source `files`: RepeatMasker .out (optional)")
    trf: str | None = Field(None, description="source `files`: TRF simpleRepeat BED (optional)")
    chromosomes: list[str] | None = Field(
        None,
        description="chromosomes used, named as the assembly names them; null takes every contig. "
        "Here and in `valid` and `test` a name that selects nothing is refused (`chr8` is not `8`)",
    )
    valid: list[str] = Field(
        [],
        description="chromosomes for validation (may be empty); with the source `files` also a "
        "part, `chrom:start-end` (0-based, half-open), unless a contig has that name",
    )
    test: list[str] = Field(
        ["chr8", "chr9", "chr10"],
        description="chromosomes held out entirely (GeneZip section 4.1), or parts as in `valid`",
    )
    genomes: list[OneGenome] = Field(
        [], description="source `genomes`: any number of genomes, which are joined"
    )
    simulation: Simulation = Field(
        default_factory=Simulation, description="settings of the source `simulated`"
    )

    @model_validator(mode="after")
    def _parts_of_own_files(self) -> Self:
        parts = [name for name in (*self.valid, *self.test) if re.search(r":[\d,]+-[\d,]+$", name)]
        # with `files` the contigs are known, and checked, only when the FASTA is read
        if parts and "files" not in self.sources:
            raise ValueError(
                f"{parts[0]} is a part of a chromosome; only the source `files` can be cut"
            )
        return self

    @model_validator(mode="after")
    def _genomes(self) -> Self:
        if "genomes" not in self.sources:
            return self
        if not self.genomes:
            raise ValueError("the source `genomes` needs genome.genomes; list at least one")
        seen: dict[str, str] = {}
        for found in self.genomes:
            if (other := seen.get(found.name.lower())) is not None:
                twice = "twice" if other == found.name else f"and {other}, one name on some disks"
                raise ValueError(f"genomes lists {found.name} {twice}; give each its own name")
            seen[found.name.lower()] = found.name
        if all(found.split != "train" for found in self.genomes):
            raise ValueError("no genome of genomes has split: train; train on at least one")
        return self


class ExtraClass(Section):
    """A region class from a BED file of yours."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$", description="lower-case word, used in all files")
    bed: str = Field(description="BED file (plain or gz), relative to the repository")
    before: str = Field(description="the class below it in priority: bases of both get this one")
    target_bpt: float | None = Field(
        None, ge=1, description="bp per token, if the region preset does not name the class"
    )
    label: str | None = Field(None, description="name in figures and tables; null: its name")
    colour: str | None = Field(
        None, pattern="^#[0-9A-Fa-f]{6}$", description="#RRGGBB; null chooses one"
    )
    group: Literal["promoter", "genic", "intergenic"] | None = Field(
        None, description="its group in the enrichment metric; null: none"
    )


class Regions(Section):
    """The priority region map (rule `regions`)."""

    promoter_half_width: int = Field(
        1000, ge=1, description="promoter = [TSS - this, TSS + this) in bp, clipped at contig ends"
    )
    promoter_upstream: int | None = Field(
        None,
        ge=0,
        description="strand-aware promoter: bases before the TSS in reading direction, with "
        "`promoter_downstream`; both null: the symmetric window of `promoter_half_width`",
    )
    promoter_downstream: int | None = Field(
        None, ge=1, description="bases from the TSS (included) in reading direction"
    )
    nig_distance: int = Field(
        450_000, ge=0, description="an intergenic base is NIG within this distance of a TSS (bp)"
    )
    transcripts: Literal["basic", "all", "canonical"] = Field(
        "basic",
        description='`basic`: tag "basic" or "gencode_basic"; `canonical`: tag "Ensembl_canonical" '
        'or "MANE_Select"; `all`. A GTF or GFF3 without the tag is refused; BED12 has no tags, so '
        "basic takes all",
    )
    gene_types: list[str] | None = Field(
        None,
        min_length=1,
        description="only genes of these types, such as protein_coding; null takes all",
    )
    required: list[str] = Field(
        ["promoter", "cds", "intron"],
        description="classes that must have at least one base; another empty class only warns",
    )
    classes: list[ExtraClass] = Field([], description="classes from BED files of yours")
    unannotated_bpt: float | None = Field(
        None,
        ge=1,
        description="bp per token of genomes without annotation, whose bases are of the class "
        "`unannotated`; null: as near intergenic DNA",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.promoter_upstream is None) != (self.promoter_downstream is None):
            raise ValueError("set both promoter_upstream and promoter_downstream, or neither")
        try:
            known = self.region_classes().names
        except GenezipError as error:
            raise ValueError(str(error)) from None
        unknown = [name for name in self.required if name not in known]
        if unknown:
            raise ValueError(f"required names {unknown[0]!r}, which is no region class")
        return self

    def region_classes(self) -> RegionClasses:
        """The seven classes and the user classes."""
        colours = iter(MORE_COLOURS * len(self.classes))
        return RegionClasses(
            tuple(
                UserClass(
                    name=found.name,
                    before=found.before,
                    label=found.label or found.name.replace("_", " "),
                    colour=found.colour or next(colours),
                    target_bpt=found.target_bpt,
                    group=found.group,
                )
                for found in self.classes
            )
        )
