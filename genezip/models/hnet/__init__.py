"""Hierarchical networks: encoder, routing, trunk, de-chunk, decoder.

Begin with ``architecture`` (a layout as plain values) and ``network``. ``windows`` runs a batch of
windows, ``streaming`` one sequence block by block; both return arrays. ``losses`` has the training
losses, ``flops`` the operations of a pass.
"""
