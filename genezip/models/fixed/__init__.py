"""Tokens of equal length: the ruler that every learned system is held against.

Everything is in ``compressor``. It needs neither weights nor a network, so it is the smallest
example of :class:`~genezip.models.base.Compressor`: copy it to add a system.
"""
