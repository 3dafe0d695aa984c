"""Byte-pair encoding: tokens are words of a vocabulary that was fitted on training DNA.

``vocabulary`` fits and reads the tokenizer of the package ``tokenizers``; ``compressor`` puts it
behind :class:`~genezip.models.base.Compressor`. The DNA that it is fitted on comes from
:func:`genezip.corpus.stream.sampled`. Systems whose network reads words of DNA build on this one.
"""
