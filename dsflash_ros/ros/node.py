"""The ROS node `dsflash`: camera images in, scene graphs out.

Subscribes
    image (sensor_msgs/Image) or image/compressed (sensor_msgs/CompressedImage), by the parameter
        image_transport.
    depth (sensor_msgs/Image, 16UC1 or 32FC1): registered to the image, for positions.
    camera_info (sensor_msgs/CameraInfo): of the image's camera, for positions.
    /tf (tf2_msgs/TFMessage), and
    /tf_static (tf2_msgs/TFMessage): for positions in the frame that the parameter target_frame
        names.
Publishes
    scene_graph (dsflash_ros/SceneGraph): one for each processed image, with the image's header;
        steadied over time unless the parameter tracking is false.
    ~/raw_scene_graph (dsflash_ros/SceneGraph): the same of the image alone, without tracking.
    ~/events (dsflash_ros/SceneGraphEvents): nodes that appear and vanish, relations that begin and
        end.
    ~/panoptic (sensor_msgs/Image, 32SC1): class id << 16 | node id for each pixel, -1 where
        nothing is.
    ~/panoptic_color (sensor_msgs/Image, rgb8): the same to look at, a colour for each node.
    ~/overlay (sensor_msgs/Image, rgb8): the image with masks, labels and the strongest relations.
    ~/markers (visualization_msgs/MarkerArray): boxes and relations in space, of nodes that have a
        position.
    ~/vocabulary (dsflash_ros/Vocabulary): the names behind the ids, latched.
    /diagnostics (diagnostic_msgs/DiagnosticArray): once a second.
Services
    ~/set_enabled (std_srvs/SetBool): pause and resume; the model stays loaded.
    ~/reset (std_srvs/Trigger): forget all tracks.
    ~/query (dsflash_ros/Query): what the newest graph answers to a question.
    those of a lifecycle node; in the inactive state the model's memory is free.
Parameters (`--ros-args -p name:=value`, or `--params-file`)
"""

import threading
from concurrent.futures import wait
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState
from std_srvs.srv import SetBool, Trigger

from dsflash_ros.errors import LanguageError
from dsflash_ros.pipeline.choice import asked_of
from dsflash_ros.ros import parameters, qos
from dsflash_ros.ros.chosen_model import check_choice, load_pipeline, refusal_of_model
from dsflash_ros.ros.diagnostics import UNTRAINED, model_status
from dsflash_ros.ros.process.lifecycle import result_unless, transition
from dsflash_ros.ros.process.memory import free_memory, freeze_objects, sweep, thaw_objects
from dsflash_ros.ros.process.rclpy_gaps import (
    answer_impossible_transitions,
    release_state_machine,
    state_label,
)
from dsflash_ros.ros.qos_overrides import unused_qos_overrides
from dsflash_ros.ros.stream import Stream
from dsflash_ros.ros.transform_listener import TransformListener
from dsflash_ros.ros.worker import Worker, in_background

if TYPE_CHECKING:
    from dsflash_ros.pipeline.pipeline import SceneGraphPipeline

REPORT_PERIOD_S = 1.0
SWEEP_PERIOD_S = 10.0
SHUTDOWN_S = 1.0


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
        self._worker: Worker | None = None
        self._transforms = TransformListener(self)
        names = parameters.camera_names(self.get_parameter("cameras").value)
        self._streams = [Stream(self, self._transforms, name) for name in names]
        answer_impossible_transitions(self)
        self.create_service(SetBool, "~/set_enabled", self._set_enabled)
        self.create_service(Trigger, "~/reset", self._reset)
        self._diagnostics = self.create_publisher(
            DiagnosticArray, "/diagnostics", qos.diagnostics()
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # simulated time may stand still
        self.create_timer(REPORT_PERIOD_S, self._report, clock=steady)
        self.create_timer(SWEEP_PERIOD_S, self._sweep, clock=steady)

    @transition
    def on_configure(self, state: LifecycleState) -> None:
        """Make the publishers, and look at the weights' header without loading them."""
        choice = parameters.values(self)
        try:
            for stream in self._streams:
                stream.configure()
            result_unless(self._interrupted, in_background(lambda: check_choice(choice), "check"))
        except Exception:
            self._cleanup()
            raise

    @transition
    def on_activate(self, state: LifecycleState) -> None:
        """Load the model, then subscribe."""
        choice = parameters.values(self)
        self.get_logger().info(f"loading the model '{choice['weights']}'")
        self._worker = Worker(lambda: load_pipeline(choice))
        try:
            result_unless(self._interrupted, self._worker.loaded)
            freeze_objects()
            super().on_activate(state)
            if choice["target_frame"]:
                self._transforms.open()
            for stream in self._streams:
                stream.start(self._worker)
        except Exception:
            self._release()
            raise
        self._tell_that_it_is_active()

    @transition
    def on_deactivate(self, state: LifecycleState) -> None:
        """Unsubscribe and free the model."""
        self._release()
        super().on_deactivate(state)

    @transition
    def on_cleanup(self, state: LifecycleState) -> None:
        """Free the model, should there be one, and take the publishers away."""
        self._release()
        self._cleanup()

    on_shutdown = on_error = on_cleanup

    def close(self) -> None:
        """Stop within a second, whatever the model is doing, and destroy the node."""
        if self._worker is not None:
            wait([self._worker.stop()], timeout=SHUTDOWN_S)
        thaw_objects()
        self.destroy_node()
        release_state_machine(self)

    def _release(self) -> None:
        """Unsubscribe and free the model.

        Raises `Interrupted` when a signal comes before the frame in work is done.
        """
        for stream in self._streams:
            stream.stop()
        self._transforms.close()
        if self._worker is not None:
            result_unless(self._interrupted, self._worker.stop())
            self._worker = None
            thaw_objects()
            free_memory()

    def _cleanup(self) -> None:
        for stream in self._streams:
            stream.cleanup()

    def _tell_that_it_is_active(self) -> None:
        pipeline = self._worker.model
        for problem in unused_qos_overrides(self):
            self.get_logger().warning(problem)
        if not pipeline.is_trained:
            self.get_logger().warning(UNTRAINED)
        topics = ", ".join([stream.topic for stream in self._streams])
        where = f"{pipeline.backend.name} on {pipeline.device}, {pipeline.precision}"
        self.get_logger().info(f"active: {topics}, {where}")

    def _set_enabled(
        self, request: SetBool.Request, response: SetBool.Response
    ) -> SetBool.Response:
        if self._worker is None:
            response.message = "the node is not active; activate it first"
            return response
        for stream in self._streams:
            if request.data:
                stream.resume()
            else:
                stream.pause()
        response.success = True
        response.message = "enabled" if request.data else "paused; the model stays loaded"
        return response

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        for stream in self._streams:
            stream.reset()
        response.success, response.message = True, "all tracks are forgotten with the next image"
        return response

    def _check_parameters(self, changes: list[rclpy.Parameter]) -> SetParametersResult:
        values = {change.name: change.value for change in changes}
        reason = parameters.refusal(values, is_active=self._worker is not None)
        reason = reason or refusal_of_model(values, parameters.values(self), self._model)
        return SetParametersResult(successful=not reason, reason=reason)

    def _apply_options(self) -> None:
        pipeline = self._model
        if pipeline is None:
            return
        pipeline.options = replace(pipeline.options, **parameters.values(self, parameters.OPTIONS))
        if asked_of(parameters.values(self)) != pipeline.asked:
            self._worker.call(self._ask)

    def _ask(self, pipeline) -> None:
        """Tell apart what the parameters ask for now; runs in the worker's thread."""
        try:
            pipeline.ask(*astuple(asked_of(parameters.values(self))))
        except LanguageError as error:  # it was looked at before, so this is rare
            self.get_logger().error(f"the former names stay: {error}")
            return
        for stream in self._streams:
            stream.name(pipeline)

    @property
    def _model(self) -> "SceneGraphPipeline | None":
        return self._worker.model if self._worker is not None else None

    def _report(self) -> None:
        pipeline = self._model
        name, state = self.get_fully_qualified_name().lstrip("/"), state_label(self)
        hardware_id = str(pipeline.device) if pipeline else "none"
        frames = [stream.status(name, hardware_id, state) for stream in self._streams]
        if pipeline is not None and not any(stream.is_open for stream in self._streams):
            state = "paused"
        model = model_status(f"{name}: model", hardware_id, state, pipeline)
        message = DiagnosticArray(status=[*frames, model])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)

    def _sweep(self) -> None:
        if self._worker is not None:  # else nothing is frozen, and a sweep takes long
            sweep()
        for stream in self._streams:
            stream.map_cameras_memory()
