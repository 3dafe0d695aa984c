"""The chapter on the arena: ``tokens`` ranks places, ``learned`` has bits, recall and probes."""
