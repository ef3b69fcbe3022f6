"""How long answers take: questions in Python, over the service of a node, and the client's wake-up.

    python benchmarks/answers.py [--repeat 200] [--json FILE]

`question` is `graph.query` over 50 nodes and 500 relations. `service` is a round trip to the node's
`QueryService` in another process, with the same graph. `wake-up` is from publishing such a graph in
another process until `SceneGraphClient.wait_for` returns in this one.
"""

import argparse
import contextlib
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from dsflash_ros.argument_types import positive
from dsflash_ros.bench.results import spread, store
from dsflash_ros.errors import QueryError
from dsflash_ros.graph import Node, Relation, SceneGraph, Vocabulary
from dsflash_ros.machine import machine
from dsflash_ros.text_tables import Row, show

QUESTIONS = {
    "what is on tables": "?x on ?t:dining_table",
    "nearest that nobody holds": "nearest ?c:cup where not ?p:person holding|carrying ?c",
    "three patterns": "?a on ?b and ?b in ?c and not ?d:person ? ?a",
    "near, limited": "?x:cup|bottle|bowl and ?x.distance < 2 limit 5",
    "yes or no": "person holding cup",
}
HOSTILE = {
    "four of all nodes": "?a and ?b and ?c and ?d",
    "three of all relations": "?a ? ?b and ?b ? ?c and ?c ? ?d",
    "sixteen patterns": " and ".join(f"?a{i} ? ?b{i}" for i in range(16)),
}
NODES, RELATIONS = 50, 500
SIZES = (20, 100), (NODES, RELATIONS)
"""Of graphs that wake: as many relations as the node tells by default, and the largest."""


def graph_with(
    label: str = "cup", nodes_count: int = NODES, relations_count: int = RELATIONS
) -> SceneGraph:
    """A graph with names of the toy world; the first node has this label."""
    words, choose = Vocabulary.load("toyroom"), random.Random(0)
    labels = [label, *(choose.choice(words.classes) for _ in range(nodes_count - 1))]
    nodes = tuple(
        Node(
            id=i,
            class_id=0,
            label=name,
            is_thing=True,
            score=choose.random(),
            box=(0, 0, 9, 9),
            area=81,
            centroid=(4.5, 4.5),
            track_id=i,
            position=(choose.random(), 0.0, 0.0),
            extent=(0.1, 0.1, 0.1),
            distance=5 * choose.random(),
        )
        for i, name in enumerate(labels)
    )
    every = [(a, b) for a in range(nodes_count) for b in range(nodes_count) if a != b]
    pairs = choose.sample(every, relations_count)
    relations = tuple(
        Relation(a, b, 0, choose.choice(words.predicates), choose.random()) for a, b in pairs
    )
    return SceneGraph(nodes, relations, np.full((480, 640), -1, np.int32))


def of_questions(repeat: int) -> list[Row]:
    """Milliseconds of each question, read anew from its cache as in a service."""
    graph, words, rows = graph_with(), Vocabulary.load("toyroom"), []
    for kind, questions in (("question", QUESTIONS), ("hostile question", HOSTILE)):
        for name, text in questions.items():
            found = []
            for _ in range(repeat if kind == "question" else max(repeat // 10, 1)):
                start = time.perf_counter()
                try:
                    graph.query(text, vocabulary=words)
                except QueryError:
                    assert kind == "hostile question"
                found.append(1000 * (time.perf_counter() - start))
            rows.append({"what": kind, "of": name} | spread(found))
    return rows


def of_service(repeat: int) -> list[Row]:
    """Milliseconds from request to response, each after the one before."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from dsflash_ros.srv import Query

    node, executor = rclpy.create_node("asking"), SingleThreadedExecutor()
    executor.add_node(node)
    client, rows = node.create_client(Query, "/answers_bench/query"), []
    if not client.wait_for_service(20.0):
        raise SystemExit("the other process offers no service")
    for name, text in QUESTIONS.items():
        found = []
        for _ in range(repeat):
            start = time.perf_counter()
            future = client.call_async(Query.Request(query=text))
            # rclpy's spin_until_future_complete() takes longer from call to call
            while not future.done() and time.perf_counter() < start + 20:
                executor.spin_once(timeout_sec=1.0)
            found.append(1000 * (time.perf_counter() - start))
            assert future.result().success, future.result().message
        rows.append({"what": "service", "of": name} | spread(found))
    executor.shutdown()
    node.destroy_node()
    return rows


def of_wake_up(repeat: int, peer: subprocess.Popen) -> list[Row]:
    """Milliseconds from the stamp, which is set when a graph is published, to the return."""
    from dsflash_ros import SceneGraphClient

    rows = []
    with SceneGraphClient(topic="/answers_bench/scene_graph") as client:
        while client.graph is None:
            _tell(peer, "person", *SIZES[0])
            time.sleep(0.1)
        for size in SIZES:
            found = []
            for _ in range(repeat):
                stamp = time.time()
                threading.Timer(0.02, _tell, (peer, "umbrella", *size)).start()
                answers = client.wait_for("?x:umbrella and ?x#0", 20.0, after=stamp)
                found.append(1000 * (time.time() - answers.graph.stamp))
            rows.append({"what": "wake-up", "of": "{} nodes, {} relations".format(*size)})
            rows[-1] |= spread(found)
    return rows


def _tell(peer: subprocess.Popen, label: str, nodes: int, relations: int) -> None:
    print(label, nodes, relations, file=peer.stdin, flush=True)


def serve() -> None:
    """The other process: offers the service, and publishes a graph for each line on stdin."""
    import rclpy
    from std_msgs.msg import Header

    from dsflash_ros import msg
    from dsflash_ros.ros import qos
    from dsflash_ros.ros.messages.graph_messages import graph_to_message
    from dsflash_ros.ros.query_service import QueryService

    rclpy.init()
    node = rclpy.create_node("answers_bench")
    service = QueryService(node)
    service.open(Vocabulary.load("toyroom"))
    service.put(graph_with(), Header())
    publisher = node.create_publisher(msg.SceneGraph, "/answers_bench/scene_graph", qos.results())
    spinning = threading.Thread(target=_spin, args=(node,))
    spinning.start()
    print("ready", flush=True)
    for line in sys.stdin:
        label, *size = line.split()
        message = graph_to_message(graph_with(label, *map(int, size)), Header())
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(time.time_ns(), 10**9)
        publisher.publish(message)
    rclpy.try_shutdown()
    spinning.join()


def _spin(node) -> None:
    import rclpy
    from rclpy.executors import ExternalShutdownException

    with contextlib.suppress(ExternalShutdownException):
        rclpy.spin(node)


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=positive, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve()
        return
    import rclpy

    on = machine()
    peer = subprocess.Popen(
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert peer.stdout.readline() == "ready\n"
        rows = of_questions(args.repeat)
        rclpy.init()
        rows += of_service(args.repeat)
        rows += of_wake_up(args.repeat, peer)
    finally:
        peer.stdin.close()
        peer.wait(20)
        rclpy.try_shutdown()
    show(f"{NODES} nodes, {RELATIONS} relations", rows)
    if args.json:
        store(args.json, "answers", {"repeat": args.repeat}, rows, on)


if __name__ == "__main__":
    main()
