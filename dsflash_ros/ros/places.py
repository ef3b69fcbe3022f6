"""Positions of a camera's graphs, and relations that follow from them, in the ROS node."""

from dataclasses import replace

import numpy as np
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node

from dsflash_ros.errors import DSFlashError
from dsflash_ros.geometry.space import Space
from dsflash_ros.geometry.spatial_relations import relate
from dsflash_ros.graph.scene_graph import SceneGraph
from dsflash_ros.ros.depth_input import DepthInput
from dsflash_ros.ros.transform_listener import TransformListener

LOG_PERIOD_S = 10.0

UP = np.array([0.0, 0.0, 1.0])
"""In frames of robots and maps (REP-103, REP-105); the optical frame of a camera has another."""


class Places:
    """Adds what depth and poses tell to the graphs of one camera; runs in the worker's thread.

    Attributes:
        problem: why the last graph has no positions; empty when it has, or no depth has come.
    """

    def __init__(
        self, node: Node, log: RcutilsLogger, transforms: TransformListener, prefix: str = ""
    ) -> None:
        """`log`: of the camera; `prefix`: before its topics' names."""
        self._node, self._log, self._transforms = node, log, transforms
        self._depth = DepthInput(node, prefix)
        self.problem = ""

    def open(self) -> None:
        """Subscribe."""
        self._depth.open()

    def close(self) -> None:
        """Unsubscribe, and forget what came."""
        self._depth.close()
        self.problem = ""

    def expect(self, stamp: float) -> None:
        """Keep the depth of that time, seconds, for a graph which is going to be made."""
        self._depth.expect(stamp)

    def locate(self, graph: SceneGraph, optical_frame: str) -> SceneGraph:
        """The graph of the expected time with positions, if there is depth; logs what is wrong.

        `optical_frame`: the camera's.
        """
        self.problem = ""
        if not self._depth.has_depth:
            return graph
        target = self._value("target_frame")
        try:
            depth = self._depth.at(graph.stamp, self._value("depth_tolerance_s"))
            return Space(depth, optical_frame, self._transforms.buffer).locate(graph, target)
        except DSFlashError as error:
            self.problem = str(error)
            self._log.warning(f"no positions: {error}", throttle_duration_sec=LOG_PERIOD_S)
            return graph

    def relate(self, graph: SceneGraph) -> SceneGraph:
        """The graph with geometric relations after the learned ones, if these are asked for."""
        if not self._value("geometric_relations"):
            return graph
        target = self._value("target_frame")
        up = UP if target and graph.position_frame == target else None
        return replace(graph, relations=graph.relations + relate(graph, up))

    def _value(self, name: str):
        return self._node.get_parameter(name).value
