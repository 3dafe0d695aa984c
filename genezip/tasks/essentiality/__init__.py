"""Essential genes: how much less likely a genome is once a gene begins with stop codons.

Begin with ``task``. ``labels`` reads which genes are essential, ``knockout`` makes the windows with
and without the stop codons, ``baselines`` and ``mixture`` hold what is known without a model, and
``scores`` has means over organisms and the gain of a model over all baselines together.
"""
