"""Layers for the networks of all systems.

``stack`` makes blocks of the mixers ``mamba2`` (with ``ssd``, the state-space scan, ``scan``, the
one linear recurrence, and ``fused``, the same layer in one pass for a CPU) and ``attention``;
``packing`` puts several sequences into one row and ``lora`` adds adapters to a trained network. A
new layer comes with a slow definition and a test of equality.
"""
