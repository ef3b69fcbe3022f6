"""An example of a planner: subscribes scene graphs and prints what it now knows of the world.

Run it next to the node: `python examples/planner.py`, or with a namespace: `--ros-args -r __ns:=/front`.
"""

import sys

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time

from dsflash_ros.graph import is_trained
from dsflash_ros.msg import SceneGraph


class Planner(Node):
    def __init__(self) -> None:
        super().__init__("planner")
        self.create_subscription(SceneGraph, "scene_graph", self.on_scene_graph, 1)

    def on_scene_graph(self, graph: SceneGraph) -> None:
        """Print the nodes and the three surest relations; a real planner would update its world model here."""
        names = {node.id: f"{node.label}_{node.id}" for node in graph.nodes}
        facts = [
            f"{names[relation.subject_id]} {relation.predicate} {names[relation.object_id]} ({relation.score:.2f})"
            for relation in graph.relations[:3]  # best first
        ]
        age = self.get_clock().now() - Time.from_msg(graph.header.stamp)
        print(f"[{graph.header.frame_id}] a scene graph of {age.nanoseconds / 1e6:.0f} ms ago")
        print(f"    nodes: {', '.join(names.values()) or 'none'}")
        print(f"    {len(graph.relations)} relations: {'; '.join(facts) or 'none'}")
        if not is_trained(graph.weights):
            print("    (the model is untrained: none of this means anything)")
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
