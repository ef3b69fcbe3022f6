"""A process that publishes scene graphs and a vocabulary, as the node does, when it is told to."""

import subprocess
import sys
import time

LABELS = ("cup", "dining table", "person")


class GraphPublisher:
    """The process. Graphs have the clock's time as stamp, and one node for each label."""

    def __init__(self, name="dsflash", namespace="/", topic="scene_graph", vocabulary="vocabulary"):
        self.process = subprocess.Popen(
            [sys.executable, __file__, name, namespace, topic, vocabulary],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def graph(self, *labels):
        """Publish a graph, in which the first node is on each other one."""
        self._tell("graph", *labels)

    def vocabulary(self, *classes):
        """Publish another vocabulary."""
        self._tell("vocabulary", *classes)

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def _tell(self, *words):
        print("\t".join(words), file=self.process.stdin, flush=True)


def main():
    import rclpy

    from dsflash_ros import msg
    from dsflash_ros.ros import qos

    rclpy.init()
    name, namespace, topic, vocabulary = sys.argv[1:]
    node = rclpy.create_node(name, namespace=namespace)
    graphs = node.create_publisher(msg.SceneGraph, topic, qos.results())
    words = node.create_publisher(msg.Vocabulary, f"~/{vocabulary}", qos.latched())

    def tell(classes):
        count = len(classes)
        words.publish(msg.Vocabulary(classes=classes, thing_count=count, predicates=["on"]))

    tell(LABELS)
    print("ready", flush=True)
    for line in sys.stdin:
        kind, *labels = line.rstrip("\n").split("\t")
        if kind == "vocabulary":
            tell(labels)
            continue
        nodes = [msg.SceneNode(id=i, label=label, is_thing=True) for i, label in enumerate(labels)]
        relations = [
            msg.SceneRelation(subject_id=0, object_id=i, predicate="on", score=0.9)
            for i in range(1, len(labels))
        ]
        graph = msg.SceneGraph(width=8, height=8, nodes=nodes, relations=relations)
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        graph.header.stamp.sec, graph.header.stamp.nanosec = seconds, nanoseconds
        graphs.publish(graph)


if __name__ == "__main__":
    main()
