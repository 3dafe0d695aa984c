"""Claims about the other systems, one module each.

Begin with ``ldarnet``, and copy it for a new system: its claims, the first and the third sentence
of its page (``WHAT``, ``plain``), and the sentences with the numbers, which stand below the claims.
"""
