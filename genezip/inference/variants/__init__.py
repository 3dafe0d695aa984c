"""Zero-shot scores of the variants of a VCF: how much less likely the DNA is with the variant.

Begin with ``score``, which runs everything. ``vcf`` reads and writes the file, ``alleles`` turns
each ALT into bases that are replaced and checks REF, ``haplotypes`` reads the two haplotypes of an
allele, and ``neutral`` has the random indels by which scores are freed of the length of an indel.
"""
