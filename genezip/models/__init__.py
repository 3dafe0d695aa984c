"""Networks that turn bases into tokens; they know tensors, not files of genomes.

Begin with ``architecture`` (a layout as plain values) and ``network`` (its stages); ``pretrained``
reads and writes model folders, ``presets`` names the layouts that are compared. ``release``
imports the authors' weights and ``comparators`` wraps models of other groups.
"""
