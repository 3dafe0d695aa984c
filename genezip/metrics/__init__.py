"""Formulas on arrays, without files, models or tasks: each metric is defined here, once.

Begin with ``compression`` (the paper's equations 12 to 18). Intervals of all metrics come from
``bootstrap``. For a new metric copy ``correlation``: first sums over examples, from which the
bootstrap can leave blocks out, then the formula.
"""
