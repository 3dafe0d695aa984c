"""Sources of DNA: a mirror folder, public servers, files of the user, or a simulation.

Start with :class:`~genezip.genome.sources.source.Source`, through which later stages open the
files; every source writes them in one layout (:mod:`~genezip.genome.sources.layout`). The first
available source in the configured order is used (:mod:`~genezip.genome.sources.fetch`). To add
one, copy :mod:`~genezip.genome.sources.mirror` and list its function in ``fetch``.
"""
