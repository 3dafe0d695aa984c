"""Ctrl-C (and a scheduler's SIGTERM) between two steps of a long run, never inside one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """True once a stop was asked for."""

    def __init__(self) -> None:
        self.asked = False

    def __bool__(self) -> bool:
        return self.asked


@contextmanager
def stop_request(again_at_once: bool = True) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request.

    A second one stops at once. Among several processes it must not (``again_at_once`` is
    False): terminal and launcher both pass a signal on, and the launcher kills what does not
    end by itself.
    """
    request = StopRequest()

    def handle(number: int, frame: FrameType | None) -> None:
        if request.asked and again_at_once:
            raise KeyboardInterrupt
        request.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return
    old = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
