"""LDARNet (arXiv 2606.04552): masked bases, both directions, learned boundaries."""
