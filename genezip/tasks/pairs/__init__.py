"""Two places in the genome and whether one acts on the other: eqtl, etgp and CRISPRi screens.

Begin with ``task`` (eqtl and etgp) and ``gene_pairs`` (which bases a pair reads); ``examples``
builds the sequences, ``features`` is what a frozen model makes of both alleles, ``probe`` and
``network`` learn on them. ``crispri`` has screens of its own. For other pairs copy ``task``.
"""
