"""Tokens along genes: their boundaries, the reading frame, and sites such as splice junctions.

Begin with ``codon_phase``; ``gene_windows`` reads the genes. ``alignment`` compares boundaries at
sites with their controls: ``sites`` finds them, ``site_windows`` reads both.
"""
