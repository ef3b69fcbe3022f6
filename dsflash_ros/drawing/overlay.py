"""Pictures of scene graphs, fast enough to be drawn for every frame of a camera."""

import colorsys
import math
from functools import cache

import cv2
import numpy as np

from dsflash_ros.drawing.lettering import Box, Lettering
from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import MAX_NODE_ID, NOTHING, TRUTH, Node, SceneGraph

UNTRAINED = "UNTRAINED MODEL: this graph means nothing"

_BLACK, _WHITE, _RED = (0, 0, 0), (255, 255, 255), (190, 0, 0)

_SHIFT = 4
"""Lines are drawn in sixteenths of a pixel; whole ones would make curves ragged."""

_LEAST_SIDE = 64
"""Pixels; in smaller images borders and arrows would cover everything."""


def draw_overlay(rgb: np.ndarray, graph: SceneGraph, max_relations: int = 10) -> np.ndarray:
    """Draw a scene graph over its image: masks, labels with scores, the best relations as arrows.

    Labels do not overlap; one that finds no free place is left out. The truth has no scores. The
    graph of an untrained model has a banner that says so.

    Args:
        rgb: (H, W, 3) uint8, the image the graph was made from.
        graph: its nodes, relations and panoptic map (H, W).
        max_relations: how many relations to draw at most.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ImageError: the image is of another size than the graph.
    """
    if rgb.shape != (*graph.panoptic.shape, 3) or rgb.dtype != np.uint8:
        height, width = graph.panoptic.shape
        raise ImageError(
            f"the graph is of a {width}x{height} image, it cannot be drawn on {rgb.shape} "
            f"{rgb.dtype}"
        )
    index, palette = _node_index(graph), _graph_palette(graph)
    picture = _tint(rgb, index, palette, graph)
    lettering = Lettering(picture)
    if not graph.is_trained:
        lettering.banner(UNTRAINED, _WHITE, _RED)
    ends = _place_labels(picture, lettering, graph, _anchors(index, graph))
    if min(index.shape) < _LEAST_SIDE:
        max_relations = 0
    for relation in graph.relations[:max_relations]:
        middle = _draw_arrow(picture, ends[relation.subject], ends[relation.object])
        lettering.place(relation.predicate, middle, _WHITE, _BLACK)
    lettering.draw()
    return picture


def draw_panoptic(graph: SceneGraph) -> np.ndarray:
    """Draw each node's pixels in the colour that `draw_overlay` gives it: (H, W, 3) uint8 RGB.

    It is black where nothing is.
    """
    return cv2.applyColorMap(_node_index(graph), _graph_palette(graph))


@cache
def _palette() -> np.ndarray:
    """Black for nothing, then 255 bright colours: (256, 1, 3) uint8.

    The hue of each is far from those before it.
    """
    golden = (math.sqrt(5) - 1) / 2
    saturations, values = (0.85, 0.6, 1.0), (1.0, 0.95, 0.8)
    colours = [
        colorsys.hsv_to_rgb(i * golden % 1, saturations[i % 3], values[i // 3 % 3])
        for i in range(256)
    ]
    palette = (np.array(colours) * 255).astype(np.uint8).reshape(256, 1, 3)
    palette[0] = 0
    return palette


def node_colour(node: Node) -> tuple[int, int, int]:
    """The colour that all pictures give a node: red, green, blue, 0 to 255.

    By track, so that an object keeps its colour; without tracking by id. 255 are told apart.
    """
    number = node.id if node.track_id is None else node.track_id
    return tuple(map(int, _palette()[number % 255 + 1, 0]))


def _index(place: int) -> int:
    """The value of `_node_index` for the node at that place in the graph."""
    return place % 255 + 1


def _graph_palette(graph: SceneGraph) -> np.ndarray:
    """The colour of each value of `_node_index`: (256, 1, 3) uint8."""
    palette = np.zeros((256, 1, 3), np.uint8)
    for place, node in enumerate(graph.nodes):
        palette[_index(place), 0] = node_colour(node)
    return palette


def _node_index(graph: SceneGraph) -> np.ndarray:
    """Which node each pixel shows: (H, W) uint8, 0 for none.

    By the nodes' places in the graph, so that nodes of one colour stay apart.
    """
    table = np.zeros(MAX_NODE_ID + 1, np.uint8)
    for place, node in enumerate(graph.nodes):
        table[node.id] = _index(place)
    index = table[graph.panoptic & MAX_NODE_ID]
    index[graph.panoptic == NOTHING] = 0
    return index


def _tint(rgb: np.ndarray, index: np.ndarray, palette: np.ndarray, graph: SceneGraph) -> np.ndarray:
    """Draw each node in its colour, solid along its border and translucent within.

    Stuff is more translucent than things.
    """
    colours = cv2.applyColorMap(index, palette)
    is_thing = np.zeros((256, 1), np.uint8)
    is_thing[[_index(place) for place, node in enumerate(graph.nodes) if node.is_thing]] = 255
    picture = cv2.addWeighted(rgb, 0.8, colours, 0.2, 0)
    cv2.copyTo(cv2.addWeighted(rgb, 0.55, colours, 0.45, 0), cv2.LUT(index, is_thing), picture)
    cv2.copyTo(rgb, cv2.compare(index, 0, cv2.CMP_EQ), picture)
    if min(index.shape) >= _LEAST_SIDE:
        width = 3 + 2 * round(min(index.shape) / 700)
        border = cv2.morphologyEx(index, cv2.MORPH_GRADIENT, np.ones((width, width), np.uint8))
        cv2.copyTo(colours, cv2.min(border, index), picture)
    return picture


def _anchors(index: np.ndarray, graph: SceneGraph) -> dict[int, tuple[float, float]]:
    """For each node the (x, y) where its mask is widest.

    Unlike its centroid that always lies on the mask.
    """
    height, width = index.shape
    shrink = max(1.0, max(height, width) / 160)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    small = cv2.resize(index, size, interpolation=cv2.INTER_NEAREST)
    small = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    border = cv2.morphologyEx(small, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    depth = cv2.distanceTransform(cv2.compare(border, 0, cv2.CMP_EQ), cv2.DIST_L2, 3)
    anchors = {}
    for place, node in enumerate(graph.nodes):
        mask = cv2.compare(small, _index(place), cv2.CMP_EQ)
        _, deepest, _, (x, y) = cv2.minMaxLoc(depth, mask)
        anchors[node.id] = node.centroid
        if deepest > 0:
            anchors[node.id] = ((x - 0.5) * shrink, (y - 0.5) * shrink)
    return anchors


def _place_labels(
    picture, lettering: Lettering, graph: SceneGraph, anchors: dict
) -> dict[int, Box]:
    """Place a label for each node, larger nodes first.

    Returns where arrows to the node end: around the label, or at the anchor without one.
    """
    ends = {}
    for node in sorted(graph.nodes, key=lambda node: node.area, reverse=True):
        colour, anchor = node_colour(node), anchors[node.id]
        bright = np.dot(colour, (0.3, 0.59, 0.11)) > 110
        text = f"{node.name} {node.score:.2f}" if graph.weights != TRUTH else node.name
        box = lettering.place(text, anchor, _BLACK if bright else _WHITE, colour)
        if box and not box.contains(anchor):
            ends_of_line = _pixel(anchor), _pixel(box.centre)
            cv2.line(picture, *ends_of_line, colour, _line_width(picture), cv2.LINE_AA)
        ends[node.id] = box or Box(*anchor, *anchor)
    return ends


def _line_width(picture: np.ndarray) -> int:
    return max(1, round(min(picture.shape[:2]) / 400))


def _draw_arrow(picture: np.ndarray, start: Box, end: Box) -> tuple[float, float]:
    """Draw an arrow from box to box, curved so that one back would not cover it.

    Returns its middle, (x, y).
    """
    a, b = np.array(start.centre), np.array(end.centre)
    normal = np.array([a[1] - b[1], b[0] - a[0]])
    middle = (a + b) / 2 + 0.15 * normal
    t = np.linspace(0, 1, 33)[:, None]
    curve = (1 - t) ** 2 * a + 2 * t * (1 - t) * middle + t**2 * b
    outside = [point for point in curve if not start.contains(point) and not end.contains(point)]
    if len(outside) < 2:  # the labels touch: what lies between them is too short for an arrow
        return tuple(curve[16])
    outside = np.array(outside)
    direction = outside[-1] - outside[-2]
    direction /= max(np.linalg.norm(direction), 1e-9)
    across = np.array([-direction[1], direction[0]])
    width, size = _line_width(picture), max(4, min(picture.shape[:2]) / 60)
    tip = outside[-1]
    base, half = tip - size * direction, 0.45 * size * across
    head = np.array([tip, base + half, base - half])
    shaft = np.vstack([outside[:-1], tip - 0.5 * size * direction])
    for colour, thickness in ((_BLACK, width + 2), (_WHITE, width)):
        cv2.polylines(picture, [_subpixels(shaft)], False, colour, thickness, cv2.LINE_AA, _SHIFT)
        cv2.polylines(picture, [_subpixels(head)], True, colour, thickness, cv2.LINE_AA, _SHIFT)
        cv2.fillPoly(picture, [_subpixels(head)], colour, cv2.LINE_AA, _SHIFT)
    return tuple(outside[len(outside) // 2])


def _pixel(point) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _subpixels(points: np.ndarray) -> np.ndarray:
    return (points * (1 << _SHIFT)).astype(np.int32)
