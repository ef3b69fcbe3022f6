"""Ctrl-C while rclpy takes in messages."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def interrupt_sets(event: Event) -> Iterator[None]:
    """Let Ctrl-C set an event for a while, in the main thread, and raise nothing.

    A KeyboardInterrupt while rclpy converts a message would become an error of another kind.
    """
    before = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
