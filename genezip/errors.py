"""The exception whose message a user sees as one sentence."""


class GenezipError(Exception):
    """An error that a user can fix; the message names what is wrong, where, and what to do.

    The command line prints the message on one line and exits with status 1. Any other
    exception is a bug and keeps its traceback.
    """
