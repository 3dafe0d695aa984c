"""Where tokens begin.

``learned`` is the router of H-Net and GeneZip, ``bounds`` keeps its number of tokens within limits
causally, ``chunking`` takes tokens out and spreads them over bases again, and ``fixed`` has the
routers that learn nothing: stride, random, CpG, block. Copy one of ``fixed`` to add a router.
"""
