"""Pictures of one stretch of DNA: boundary probability, chunks, genes, mutations.

Begin with ``plot``, which has what the command ``genezip plot`` and the methods ``plot`` of models
and of their results call. It draws with the panels of the report's locus figure
(``genezip.report.drawing``). To add a panel, copy one in ``panels`` and list it in ``picture``.
"""
