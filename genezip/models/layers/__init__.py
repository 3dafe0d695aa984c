"""Layers that every system may be built of.

``mamba2`` (with ``ssd``, the state-space scan, and ``scan``, the one linear recurrence) is what
the networks here are made of; ``packing`` lays several sequences into one row and ``lora`` adds
adapters to a trained network. A new layer brings its slow definition and a test that holds both
equal.
"""
