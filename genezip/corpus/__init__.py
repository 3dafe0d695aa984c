"""The training corpus: windows of DNA with the class of every base, in Parquet shards.

Begin with ``corpus`` (what is on disk, opened and checked) and ``build`` (plan, write, finish);
``sampling`` chooses the windows, ``stream`` feeds them to a training. ``exclusions`` holds the
DNA that no window may touch, given by the caller, and ``leakage`` proves that none does. For a
new check of written windows copy an entry of the list in ``leakage.prove``.
"""
