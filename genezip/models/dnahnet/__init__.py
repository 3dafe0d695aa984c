"""dnaHNet (arXiv 2602.10603): next-base prediction on bacterial DNA by a two-level H-Net.

Bases pass Mamba-2 layers, tokens of about 3 bases attention and Mamba-2, tokens of about 2 of
those attention alone, and back (``m4 | T1m4 | T_N | m4T1 | m4``). Router, chunking, moving average
and residual maps are those of ``hnet``, without a bound on tokens; only the layout, the targets
(3, then 2; ``stage_bpt``) and the recipe differ from GeneZip. ``compressor`` has the class; the
presets ``dnahnet-tiny``, ``-small`` and ``-base`` are architectures, and the (2, 2) variant is the
target ``stage_bpt`` [2, 2] with ``uniform_bpt`` 4. Beside them are a fixed grid of 3 then 2
(``-fixed``) and a flat network of as many operations per base (``-flat``).

Known of the published models: layout, targets, about 30 % of the parameters in encoders and
decoders, AdamW with weight decay 0.05, gradients clipped to 1, linear warm-up and cosine decay,
larger learning rates outside, a ratio loss of weight 0.01 to 0.02, and 144 G bases of training.
Unknown: widths and depths of the three named sizes, learning rate, batch, length of the warm-up,
and the window of attention at level 1, for which H-Net's 1,023 is taken. So no preset has a
published name, and none claims to be a published model.

As in every network here, the first base of a sequence has no prediction: there is no symbol before
it. N is read but never predicted.
"""
