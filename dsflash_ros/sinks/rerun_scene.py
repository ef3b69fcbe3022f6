"""Scene graphs as what rerun shows: pictures, masks, boxes, a graph, 3D, plots, all over time."""

import cv2
import numpy as np
import rerun as rr

from dsflash_ros.drawing.colours import node_colour
from dsflash_ros.drawing.diagram import diagram
from dsflash_ros.geometry.viewpoint import Viewpoint
from dsflash_ros.graph.label_maps import node_labels
from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph
from dsflash_ros.sinks.rerun_layout import (
    CAMERA,
    GRAPH,
    LATENCY,
    NUMBER,
    SCENE,
    STAMP,
    TRIPLETS,
    layout,
)

_CALENDAR_S = 1e8
"""Stamps above are of the calendar, those below are seconds since the start of something."""

_MOST_STAGES = 30
"""Further stages are not plotted; a foreign node could name a new one with each graph."""

_OPACITY = 0.45
"""Of masks, above the image."""

_PALE = (200, 200, 200)
"""Of predicates in the graph, among nodes that have colours."""


class RerunScene:
    """Sends scene graphs to a recording. The entities are named in `rerun_layout`."""

    def __init__(self, stream: rr.RecordingStream, timeline: str = STAMP) -> None:
        """`timeline`: that the viewer goes by, `STAMP` or `NUMBER`."""
        self._stream, self._timeline = stream, timeline
        self._number, self._stages = 0, set()
        self._position_frame = ""
        stream.send_blueprint(layout(timeline, has_space=False))

    def show(
        self, graph: SceneGraph, rgb: np.ndarray | None, viewpoint: Viewpoint | None = None
    ) -> None:
        """Send a graph and its image, (H, W, 3) uint8.

        What is not there, such as image, masks or positions, is taken off the screen.
        """
        self._set_time(graph)
        self._send_picture(graph, rgb)
        self._send_relations(graph)
        self._send_space(graph, viewpoint)
        self._send_latencies(graph)

    def _set_time(self, graph: SceneGraph) -> None:
        self._number += 1
        self._stream.set_time(NUMBER, sequence=self._number)
        if graph.stamp > _CALENDAR_S:
            self._stream.set_time(STAMP, timestamp=graph.stamp)
        else:
            self._stream.set_time(STAMP, duration=graph.stamp)

    def _send_picture(self, graph: SceneGraph, rgb: np.ndarray | None) -> None:
        """The image, and masks, boxes, names and relations on it."""
        send = self._stream.log
        image, segments = f"{CAMERA}/image", f"{CAMERA}/segments"
        send(image, rr.Clear(recursive=False) if rgb is None else _image(rgb))
        masks = rr.SegmentationImage(_segments(graph), opacity=_OPACITY)
        send(segments, _annotations(graph), masks)
        things = [node for node in graph.nodes if node.is_thing]
        stuff = [node for node in graph.nodes if not node.is_thing]
        send(f"{CAMERA}/things", _boxes(things))
        send(
            f"{CAMERA}/stuff",
            rr.Points2D(
                [node.centroid for node in stuff],
                colors=[node_colour(node) for node in stuff],
                labels=[node.name for node in stuff],
                radii=rr.Radius.ui_points(3),
            ),
        )

    def _send_relations(self, graph: SceneGraph) -> None:
        """As a graph, in which each relation is a node between its subject and its object."""
        names = {node.id: node.name for node in graph.nodes}
        relations = [r for r in graph.relations if r.subject in names and r.object in names]
        between = [f"{r.subject}>{r.object}#{number}" for number, r in enumerate(relations)]
        edges = []
        for relation, middle in zip(relations, between, strict=True):
            edges += [(names[relation.subject], middle), (middle, names[relation.object])]
        self._stream.log(
            GRAPH,
            rr.GraphNodes(
                [*names.values(), *between],
                positions=diagram(graph, relations),
                labels=[*names.values(), *(relation.predicate for relation in relations)],
                colors=[*map(node_colour, graph.nodes), *[_PALE] * len(between)],
            ),
            rr.GraphEdges(edges, graph_type=rr.GraphType.Directed),
        )
        lines = [_line(relation, names) for relation in relations]
        self._stream.log(TRIPLETS, rr.TextDocument("\n".join(lines)))

    def _send_space(self, graph: SceneGraph, viewpoint: Viewpoint | None) -> None:
        """Nodes as boxes in space, relations between them as lines, and the camera."""
        placed = {node.id: node for node in graph.nodes if _is_placed(node)}
        if placed and graph.position_frame != self._position_frame:
            self._begin_space(graph.position_frame)
        things = [node for node in placed.values() if node.is_thing]
        self._stream.log(
            f"{SCENE}/objects",
            rr.Boxes3D(
                centers=[node.position for node in things],
                sizes=[node.extent for node in things],
                colors=[node_colour(node) for node in things],
                labels=[node.name for node in things],
            ),
        )
        pairs = [
            r for r in graph.relations if {r.subject, r.object} <= {node.id for node in things}
        ]
        self._stream.log(
            f"{SCENE}/relations",
            rr.LineStrips3D(
                [[placed[r.subject].position, placed[r.object].position] for r in pairs],
                colors=[node_colour(placed[r.subject]) for r in pairs],
                labels=[r.predicate for r in pairs],
                radii=rr.Radius.ui_points(1.0),
            ),
        )
        if viewpoint is None:
            self._stream.log(CAMERA, rr.Clear(recursive=False))
            return
        height, width = graph.panoptic.shape
        self._stream.log(CAMERA, *_camera(viewpoint, width, height))

    def _begin_space(self, position_frame: str) -> None:
        """Say what is up, and open the view of space once there is something to see."""
        if not self._position_frame:
            self._stream.send_blueprint(layout(self._timeline, has_space=True))
        self._position_frame = position_frame
        # REP-103: frames of cameras end so, y down; all others have z up
        is_optical = position_frame.endswith("optical_frame")
        up = rr.ViewCoordinates.RDF if is_optical else rr.ViewCoordinates.RIGHT_HAND_Z_UP
        self._stream.log(SCENE, up, static=True)

    def _send_latencies(self, graph: SceneGraph) -> None:
        for stage, latency_ms in graph.latency_ms.items():
            if len(self._stages) < _MOST_STAGES:
                self._stages.add(stage)
            if stage in self._stages:
                self._stream.log([LATENCY, stage], rr.Scalars(latency_ms))


def _image(rgb: np.ndarray) -> rr.Image:
    """The image with a quarter of its colours, which takes half the room.

    (Browsers decode a JPEG beside the rest, so that each frame would be seen without it at first.)
    """
    height, width = rgb.shape[:2]
    if height % 2 or width % 2:
        return rr.Image(rgb)
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    form = rr.PixelFormat.Y_U_V12_LimitedRange
    return rr.Image(bytes=yuv.tobytes(), width=width, height=height, pixel_format=form)


def _segments(graph: SceneGraph) -> np.ndarray:
    """(H, W) uint8 or uint16: the place of each pixel's node in the graph + 1, 0 for none."""
    index = node_labels(graph.panoptic, [node.id for node in graph.nodes]) + 1
    return index.astype(np.uint8 if len(graph.nodes) < 256 else np.uint16)


def _annotations(graph: SceneGraph) -> rr.AnnotationContext:
    """Name and colour of each value of `_segments`."""
    nothing = rr.AnnotationInfo(0, "", (0, 0, 0, 0))
    names = [
        rr.AnnotationInfo(place, node.name, node_colour(node))
        for place, node in enumerate(graph.nodes, 1)
    ]
    return rr.AnnotationContext([nothing, *names])


def _boxes(nodes: list[Node]) -> rr.Boxes2D:
    return rr.Boxes2D(
        array=[node.box for node in nodes],
        array_format=rr.Box2DFormat.XYXY,
        colors=[node_colour(node) for node in nodes],
        labels=[node.name for node in nodes],
    )


def _line(relation: Relation, names: dict[int, str]) -> str:
    subject, object_ = names[relation.subject], names[relation.object]
    return f"{relation.score:.2f}  {subject} {relation.predicate} {object_}"


def _is_placed(node: Node) -> bool:
    """Whether it can be shown in space."""
    if node.position is None or node.extent is None:
        return False
    return bool(np.isfinite((*node.position, *node.extent)).all())


def _camera(viewpoint: Viewpoint, width: int, height: int) -> tuple[rr.Transform3D, rr.Pinhole]:
    camera, pose = viewpoint.camera.scaled(width, height), viewpoint.pose
    return (
        rr.Transform3D(translation=pose.translation, mat3x3=pose.rotation),
        rr.Pinhole(
            image_from_camera=[[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]],
            resolution=[width, height],
            camera_xyz=rr.ViewCoordinates.RDF,
            image_plane_distance=0.5,
        ),
    )
