"""Effect of amino-acid variants: how much less likely the coding sequence is with the variant.

Begin with ``task``. ``scans`` reads a deep mutational scan and its coding sequence, which is
checked residue by residue, ``codons`` chooses the codons of a variant, ``baselines`` holds what is
known without a model, and ``scores`` has signed rank correlations with intervals over residues.
"""
