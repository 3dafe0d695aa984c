"""Vectors of a frozen model for the regions of a BED, in batches and in constant memory.

Begin with ``embed``, which writes the file of ``genezip embed``; its ``region_alone`` is the slow
and obvious version. ``regions`` plans which bases are read together, ``vectors`` turns the results
of a system into rows, and ``files`` writes them as Parquet or npz.
"""
