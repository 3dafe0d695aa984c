"""Routers, which decide where tokens begin.

``learned`` is the router of H-Net and GeneZip, ``bounds`` its causal limit on the number of
tokens, ``chunking`` selects tokens and expands them to bases again, and ``fixed`` has the routers
that learn nothing: stride, random, CpG, block. ``guided`` rearranges the tokens of a trained
network, for controls of equal operations. Copy one of ``fixed`` to add a router.
"""
