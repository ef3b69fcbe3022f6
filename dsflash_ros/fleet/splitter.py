"""Work on consecutive items, split over several workers."""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError

from dsflash_ros.errors import FleetError
from dsflash_ros.fleet.cluster import told

MOST_ITEMS, MOST_BYTES = 8, 16_000_000
"""A range ends after so many items, or with the one that makes it so large."""

MOST_TRIES = 10
"""So often a range is tried whose worker is lost."""

_PAUSE_S = 2.0
"""Before a worker that was lost gets something again: Ray starts it anew in the meantime."""

Item = TypeVar("Item")


@dataclass
class _Range(Generic[Item]):
    """Consecutive items, the number of the first, the worker that has them, and what will be its
    answer.
    """

    items: list[Item]
    first: int
    worker: int = 0
    answer: Any = None


class Splitter(Generic[Item]):
    """Has workers look at items, several ranges of them at a time.

    The answers come in the order of the items, and each item is looked at alone, so that the result
    is that of one worker. Ranges of a worker that is lost go to others.

    Args:
        workers: handles of `ModelWorker` actors with the same options.
        most_ranges: so many are on their way at most; what is read waits for them.
        ask: sends a range to a worker; its answer has one entry for each item.
        size: of an item, bytes.
    """

    def __init__(
        self,
        workers: Sequence,
        most_ranges: int,
        ask: Callable[[Any, list[Item]], Any],
        size: Callable[[Item], int],
    ) -> None:
        self._workers, self._most_ranges = workers, most_ranges
        self._ask, self._size = ask, size
        self._lost_at = [-_PAUSE_S] * len(workers)

    def __call__(self, items: Iterable[Item]) -> Iterator[tuple[Item, Any]]:
        """The items in their order, each with its answer."""
        under_way: deque[_Range[Item]] = deque()
        first = 0
        for some in ranges(items, self._size):
            if len(under_way) == self._most_ranges:
                yield from self._finish(under_way.popleft(), under_way)
            under_way.append(self._send(_Range(some, first), under_way))
            first += len(some)
        while under_way:
            yield from self._finish(under_way.popleft(), under_way)

    def _send(self, one: _Range[Item], others: Iterable[_Range[Item]]) -> _Range[Item]:
        """Give a range to the worker that has least to do, of those that were not just lost."""
        waiting = [other for other in others if other.answer is not None]
        answers = [other.answer for other in waiting]
        left = set(ray.wait(answers, num_returns=len(answers), timeout=0)[1]) if answers else set()
        load = Counter(other.worker for other in waiting if other.answer in left)
        now = time.monotonic()
        rests = [max(0.0, lost + _PAUSE_S - now) for lost in self._lost_at]
        one.worker = min(range(len(self._workers)), key=lambda n: (rests[n] > 0, rests[n], load[n]))
        time.sleep(rests[one.worker])
        one.answer = self._ask(self._workers[one.worker], one.items)
        return one

    def _finish(
        self, one: _Range[Item], others: Iterable[_Range[Item]]
    ) -> Iterator[tuple[Item, Any]]:
        yield from zip(one.items, self._answers(one, others), strict=True)

    def _answers(self, one: _Range[Item], others: Iterable[_Range[Item]]) -> list:
        for _ in range(MOST_TRIES):
            try:
                return ray.get(one.answer)
            except RayActorError:
                self._lost_at[one.worker] = time.monotonic()
                self._send(one, others)
            except RayTaskError as error:
                raise told(error) from error
        raise FleetError(
            f"the workers that looked at the images from number {one.first} on were lost "
            f"{MOST_TRIES} times: memory may be short, see Ray's logs"
        )


def ranges(items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Consecutive items, `MOST_ITEMS` of them or `MOST_BYTES` large."""
    some, total = [], 0
    for item in items:
        some.append(item)
        total += size(item)
        if len(some) == MOST_ITEMS or total >= MOST_BYTES:
            yield some
            some, total = [], 0
    if some:
        yield some
