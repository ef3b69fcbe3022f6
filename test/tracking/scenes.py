"""Moving scenes to track: textured rectangles over a textured background."""

import numpy as np

from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph, pack_panoptic

HEIGHT, WIDTH = 240, 320
CLASSES = ("cup", "person", "chair", "floor")
CUP, PERSON, CHAIR, FLOOR = range(4)
PREDICATES = ("on", "holding", "beside")


def texture(seed, height, width):
    """(height, width, 3) uint8, smooth enough to be followed."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (height // 8 + 2, width // 8 + 2, 3)).astype(np.float32)
    big = small.repeat(8, 0).repeat(8, 1)
    for axis in (0, 1):
        big = sum(np.roll(big, shift, axis) for shift in range(-3, 4)) / 7
    return big[:height, :width].astype(np.uint8)


class Scene:
    """Rectangles (class id, x, y, width, height, seed) that a moving camera sees."""

    def __init__(self, *things, stuff=True):
        self.things, self.stuff = things, stuff
        self.background = texture(99, HEIGHT + 400, WIDTH + 400)
        self.looks = [texture(seed, h, w) for _, _, _, w, h, seed in things]

    def see(self, stamp, shift=(0, 0), without=(), relations=(), classes=(), scores=(), **fields):
        """The image and the graph when everything has moved by `shift` pixels, x and y.

        `without`: numbers of things that the segmenter misses. `classes`, `scores`: dicts of what
        it takes things for, by number. `relations`: (subject, object, predicate, score) by number.
        """
        sx, sy = shift
        rgb = self.background[200 - sy : 200 - sy + HEIGHT, 200 - sx : 200 - sx + WIDTH].copy()
        floor = pack_panoptic(CLASSES.index("floor"), 50)
        panoptic = np.full((HEIGHT, WIDTH), floor if self.stuff else NOTHING, np.int32)
        nodes = []
        for number, (class_id, x, y, w, h, _) in enumerate(self.things):
            x0, y0, x1, y1 = x + sx, y + sy, x + sx + w, y + sy + h
            cut = (
                slice(max(y0, 0), max(min(y1, HEIGHT), 0)),
                slice(max(x0, 0), max(min(x1, WIDTH), 0)),
            )
            look = self.looks[number][cut[0].start - y0 :, cut[1].start - x0 :]
            height, width = (part.stop - part.start for part in cut)
            if height <= 0 or width <= 0:
                continue
            rgb[cut] = look[:height, :width]
            if number in without:
                continue
            seen = dict(classes).get(number, class_id)
            panoptic[cut] = pack_panoptic(seen, number)
            box = (cut[1].start, cut[0].start, cut[1].stop, cut[0].stop)
            nodes.append(node(number, seen, box, dict(scores).get(number, 0.95)))
        if self.stuff:
            nodes.append(node(50, CLASSES.index("floor"), (0, 0, WIDTH, HEIGHT), 0.9))
        ids = {n.id for n in nodes}
        related = tuple(
            Relation(a, b, PREDICATES.index(p), p, score)
            for a, b, p, score in relations
            if {a, b} <= ids
        )
        return rgb, SceneGraph(tuple(nodes), related, panoptic, stamp=stamp, **fields)


def node(number, class_id, box, score):
    x0, y0, x1, y1 = box
    return Node(
        id=number,
        class_id=class_id,
        label=CLASSES[class_id],
        is_thing=CLASSES[class_id] != "floor",
        score=score,
        box=box,
        area=(x1 - x0) * (y1 - y0),
        centroid=((x0 + x1) / 2, (y0 + y1) / 2),
    )


TWO_CUPS = Scene((CUP, 40, 60, 50, 60, 1), (CUP, 120, 60, 50, 60, 2), (PERSON, 200, 40, 60, 120, 3))


def ids(graph):
    """Track ids by node id."""
    return {node.id: node.track_id for node in graph.nodes}
