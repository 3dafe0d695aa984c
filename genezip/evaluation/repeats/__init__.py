"""Bases per token in repeats.

Begin with ``sets`` (which bases are repeats), then ``counts``; ``kinds`` groups repeats by family,
age, period and number of copies, and ``tandem`` runs TRF beside the table of the source. To add a
grouping copy ``kinds``.
"""
