"""Sections of the genome: sources of DNA, and region classes of its bases."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from genezip.config.section import Section
from genezip.errors import GenezipError
from genezip.region_classes import MORE_COLOURS, RegionClasses, UserClass


class Simulation(Section):
    """The simulated genome, used without real data and by the tests."""

    seed: int = Field(0, ge=0, description="seed of the simulated genome")
    chromosome_bp: list[int] = Field(
        [1_500_000, 1_500_000, 700_000, 900_000],
        description="length of each simulated chromosome (bp), named sim1, sim2, ...",
    )
    valid: list[str] = Field(["sim3"], description="simulated chromosomes for validation")
    test: list[str] = Field(["sim4"], description="simulated chromosomes held out")


class Genome(Section):
    """Where sequence, annotation and repeats come from (rule `fetch`)."""

    build: str = Field("hg38", description="name of the assembly, shown in tracks and report")
    sources: list[Literal["mirror", "download", "simulated", "files"]] = Field(
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
        None, description="source `files`: GTF, GFF3 or BED12 (plain or gz)"
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
