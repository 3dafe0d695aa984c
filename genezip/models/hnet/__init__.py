"""Hierarchical networks: layout, stages, losses, and streams in constant memory."""
