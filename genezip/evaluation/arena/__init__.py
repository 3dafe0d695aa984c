"""The arena: what every way of cutting DNA into tokens is worth, beside trivial ones.

Begin with ``places``: systems beside controls that have as many tokens. ``pairs`` compares what
networks learned with their twins on fixed tokens, ``recall`` tells how much of a copy they predict,
``vocabulary`` how tokens with ids are used, ``cost`` what training and a pass cost.
"""
