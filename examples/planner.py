"""An example of a planner: it subscribes scene graphs and answers three questions about the view.

Run it beside the node, with a namespace where the node has one:

    python examples/planner.py --ros-args -r __ns:=/front
"""

import sys
from collections.abc import Iterable

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time

from dsflash_ros.graph.scene_graph import is_trained
from dsflash_ros.msg import SceneGraph

ON = ("on", "standing on", "sitting on", "lying on")
HOLDS = ("holding", "carrying")


def related(
    graph: SceneGraph, predicates: Iterable[str], subject: str = "", object: str = ""
) -> list[tuple[str, str]]:
    """Labels of subject and object of the relations with one of these predicates.

    `subject` and `object` are labels, too; empty ones stand for any.
    """
    labels = {node.id: node.label for node in graph.nodes}
    pairs = [
        (labels[r.subject_id], labels[r.object_id])
        for r in graph.relations
        if r.predicate in predicates
    ]
    return [(a, b) for a, b in pairs if subject in ("", a) and object in ("", b)]


def answers(graph: SceneGraph) -> dict[str, set[str]]:
    """Three questions and what the graph answers: each kind of object once, or nothing."""
    return {
        "what is on the table?": {a for a, _ in related(graph, ON, object="dining table")},
        "who holds what?": {f"{a} holds {b}" for a, b in related(graph, HOLDS)},
        "what is in front of the chair?": {
            a for a, _ in related(graph, ["in front of"], object="chair")
        },
    }


class Planner(Node):
    def __init__(self) -> None:
        super().__init__("planner")
        self._known: dict[str, set[str]] = {}
        self._warned = False
        self.create_subscription(SceneGraph, "scene_graph", self.on_scene_graph, 1)

    def on_scene_graph(self, graph: SceneGraph) -> None:
        """Print the answers that have changed; a real planner would update its world model here."""
        new = {
            question: answer
            for question, answer in answers(graph).items()
            if self._known.get(question) != answer
        }
        self._known |= new
        age = self.get_clock().now() - Time.from_msg(graph.header.stamp)
        for question, answer in new.items():
            listed = ", ".join(sorted(answer)) or "nothing"
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
