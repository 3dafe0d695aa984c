"""One class per sequence: regulatory elements, and any labelled set of sequences.

Begin with ``sets`` (the table of every reader) and ``audit`` (checks of a set). ``splits`` has the
split schemes, ``trivial_baselines`` predictions without a trained model, ``baselines`` the features
of composition, and ``probe`` the one linear probe for all features. ``user_labels`` measures a
user's set. To add a task, copy ``elements``.
"""
