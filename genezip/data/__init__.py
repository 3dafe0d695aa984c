"""Examples of the tasks, made from the files that others deposited; and compressed windows.

Begin with ``prepared`` (a folder of examples, complete once its manifest is there); ``pair_*``,
``record_*`` with ``window_*``, and ``initiation*`` make such folders for the three families of
tasks, ``label_*`` read the demo's own targets. ``compressed`` is the table of what a router made of
held-out windows. For a new deposit copy ``pair_deposit``.
"""
