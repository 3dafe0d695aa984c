"""Where DNA comes from: a mirror folder, public servers, files of the user, or a simulation.

Every source writes the same files (:mod:`~genezip.genome.sources.layout`), which later stages open
through :class:`~genezip.genome.sources.source.Source`; start reading there. The first source of the
configured order that can deliver is used (:mod:`~genezip.genome.sources.fetch`). To add one, copy
:mod:`~genezip.genome.sources.mirror` and list its function in ``fetch``.
"""
