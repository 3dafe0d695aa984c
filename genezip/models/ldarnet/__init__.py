"""LDARNet (arXiv 2606.04552): masked bases, both directions, learned boundaries.

Bases pass BiMamba-2 and one layer of local attention, tokens of about 4 bases BiMamba-2 with
SwiGLU, and back (``m3t1 | M10 | m4``). Layers are those of ``layers/bidirectional.py`` and
``layers/attention.py``, router and de-chunking those of ``routing/bidirectional.py``; the network
is that of ``hnet`` in direction ``both``. ``compressor`` has the class, ``release`` reads the
authors' weights. The presets ``ldarnet-110m`` and ``ldarnet-2m`` are the published sizes
(110,687,296 and 2,011,288 parameters; the paper's text says 120M, which its authors call a
mistake), and ``ldarnet-tiny`` is ours for a laptop.

Known of the published models, from the authors' code: layouts, widths, vocabulary, window of 1,023
on each side, target 4, weight 0.03 of the ratio loss, schedule, and masking of 15 % of the bases.
Unknown: how its fixed grid of equal operations was built, its results on Genomic Benchmarks, and
whether 300 G bases of training were one pass.

Other than the release, the backward moving average begins with its last token alone, and a
sequence is reversed by its true length, so that padding changes nothing. N is read but never masked
or predicted, and reverse complements are not symmetric: training shows both strands, and
``both_strands`` averages them.
"""
