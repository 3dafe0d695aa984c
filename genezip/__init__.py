"""GeneZip: learn where DNA deserves tokens.

``GeneZip.from_pretrained(folder).compress("ACGT...")`` turns DNA into tokens; the command
``genezip`` and the Snakemake workflow build everything from genome download to report.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genezip.models.genezip.compressor import GeneZip

__version__ = "0.1.0"
__all__ = ["GeneZip", "__version__"]


def __getattr__(name: str) -> Any:
    # torch is loaded on first use, so that genome tools and --help start at once
    if name == "GeneZip":
        from genezip.models.genezip.compressor import GeneZip

        return GeneZip
    raise AttributeError(f"module 'genezip' has no attribute {name!r}")
