"""Graphs of many segments, and their pictures."""

import cv2
import numpy as np

from dsflash_ros.graph.scene_graph import Node, Relation, SceneGraph, pack_panoptic

LABELS = ("cup", "dining table", "wall-other-merged", "person", "teddy bear")
PREDICATES = ("on", "in front of", "beside", "attached to")


def crowd(size=(480, 640), count=20, seed=0, labels=LABELS, relations=10, light=128):
    """An image of that light, and a graph of ellipses over one another on a background."""
    rng = np.random.default_rng(seed)
    height, width = size
    panoptic = np.full(size, pack_panoptic(0, 0), np.int32)
    for i in range(1, count):
        radius = rng.uniform(0.02, 0.16) * min(size)
        centre = int(rng.uniform(0, width)), int(rng.uniform(0, height))
        axes = max(2, int(radius)), max(2, int(radius * rng.uniform(0.4, 1.6)))
        value = int(pack_panoptic(i % len(labels), i))
        cv2.ellipse(panoptic, centre, axes, 0, 0, 360, value, cv2.FILLED)
    nodes = []
    for i in range(count):
        y, x = (panoptic == pack_panoptic(i % len(labels), i)).nonzero()
        if not len(x):
            continue
        box = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)
        middle = (x.mean() + 0.5, y.mean() + 0.5)
        label = labels[i % len(labels)]
        nodes.append(Node(i, i % len(labels), label, i > 0, 0.9, box, len(x), middle))
    ids = [node.id for node in nodes]
    pairs = [rng.choice(ids, 2, replace=False) for _ in range(relations if len(ids) > 1 else 0)]
    found = tuple(
        Relation(int(a), int(b), 0, str(rng.choice(PREDICATES)), 0.9 - 0.01 * number)
        for number, (a, b) in enumerate(pairs)
    )
    image = rng.normal(light, 12, (*size, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    return image, SceneGraph(tuple(nodes), found, panoptic, weights="trained")
