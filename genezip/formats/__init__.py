"""Files that others define: one reader (and writer) per format, without any biology.

Start at ``input_file.py`` (a file or pipe, unpacked), ``lines.py`` (what a line and a row is) and
``tabular.py`` (columns, and the sentence that names a malformed row): every text goes through
them. ``bed.py`` is the one to copy for a further table; gene annotation has a package of its own,
``genes/``. What bases are and which contig is meant is decided in :mod:`genezip.genome`.
"""
