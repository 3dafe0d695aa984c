"""How well a bidirectional network predicts masked bases, beside models that only count.

Begin with ``scores`` (the masked held-out windows, sums by window, rows); ``markov`` is the
two-sided Markov model, which gets the same masks.
"""
