"""The nodes' boxes in space, for rviz and others that draw `visualization_msgs/MarkerArray`."""

import numpy as np
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from dsflash_ros.drawing.colours import node_colour
from dsflash_ros.graph.scene_graph import Node, SceneGraph

_LEAST_M = 0.01
"""Boxes are drawn no thinner; a scale of 0 is refused by rviz."""

_TEXT_M = {"names": 0.12, "predicates": 0.08}
"""Height of the letters."""


def graph_to_markers(graph: SceneGraph, header: Header) -> MarkerArray:
    """A box and a name for each thing that has a position.

    For each relation between two there is an arrow with its predicate.

    The first marker deletes those of the last graph. `header` is the source image's; positions are
    in the graph's `position_frame`.
    """
    header = Header(stamp=header.stamp, frame_id=graph.position_frame or header.frame_id)
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    placed = {node.id: node for node in graph.nodes if node.position is not None and node.is_thing}
    for number, node in enumerate(placed.values()):
        markers.append(_box(node, number, header))
        markers.append(_text("names", node.name, node.position, number, header))
    for number, relation in enumerate(graph.relations):
        if relation.subject in placed and relation.object in placed:
            ends = placed[relation.subject], placed[relation.object]
            markers.append(_line(ends, number, header))
            middle = np.mean([node.position for node in ends], axis=0)
            markers.append(_text("predicates", relation.predicate, middle, number, header))
    return MarkerArray(markers=markers)


def _box(node: Node, number: int, header: Header) -> Marker:
    x, y, z = (max(float(side), _LEAST_M) for side in node.extent)
    return Marker(
        header=header,
        ns="boxes",
        id=number,
        type=Marker.CUBE,
        pose=_pose(node.position),
        scale=Vector3(x=x, y=y, z=z),
        color=_colour(node, 0.4),
    )


def _text(
    namespace: str, text: str, position: tuple[float, float, float], number: int, header: Header
) -> Marker:
    return Marker(
        header=header,
        ns=namespace,
        id=number,
        type=Marker.TEXT_VIEW_FACING,
        pose=_pose(position),
        scale=Vector3(z=_TEXT_M[namespace]),
        color=ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
        text=text,
    )


def _line(ends: tuple[Node, Node], number: int, header: Header) -> Marker:
    return Marker(
        header=header,
        ns="relations",
        id=number,
        type=Marker.ARROW,
        pose=_pose((0.0, 0.0, 0.0)),
        scale=Vector3(x=0.01, y=0.03, z=0.05),
        color=_colour(ends[0], 0.9),
        points=[_point(node.position) for node in ends],
    )


def _point(position: tuple[float, float, float]) -> Point:
    x, y, z = map(float, position)
    return Point(x=x, y=y, z=z)


def _pose(position: tuple[float, float, float]) -> Pose:
    return Pose(position=_point(position), orientation=Quaternion(w=1.0))


def _colour(node: Node, alpha: float) -> ColorRGBA:
    red, green, blue = np.array(node_colour(node)) / 255
    return ColorRGBA(r=float(red), g=float(green), b=float(blue), a=alpha)
