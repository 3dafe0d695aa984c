"""A dress rehearsal of the paper run, on made-up data of its size (``make rehearsal``).

``genome`` writes what is fetched, ``deposits`` the tasks of DNALongBench, ``table`` reads what each
rule took and says what the real run takes, ``__main__`` does all of it in one folder.
"""
