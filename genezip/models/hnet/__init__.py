"""Hierarchical networks: encoder, routing, trunk, de-chunk, decoder.

Begin with ``architecture`` (a layout as plain values) and ``network``. ``windows`` runs a batch of
windows, ``streaming`` one sequence block by block; both give arrays. ``losses`` are what training
minimises, ``flops`` what a pass costs.
"""
