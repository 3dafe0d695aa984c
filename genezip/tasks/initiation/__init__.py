"""Transcription initiation at single bases: the ten tracks of tisp, and PRO-cap counts.

Begin with ``task`` (tisp: windows of whole chromosomes, a network in the graph) or ``procap``
(counts on the segments of a run's genome: a head on the vectors of every base, which are not
cached). ``examples`` and ``procap_labels`` read what both learn. For another signal at single
bases copy ``procap``.
"""
