"""Label maps: which segment each pixel belongs to. Needs only numpy."""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.scene_graph import MAX_NODE_ID, NOTHING


def label_boxes(labels: np.ndarray, count: int) -> np.ndarray:
    """The tightest box around each segment of a label map.

    Args:
        labels: (H, W) int, 0 to count - 1, or -1 where no segment is.
        count: number of segments.

    Returns:
        (count, 4) int64, x0, y0, x1, y1, the last two exclusive; zeros for segments that have no
        pixel.
    """
    height, width = labels.shape
    starts, lengths = runs_of(labels)
    owners = labels.reshape(-1)[starts]
    starts, lengths, owners = (of_runs[owners >= 0] for of_runs in (starts, lengths, owners))
    y, x = np.divmod(starts, width)
    boxes = np.tile(np.array([width, height, 0, 0]), (count, 1))
    np.minimum.at(boxes[:, 0], owners, x)
    np.minimum.at(boxes[:, 1], owners, y)
    np.maximum.at(boxes[:, 2], owners, x + lengths)
    np.maximum.at(boxes[:, 3], owners, y + 1)
    boxes[boxes[:, 2] == 0] = 0
    return boxes


def runs_of(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the runs of equal pixels in the rows of an (H, W) array.

    A typical mask has a hundred times fewer runs than pixels.

    Returns:
        starts: (N,) int, in the flat array.
        lengths: (N,) int.
    """
    is_start = np.ones(pixels.shape, bool)
    np.not_equal(pixels[:, 1:], pixels[:, :-1], out=is_start[:, 1:])
    starts = np.flatnonzero(is_start)
    return starts, np.diff(starts, append=pixels.size)


def node_labels(panoptic: np.ndarray, node_ids: Sequence[int]) -> np.ndarray:
    """Which node each pixel of a packed map shows, or of some of its pixels.

    Args:
        panoptic: (h, w) int32, as `SceneGraph.panoptic`.
        node_ids: of the graph's nodes, in their order.

    Returns:
        (h, w) int32, the node's place in `node_ids`, or -1.
    """
    places = np.full(MAX_NODE_ID + 1, -1, np.int32)
    places[list(node_ids)] = np.arange(len(node_ids))
    return np.where(panoptic == NOTHING, -1, places[panoptic & MAX_NODE_ID])
