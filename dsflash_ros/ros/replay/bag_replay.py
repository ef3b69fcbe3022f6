"""Every image of a bag through pipeline and tracker, in order, as fast as the machine goes.

The graphs of single images may be made elsewhere (`GraphMaker`); all that depends on what came
before is done here, one image after the other.
"""

import pickle
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from dsflash_ros.ahead import Behind, ahead
from dsflash_ros.errors import ImageError, SourceError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.pipeline.tracked import GraphFollower
from dsflash_ros.progress_bar import progress
from dsflash_ros.ros.replay.cameras import Cameras
from dsflash_ros.ros.replay.graph_maker import GraphMaker
from dsflash_ros.ros.replay.originals import Originals
from dsflash_ros.ros.replay.part import Topics
from dsflash_ros.ros.replay.parts import Parts
from dsflash_ros.sources.source import Frame
from dsflash_ros.tracking.events import Event
from dsflash_ros.tracking.tracker import Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions

PART = 64
"""Graphs in a part: so many are made again at most after the process was killed."""


@dataclass(frozen=True)
class Written:
    """What goes into the results besides the graphs.

    Attributes:
        originals: the bag's own messages.
        overlay: overlays.
        latencies: how long the stages took. Without, two replays give the same bytes.
    """

    originals: bool = True
    overlay: bool = True
    latencies: bool = True


@dataclass
class Position:
    """How far a replay is.

    Attributes:
        next_ns: what was recorded before is done.
        seen: images of each camera recorded before.
        trackers: of the cameras; none without tracking.
        graphs: made so far.
    """

    next_ns: int
    seen: list[int]
    trackers: list[Tracker]
    graphs: int = 0


@dataclass(frozen=True)
class Answer:
    """The graph of an image, and of which camera it is; without tracking there are no events."""

    prefix: str
    frame: Frame
    graph: SceneGraph
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Boundary:
    """Ends a part: what was recorded before `next_ns` is done, `state` is the `Position` then."""

    next_ns: int
    state: bytes


class Replay:
    """The graphs of the images of a bag, in order; iterate once.

    Args:
        maker: makes the graphs of single images, of all cameras.
        cameras: of the bag.
        tracking: options; None: without tracking.
        target_frame: of positions, see `GraphFollower`.

    Attributes:
        position: how far it is.
    """

    def __init__(
        self,
        maker: GraphMaker,
        cameras: Cameras,
        tracking: TrackingOptions | None,
        target_frame: str = "",
    ) -> None:
        self._maker, self._cameras = maker, cameras
        self._followers = [
            GraphFollower(tracking, target_frame) for _ in (cameras.sources if tracking else ())
        ]
        trackers = [follower.tracker for follower in self._followers]
        self.position = Position(cameras.start_ns, [0] * len(cameras.sources), trackers)

    @property
    def prefixes(self) -> list[str]:
        """Of the cameras' topics."""
        return self._cameras.prefixes

    def go_on(self, state: bytes) -> None:
        """Begin where another replay of the same settings was, as a `Boundary` says."""
        self.position = pickle.loads(state)
        self._cameras.go_on(self.position.next_ns, self.position.seen)
        for follower, tracker in zip(self._followers, self.position.trackers, strict=True):
            follower.tracker = tracker

    def __iter__(self) -> Iterator[Answer | Boundary]:
        """Answers; after every `PART` of them, and after the last one, a boundary."""
        made, last_ns = 0, self.position.next_ns
        cameras, before = self._cameras, self.position.graphs
        with closing(ahead(cameras)) as images:
            seen = self._maker(images)
            for image in progress(seen, cameras.name, cameras.total, "image", before):
                number, frame, graph = image
                recorded = frame.origin.recorded_ns
                if made >= PART and recorded > last_ns:
                    yield self._boundary(recorded)
                    made = 0
                last_ns = recorded
                if isinstance(graph, ImageError):
                    cameras.sources[number].skip(f"{frame.name}: {graph}")
                    continue
                made += 1
                self.position.graphs += 1
                yield self._answer(number, frame, graph)
        if made:
            yield self._boundary(cameras.end_ns)

    def _answer(self, number: int, frame: Frame, graph: SceneGraph) -> Answer:
        prefix = self._cameras.prefixes[number]
        if not self._followers:
            return Answer(prefix, frame, graph)
        follower = self._followers[number]
        graph = follower.follow(graph, frame.rgb, frame.space, self._maker.options)
        return Answer(prefix, frame, graph, follower.tracker.events)

    def _boundary(self, next_ns: int) -> Boundary:
        self.position.next_ns = next_ns
        self.position.seen = self._cameras.seen_before(next_ns)
        return Boundary(next_ns, pickle.dumps(self.position))


def replay_bag(replay: Replay, bag: Path, parts: Parts, written: Written) -> None:
    """Replay into `parts`, from where it ended last time, and join them.

    Raises:
        SourceError: no image can be used.
        OutputError: something cannot be written. What was finished stays.
    """
    state = parts.state()
    if state is not None:
        replay.go_on(state)
    start_ns = replay.position.next_ns

    def write(items: Iterator[Answer | Boundary]) -> None:
        own = {topic for prefix in replay.prefixes for topic in Topics.of(prefix)}
        with Originals(bag, start_ns, own) as originals:
            for first in items:
                _write_part(first, items, parts, written, originals)

    with Behind(write) as behind:
        for item in replay:
            behind.put(item)
    if not replay.position.graphs:
        raise SourceError(f"no image of {bag} could be used")
    parts.join({"graphs": replay.position.graphs})


def _write_part(
    first: Answer,
    items: Iterator[Answer | Boundary],
    parts: Parts,
    written: Written,
    originals: Originals,
) -> None:
    """Write answers up to the next boundary."""
    with parts.next_part(written.overlay, written.latencies) as (part, finish):
        for item in chain([first], items):
            if isinstance(item, Answer):
                stop_ns = item.frame.origin.recorded_ns + 1
            else:
                stop_ns = item.next_ns
            if written.originals:
                originals.copy(part.bag, stop_ns)
            if isinstance(item, Boundary):
                finish(item.state)
                return
            part.write(item.prefix, item.frame, item.graph, item.events)
