"""An example of a planner: it subscribes scene graphs and answers three questions about the room.

It remembers what is out of view, and prints an answer when it changes.

Run it beside the node, with a namespace where the node has one:

    python examples/planner.py --ros-args -r __ns:=/front
"""

import sys
from collections.abc import Callable, Iterable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time

from dsflash_ros.graph.scene_graph import is_trained
from dsflash_ros.msg import SceneGraph, SceneNode, SceneRelation

ON = ("on", "standing on", "sitting on", "lying on")
HOLDS = ("holding", "carrying")


def kind(node: SceneNode) -> str:
    """What a node is, as in `cup`."""
    return node.label


def name(node: SceneNode) -> str:
    """Which one a node is, as in `cup_7`: the same in all graphs while the node tracks."""
    return f"{node.label}_{node.id if node.track_id < 0 else node.track_id}"


def related(
    graph: SceneGraph, predicates: Iterable[str], object: str = ""
) -> list[tuple[SceneNode, SceneNode]]:
    """Subject and object of the relations with one of these predicates.

    `object` is a label; empty stands for any.
    """
    nodes = {node.id: node for node in graph.nodes}
    pairs = [
        (nodes[r.subject_id], nodes[r.object_id])
        for r in graph.relations
        if r.predicate in predicates
    ]
    return [(a, b) for a, b in pairs if object in ("", b.label)]


def answers(graph: SceneGraph, call: Callable[[SceneNode], str] = kind) -> dict[str, set[str]]:
    """Three questions and what the graph answers; `call` says what to call a node."""
    return {
        "what is on the table?": {call(a) for a, _ in related(graph, ON, "dining table")},
        "who holds what?": {f"{call(a)} holds {call(b)}" for a, b in related(graph, HOLDS)},
        "what is in front of the chair?": {
            call(a) for a, _ in related(graph, ["in front of"], "chair")
        },
    }


class Memory:
    """What was told of all objects so far, by their track ids, which need a node that tracks.

    A relation stays until both objects are in view again and it is not told any more.
    """

    def __init__(self) -> None:
        self._nodes: dict[int, SceneNode] = {}
        self._relations: dict[tuple[int, int], SceneRelation] = {}

    def update(self, graph: SceneGraph) -> SceneGraph:
        """Take in a graph; returns the graph of all that is known."""
        if any(node.track_id < 0 for node in graph.nodes):
            return graph  # without tracking nothing connects two graphs
        track = {node.id: node.track_id for node in graph.nodes}
        seen = set(track.values())
        self._nodes |= {node.track_id: node for node in graph.nodes}
        for pair in [pair for pair in self._relations if seen.issuperset(pair)]:
            del self._relations[pair]
        for relation in graph.relations:
            relation.subject_id, relation.object_id = (
                track[relation.subject_id],
                track[relation.object_id],
            )
            self._relations[relation.subject_id, relation.object_id] = relation
        for number, node in self._nodes.items():
            node.id = number
        return SceneGraph(
            nodes=list(self._nodes.values()), relations=list(self._relations.values())
        )


def place(node: SceneNode) -> str:
    """A node's name and, where the graph tells it, how far away it is."""
    return f"{name(node)} ({node.distance:.1f} m)" if node.has_position else name(node)


class Planner(Node):
    def __init__(self) -> None:
        super().__init__("planner")
        self._known: dict[str, set[str]] = {}
        self._memory = Memory()
        self._warned = False
        self.create_subscription(SceneGraph, "scene_graph", self.on_scene_graph, 1)

    def on_scene_graph(self, graph: SceneGraph) -> None:
        """Print the answers that have changed; a real planner would update its world model here."""
        in_view = {name(node): place(node) for node in graph.nodes}
        new = {
            question: answer
            for question, answer in answers(self._memory.update(graph), name).items()
            if self._known.get(question) != answer
        }
        self._known |= new
        age = self.get_clock().now() - Time.from_msg(graph.header.stamp)
        for question, answer in new.items():
            listed = ", ".join(sorted(in_view.get(one, one) for one in answer)) or "nothing"
            print(
                f"[{graph.header.frame_id}, {age.nanoseconds / 1e6:.0f} ms ago] {question} {listed}"
            )
        if not is_trained(graph.weights) and not self._warned:
            print("    (the model is untrained: none of this means anything)")
            self._warned = True
        sys.stdout.flush()


def main() -> None:
    try:
        rclpy.init()
        rclpy.spin(Planner())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
