"""The loop from sources through the pipeline to sinks, written once for all commands."""

import logging
import math
import statistics
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.progress_bar import progress
from dsflash_ros.sinks.sink import Sink
from dsflash_ros.sources.source import Frame, Source

_log = logging.getLogger(__name__)

MakeGraph = Callable[[Frame], SceneGraph]
"""A frame to its graph."""


@dataclass
class Tally:
    """What a loop has done so far.

    Attributes:
        latencies_ms: the pipeline's total latency of each graph.
        seconds: that the loop took, known when it has ended.
        skipped: frames that could not be used.
        bad_stamps: stamps that went back or were no number.
    """

    latencies_ms: array = field(default_factory=lambda: array("d"))
    seconds: float = 0.0
    skipped: int = 0
    bad_stamps: int = 0

    @property
    def graphs(self) -> int:
        """How many graphs were made."""
        return len(self.latencies_ms)

    @property
    def rate(self) -> float:
        """Graphs a second; 0 before the first."""
        return self.graphs / self.seconds if self.seconds else 0.0

    @property
    def median_latency_ms(self) -> float | None:
        """None before the first graph."""
        return statistics.median(self.latencies_ms) if self.graphs else None


class Loop:
    """Makes scene graphs of the frames of sources and hands each graph to all sinks.

    Attributes:
        tally: what was done; also true after an exception or an interrupt.
    """

    def __init__(
        self,
        make_graph: MakeGraph,
        sinks: Sequence[Sink],
        stride: int = 1,
        limit: int | None = None,
    ) -> None:
        """`stride`: use each n-th frame. `limit`: at most so many frames of each source."""
        self._make_graph, self._sinks = make_graph, sinks
        self._stride, self._limit = stride, limit
        self.tally = Tally()

    def run(self, sources: Iterable[Source]) -> Tally:
        """Read the sources one after the other, close each, and return the tally.

        Frames that the pipeline refuses are skipped, counted and reported, as are those that the
        source cannot read.

        A source of which no frame can be used, or that cannot be read on, does not keep the others.

        Raises:
            SourceError: one of the sources could not be used; after all others.
            OutputError: a sink cannot write.
        """
        start, sources = time.perf_counter(), list(sources)
        failed = 0
        try:
            for source in sources:
                try:
                    with source:
                        self._run(source)
                except SourceError as error:
                    if len(sources) == 1:
                        raise
                    failed += 1
                    _log.error("%s", error)
        finally:
            self.tally.seconds += time.perf_counter() - start
        if failed:
            raise SourceError(f"{failed} of {len(sources)} sources could not be used")
        return self.tally

    def _run(self, source: Source) -> None:
        """Make the graphs of one source."""
        graphs, skipped, bad_stamps = self.tally.graphs, source.skipped, source.bad_stamps
        frames = islice(islice(source, 0, None, self._stride), self._limit)
        try:
            for frame in progress(frames, source.name, self._count(source)):
                self._take(frame, source)
        finally:
            self.tally.skipped += source.skipped - skipped
            self.tally.bad_stamps += source.bad_stamps - bad_stamps
        if self.tally.graphs == graphs:
            raise SourceError(f"no frame of {source.name} could be used")

    def _take(self, frame: Frame, source: Source) -> None:
        """Make the graph of a frame and hand it on, or skip the frame."""
        try:
            graph = self._make_graph(frame)
        except ImageError as error:
            source.skip(f"{frame.name}: {error}")
            return
        self._warn_untrained(graph)
        for sink in self._sinks:
            sink.write(graph, frame, source)
        self.tally.latencies_ms.append(graph.latency_ms["total"])

    def _count(self, source: Source) -> int | None:
        """How many frames of a source are to be used; None where that is unknown."""
        try:
            count = math.ceil(len(source) / self._stride)
        except TypeError:
            return self._limit
        return count if self._limit is None else min(count, self._limit)

    def _warn_untrained(self, graph: SceneGraph) -> None:
        if not (self.tally.graphs or graph.is_trained):
            _log.warning(
                "the weights %r are untrained: these scene graphs mean nothing", graph.weights
            )
