"""One camera of the ROS node: images in, graphs and answers out, and what became of its frames."""

import math
import traceback
from typing import TYPE_CHECKING

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image

from dsflash_ros.errors import ImageError
from dsflash_ros.geometry.transforms import fixed_frame
from dsflash_ros.graph.messages import stamp_seconds
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.pipeline.options import Options
from dsflash_ros.pipeline.tracked import track, untracked
from dsflash_ros.ros.diagnostics import Statistics
from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.parameter_table import TRACKING
from dsflash_ros.ros.places import Places
from dsflash_ros.ros.process.memory import free_memory
from dsflash_ros.ros.process.shared_memory import map_shared_memory
from dsflash_ros.ros.query_service import QueryService
from dsflash_ros.ros.results import ResultPublishers
from dsflash_ros.ros.transform_listener import TransformListener
from dsflash_ros.ros.worker import Slot, Worker
from dsflash_ros.tracking.events import Event
from dsflash_ros.tracking.tracker import JUMP_S, Tracker
from dsflash_ros.tracking.tracking_options import TrackingOptions

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

LOG_PERIOD_S = 10.0


class Stream:
    """One camera's subscription, slot for the newest frame, publishers, service, counts of frames.

    A node can have several, which share the worker and its model. Their topics differ by name.

    Args:
        node: declares the parameters.
        transforms: where frames are.
        name: the topics' namespace below the node's, as `front` for front/image, front/scene_graph
            and ~/front/overlay. Empty: image, scene_graph, ~/overlay.

    Attributes:
        statistics: of the frames.
    """

    def __init__(self, node: LifecycleNode, transforms: TransformListener, name: str = "") -> None:
        self.statistics = Statistics()
        self._node = node
        self._prefix = f"{name}/" if name else ""
        # one for each camera, so that what is wrong with one does not silence another
        self._log = node.get_logger().get_child(name) if name else node.get_logger()
        self._input = ImageInput(node, self._receive, f"{self._prefix}image")
        self._results: ResultPublishers | None = None
        self._worker: Worker | None = None
        self._slot: Slot | None = None
        self._mapped_publishers = 0
        self._places = Places(node, self._log, transforms, self._prefix)
        self._tracker, self._is_reset = Tracker(), False
        self._queries = QueryService(node, self._prefix)

    @property
    def is_open(self) -> bool:
        """Whether it subscribes images."""
        return self._input.is_open

    @property
    def topic(self) -> str:
        """Full name of the images' topic; only while open."""
        return self._input.topic

    def configure(self) -> None:
        """Make the publishers, and check what the subscription is going to be.

        Raises `ParameterError` for QoS overrides that cannot be.
        """
        self._input.check(self._value("image_transport"))
        self._results = ResultPublishers(self._node, self._prefix)

    def start(self, worker: Worker) -> None:
        """Say what the worker's model knows, and let it work on the images from now on.

        The node's lifecycle publishers must be active.
        """
        self._worker, self._slot = worker, worker.slot(self._process)
        self._tracker.fixed_frame = fixed_frame(self._value("target_frame"))
        self.name(worker.model)
        self.resume()

    def name(self, pipeline: "SceneGraphPipeline") -> None:
        """Say which names graphs have from now on, and forget all tracks, which have others."""
        self.reset()
        self._results.publish_vocabulary(pipeline.translation, pipeline.weights)
        self._queries.open(pipeline.vocabulary)

    def pause(self) -> None:
        """Unsubscribe, and forget the frame that waits."""
        self._input.close()
        self._places.close()
        if self._slot is not None and self._slot.discard():
            self.statistics.drop()

    def resume(self) -> None:
        """Subscribe again."""
        self._places.open()
        self._input.open(self._value("image_transport"))

    def reset(self) -> None:
        """Forget all tracks before the next frame."""
        self._is_reset = True

    def stop(self) -> None:
        """Unsubscribe, and leave the worker to others."""
        self.pause()
        self._queries.close()
        self._worker = self._slot = None

    def cleanup(self) -> None:
        """Undo `configure`."""
        if self._results is not None:
            self._results.destroy()
            self._results = None

    def status(self, name: str, hardware_id: str, state: str) -> DiagnosticStatus:
        """What became of the frames since the last call; also logs what keeps them from coming.

        Args:
            name: the node's; the status has that of the stream in it, too.
            hardware_id: of the device.
            state: the node's, in a word.
        """
        problem = self._input.problem(self._value("no_frame_warning_s"))
        if problem:
            self._log.warning(problem, throttle_duration_sec=LOG_PERIOD_S)
        if self._slot is not None and not self.is_open:
            state = "paused"
        others = {
            "image publishers": self._input.publishers(),
            "graph subscribers": self._results.graph_subscribers() if self._results else 0,
            "positions": self._places.problem or "ok",
            "queries answered": self._queries.answered,
            "queries refused": self._queries.refused,
        }
        return self.statistics.frames_status(
            f"{name}: {self._prefix}frames", hardware_id, state, problem, others
        )

    def map_cameras_memory(self) -> None:
        """Map the shared memory of cameras that have come, once there are images from them."""
        publishers = self._input.heard_publishers()
        if publishers != self._mapped_publishers:
            self._mapped_publishers = publishers
            map_shared_memory()

    def _receive(self, message: Image | CompressedImage) -> None:
        self.statistics.receive()
        if self._slot.put(message):
            self.statistics.drop()

    def _process(self, pipeline, message: Image | CompressedImage) -> None:
        """Work on one frame, come what may; runs in the worker's thread."""
        try:
            self._make_graph(pipeline, message)
            return
        except ImageError as error:
            self.statistics.reject(str(error))
            self._log.warning(f"frame rejected: {error}", throttle_duration_sec=LOG_PERIOD_S)
            return
        except Exception as error:
            self.statistics.fail(error)
            self._log.error(
                f"a frame failed, the node goes on:\n{traceback.format_exc()}",
                throttle_duration_sec=LOG_PERIOD_S,
            )
        # The GPU may be out of memory. While the error was handled, its traceback held on to the
        # frame's tensors.
        free_memory()

    def _make_graph(self, pipeline, message: Image | CompressedImage) -> None:
        stamp = stamp_seconds(message.header.stamp)
        restart_s = JUMP_S if self._node.get_clock().ros_time_is_active else math.inf
        if self.statistics.goes_back(message.header.stamp, restart_s):
            self._log.warning(
                f"the stamp {stamp} is older than the one before it; "
                "does more than one camera publish here?",
                throttle_duration_sec=LOG_PERIOD_S,
            )
        rgb = image_to_rgb(message) if isinstance(message, Image) else compressed_to_rgb(message)
        self._places.expect(stamp)
        pipeline.for_trackers = self._value("tracking")
        raw = pipeline(rgb, stamp=stamp, source=message.header.frame_id)
        graph, events = self._places.locate(raw, message.header.frame_id), ()
        if pipeline.for_trackers:
            graph, events = self._track(graph, rgb, pipeline.options)
        else:
            events = self._tracker.end(stamp)
        graph = self._places.relate(graph)
        worker = self._worker
        if worker is not None and not worker.stopping:
            self._queries.put(graph, message.header)
            self._results.publish(graph, rgb, message.header, self._value("overlay_relations"))
            self._results.publish_events(events, message.header)
            if self._results.wants_raw:
                self._results.publish_raw(untracked(raw, pipeline.options), message.header)
        self.statistics.process(graph.latency_ms)

    def _track(
        self, graph: SceneGraph, rgb: np.ndarray, options: Options
    ) -> tuple[SceneGraph, tuple[Event, ...]]:
        """The graph with tracks, and what changed; runs in the worker's thread."""
        if self._is_reset:
            self._is_reset = False
            self._tracker.reset()
        self._tracker.options = TrackingOptions(**{name: self._value(name) for name in TRACKING})
        return track(self._tracker, graph, rgb, options), self._tracker.events

    def _value(self, name: str):
        return self._node.get_parameter(name).value
