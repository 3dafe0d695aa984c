"""Two places in the genome and whether one acts on the other: eqtl, etgp and CRISPRi screens."""
