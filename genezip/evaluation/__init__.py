"""Questions about compressed DNA: how many bases per token where, how well bases are predicted.

Begin with ``windows`` (annotation and sums of each held-out window) and ``compression`` (metrics
of those sums, with intervals); ``comparisons`` pairs models. ``controls`` (routers that are no
networks) are what a learned router must beat, ``markov`` and ``mixing`` (language models that
count) what the prediction of a network must beat.
``masked`` is about networks that predict masked bases, which have no next-base loss.
``boundaries`` asks whether boundaries align with sites of any kind, with its controls, and
``genes`` whether they follow the reading frame. For a new question copy ``repeats``: count by
window first, then write rows.
"""
