"""What tests of several folders share; import it as ``from toolkit.dna import random_dna``.

A helper belongs here as soon as a second folder needs it: small networks and their weights in
:mod:`toolkit.networks`, random bases in :mod:`toolkit.dna`, toy genomes and region maps in
:mod:`toolkit.genomes`, miniatures of published data sets in :mod:`toolkit.deposits`. Fixtures of
:mod:`toolkit.genomes` and :mod:`toolkit.corpora` are known to every test (``tests/conftest.py``).
"""
