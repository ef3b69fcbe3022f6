"""Objects that the segmenter misses for a moment."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from dsflash_ros.graph.scene_graph import Node, SceneGraph
from dsflash_ros.tracking.track_masks import TrackMasks
from dsflash_ros.tracking.tracks import LASTING, Track

_IN_VIEW, _COVERED = 0.6, 0.5
"""So much of its area has to be expected in view, and less than so much of that covered by other
things.
"""


def held_nodes(
    missing: Sequence[Track],
    masks: TrackMasks,
    graph: SceneGraph,
    labels: np.ndarray,
    hold_s: float,
) -> list[tuple[Track, Node]]:
    """Of the tracks that an image does not show, those that are in all likelihood there.

    They are well known, were believed in when they were seen, `hold_s` seconds ago at most, and
    nothing hides their place. Each comes with a node that has their place now, and an id that the
    graph does not use. Such a node has no pixels in the panoptic map.

    `masks` are those of the tracks now, `labels` is (h, w) int, index of the node of each pixel of
    the small image, or -1.
    """
    is_thing = np.array([*(node.is_thing for node in graph.nodes), False])  # label -1: the last
    things = is_thing[labels]
    used = {node.id for node in graph.nodes}
    free = (number for number in count() if number not in used)
    return [
        (track, _node(track, masks.mask(track.id), next(free), graph))
        for track in missing
        if graph.stamp - track.last_seen <= hold_s and _is_there(track, masks, things)
    ]


def _is_there(track: Track, masks: TrackMasks, things: np.ndarray) -> bool:
    if not (track.believed and track.node.is_thing and track.observations >= LASTING):
        return False
    pixels = masks.areas.get(track.id)
    if pixels is None:
        return False
    covered = np.count_nonzero(things[masks.mask(track.id) > 0])
    return pixels >= max(1, _IN_VIEW * track.area) and covered < _COVERED * pixels


def _node(track: Track, mask: np.ndarray, number: int, graph: SceneGraph) -> Node:
    """The track's last node, where its mask is now in the graph's image.

    Its position is that of then, and left out of a graph without positions.
    """
    size = graph.panoptic.shape
    rows, columns = np.nonzero(mask)
    down, right = size[0] / mask.shape[0], size[1] / mask.shape[1]
    box = (
        int(columns.min() * right),
        int(rows.min() * down),
        min(size[1], int(np.ceil((columns.max() + 1) * right))),
        min(size[0], int(np.ceil((rows.max() + 1) * down))),
    )
    placed = {} if graph.position_frame else dict.fromkeys(("position", "extent", "distance"))
    return replace(
        track.node,
        **placed,
        id=number,
        box=box,
        area=max(1, round(len(rows) * down * right)),
        centroid=(float(columns.mean() + 0.5) * right, float(rows.mean() + 0.5) * down),
    )
