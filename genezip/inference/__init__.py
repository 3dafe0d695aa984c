"""Compression of much DNA by any compressor: to a table of windows or tokens, and to tracks.

Begin with ``forward``, which compresses held-out windows in batches into the window table of
``table``. ``fasta`` compresses the records of any FASTA into a token table in constant memory, and
resumes from the ``parts`` on disk. ``tracks`` writes files for a genome browser. A new system needs
no change here; a new column of tokens is a line in ``table`` and one in ``parts``.
"""
