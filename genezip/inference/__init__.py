"""Any compressor over much DNA: spans of DNA to a table of tokens, and from it tracks.

Begin with ``forward``: held-out windows go through a compressor, batch by batch, to the window
table of ``table``. ``fasta`` does the same for the records of any FASTA, in constant memory and
resumable by the ``parts`` on disk; its token table is in ``table``, too. ``tracks`` draws both for
a genome browser. A new system needs nothing here; a further column of tokens is a line in
``table`` and one in ``parts``.
"""
