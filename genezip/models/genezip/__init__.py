"""GeneZip as a compressor, and the import of its published weights.

``compressor`` has the class that users hold, for every architecture of ``hnet``; ``release`` and
its neighbours turn the authors' weight files into a model folder. Copy ``compressor`` to add
another system that is a network.
"""
