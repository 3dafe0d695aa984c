"""Pairs of a gene and a variant or element, and whether it acts on the gene: eqtl, etgp, CRISPRi.

Begin with ``task`` (eqtl and etgp) and ``gene_pairs`` (the bases of a pair); ``examples`` builds
the sequences, ``features`` computes a frozen model's features of both alleles, ``probe`` and
``network`` train on them. ``crispri`` is the task of CRISPRi screens. For other pairs copy
``task``.
"""
