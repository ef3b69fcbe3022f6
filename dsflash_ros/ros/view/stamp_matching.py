"""Which image and which panoptic map belong to a graph."""

from collections import OrderedDict
from typing import NamedTuple

from dsflash_ros.graph.messages import serialized_stamp
from dsflash_ros.msg import SceneGraph

Stamp = tuple[int, int]
"""Seconds and nanoseconds."""

MAP_PATIENCE_S = 0.1
"""So long after a graph its panoptic map is waited for, which comes right behind it."""

_MOST_BYTES = 256 << 20
"""Of the images that wait for their graphs; the oldest are forgotten."""

_MOST_GRAPHS = 4


class Matched(NamedTuple):
    """A graph and what belongs to it.

    Attributes:
        graph: the message.
        image: serialised, None when it did not come or was forgotten.
        panoptic: serialised, None when it did not come.
        arrived: when the graph came, seconds of `time.monotonic`.
    """

    graph: SceneGraph
    image: bytes | None
    panoptic: bytes | None
    arrived: float


class StampMatcher:
    """Keeps what comes until it is asked for the newest graph; what is older is forgotten.

    Images and maps stay serialised, because most images have no graph.
    """

    def __init__(self) -> None:
        self._images: OrderedDict[Stamp, bytes] = OrderedDict()
        self._maps: OrderedDict[Stamp, bytes] = OrderedDict()
        self._graphs: OrderedDict[Stamp, tuple[SceneGraph, float]] = OrderedDict()
        self._bytes = 0
        self.has_maps = False

    def take_image(self, data: bytes) -> None:
        """Keep a serialised `sensor_msgs/Image` or `CompressedImage`."""
        stamp = serialized_stamp(data)
        self._bytes += len(data) - len(self._images.pop(stamp, b""))
        self._images[stamp] = data
        while self._bytes > _MOST_BYTES:
            _, oldest = self._images.popitem(last=False)
            self._bytes -= len(oldest)

    def take_map(self, data: bytes) -> None:
        """Keep a serialised `~/panoptic`."""
        self.has_maps = True
        self._maps[serialized_stamp(data)] = data
        while len(self._maps) > _MOST_GRAPHS:
            self._maps.popitem(last=False)

    def take_graph(self, message: SceneGraph, now: float) -> None:
        """Keep a graph, which came now."""
        stamp = message.header.stamp
        self._graphs[stamp.sec, stamp.nanosec] = message, now
        while len(self._graphs) > _MOST_GRAPHS:
            self._graphs.popitem(last=False)

    def newest(self, now: float) -> Matched | None:
        """The last graph whose map has come, or is not to be expected any more.

        It, those before it and their images are forgotten.
        """
        for stamp, (message, arrived) in reversed(self._graphs.items()):
            has_map = stamp in self._maps
            if has_map or not self.has_maps or now - arrived > MAP_PATIENCE_S:
                seen = Matched(message, self._images.get(stamp), self._maps.get(stamp), arrived)
                self._forget(stamp)
                return seen
        return None

    def _forget(self, last: Stamp) -> None:
        """What came with this graph and before it."""
        for kept in (self._graphs, self._images, self._maps):
            if last not in kept:
                continue
            while True:
                stamp, one = kept.popitem(last=False)
                if kept is self._images:
                    self._bytes -= len(one)
                if stamp == last:
                    break
