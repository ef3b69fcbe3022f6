"""The ROS node `dsflash`: camera images in, scene graphs out.

Subscribes
    image (sensor_msgs/Image) or image/compressed (sensor_msgs/CompressedImage), by the parameter
    image_transport.
Publishes
    scene_graph (dsflash_ros/SceneGraph): one for each processed image, with the image's header.
    ~/panoptic (sensor_msgs/Image, 32SC1): class id << 16 | node id for each pixel, -1 where nothing
    is. ~/panoptic_color (sensor_msgs/Image, rgb8): the same to look at, a colour for each node.
    ~/overlay (sensor_msgs/Image, rgb8): the image with masks, labels and the strongest relations.
    ~/vocabulary (dsflash_ros/Vocabulary): the names behind the ids, latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): once a second.
Services
    ~/set_enabled (std_srvs/SetBool): pause and resume; the model stays loaded.
    those of a lifecycle node; in the inactive state the model's memory is free.
Parameters (`--ros-args -p name:=value`, or `--params-file`)
"""

import os
import signal
import sys
import threading
import traceback
from concurrent.futures import wait
from dataclasses import replace

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import SetBool

from dsflash_ros.errors import ImageError
from dsflash_ros.images.encodings import compressed_to_rgb, image_to_rgb
from dsflash_ros.ros import parameters
from dsflash_ros.ros.diagnostics import UNTRAINED, Statistics, report
from dsflash_ros.ros.image_input import ImageInput
from dsflash_ros.ros.chosen_model import check_choice, load_pipeline
from dsflash_ros.ros.messages.graph_messages import stamp_seconds
from dsflash_ros.ros.process.lifecycle import (
    answer_impossible_transitions,
    result_unless,
    run,
    transition,
)
from dsflash_ros.ros.process.memory import free_memory, freeze_objects, sweep, thaw_objects
from dsflash_ros.ros.process.transport import prepare_transport
from dsflash_ros.ros.qos_overrides import unused_qos_overrides
from dsflash_ros.ros.results import ResultPublishers
from dsflash_ros.ros.worker import Worker, in_background

LOG_PERIOD_S = 10.0
SHUTDOWN_S = 1.0
SWEEP_PERIOD_S = 10.0


class DSFlashNode(LifecycleNode):
    """See the module.

    Args:
        interrupted: when set, transitions that wait for the model give up.

    Raises:
        ParameterError: a parameter was given a value that it cannot have.
    """

    def __init__(self, interrupted: threading.Event, **kwargs) -> None:
        super().__init__("dsflash", **kwargs)
        parameters.declare(self)
        for problem in parameters.unknown(self):
            self.get_logger().warning(problem)
        self.add_on_set_parameters_callback(self._check_parameters)
        self.add_post_set_parameters_callback(lambda _: self._apply_options())
        self._interrupted = interrupted
        self._statistics = Statistics()
        self._input = ImageInput(self, self._on_image)
        self._worker: Worker | None = None
        self._results: ResultPublishers | None = None
        answer_impossible_transitions(self)
        self.create_service(SetBool, "~/set_enabled", self._set_enabled)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # steady, because simulated time may stand still
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(1.0, self._report, clock=steady)
        self.create_timer(SWEEP_PERIOD_S, self._sweep, clock=steady)

    @transition
    def on_configure(self, state: LifecycleState) -> None:
        """Look at the weights' header, without loading them, and make the publishers."""
        choice = parameters.values(self)
        result_unless(self._interrupted, in_background(lambda: check_choice(choice), "check"))
        self._results = ResultPublishers(self)

    @transition
    def on_activate(self, state: LifecycleState) -> None:
        """Load the model, then subscribe."""
        choice = parameters.values(self)
        self.get_logger().info(f"loading the model '{choice['weights']}'")
        self._worker = Worker(lambda: load_pipeline(choice), self._process)
        try:
            result_unless(self._interrupted, self._worker.loaded)
            pipeline = self._worker.model
            freeze_objects()
            super().on_activate(state)
            self._results.publish_vocabulary(pipeline.vocabulary, pipeline.weights)
            self._input.open(choice["image_transport"])
        except Exception:
            self._release()
            raise
        for problem in unused_qos_overrides(self):
            self.get_logger().warning(problem)
        if not pipeline.is_trained:
            self.get_logger().warning(UNTRAINED)
        self.get_logger().info(
            f"active: {self._input.topic}, {pipeline.device}, {pipeline.precision}"
        )

    @transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe and free the model."""
        self._release()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> None:
        self._release()
        if self._results is not None:
            self._results.destroy()
            self._results = None

    on_shutdown = on_error = on_cleanup

    def close(self) -> None:
        """Stop within a second, whatever the model is doing, and destroy the node."""
        if self._worker is not None:
            wait([self._worker.stop()], timeout=SHUTDOWN_S)
        self.destroy_node()
        self._state_machine = None  # holds on to the DDS participant, and with it to shared memory

    def _release(self) -> None:
        """Unsubscribe and free the model.

        Raises `Interrupted` when a signal comes before the frame in work is done.
        """
        self._pause()
        if self._worker is not None:
            result_unless(self._interrupted, self._worker.stop())
            self._worker = None
            thaw_objects()
            free_memory()

    def _pause(self) -> None:
        self._input.close()
        if self._worker is not None and self._worker.discard():
            self._statistics.drop()

    def _set_enabled(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        if self._worker is None:
            response.message = "the node is not active; activate it first"
            return response
        if request.data:
            self._input.open(self._value("image_transport"))
        else:
            self._pause()
        response.success, response.message = (
            True,
            "enabled" if request.data else "paused; the model stays loaded",
        )
        return response

    def _on_image(self, message: Image | CompressedImage) -> None:
        self._statistics.receive()
        if self._worker.put(message):
            self._statistics.drop()

    def _process(self, pipeline, message: Image | CompressedImage) -> None:
        """Work on one frame, come what may; runs in the worker's thread."""
        try:
            self._make_graph(pipeline, message)
            return
        except ImageError as error:
            self._statistics.reject(str(error))
            self.get_logger().warning(
                f"frame rejected: {error}", throttle_duration_sec=LOG_PERIOD_S
            )
            return
        except Exception as error:
            self._statistics.fail(error)
            self.get_logger().error(
                f"a frame failed, the node goes on:\n{traceback.format_exc()}",
                throttle_duration_sec=LOG_PERIOD_S,
            )
        # The GPU may be out of memory. While the error was handled, its traceback held on to the
        # frame's tensors.
        free_memory()

    def _make_graph(self, pipeline, message: Image | CompressedImage) -> None:
        stamp = stamp_seconds(message.header.stamp)
        if self._statistics.goes_back(message.header.stamp):
            self.get_logger().warning(
                f"the stamp {stamp} is older than the one before it; does more than one camera publish here?",
                throttle_duration_sec=LOG_PERIOD_S,
            )
        rgb = image_to_rgb(message) if isinstance(message, Image) else compressed_to_rgb(message)
        graph = pipeline(rgb, stamp=stamp, source=message.header.frame_id)
        if not self._worker.stopping:
            self._results.publish(graph, rgb, message.header, self._value("overlay_relations"))
        self._statistics.process(graph.latency_ms)

    def _check_parameters(self, changes: list[rclpy.Parameter]) -> SetParametersResult:
        reason = parameters.refusal(
            {change.name: change.value for change in changes}, self._worker is not None
        )
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply_options(self) -> None:
        if self._worker is not None and self._worker.model is not None:
            pipeline = self._worker.model
            pipeline.options = replace(
                pipeline.options, **parameters.values(self, parameters.OPTIONS)
            )

    def _report(self) -> None:
        pipeline = self._worker.model if self._worker is not None else None
        problem = self._input.problem(self._value("no_frame_warning_s"))
        if problem:
            self.get_logger().warning(problem, throttle_duration_sec=LOG_PERIOD_S)
        paused = pipeline is not None and not self._input.is_open
        state = "paused" if paused else self._state_machine.current_state[1]
        self._diagnostics.publish(report(self, self._statistics, pipeline, state, problem))

    def _sweep(self) -> None:
        if self._worker is not None:  # else nothing is frozen, and it would take long
            sweep()
            self._input.map_senders_memory()

    def _value(self, name: str) -> parameters.Value:
        return self.get_parameter(name).value


def main(args: list[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM, then end the process.

    Its exit code is 0 after a signal, 1 when the node could not start itself. Only after `--help`
    (0) or wrong arguments or parameters (2) this returns, with the exit code.
    """
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    prepare_transport()
    try:
        extra = remove_ros_args(sys.argv if args is None else ["dsflash_node", *args])[1:]
        if "--help" in extra or "-h" in extra:
            print(__doc__ + parameters.help_text())
            return 0
        if extra:
            raise parameters.ParameterError(f"unknown arguments: {' '.join(extra)}; see --help")
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
        node = DSFlashNode(interrupted)
    except (parameters.ParameterError, ParameterException, RuntimeError) as error:
        problem = (
            error
            if isinstance(error, parameters.ParameterError)
            else f"wrong ROS arguments: {error}"
        )
        print(f"dsflash_node: {problem}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    code = run(node, node.get_parameter("autostart").value, interrupted)
    node.close()
    rclpy.try_shutdown()
    # Python's own end cannot come while the model is in the midst of something, and takes seconds
    # to unload torch.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
