"""One part of a replay: the messages and lines of some consecutive images."""

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.graph.topics import overlay_topic
from dsflash_ros.ros.messages.graph_messages import events_to_message, graph_to_message
from dsflash_ros.ros.messages.image_messages import origin_to_header, panoptic_to_image
from dsflash_ros.ros.playback.player import rgb_to_jpeg
from dsflash_ros.ros.playback.recording import Recording
from dsflash_ros.sinks.sink import writing_to
from dsflash_ros.sources.source import Frame
from dsflash_ros.tracking.events import Event

BAG, LINES, STATE = "bag", "scene_graph.jsonl", "trackers"

_OVERLAY_QUALITY = 85


class Topics(NamedTuple):
    """Where the results of a camera go, as the node has them."""

    graph: str
    panoptic: str
    events: str
    overlay: str

    @classmethod
    def of(cls, prefix: str) -> "Topics":
        """Those of the camera with that prefix, as `front/`; empty for a single one."""
        own = f"/dsflash/{prefix}"
        return cls(f"/{prefix}scene_graph", f"{own}panoptic", f"{own}events", overlay_topic(prefix))


class Part:
    """Writes the bag and the lines of a part into a folder. A context manager.

    Args:
        folder: is there, and empty.
        overlay: write overlays, too.
        latencies: keep how long the stages took; without, two replays give the same bytes.
    """

    def __init__(self, folder: Path, overlay: bool, latencies: bool) -> None:
        self._folder, self._overlay, self._latencies = folder, overlay, latencies
        self._stack = ExitStack()
        self.bag = self._stack.enter_context(Recording(folder / BAG))
        with writing_to(folder):
            self._lines = self._stack.enter_context((folder / LINES).open("w"))

    def write(
        self, prefix: str, frame: Frame, graph: SceneGraph, events: tuple[Event, ...]
    ) -> None:
        """Add what is known of an image of the camera with that prefix, on the node's topics."""
        if not self._latencies:
            graph = replace(graph, latency_ms={})
        header, now = origin_to_header(frame.origin), frame.origin.recorded_ns
        topics = Topics.of(prefix)
        self.bag.write(topics.graph, graph_to_message(graph, header), now)
        self.bag.write(topics.panoptic, panoptic_to_image(graph.panoptic, header), now)
        if events:
            self.bag.write(topics.events, events_to_message(events, header), now)
        if self._overlay:
            picture = draw_overlay(frame.rgb, graph)
            jpeg = rgb_to_jpeg(picture, header, _OVERLAY_QUALITY)
            self.bag.write(topics.overlay, jpeg, now)
        with writing_to(self._folder):
            self._lines.write(json.dumps(graph.to_json(), ensure_ascii=False) + "\n")

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)
