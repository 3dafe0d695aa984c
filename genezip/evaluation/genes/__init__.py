"""Tokens along genes: their boundaries and the reading frame.

Begin with ``codon_phase``; ``gene_windows`` reads the genes.
"""
