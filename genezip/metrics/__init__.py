"""Formulas on arrays, without files, models or tasks: each metric is defined here, once.

Begin with ``compression`` (the paper's equations 12 to 18). Whatever is averaged over windows,
pairs or maps gets its interval from ``bootstrap``. For a new metric copy ``correlation``: sums
that add up over examples first, so that the bootstrap can leave blocks out, then the formula.
"""
