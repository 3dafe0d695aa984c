"""Transcription initiation at single bases: the ten tracks of tisp, and PRO-cap counts.

Begin with ``task`` (tisp: fine-tuning on windows of whole chromosomes) or ``procap`` (counts on
the segments of a run's genome: a head on uncached vectors of every base). ``examples`` and
``procap_labels`` read the targets. For another signal at single bases copy ``procap``.
"""
