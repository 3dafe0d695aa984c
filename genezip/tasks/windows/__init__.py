"""Long windows with targets for their bins: contact maps, regulatory activity, Hi-C counts.

Begin with ``contacts`` (the task cmp) and ``examples`` (windows, bins and targets). ``records``
converts the shards of a deposit, ``features`` pools a model's vectors into bins, ``heads`` trains
on these and ``cnn`` on the bases. To add a task of windows, copy ``activity`` (rsap).
"""
