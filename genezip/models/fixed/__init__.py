"""Tokens of equal length, the baseline of every learned system.

Everything is in ``compressor``. There are neither weights nor a network, so it is the smallest
example of :class:`~genezip.models.base.Compressor`: copy it to add a system.
"""
