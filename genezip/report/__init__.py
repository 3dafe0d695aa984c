"""The report: an HTML page and its figures, made from result files alone.

Begin with ``results`` (the files) and ``page`` (the page from top to bottom). A chapter is one file
in ``chapters`` with its text, its table and its figure; ``chapter`` defines the type, ``chapters``
explains how to add one. ``opening`` (the three sentences at the top),
``summary`` (those below the table of claims) and ``claims`` (the verdicts) read score
tables alone; chapters may read any result.
"""
