"""Training of networks on words (DNAZEN): ``objective`` masks words, ``setup`` prepares a run."""
