"""The page and its figures, made from result files alone.

Begin with ``results`` (what is read) and ``page`` (from top to bottom). A chapter is one file in
``chapters`` with its words, its table and its figure; what one is says ``chapter``, how to add one
says ``chapters``. The first words of the page are ``summary``, its judgement is ``claims``: both
read the score tables alone, all else may read any result.
"""
