"""File formats defined by others: one reader (and writer) per format, without any biology.

Start with ``input_file.py`` (files and pipes, decompressed), ``lines.py`` (lines and rows) and
``tabular.py`` (columns, errors for malformed rows): every text is read through them. To add a
table, copy ``bed.py``; formats of gene annotation are in ``genes/``. Region classes and contig
names are resolved in :mod:`genezip.genome`.
"""
