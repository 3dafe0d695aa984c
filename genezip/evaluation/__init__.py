"""Questions about compressed DNA: how many bases per token where, how well bases are predicted.

Begin with ``windows`` (what is known of each held-out window, and its sums) and ``compression``
(the metrics of those sums, with intervals); ``comparisons`` sets models side by side. What a
learned router must beat is in ``controls`` (routers that learn nothing) and ``markov`` (language
models of counts). For a new question copy ``repeats``: counts by window first, then rows.
"""
