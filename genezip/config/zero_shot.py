"""Sections of the tasks that are scored by a likelihood, without any training."""

from typing import Literal, Self

from pydantic import Field, model_validator

from genezip.config.section import Key, Section, names
from genezip.config.tasks import PARTS


class ZeroShot(Section):
    """Settings of tasks that are scored by a likelihood, without any training."""

    FREE = ("device",)

    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of the examples drawn and of the bootstrap")
    markov_order: int = Field(
        8,
        ge=0,
        le=12,
        description="longest context of the Markov baseline, which is fitted on both strands of "
        "the training DNA; the order is chosen on validation DNA",
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="precision on a GPU")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")


class Essentiality(ZeroShot):
    """Essential genes by an in-silico knock-out (task `essentiality`)."""

    labels: dict[Key, str] = Field(
        {
            "ecoli": "ecoli_MG1655.DEG1019_keio",
            "bsubtilis": "bsubtilis_BEST7003.DEG1001",
            "mgenitalium": "mgenitalium_G37.DEG1006",
            "mtuberculosis": "mtuberculosis_H37Rv.DEG1010",
        },
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="organism of the source -> its table of labels, a listed file without "
        "`.tsv`: columns `essential` (0 or 1) and `locus_tag` or `gene`",
    )
    window_bp: int = Field(8192, ge=27, description="bases that a model reads of every gene")
    upstream_bp: int | None = Field(
        None,
        ge=0,
        description="bases of the window before the start codon; null: the gene is in its middle",
    )
    offset: Literal[12, 15] = Field(
        12, description="the stop codons replace 15 bases, this far from the start codon's first"
    )
    nonessential: int | None = Field(
        None,
        ge=1,
        description="non-essential genes of an organism, drawn at random; null takes all",
    )
    block_bp: int = Field(100_000, ge=1, description="block of folds and of the bootstrap (bp)")
    operon_gap_bp: int = Field(
        50, ge=0, description="largest gap to a neighbour of the same operon, exclusive (bp)"
    )


class VariantSet(Section):
    """One deep mutational scan of a protein, whose numbers are larger for fitter variants."""

    table: str = Field(
        description="its listed file: CSV or TSV with a header, variants as `A24V` (`*` is a stop)"
    )
    variant: str = Field("variant", description="column of the variant")
    score: str = Field("score", description="column of the measurement")
    unread: list[str] = Field([], description="further columns of the table, which are not read")
    cds: str | None = Field(None, description="listed FASTA of the coding sequence, one record")
    genome: str | None = Field(None, description="listed FASTA of a genome, in place of `cds`")
    annotation: str | None = Field(None, description="listed GFF3 of that genome")
    gene: str | None = Field(None, description="name of the gene in it")
    genetic_code: int = Field(1, ge=1, description="NCBI number of the genetic code")
    condition_of: str | None = Field(
        None,
        description="set whose experiment this is in a second condition; it is left out of means",
    )
    outside: bool = Field(
        False, description="whether it is outside the domain of the models; it has its own mean"
    )

    @model_validator(mode="after")
    def _one_coding_sequence(self) -> Self:
        of_genome = [self.genome, self.annotation, self.gene]
        if (self.cds is None) == (None in of_genome) or (self.cds and any(of_genome)):
            raise ValueError("name either cds, or genome, annotation and gene")
        return self


_TEM1_DOSES = ["0", "39", "156", "625", "2500"]
_TEM1_REPLICATES = [
    *("0_1", "0_2", "10_1", "39_1", "39_2", "156_1", "156_2", "625_1", "625_2", "2500_1"),
    *("2500_2", "km", "vmax"),
]
VARIANT_SETS: dict[str, dict[str, object]] = {
    "IF1": {"table": "infA_IF1_ECOLI.tsv.gz", "cds": "infA_IF1_ECOLI.cds.fa"},
    "TEM1": {"table": "bla_TEM1.tsv.gz", "score": "DMS_amp_2500", "cds": "bla_TEM1.cds.fa"},
    "TEM1_cefotaxime": {
        "table": "dms.BLAT_ECOLX_Ranganathan2015.csv.gz",
        "variant": "mutant",
        "score": "cefotaxime",
        "unread": [*_TEM1_DOSES, *_TEM1_REPLICATES],
        "cds": "bla_TEM1.cds.fa",
        "condition_of": "TEM1",
    },
    "APH3II": {
        "table": "KKA2_APH3IIa.tsv.gz",
        "score": "enrichment_S3_Kan18_L1",
        "cds": "KKA2_APH3IIa.cds.fa",
    },
    "PABP": {
        "table": "dms.PABP_YEAST_Fields2013-singles.csv.gz",
        "variant": "mutant",
        "score": "log",
        "unread": ["linear"],
        "genome": "yeast_S288C.GCA_000146045.2_R64.genomic.fna.gz",
        "annotation": "yeast_S288C.GCA_000146045.2_R64.genomic.gff.gz",
        "gene": "PAB1",
        "outside": True,
    },
}
"""Published scans: IF-1 (Kelsic 2016), TEM-1 (Stiffler 2015), APH(3')-II (Melnikov 2014), Pab1
(Melamed 2013)."""


class VariantEffect(ZeroShot):
    """Effect of amino-acid variants by the likelihood of a coding sequence (task `variants`)."""

    sets: dict[Key, VariantSet] = Field(
        {name: VariantSet.model_validate(keys) for name, keys in VARIANT_SETS.items()},
        min_length=1,
        json_schema_extra=names(*PARTS),
        description="mutational scans by name",
    )
    codons: Literal["nearest", "average"] = Field(
        "nearest",
        description="codon of a variant: that with the fewest changed nucleotides (ties: the first "
        "in alphabetical order), or the mean score of all its codons",
    )
    context: str = Field(
        "",
        pattern="^[ACGTacgt]*$",
        description="bases that a model reads before every coding sequence",
    )
    variants: int | None = Field(
        None, ge=1, description="variants of a set, drawn at random; null takes all"
    )
