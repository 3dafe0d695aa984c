"""Questions about compressed DNA: how many bases per token where, how well bases are predicted.

Begin with ``compression`` (the metrics of held-out windows) and ``labels`` (what is known of each
window: its classes, GC third and bootstrap block); ``comparisons`` sets models side by side and
``bootstrap`` gives every number its interval. Controls that learn nothing are ``routers`` and
``composition_router``. For a new question copy ``repeats``: counts by window first, then rows.
"""
