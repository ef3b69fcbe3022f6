"""The truth beside the images of a bag, as simulators record it."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader

from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.graph.messages import message_to_graph, serialized_stamp
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.topics import TRUTH_MAP_TOPIC, TRUTH_TOPIC
from dsflash_ros.images.panoptic_maps import image_to_panoptic
from dsflash_ros.sources.bag_reader import open_bag

_GRAPH, _IMAGE = "dsflash_ros/msg/SceneGraph", "sensor_msgs/msg/Image"
_KEPT = 8

Stamp = tuple[int, int]
"""Seconds and nanoseconds."""


class BagTruth:
    """The true graphs, which are kept, and their panoptic maps, which come with the images.

    Attributes:
        graphs: connections of the bag with true graphs; empty where it has none.
        maps: connections with the panoptic maps.
    """

    def __init__(self, reader: AnyReader, is_wanted: bool = True) -> None:
        """Of an open bag. `is_wanted`: False to read nothing of it."""
        self._reader = reader
        self.graphs = _of(reader, TRUTH_TOPIC, _GRAPH) if is_wanted else []
        self.maps = _of(reader, TRUTH_MAP_TOPIC, _IMAGE) if self.graphs else []
        self._graphs: dict[Stamp, bytes] = {}
        self._maps: deque = deque(maxlen=_KEPT)

    def keep(self, graphs: Iterable[bytes]) -> None:
        """Keep the serialised true graphs of the bag."""
        self._graphs = {serialized_stamp(data): bytes(data) for data in graphs}

    def take(self, message) -> None:
        """Take in a panoptic map."""
        self._maps.append(message)

    def is_complete(self, stamp: Stamp) -> bool:
        """Whether all has come that goes with that time."""
        return not self.maps or any(_stamp(message) >= stamp for message in self._maps)

    def at(self, stamp: Stamp) -> SceneGraph | None:
        """The true graph of that stamp, read by the definition in the bag, or None.

        Nothing is anywhere on its panoptic map where the bag has no map of that stamp.

        Raises `SourceError` for one that is damaged.
        """
        data = self._graphs.get(stamp)
        if data is None:
            return None
        try:
            graph = message_to_graph(self._reader.deserialize(data, _GRAPH))
            return replace(graph, panoptic=self._map(stamp, graph.panoptic))
        except Exception as error:  # of damaged bytes rosbags raises anything
            raise SourceError(
                f"the true scene graph of {stamp[0]}.{stamp[1]:09d} s cannot be read: it is "
                "damaged; leave the topic out of the bag"
            ) from error

    def _map(self, stamp: Stamp, empty: np.ndarray) -> np.ndarray:
        for message in self._maps:
            if _stamp(message) == stamp:
                found = image_to_panoptic(message)
                if found.shape != empty.shape:
                    raise ImageError(f"{found.shape} is not the image's size, {empty.shape}")
                return found
        return empty


def true_graphs(path: Path) -> list[SceneGraph]:
    """The true graphs of a bag, without maps; none where it has none. Reads no image.

    Raises `SourceError` when the bag or one of them cannot be read.
    """
    reader = open_bag(path)
    try:
        connections = _of(reader, TRUTH_TOPIC, _GRAPH)
        messages = reader.messages(connections) if connections else ()
        return [message_to_graph(reader.deserialize(data, _GRAPH)) for *_, data in messages]
    except Exception as error:  # rosbags lets errors of YAML, SQLite, struct, … through
        raise SourceError(f"the bag {path} cannot be read: {error}") from error
    finally:
        reader.close()


def _of(reader: AnyReader, topic: str, msgtype: str) -> list:
    return [c for c in reader.connections if (c.topic, c.msgtype) == (topic, msgtype)]


def _stamp(message) -> Stamp:
    return message.header.stamp.sec, message.header.stamp.nanosec
