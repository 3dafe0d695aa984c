"""DNA by coordinate, gene models, and the region class of every base.

Start with :mod:`~genezip.genome.assembly` (bases by coordinate), then
:mod:`~genezip.genome.gene_models` and :mod:`~genezip.genome.region_rules`, which make the
:mod:`~genezip.genome.region_map`: one region class for every base. :mod:`genezip.genome.sources`
fetches the DNA. To add a region class, define it in :mod:`genezip.region_classes`, its intervals in
``class_layers``, and the same rule in :mod:`~genezip.genome.verify`.
"""
