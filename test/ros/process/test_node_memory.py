"""The node's memory over many frames, and Python's part in it."""

import gc
import subprocess
import sys
import textwrap
import time

import psutil
import pytest
from harness import eventually, image_message

pytest.importorskip("dsflash_ros.msg", reason="needs rclpy and the generated messages")

from sensor_msgs.msg import Image

from dsflash_ros.msg import SceneGraph
from dsflash_ros.ros.process.memory import freeze_objects, sweep, thaw_objects

# The node as it is, but for a pipeline that costs nothing and makes 200 graphs of a frame instead
# of one, so that seconds of frames do what takes the real one hours.
NODE = """
    import random
    from types import SimpleNamespace
    import numpy as np
    from dsflash_ros.graph.scene_graph import NOTHING, Node, Relation, SceneGraph
    from dsflash_ros.graph.vocabulary import Vocabulary
    from dsflash_ros.pipeline.asking import Asked
    from dsflash_ros.pipeline.options import Options
    from dsflash_ros.pipeline.translation import Translation
    from dsflash_ros.ros import main, node

    class Pipeline:
        weights, is_trained, device, precision = "many", True, "cpu", "float32"
        vocabulary, options, dice = Vocabulary.psg(), Options(), random.Random(0)
        backend = SimpleNamespace(name="torch")
        translation, asked = Translation.without_change(vocabulary), Asked()

        def graph(self, shape, stamp, source):
            count = self.dice.randrange(20)
            nodes = tuple(
                Node(n, 0, "cup", True, 0.5, (0, 0, 1, 1), 1, (0.5, 0.5)) for n in range(count)
            )
            relations = tuple(Relation(n, 0, 0, "on", 0.5) for n in range(1, count))
            panoptic = np.full(shape, NOTHING, np.int32)
            return SceneGraph(nodes, relations, panoptic, stamp, source, "", {"total": 1.0})

        def __call__(self, rgb, stamp, source):
            return [self.graph(rgb.shape[:2], stamp, source) for _ in range(200)][-1]

    objects = [[] for _ in range(400_000)]  # as many as torch brings
    node.check_choice = lambda choice: None
    node.load_pipeline = lambda choice: Pipeline()
    node.SWEEP_PERIOD_S = 0.25
    main.main()
"""


def anonymous_kib(pid):
    """Resident memory that is the process's own: neither files nor shared memory."""
    memory = psutil.Process(pid).memory_info()
    return (memory.rss - memory.shared) // 1024


def test_memory_stays_the_same_over_many_frames(client, tmp_path):
    log = tmp_path / "output.txt"
    with log.open("w") as output:
        node = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(NODE)], stdout=output, stderr=output
        )
    try:
        graphs, subscription = client.subscribe(SceneGraph, "/scene_graph")
        camera = client.publisher(Image, "/image", 10)

        eventually(lambda: camera.publish(image_message(0)) or graphs)  # all have met

        def play(frames):
            for number in range(frames):
                seen = len(graphs)
                camera.publish(image_message(number))
                eventually(lambda seen=seen: len(graphs) > seen)
            time.sleep(0.6)  # a sweep or two
            return anonymous_kib(node.pid)

        before = play(5)
        after = play(200)
    finally:
        node.terminate()
        node.wait(10.0)
    client.node.destroy_subscription(subscription)
    client.node.destroy_publisher(camera)
    assert after - before < 1024, f"{before} KiB after 5 frames, {after} after 205"
    assert "rror" not in log.read_text()


def test_sweep_empties_the_lists_of_free_tuples():
    def blocks():
        sweep()
        return sys.getallocatedblocks()

    freeze_objects()
    try:
        before = blocks()
        for length in range(1, 20):
            for _ in range(1000):
                tuple(number for number in range(length))
        assert sys.getallocatedblocks() - before > 10_000, "this test would see nothing"
        assert blocks() - before < 1000
    finally:
        thaw_objects()


def test_full_collection_is_short_once_objects_are_frozen():
    many = [[number] for number in range(300_000)]
    freeze_objects()
    try:
        start = time.perf_counter()
        sweep()
        assert time.perf_counter() - start < 0.02
        assert gc.get_freeze_count() > len(many)
    finally:
        thaw_objects()
    assert gc.get_freeze_count() == 0
