"""Holds the newest scene graph for those who ask it or wait for what it is going to say."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from dsflash_ros.errors import NoGraphError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.vocabulary import Vocabulary
from dsflash_ros.planning.query import Answers, query, read_question

Condition = str | Callable[[SceneGraph], Any]
"""A question, which has to have an answer, or a function of a graph, whose result has to be true.
"""

MOST_WAITING = 32
"""So many graphs wait for a condition that is slow to test; then the oldest is left out."""


class LatestGraph:
    """The newest graph of one camera; all methods are safe to be called from any thread.

    Attributes:
        vocabulary: of the model that makes the graphs; None while it is not known. Questions that
            name what it does not know are an error.
    """

    def __init__(self) -> None:
        self.vocabulary: Vocabulary | None = None
        self._changed = threading.Condition()
        self._graph: SceneGraph | None = None
        self._arrival_s = float("-inf")
        self._count = 0
        self._waiting: list[deque[SceneGraph]] = []
        self._end = ""

    @property
    def graph(self) -> SceneGraph | None:
        """The newest graph; None before the first."""
        return self._graph

    @property
    def age_s(self) -> float:
        """Seconds since the newest graph came; infinite before the first.

        It grows when the ROS node, the camera or the connection is gone.
        """
        return time.monotonic() - self._arrival_s

    def put(self, graph: SceneGraph) -> None:
        """Make this the newest graph, and wake those who wait."""
        with self._changed:
            self._graph, self._arrival_s = graph, time.monotonic()
            self._count += 1
            for graphs in self._waiting:
                graphs.append(graph)
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Say that no graph is going to come any more; whoever waits gets an error that says why.

        Later calls change nothing.
        """
        with self._changed:
            self._end = self._end or reason
            self._changed.notify_all()

    def query(self, text: str, limit: int | None = None) -> Answers:
        """The newest graph's answers to a question, see `dsflash_ros.planning.query.query`.

        Raises:
            QueryError: it cannot be read, or names what the vocabulary does not know.
            NoGraphError: no graph has come yet.
        """
        read_question(text, self._graph, self.vocabulary)
        if (graph := self._graph) is None:
            raise NoGraphError(f"there is no graph yet: {self._silence()}")
        return query(graph, text, limit, self.vocabulary)

    def wait_for(self, condition: Condition, timeout_s: float, after: float = float("-inf")) -> Any:
        """Wait until a graph fulfils a condition, and return what it was fulfilled by.

        The newest graph is tested first, then each that comes, in the thread of the caller.

        Args:
            condition: a question, as `cup on table#3`, or a function of a graph.
            timeout_s: how long to wait, seconds; 0 tests the newest graph only, infinity waits as
                long as it takes.
            after: a stamp in seconds; graphs of images that are not younger do not count.

        Returns:
            The `Answers` to the question, or the function's result.

        Raises:
            NoGraphError: no graph did in time; this is a `TimeoutError`, too.
            QueryError: the question cannot be read, or names what the vocabulary does not know,
                which may change while this waits.
            ValueError: the timeout is negative or NaN.
        """
        end_s = end_of(timeout_s)
        test = self._tester(condition)
        graphs: deque[SceneGraph] = deque(maxlen=MOST_WAITING)
        with self._changed:
            first = self._count
            if self._graph is not None:
                graphs.append(self._graph)
            self._waiting.append(graphs)
        try:
            while (graph := self._next(graphs, end_s)) is not None:
                if graph.stamp > after and (found := test(graph)):
                    return found
                if time.monotonic() >= end_s:
                    break
        finally:
            with self._changed:
                self._waiting = [one for one in self._waiting if one is not graphs]
        shown = repr(condition) if isinstance(condition, str) else "the condition"
        came = self._count - first
        told = f"{came} graph{'' if came == 1 else 's'} came"
        reason = told if came and not self._end else self._silence()
        if (newest := self._graph) is not None and not newest.stamp > after:
            reason += (
                f"; the newest, of {newest.stamp:.3f} s, is not younger than after={after:.3f}"
            )
        raise NoGraphError(f"nothing fulfilled {shown} within {timeout_s:g} s: {reason}")

    def _tester(self, condition: Condition) -> Callable[[SceneGraph], Any]:
        if callable(condition):
            return condition
        read_question(condition, self._graph, self.vocabulary)
        return lambda graph: query(graph, condition, vocabulary=self.vocabulary)

    def _next(self, queue: deque, end_s: float) -> Any:
        """What is next in a queue, of graphs to be tested or others; None when nothing is in time.

        Whoever appends to the queue notifies those who wait for `_changed`.
        """
        wait_s = max(end_s - time.monotonic(), 0)
        with self._changed:
            # for longer, which is centuries, threads cannot wait
            self._changed.wait_for(lambda: queue or self._end, min(wait_s, threading.TIMEOUT_MAX))
            return queue.popleft() if queue else None

    def _silence(self) -> str:
        """Why no graph comes, as far as it is known."""
        if self._end:
            return self._end
        if self._graph is None:
            return "none has come so far"
        return f"none has come for {self.age_s:.1f} s"


def end_of(timeout_s: float) -> float:
    """When a wait of so many seconds is over, in the time of `time.monotonic`.

    Raises `ValueError` when they are negative or NaN.
    """
    if not timeout_s >= 0:
        raise ValueError(f"timeout_s is to be 0 seconds or more, got {timeout_s}")
    return time.monotonic() + timeout_s
