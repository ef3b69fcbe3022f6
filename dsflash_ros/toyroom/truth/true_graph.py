"""Annotations as scene graphs, for whatever takes those: drawing, messages, planners.

Needs neither torch nor MuJoCo.
"""

from collections.abc import Sequence

import numpy as np

from dsflash_ros.graph.label_maps import label_boxes
from dsflash_ros.graph.scene_graph import NOTHING, TRUTH, Node, Relation, SceneGraph, pack_panoptic
from dsflash_ros.graph.vocabulary import Vocabulary


def true_graph(
    labels: np.ndarray,
    class_ids: Sequence[int],
    relations: np.ndarray,
    vocabulary: Vocabulary,
    track_ids: Sequence[int] | None = None,
    **fields,
) -> SceneGraph:
    """Make the scene graph of annotated segments. All scores are 1.

    Args:
        labels: (H, W) int, index of the segment that each pixel belongs to; -1 for none.
        class_ids: (S,) class id of each segment. The node of segment i has the id i.
        relations: (R, 3) int: subject and object (indexes of segments), predicate.
        vocabulary: the names of classes and predicates.
        track_ids: (S,) which object each segment is, where that is known.
        fields: further attributes of `SceneGraph`, such as `stamp`.
    """
    class_ids = np.asarray(class_ids, np.int64)
    count = len(class_ids)
    y, x = np.nonzero(labels >= 0)
    owners = labels[y, x]
    areas = np.bincount(owners, minlength=count)
    sums = np.stack(
        [np.bincount(owners, weights=of_axis + 0.5, minlength=count) for of_axis in (x, y)], axis=1
    )
    centroids, boxes = sums / np.maximum(areas, 1)[:, None], label_boxes(labels, count)
    nodes = tuple(
        Node(
            id=index,
            class_id=class_id,
            label=vocabulary.classes[class_id],
            is_thing=vocabulary.is_thing(class_id),
            score=1.0,
            box=tuple(boxes[index].tolist()),
            area=int(areas[index]),
            centroid=tuple(centroids[index].tolist()),
            track_id=None if track_ids is None else int(track_ids[index]),
        )
        for index, class_id in enumerate(class_ids.tolist())
    )
    packed = pack_panoptic(np.append(class_ids, 0), np.arange(count + 1)).astype(np.int32)
    packed[-1] = NOTHING  # the value of label -1
    edges = tuple(
        Relation(a, b, p, vocabulary.predicates[p], 1.0, TRUTH)
        for a, b, p in np.asarray(relations).tolist()
    )
    return SceneGraph(nodes, edges, packed[labels], weights=TRUTH, **fields)
