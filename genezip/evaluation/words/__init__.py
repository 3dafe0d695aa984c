"""Networks on words of DNA (DNAZEN): masked words beside floors, and the G-grams themselves.

``floors`` has models that count words and their neighbours, ``prediction`` scores all models on
the same masks, ``vocabulary`` tells how many G-grams there are, how many by chance, and what they
are.
"""
