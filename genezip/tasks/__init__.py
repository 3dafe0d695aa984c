"""Questions with targets: DNALongBench and measurements on the demo's own files.

Begin with ``tasks`` (which task has which examples, features and head) and ``arm`` (what one column
of a comparison is). Features come from ``contrast``, ``binned`` and ``feature_store``, predictions
go into ``prediction_files``, and every score is computed from these by ``scores``. For a new task
copy the modules of ``etgp``-like pairs: ``pair_probe``, ``baselines_pairs``, ``scores_pairs``.
"""
