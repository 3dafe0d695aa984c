"""Functions that numba compiles when they are first called.

That takes seconds, so the compiled code is kept beside the function's file or in the home folder.
"""

from collections.abc import Callable
from typing import Any

import numba


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator with the options of :func:`numba.njit`."""

    def compile_(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            made: Callable[..., Any] = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # neither place may be written
            made = numba.njit(**options)(function)
        return made

    return compile_
