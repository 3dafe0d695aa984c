"""dnaHNet as a compressor."""

from genezip.models.genezip.compressor import GeneZip


class DnaHNet(GeneZip):
    """A trained dnaHNet, with all methods of :class:`~genezip.models.genezip.compressor.GeneZip`.

    It streams sequences of any length, since its tokens have no bound, and gives exact likelihoods:
    a base depends on earlier ones only. ``genezip.load`` opens a folder with this class if
    ``config.json`` has ``compressor: dnahnet``.
    """
