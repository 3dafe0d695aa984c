"""DNAZEN (arXiv 2505.02206): words of DNA and phrases of them, with two encoders.

Words are the tokens of a vocabulary (byte-pair encoding, ``models/bpe``). G-grams are phrases of 2
to 5 words, mined by pointwise mutual information (``mining``); ``ggrams`` is their table, which
finds them in DNA. ``rows`` makes the input of the network from DNA, ``masking`` hides words, whole
G-grams together; ``architecture`` and ``network`` are the two encoders, ``prediction`` gives the
probabilities of masked words, and ``compressor`` has the class.

The presets ``dnazen-285m``, ``-650m`` and ``-2.1b`` have the published layouts with 162,708
G-grams; ``dnazen-tiny`` is ours for a laptop. Known of the published models, from the authors'
README and code: sizes, vocabularies, threshold 2 of the paper and 5 of the last public code, at
most 30 G-grams for a sequence, masking of 15 % of the words, and additive fusion in the first
layers. Unknown: the learning rate and the length of pre-training, and results on each set of GUE.

Other than the release, a G-gram is hidden in all places where one of its words is masked, whatever
the order of the G-grams, so that no visible one gives a masked word away; a masked word masks no
other copy of its G-gram; the last segment of a sequence is counted; and no mining reads held-out
DNA.
"""
