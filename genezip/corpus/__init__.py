"""The training corpus: windows of DNA with the class of every base, in Parquet shards.

Begin with ``corpus`` (open and check a corpus) and ``build`` (plan, write, finish); ``sampling``
chooses the windows, ``stream`` feeds them to a training. ``exclusions`` is the table of DNA that
no window may touch, and ``leakage`` proves that none does. To add a check of written windows, copy
an entry of the list in ``leakage.prove``.
"""
