"""The one exception that reaches a user as a single sentence."""


class GenezipError(Exception):
    """Something a user can mend: what is wrong, where, and what to do.

    The command line prints the message on one line and exits with status 1. Anything
    else that escapes is a bug and keeps its traceback.
    """
