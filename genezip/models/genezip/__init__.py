"""GeneZip as a compressor, and the import of its published weights.

``compressor`` has the public class, for every architecture of ``hnet``; ``release``,
``release_config`` and ``release_names`` convert weight files of the release into a model folder.
Copy ``compressor`` to add another system that is a network.
"""
