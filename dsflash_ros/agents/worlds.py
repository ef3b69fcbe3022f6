"""What agents look at: the graphs of a running ROS node, or of images, videos, cameras and bags."""

import threading
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dsflash_ros.drawing.overlay import draw_overlay
from dsflash_ros.errors import DSFlashError, NoGraphError
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.loop import Loop, MakeGraph
from dsflash_ros.planning.latest import LatestGraph
from dsflash_ros.sources.source import Frame, Source

END_S = 5.0


class World(Protocol):
    """The newest graph, and how to look at it."""

    latest: LatestGraph

    def picture(self) -> np.ndarray:
        """The overlay: (H, W, 3) uint8 RGB. Raises `DSFlashError` where there is none."""

    def close(self) -> None:
        """Let go of what was opened."""


class NodeWorld:
    """The graphs that a ROS node publishes on a topic; needs ROS."""

    def __init__(self, topic: str) -> None:
        from dsflash_ros.ros.client import SceneGraphClient
        from dsflash_ros.ros.process.transport import prepare_transport

        prepare_transport()
        self.latest = self._client = SceneGraphClient(topic=topic)

    def picture(self) -> np.ndarray:
        return self._client.picture()

    def close(self) -> None:
        self._client.close()


class SourceWorld:
    """The graphs that a pipeline makes of sources, as fast as it can, in a thread.

    Args:
        sources: one after the other; the last graph stays when they have ended.
        make_graph: of a frame.
        vocabulary: of the model.
    """

    def __init__(self, sources: Sequence[Source], make_graph: MakeGraph, vocabulary) -> None:
        self.latest = LatestGraph()
        self.latest.vocabulary = vocabulary
        self._shown: tuple[np.ndarray, SceneGraph] | None = None
        self._is_closed = False
        loop = Loop(make_graph, [self])
        self._thread = threading.Thread(target=self._run, args=(loop, sources), daemon=True)
        self._thread.start()

    def write(self, graph: SceneGraph, frame: Frame, source: Source) -> None:
        """Take in a graph, as a sink of the loop."""
        if self._is_closed:
            raise _ClosedError
        self._shown = frame.rgb, graph
        self.latest.put(graph)

    def picture(self) -> np.ndarray:
        if self._shown is None:
            raise NoGraphError("there is no picture yet: the model is at its first image")
        return draw_overlay(*self._shown)

    def close(self) -> None:
        self._is_closed = True
        self.latest.end("the program ends")
        self._thread.join(END_S)

    def _run(self, loop: Loop, sources: Sequence[Source]) -> None:
        reason = "the sources have ended"
        try:
            loop.run(sources)
        except DSFlashError as error:
            reason = str(error)
        except _ClosedError:
            reason = "the program ends"
        finally:
            self.latest.end(reason)


class _ClosedError(Exception):
    """Ends the loop."""
