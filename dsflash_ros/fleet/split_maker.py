"""The images of a bag, split over several models."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.exceptions import RayActorError

from dsflash_ros.errors import FleetError, ImageError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.options import Options
from dsflash_ros.ros.replay.graph_maker import GraphedImage, Image

MOST_IMAGES, MOST_BYTES = 8, 16_000_000
"""A range of a bag ends after so many images, or with the one that makes it so large."""

MOST_TRIES = 10
"""So often a range is tried whose worker is lost."""

_PAUSE_S = 2.0
"""Before a worker that was lost gets something again: Ray starts it anew in the meantime."""


@dataclass
class _Range:
    """Consecutive images, the worker that has them, and what will be its answer."""

    images: list[Image]
    worker: int = 0
    answer: Any = None


class SplitMaker:
    """A `GraphMaker` whose graphs are made by workers, several ranges at a time.

    The graphs come in the order of the images, and each image is looked at alone, so that the
    result is that of one model. Ranges of a worker that is lost go to others.

    Args:
        workers: handles of `ModelWorker` actors with the same options.
        options: theirs.
        most_ranges: so many are on their way at most; what is read waits for them.
    """

    def __init__(self, workers: Sequence, options: Options, most_ranges: int) -> None:
        self.options = options
        self._workers, self._most_ranges = workers, most_ranges
        self._lost_at = [-_PAUSE_S] * len(workers)

    def __call__(self, images: Iterable[Image]) -> Iterator[GraphedImage]:
        """The images in their order, each with its graph."""
        under_way: deque[_Range] = deque()
        for some in ranges(images):
            if len(under_way) == self._most_ranges:
                yield from self._finish(under_way.popleft(), under_way)
            under_way.append(self._send(_Range(some), under_way))
        while under_way:
            yield from self._finish(under_way.popleft(), under_way)

    def _send(self, one: _Range, others: Iterable[_Range]) -> _Range:
        """Give a range to the worker that has least to do, of those that were not just lost."""
        waiting = [other for other in others if other.answer is not None]
        answers = [other.answer for other in waiting]
        left = set(ray.wait(answers, num_returns=len(answers), timeout=0)[1]) if answers else set()
        load = Counter(other.worker for other in waiting if other.answer in left)
        now = time.monotonic()
        rests = [max(0.0, lost + _PAUSE_S - now) for lost in self._lost_at]
        one.worker = min(range(len(self._workers)), key=lambda n: (rests[n] > 0, rests[n], load[n]))
        time.sleep(rests[one.worker])
        pictures = [(frame.rgb, frame.stamp, frame.name) for _, frame in one.images]
        one.answer = self._workers[one.worker].graphs.remote(pictures)
        return one

    def _finish(self, one: _Range, others: Iterable[_Range]) -> Iterator[GraphedImage]:
        for graph, (number, frame) in zip(self._graphs(one, others), one.images, strict=True):
            yield number, frame, graph

    def _graphs(self, one: _Range, others: Iterable[_Range]) -> Iterator[SceneGraph | ImageError]:
        for _ in range(MOST_TRIES):
            try:
                return map(_kept, ray.get(one.answer))
            except RayActorError:
                self._lost_at[one.worker] = time.monotonic()
                self._send(one, others)
        stamp = one.images[0][1].stamp
        raise FleetError(
            f"the workers that looked at the images from {stamp:.3f} s on were lost "
            f"{MOST_TRIES} times: memory may be short, see Ray's logs"
        )


def ranges(images: Iterable[Image]) -> Iterator[list[Image]]:
    """Consecutive images, `MOST_IMAGES` of them or `MOST_BYTES` large."""
    some, size = [], 0
    for image in images:
        some.append(image)
        size += image[1].rgb.nbytes
        if len(some) == MOST_IMAGES or size >= MOST_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _kept(graph: SceneGraph | ImageError) -> SceneGraph | ImageError:
    """With arrays of its own: Ray's cannot be written, and keep the whole range in its store."""
    if isinstance(graph, ImageError):
        return graph
    looks = graph.appearance if graph.appearance is None else graph.appearance.copy()
    return replace(graph, panoptic=graph.panoptic.copy(), appearance=looks)
