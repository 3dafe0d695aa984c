"""LDARNet as a compressor."""

from genezip.models.genezip.compressor import GeneZip


class LDARNet(GeneZip):
    """A trained LDARNet."""
