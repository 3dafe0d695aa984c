"""DNA, and what its bases are.

Start with :mod:`~genezip.genome.assembly` (bases by coordinate), then
:mod:`~genezip.genome.gene_models` and :mod:`~genezip.genome.region_rules`, which make the
:mod:`~genezip.genome.region_map`: one region class for every base. Where DNA comes from is in
:mod:`genezip.genome.sources`. A new class of bases goes into :mod:`genezip.region_classes` and gets
its intervals in ``class_layers``; :mod:`~genezip.genome.verify` then needs the same rule once more.
"""
