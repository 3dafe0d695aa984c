"""One class per sequence: regulatory elements, and any labelled set of sequences.

Begin with ``sets`` (the table that every reader gives) and ``audit`` (what may be wrong with a
set). ``splits`` says what trains and what tests, ``rows_zero`` what labels cost without any
learning, ``baselines`` what composition is worth, and ``probe`` is the one linear probe of all
features. ``elements`` is a task of its own to copy.
"""
