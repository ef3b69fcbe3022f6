"""Work beside the model: a thread reads ahead what comes, another writes what goes."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")

_MOST = 4
"""Items that wait between two threads at most."""

_END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, which another thread asks for before they are needed.

    An error of the items is raised here, after those that came before it. When this generator is
    closed, the other thread ends.
    """
    ready: queue.Queue = queue.Queue(_MOST)
    is_wanted = threading.Event()
    is_wanted.set()

    def read() -> None:
        try:
            for item in items:
                _put(ready, (item, None), is_wanted)
                if not is_wanted.is_set():
                    return
            _put(ready, (_END, None), is_wanted)
        except BaseException as error:
            _put(ready, (_END, error), is_wanted)

    thread = threading.Thread(target=read, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        is_wanted.clear()
        thread.join()


class Behind:
    """Hands items to a consumer in another thread. A context manager, which waits for its end.

    Args:
        consume: called once, with an iterator over the items. Without an error in the block the
            iterator ends after the last item; with one it raises `Abandoned`.

    An error of the consumer is raised by the next `put`, or at the end of the block.
    """

    def __init__(self, consume: Callable[[Iterator[Any]], None]) -> None:
        self._consume, self._error = consume, None
        self._ready: queue.Queue = queue.Queue(_MOST)
        self._is_wanted = threading.Event()
        self._thread = threading.Thread(target=self._run, name="behind", daemon=True)

    def put(self, item: Any) -> None:
        """Hand an item on; waits while too many wait."""
        _put(self._ready, item, self._is_wanted)
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._consume(self._items())
        except Abandoned:
            pass
        except BaseException as error:
            self._error = error
        finally:
            self._is_wanted.clear()

    def _items(self) -> Iterator[Any]:
        while (item := self._ready.get()) is not _END:
            if item is Abandoned:
                raise Abandoned
            yield item

    def __enter__(self) -> "Behind":
        self._is_wanted.set()
        self._thread.start()
        return self

    def __exit__(self, kind, *_) -> None:
        _put(self._ready, _END if kind is None else Abandoned, self._is_wanted)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error


class Abandoned(Exception):
    """What a consumer gets in place of further items when something else failed."""


def _put(ready: queue.Queue, item: Any, is_wanted: threading.Event) -> None:
    """Put an item, unless nobody wants it any more."""
    while is_wanted.is_set():
        try:
            return ready.put(item, timeout=0.1)
        except queue.Full:
            continue
