"""The images of one or several cameras of a bag, in the order in which they were recorded."""

import heapq
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from dsflash_ros.errors import SourceError
from dsflash_ros.graph.topics import camera_prefixes
from dsflash_ros.sources.bag import BagSource
from dsflash_ros.sources.source import Frame


class Cameras:
    """A source for each image topic of a bag. A context manager.

    Attributes:
        name: of the bag.
        sources: of the cameras.
        prefixes: of their topics: empty for a single one, else as `front/` for /front/image.
        total: how many images there are; None where only a part of the bag is read.
        start_ns, end_ns: images recorded from the one on and before the other are read.

    Args:
        path: of the bag.
        topics: of the images; empty: the only one of the bag.
        start_s, end_s: seconds from the beginning of the bag; None: its end.
        stride: each n-th image of a camera.
    """

    def __init__(
        self,
        path: Path,
        topics: Sequence[str] = (),
        start_s: float = 0.0,
        end_s: float | None = None,
        stride: int = 1,
    ) -> None:
        self.name, self._stack, self._stride = path.name, ExitStack(), stride
        try:
            self.sources = [
                self._stack.enter_context(BagSource(path, topic)) for topic in topics or (None,)
            ]
        except BaseException:
            self._stack.close()
            raise
        topics = [source.topic for source in self.sources]
        self.prefixes = camera_prefixes(topics)
        if len(set(self.prefixes)) < len(topics):
            self._stack.close()
            raise SourceError(
                f"the topics {', '.join(topics)} are one camera twice: name each camera once"
            )
        begin, self.end_ns = self.sources[0].begin_ns, self.sources[0].end_ns
        self.start_ns = begin + round(start_s * 1e9)
        if end_s is not None:
            self.end_ns = min(self.end_ns, begin + round(end_s * 1e9))
        self.total = None
        if start_s == 0 and end_s is None:
            self.total = sum(-(-len(source) // stride) for source in self.sources)
        self._seen = [0] * len(self.sources)
        self._times = [array("q") for _ in self.sources]

    def go_on(self, next_ns: int, seen: list[int]) -> None:
        """Begin there, as `seen_before` said."""
        self.start_ns, self._seen = next_ns, seen

    def seen_before(self, next_ns: int) -> list[int]:
        """How many images of each camera were recorded before, those left out included."""
        return [
            seen + bisect_left(times, next_ns)
            for seen, times in zip(self._seen, self._times, strict=True)
        ]

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        """The number of the camera, and its image."""
        for source in self.sources:
            source.start_ns, source.stop_ns = self.start_ns, self.end_ns
            source.with_truth = False
        streams = [self._images(number) for number in range(len(self.sources))]
        return heapq.merge(*streams, key=lambda one: one[1].origin.recorded_ns)

    def _images(self, number: int) -> Iterator[tuple[int, Frame]]:
        times = self._times[number] = array("q")
        for index, frame in enumerate(self.sources[number], self._seen[number]):
            times.append(frame.origin.recorded_ns)
            if index % self._stride == 0:
                yield number, frame

    def __enter__(self) -> "Cameras":
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
