"""Byte-pair encoding: tokens are words of a vocabulary that was fitted on training DNA.

``vocabulary`` fits and reads the tokenizer of the package ``tokenizers``; ``compressor`` makes it a
:class:`~genezip.models.base.Compressor`. Training DNA comes from
:func:`genezip.corpus.stream.sampled`. Networks on words of DNA can build on this system.
"""
