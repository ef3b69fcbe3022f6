"""Pictures of scene graphs, fast enough to be drawn for every frame of a camera."""

import cv2
import numpy as np

from dsflash_ros.drawing.arrows import draw_arrow, find_way, head_size
from dsflash_ros.drawing.colours import BLACK, WHITE, ink_on, node_colour
from dsflash_ros.drawing.lettering import Box, Lettering
from dsflash_ros.errors import ImageError
from dsflash_ros.graph.scene_graph import MAX_NODE_ID, NOTHING, TRUTH, Node, Relation, SceneGraph

__all__ = ["UNTRAINED", "draw_overlay", "draw_panoptic", "node_colour"]

UNTRAINED = "UNTRAINED MODEL: this graph means nothing"

_RED = (190, 0, 0)

_LEAST_SIDE = 64
"""Pixels; in smaller images borders and arrows would cover everything."""


def draw_overlay(rgb: np.ndarray, graph: SceneGraph, max_relations: int = 10) -> np.ndarray:
    """Draw a scene graph over its image: masks, labels with scores, the best relations as arrows.

    No label covers another or an arrow's head, nor, where it can be helped, a small thing. One that
    is away from its mask has a line to it; one that finds no place is left out. The truth has no
    scores. The graph of an untrained model has a banner that says so.

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
    small, shrink = _shrunk(index)
    lettering = Lettering(picture, _worth(small))
    if not graph.is_trained:
        lettering.banner(UNTRAINED, WHITE, _RED)
    relations = _drawn(graph, max_relations if min(index.shape) >= _LEAST_SIDE else 0)
    anchors = _anchors(small, shrink, graph)
    related = {node_id for ends in relations for node_id in ends}
    first, then = (
        [n for n in graph.nodes if (n.id in related) is wanted] for wanted in (True, False)
    )
    scored = graph.weights != TRUTH
    ends = _place_labels(picture, lettering, first, anchors, scored)
    _draw_relations(picture, lettering, relations, ends)
    _place_labels(picture, lettering, then, anchors, scored)
    lettering.draw()
    return picture


def draw_panoptic(graph: SceneGraph) -> np.ndarray:
    """Draw each node's pixels in the colour that `draw_overlay` gives it: (H, W, 3) uint8 RGB.

    It is black where nothing is.
    """
    return cv2.applyColorMap(_node_index(graph), _graph_palette(graph))


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
    index = table.take(graph.panoptic.astype(np.uint16))  # the low 16 bits
    if table[MAX_NODE_ID]:  # which are those of NOTHING, too
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


def _shrunk(index: np.ndarray) -> tuple[np.ndarray, float]:
    """The index at a small size, and how many times smaller that is."""
    height, width = index.shape
    shrink = max(1.0, max(height, width) / 160)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    return cv2.resize(index, size, interpolation=cv2.INTER_NEAREST), shrink


def _worth(small: np.ndarray) -> np.ndarray:
    """(h, w) float32: which share of its node each pixel is."""
    counts = np.bincount(small.reshape(-1), minlength=256)
    shares = 1 / np.maximum(counts, 1)
    shares[0] = 0
    return shares.astype(np.float32)[small]


def _anchors(small: np.ndarray, shrink: float, graph: SceneGraph) -> dict[int, tuple[float, float]]:
    """For each node the (x, y) where its mask is widest.

    Unlike its centroid that always lies on the mask.
    """
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


def _drawn(graph: SceneGraph, count: int) -> dict[tuple[int, int], list[Relation]]:
    """The best relations between nodes of the graph, by (subject, object)."""
    ids = {node.id for node in graph.nodes}
    drawn: dict[tuple[int, int], list[Relation]] = {}
    for relation in graph.relations[:count]:
        ends = relation.subject, relation.object
        if ids.issuperset(ends) and relation.subject != relation.object:
            drawn.setdefault(ends, []).append(relation)
    return drawn


def _place_labels(
    picture: np.ndarray, lettering: Lettering, nodes: list[Node], anchors: dict, scored: bool
) -> dict[int, Box]:
    """Place a label for each of the nodes, larger ones first.

    Returns where arrows to the node end: around the label, or at the anchor without one.
    """
    ends = {}
    for node in sorted(nodes, key=lambda node: -node.area):
        colour, anchor = node_colour(node), anchors[node.id]
        text = f"{node.name} {node.score:.2f}" if scored else node.name
        box = lettering.place(text, anchor, ink_on(colour), colour)
        if box and not box.contains(anchor):
            _draw_leader(picture, anchor, box.nearest(anchor), colour)
        ends[node.id] = box or Box(*anchor, *anchor)
    return ends


def _draw_leader(picture: np.ndarray, start, end, colour) -> None:
    """A line with a dot at its start, in that colour with a black edge."""
    width = _line_width(picture)
    ends, dot = (_pixel(start), _pixel(end)), 2 * width
    for ink, more in ((BLACK, 1), (colour, 0)):
        cv2.line(picture, *ends, ink, width + 2 * more, cv2.LINE_AA)
        cv2.circle(picture, ends[0], dot + more, ink, cv2.FILLED, cv2.LINE_AA)


def _draw_relations(
    picture: np.ndarray, lettering: Lettering, relations: dict, ends: dict[int, Box]
) -> None:
    """Draw an arrow for each pair, its head always to be seen, and place its predicates on it."""
    labels, half = lettering.boxes, 0.5 * head_size(picture.shape)
    ways = [find_way(ends[a], ends[b], labels, picture.shape) for a, b in relations]
    for way in ways:
        draw_arrow(picture, way, _line_width(picture))
        lettering.keep_free(Box(*(way[-1] - half), *(way[-1] + half)))
    for way, pair in zip(ways, relations.values(), strict=True):
        text = ", ".join(relation.predicate for relation in pair)
        lettering.place_along(text, way, WHITE, BLACK)


def _line_width(picture: np.ndarray) -> int:
    return max(1, round(min(picture.shape[:2]) / 400))


def _pixel(point) -> tuple[int, int]:
    return int(point[0]), int(point[1])
