"""What the agent believes of its world: things that scene graphs told of, and where they are."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph

SUPPORTS = frozenset({"on", "in", "standing on", "sitting on", "lying on"})
"""Predicates that say what bears a thing."""

FURNITURE = ("dining table", "chair", "couch", "bed", "shelf")
"""Classes of what stands still, so that all views of it tell together how large it is."""

SAME_M = 0.3
"""What was at a place and what is so near to it, of the same class, are one thing, m."""

Point = tuple[float, float, float]
Box = tuple[Point, Point]

_VIEWS, _INNER = 60, 0.1
"""So many views of furniture are remembered, and this share of them may show too much of it."""


@dataclass(frozen=True)
class Thing:
    """A thing as it was seen last, or where the agent put it.

    Attributes:
        name: as in `cup_7`; stays the same when the tracker gives it another number.
        label: its class.
        position, extent: its middle and its size, metres, in the map.
        seen_s: stamp of the last graph that showed it.
        on: names of what bears it.
        was_put: whether the agent put it there.
        seen_as: the class that each graph called it.
        boxes: lower and upper corners of what the last views showed of it.
    """

    name: str
    label: str
    position: Point
    extent: Point
    seen_s: float
    on: frozenset[str] = frozenset()
    was_put: bool = False
    seen_as: tuple[str, ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass
class World:
    """All things that graphs told of, the last state of each.

    Attributes:
        things: by name.
        holding: name of what is in the hand; empty for nothing.
        graphs: how many were taken in.
    """

    things: dict[str, Thing] = field(default_factory=dict)
    holding: str = ""
    graphs: int = 0
    _name_of: dict[int, str] = field(default_factory=dict)
    _forgotten: dict[str, Thing] = field(default_factory=dict)
    _denied: set[str] = field(default_factory=set)

    def update(self, graph: SceneGraph) -> None:
        """Take in a graph. What it does not show is remembered."""
        self.graphs += 1
        names: dict[int, str] = {}
        for node in sorted(graph.nodes, key=lambda node: node.track_id not in self._name_of):
            if node.position is not None and all(map(math.isfinite, node.position)):
                names[node.id] = self._name(node, set(names.values()))
        bearers: dict[str, set[str]] = {}
        for relation in graph.relations:
            pair = names.get(relation.subject), names.get(relation.object)
            if relation.predicate in SUPPORTS and None not in pair:
                bearers.setdefault(pair[0], set()).add(pair[1])
        for node in graph.nodes:
            name = names.get(node.id)
            if name is not None and name not in (self.holding, *self._denied):
                self._see(name, node, graph.stamp, frozenset(bearers.get(name, ())))

    def _name(self, node: Node, taken: set[str]) -> str:
        """What the thing that a node shows is called.

        A new track of the same class at the place of a thing that this graph does not show
        otherwise is that thing: it was put there, or the tracker lost it. What has no track is
        known by its place alone, also what was forgotten.
        """
        known = self._name_of.get(node.track_id) if node.track_id is not None else None
        if known in {*self.things, *self._denied} and known not in taken:
            return known
        things = self.things if node.track_id is not None else {**self._forgotten, **self.things}
        near = [
            (_distance(thing, node), thing.name)
            for thing in things.values()
            if thing.label == node.label and thing.name not in {*taken, self.holding}
        ]
        distance, name = min(near, default=(math.inf, ""))
        if distance > SAME_M and (node.is_thing or not name):
            name = self._new_name(node, taken)
        if node.track_id is not None:
            self._name_of[node.track_id] = name
        return name

    def _new_name(self, node: Node, taken: set[str]) -> str:
        """A name that no other thing has or had; a track that comes back may have its own."""
        used = {*self.things, *self._forgotten} - {self._name_of.get(node.track_id)} | taken
        number, step = (len(used) + 1, 1) if node.track_id is None else (node.track_id, 1000)
        while (name := f"{node.label}_{number}") in used:
            number += step
        return name

    def _see(self, name: str, node: Node, stamp: float, bearers: frozenset[str]) -> None:
        """Take in one thing: its class by majority, what bears it by the last that was told."""
        before = self.things.get(name)
        seen_as = Counter(before.seen_as if before else ())
        seen_as[node.label] += 1
        label = max(seen_as, key=seen_as.get)
        boxes = (*(before.boxes if before else ()), _box(node))[-_VIEWS:]
        position, extent, was_put = node.position, node.extent, False
        if before is not None and label in FURNITURE:
            position, extent = _joined(boxes)
        elif before is not None and math.dist(before.position, node.position) < SAME_M:
            was_put = before.was_put
            if was_put or not bearers:  # the hand knows better, and not told is not denied
                bearers |= before.on
        self.things[name] = Thing(
            name,
            label,
            position,
            extent,
            stamp,
            bearers,
            was_put,
            tuple(seen_as.elements()),
            boxes,
        )

    def took(self, name: str) -> None:
        """The hand holds this thing now."""
        self.holding = name
        self.things[name] = replace(self.things[name], on=frozenset())

    def put(self, point: Point, on: Iterable[str]) -> None:
        """What the hand held is now at a point, its lower side, on these."""
        thing = self.things[self.holding]
        middle = (point[0], point[1], point[2] + thing.extent[2] / 2)
        self.things[thing.name] = replace(thing, position=middle, on=frozenset(on), was_put=True)
        self.holding = ""

    def forget(self, name: str, for_good: bool = False) -> None:
        """This thing is not where it was believed to be; `for_good`: graphs that show it err."""
        if name in self.things:
            self._forgotten[name] = self.things.pop(name)
        if for_good:
            self._denied.add(name)

    def graph(self, names: Iterable[str]) -> SceneGraph:
        """What is believed of these things, as a scene graph."""
        things = [self.things[name] for name in names]
        ids = {thing.name: number for number, thing in enumerate(things)}
        nodes = [_node(ids[thing.name], thing) for thing in things]
        relations = [
            Relation(ids[thing.name], ids[bearer], 0, "on", 1.0)
            for thing in things
            for bearer in sorted(thing.on)
            if bearer in ids
        ]
        return SceneGraph(tuple(nodes), tuple(relations), np.full((1, 1), NOTHING, np.int32))

    def of_class(self, label: str) -> list[Thing]:
        """All things of a class."""
        return [thing for thing in self.things.values() if thing.label == label]


def _distance(thing: Thing, node: Node) -> float:
    """How far what a node shows is from a known thing; 0 in the box of furniture, metres."""
    if thing.label in FURNITURE and all(
        abs(a - c) <= b / 2
        for a, b, c in zip(thing.position, thing.extent, node.position, strict=True)
    ):
        return 0.0
    return math.dist(thing.position, node.position)


def _node(number: int, thing: Thing) -> Node:
    """A node for what is remembered, of which there is no image."""
    return Node(
        id=number,
        class_id=0,
        label=thing.label,
        is_thing=True,
        score=1.0,
        box=(0, 0, 1, 1),
        area=1,
        centroid=(0.5, 0.5),
        track_id=int(thing.name.rpartition("_")[2]),
        position=thing.position,
        extent=thing.extent,
    )


def _joined(boxes: Iterable[Box]) -> tuple[Point, Point]:
    """Middle and size of furniture of which views showed these boxes, some of them wrong ones."""
    lows, highs = (np.array(corners) for corners in zip(*boxes, strict=True))
    low, high = np.quantile(lows, _INNER, axis=0), np.quantile(highs, 1 - _INNER, axis=0)
    return tuple(((low + high) / 2).tolist()), tuple((high - low).tolist())


def _box(node: Node) -> Box:
    axes = list(zip(node.position, node.extent, strict=True))
    return tuple(a - b / 2 for a, b in axes), tuple(a + b / 2 for a, b in axes)
