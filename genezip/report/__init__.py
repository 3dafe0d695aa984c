"""The page and its figures, made from result files alone.

Begin with ``results`` (what is read) and ``html`` (the page from top to bottom); a section has its
words in ``*_section`` and its figure in ``figures_*``, all in the style of ``style``. For a new
figure copy ``figures_repeats`` and name it in ``gallery``.
"""
