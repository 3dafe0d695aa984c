"""Layers that every system may be built of: scans, Mamba-2, packing, LoRA."""
