"""Layers for the networks of all systems.

``mamba2`` (with ``ssd``, the state-space scan, and ``scan``, the one linear recurrence) is the
layer of the networks here; ``packing`` puts several sequences into one row and ``lora`` adds
adapters to a trained network. A new layer comes with a slow definition and a test of equality.
"""
