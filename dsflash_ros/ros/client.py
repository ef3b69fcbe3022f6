"""`SceneGraphClient`: the newest scene graph of a ROS node, in a program of yours."""

import atexit
import threading
from collections import deque

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from dsflash_ros import msg
from dsflash_ros.errors import DSFlashError, NoGraphError, WeightsError, first_line
from dsflash_ros.graph.messages import message_to_graph
from dsflash_ros.images.encodings import image_to_rgb
from dsflash_ros.planning.latest import LatestGraph, end_of
from dsflash_ros.ros import qos
from dsflash_ros.ros.messages.definitions import message_store, type_name
from dsflash_ros.ros.messages.graph_messages import message_to_vocabulary

VOCABULARY, IMAGE = "dsflash_ros/msg/Vocabulary", "sensor_msgs/msg/Image"
SEARCH_PERIOD_S = 0.5
"""So often the client looks for the vocabulary of the node that makes the graphs."""

SHUT_DOWN = "ROS was shut down"


class SceneGraphClient(LatestGraph):
    """Holds the newest scene graph, answers questions about it, and waits for conditions.

    It listens in a thread and with a ROS node of its own, so that `wait_for` may be called
    anywhere, also in a callback of yours. The node's vocabulary is found by itself.

        with SceneGraphClient() as client:
            answers = client.wait_for("nearest ?cup:cup", timeout_s=5.0)

    Args:
        node: yours, whose context, namespace and remappings hold for the topic; None: a context
            of the client's own, without arguments of ROS.
        topic: of the graphs.

    Raises `DSFlashError` when `topic` is no name for a topic.
    """

    def __init__(self, node: Node | None = None, topic: str = "scene_graph") -> None:
        super().__init__()
        self._own_context = None if node else _new_context()
        self._node = rclpy.create_node(
            f"{node.get_name() if node else 'scene_graph'}_client",
            namespace=node.get_namespace() if node else None,
            context=node.context if node else self._own_context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )
        try:
            self._topic = (node or self._node).resolve_topic_name(topic)
        except Exception as error:
            self._destroy()
            raise DSFlashError(f"no name for a topic: {first_line(error)}") from error
        self._vocabulary_topic = ""
        self._vocabulary_subscription = None
        self._executor = SingleThreadedExecutor(context=self._node.context)
        self._executor.add_node(self._node)
        self._store = message_store()
        # rosbags takes half of rclpy's time for large graphs
        self._node.create_subscription(
            msg.SceneGraph, self._topic, self._receive, qos.results(), raw=True
        )
        self._search = self._node.create_timer(SEARCH_PERIOD_S, self._find_vocabulary)
        self._is_closed = False
        self._thread = threading.Thread(target=self._spin, name="scene graphs", daemon=True)
        self._thread.start()
        atexit.register(self.close)  # a thread in ROS's code would abort the process at its end

    @property
    def topic(self) -> str:
        """Full name of the topic of the graphs."""
        return self._topic

    @property
    def has_publisher(self) -> bool:
        """Whether something publishes graphs, as far as ROS knows.

        Of a node that was killed it knows only after some seconds.
        """
        try:
            return self._node.count_publishers(self._topic) > 0
        except RuntimeError:  # the client was closed, or ROS shut down
            return False

    def close(self) -> None:
        """Stop listening; whoever waits gets an error. May be called twice."""
        if self._is_closed:
            return
        self._is_closed = True
        self.end("the client was closed")
        atexit.unregister(self.close)
        self._executor.create_task(lambda: None)  # wakes the thread
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._executor.shutdown()
        self._destroy()

    def __enter__(self) -> "SceneGraphClient":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _spin(self) -> None:
        try:
            while not self._is_closed and self._node.context.ok():
                self._executor.spin_once(timeout_sec=0.5)
        except ExternalShutdownException:
            pass
        finally:
            self.end(SHUT_DOWN)

    def _receive(self, data: bytes) -> None:
        if not self._vocabulary_topic:
            self._find_vocabulary()
        try:
            self.put(message_to_graph(self._decoded(data)))
        except DSFlashError as error:
            self._node.get_logger().warning(
                f"a graph was left out: {error}", throttle_duration_sec=10.0
            )

    def _decoded(self, data: bytes):
        """A serialised graph with the fields of `dsflash_ros/SceneGraph`."""
        try:
            return self._store.deserialize_cdr(data, type_name(msg.SceneGraph))
        except Exception as error:  # whatever rosbags raises for other bytes
            raise DSFlashError(
                "it is of another version of dsflash_ros; build both with the same"
            ) from error

    def picture(self, timeout_s: float = 5.0) -> np.ndarray:
        """The next picture of the node's `~/overlay`: (H, W, 3) uint8 RGB.

        It is drawn while somebody waits for it.

        Raises:
            NoGraphError: none came in time, the client was closed, or ROS shut down.
            ImageError: it cannot be read.
            ValueError: the timeout is negative or NaN.
        """
        end_s = end_of(timeout_s)
        try:
            topic = self._topic_of(IMAGE, "overlay")
            message = self._next_of(topic, end_s) if topic else None
        except RuntimeError as error:  # of ROS, also before the thread has told the end
            raise NoGraphError(f"there is no picture: {self._end or SHUT_DOWN}") from error
        if message is not None:
            return image_to_rgb(message)
        if self._end:
            raise NoGraphError(f"there is no picture: {self._end}")
        if not topic:
            raise NoGraphError(f"there is no picture: {self._silence()}, and no overlay either")
        raise NoGraphError(
            f"no picture came on {topic} within {timeout_s:g} s: does the camera send images?"
        )

    def _next_of(self, topic: str, end_s: float) -> Image | None:
        """The next image of a topic; None when none came in time."""
        came: deque[Image] = deque()

        def take(image: Image) -> None:
            with self._changed:
                came.append(image)
                self._changed.notify_all()

        subscription = self._node.create_subscription(Image, topic, take, qos.results())
        try:
            return self._next(came, end_s)
        finally:
            self._node.destroy_subscription(subscription)

    def _find_vocabulary(self) -> None:
        """Subscribe the vocabulary of the node that publishes the graphs, also when it changes."""
        topic = self._topic_of(VOCABULARY, "vocabulary")
        if topic and topic != self._vocabulary_topic:
            self._subscribe_vocabulary(topic)

    def _topic_of(self, kind: str, name: str) -> str:
        """A topic of the node that publishes the graphs, of the same camera; empty: none."""
        camera = self._topic.rpartition("/")[0].rpartition("/")[2]
        for publisher in self._node.get_publishers_info_by_topic(self._topic):
            try:
                topics = self._node.get_publisher_names_and_types_by_node(
                    publisher.node_name, publisher.node_namespace
                )
            except RuntimeError:  # the node has gone, or is not yet known
                continue
            names = sorted(
                topic for topic, kinds in topics if kind in kinds and topic.endswith(f"/{name}")
            )
            own = [topic for topic in names if topic.endswith(f"/{camera}/{name}")]
            if names:
                return (own or names)[0]
        return ""

    def _subscribe_vocabulary(self, topic: str) -> None:
        if self._vocabulary_subscription is not None:
            self._node.destroy_subscription(self._vocabulary_subscription)
        self._vocabulary_topic = topic
        self._vocabulary_subscription = self._node.create_subscription(
            msg.Vocabulary, topic, self._receive_vocabulary, qos.latched()
        )

    def _receive_vocabulary(self, message: msg.Vocabulary) -> None:
        try:
            self.vocabulary = message_to_vocabulary(message)
        except WeightsError as error:
            self._node.get_logger().warning(f"a vocabulary was left out: {error}")

    def _destroy(self) -> None:
        self._node.destroy_node()
        if self._own_context is not None:
            self._own_context.try_shutdown()

    def _silence(self) -> str:
        reason = super()._silence()
        if self._end or self.has_publisher:
            return reason
        return f"{reason}; nothing publishes {self._topic}: does the node run?"


def _new_context() -> rclpy.Context:
    context = rclpy.Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    return context
