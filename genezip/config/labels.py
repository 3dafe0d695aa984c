"""Section of the small real-label measurements of the demo report."""

from typing import Literal

from pydantic import Field

from genezip.config.section import Section

LabelPart = Literal["initiation", "contacts", "elements", "enhancer_gene"]


class Labels(Section):
    """Real labels on the pieces of the demo genome (rules of `labels.smk`)."""

    tasks: list[LabelPart] = Field(
        [],
        description="parts of the chapter on real labels, which are of GRCh38: from the mirror "
        "folder, else from public servers",
    )
    folds: int = Field(5, ge=3, description="cross-validation folds of blocks and chromosomes")
    block_bp: int = Field(
        32_768, ge=1, description="`initiation`: block of a fold and of the bootstrap (bp)"
    )
    gap_bp: int = Field(
        2_048, ge=0, description="`initiation`: bases this near to a test block are not learned"
    )
    zero_share: float = Field(
        0.05,
        gt=0,
        le=1,
        description="`initiation`: share of the bases without signal that are learned; each then "
        "counts as one over this share",
    )
    map_bins: int = Field(
        16, ge=8, description="`contacts`: bins of 5,000 bp per map; maps share no bin"
    )
    element_bp: int = Field(
        1_000,
        ge=16,
        description="`elements`: window around the middle of each, which is all that is read (bp)",
    )
    locus_bp: int = Field(
        1_000_000, ge=1, description="`elements`: bootstrap unit, a block of a chromosome (bp)"
    )
    bootstrap: int = Field(4000, ge=10, description="bootstrap resamples")
    seed: int = Field(0, ge=0, description="seed of sampled bases, heads and bootstrap")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where models run")
